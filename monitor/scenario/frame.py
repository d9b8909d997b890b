"""Many accounts at once: their rows joined into columns, in a fixed order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from monitor.scenario.joined import Joined
from monitor.scenario.packing import Packer
from monitor.scenario.rows import INVERSE, OPTION, TABLES
from monitor.scenario.tables import Bools, Floats, Ints, PriceArrays, Tiers

__all__ = ["Frame", "Groups"]

Groups = list[tuple[int, Ints]]
"""Coin → places."""


class Round(NamedTuple):
    """Orders of one rank, at most one an account."""

    here: slice
    giving: Groups
    receiving: Groups


class Frame:
    """Accounts in a fixed order; nothing in it changes."""

    def __init__(self, packer: Packer, tiers: Tiers, joined: Joined) -> None:
        self.packer, self.tiers, self.joined = packer, tiers, joined
        self.count = len(joined.origin)
        self.mode, self.known, self.ordered = joined.mode, joined.known, joined.ordered
        self.exact: Bools = joined.exact
        """Accounts that only decimals know; their rows are missing."""
        tables = {name: (joined.rows[name], joined.account_of(name)) for name in TABLES}
        self._take_holdings(*tables["holdings"])
        self._take_legs(*tables["legs"])
        self._take_shorts(*tables["shorts"])
        self._take_orders(*tables["orders"])
        self.isolated, self.isolated_account = tables["isolated"]
        rows, self.needs_account = tables["needs"]
        self.needs: Ints = rows["place"].astype(np.intp)
        self.active: Bools = np.zeros(self.count, dtype=np.bool_)
        """Accounts whose ratio can exist at some prices: they owe, or may come to."""
        self.active[self.account[(self.need > 0.0) | self.moving]] = True
        self.active[self.leg_account] = True
        self.active[self.short_account] = True
        self.margined: Bools = np.zeros(self.count, dtype=np.bool_)
        """Accounts with isolated positions."""
        self.margined[self.isolated_account] = True

    def name(self, number: int) -> str:
        """Return an account's id."""
        return self.joined.names[int(self.joined.origin[number])]

    def isolated_key(self, row: int) -> str:
        """Return the key of an isolated position by its row."""
        keys = self.joined.keys[int(self.joined.origin[self.isolated_account[row]])]
        return keys[int(self.isolated["number"][row])]

    def _take_holdings(self, rows: Any, account: Ints) -> None:
        """Sort holdings: those that prices move, those with tiers in USD, the rest; by coin."""
        moving = rows["moving"].astype(np.bool_)
        by_value = self.tiers.by_value[rows["coin"]]
        block = np.where(moving, 0, np.where(by_value, 1, 2))
        order = np.lexsort((rows["coin"], block))
        self._starts = np.searchsorted(account, np.arange(self.count))
        self._place = np.empty(len(order), dtype=np.intp)
        self._place[order] = np.arange(len(order))
        rows = rows[order]
        self.account: Ints = account[order]
        self.coin: Ints = rows["coin"].astype(np.intp)
        self.counts: Bools = rows["counts"].astype(np.bool_)
        self.moving: Bools = moving[order]
        self.net, self.held = _columns(rows, "net", "gross")
        self.borrowing, self.need = _columns(rows, "borrowing", "need")
        self.taken = _columns(rows, "taken")[0]
        moves = int(np.count_nonzero(moving))
        bends = moves + int(np.count_nonzero(by_value & ~moving))
        self.moves, self.bends = moves, bends
        self.frozen = _columns(rows[:moves], "frozen")[0]
        self.taker = _columns(rows[:moves], "taker")[0]
        self.borrows = rows["borrows"][:moves].astype(np.bool_)
        self.slices = [*_runs(self.coin, 0, moves), *_runs(self.coin, moves, bends)]
        # Where neither an equity nor a tier moves, what counts is proportional to the price.
        self.straight = np.zeros(len(rows) - bends)
        for coin, start, end in _runs(self.coin, bends, len(rows)):
            amounts = self.tiers.coins[coin].discounted(self.net[start:end], self.counts[start:end])
            self.straight[start - bends : end - bends] = amounts

    def _holding(self, rows: Any, field: str, account: Ints) -> Ints:
        found: Ints = self._place[rows[field] + self._starts[account]]
        return found

    def _take_legs(self, rows: Any, account: Ints) -> None:
        order = np.argsort(rows["size"] == 0.0, kind="stable")  # positions first
        rows, account = rows[order], account[order]
        self.leg_account: Ints = account
        self.leg_holding = self._holding(rows, "holding", account)
        self.leg_coin: Ints = self.coin[self.leg_holding]
        self.leg_instrument: Ints = rows["instrument"].astype(np.intp)
        kind = rows["kind"]
        self.leg_inverse: Bools = kind == INVERSE
        self.leg_option: Bools = kind == OPTION
        self.leg_size, self.leg_entry, self.leg_need = _columns(rows, "size", "entry", "need")
        self.positions = int(np.count_nonzero(self.leg_size))
        entries = self.leg_entry[: self.positions]
        safe = np.where(entries > 0.0, entries, 1.0)
        self.entry_inverse = np.where(self.leg_inverse[: self.positions], 1.0 / safe, 0.0)
        rates = self.packer.reference.instruments
        anticipates = self.packer.reference.policy.anticipate_funding
        self.funding = (
            np.array([float(rates[name].funding_rate or 0) for name in self.packer.instruments])
            if anticipates
            else None
        )

    def _take_shorts(self, rows: Any, account: Ints) -> None:
        self.short_account: Ints = account
        self.short_holding = self._holding(rows, "holding", account)
        self.short_coin: Ints = rows["coin"].astype(np.intp)
        self.short_instrument: Ints = rows["instrument"].astype(np.intp)
        self.put = rows["put"].astype(np.bool_)
        self.short_coins, self.short_held = _columns(rows, "coins", "held")
        self.short_rate, self.short_taker = _columns(rows, "rate", "taker")

    def _take_orders(self, rows: Any, account: Ints) -> None:
        """Sort spot orders into rounds: the first order of every account, the second, …"""
        order = np.argsort(rows["rank"], kind="stable")
        rows, account = rows[order], account[order]
        self.order_account: Ints = account
        self.gives = self._holding(rows, "gives", account)
        self.receives = self._holding(rows, "receives", account)
        self.quote = self._holding(rows, "quote", account)
        self.given, self.received = _columns(rows, "given", "received")
        self.given_at, self.received_at, self.keep = _columns(
            rows, "given_at", "received_at", "keep"
        )
        self.rounds = [
            Round(
                slice(start, end),
                groups_of(self.coin[self.gives[start:end]]),
                groups_of(self.coin[self.receives[start:end]]),
            )
            for _, start, end in _runs(rows["rank"], 0, len(rows))
        ]

    @property
    def bent(self) -> Bools:
        """Accounts whose slack may curve the wrong way between two prices.

        Options do, and coins whose discount rates rise or whose borrow rates fall from tier to tier.
        """
        found = np.zeros(self.count, dtype=np.bool_)
        found[self.account[~self.tiers.regular[self.coin]]] = True
        found[self.leg_account[self.leg_option]] = True
        found[self.short_account] = True
        return found

    def steady(self, coins: Bools) -> Bools:
        """Say in which accounts a move of these coins leaves AE-2's loss as it is.

        Orders are looked at from their own prices in their quote coins, at equities that only marks
        move.
        """
        found = np.ones(self.count, dtype=np.bool_)
        found[self.account[: self.moves]] = False
        found[self.order_account[coins[self.coin[self.quote]]]] = False
        return found

    # -- choosing accounts --------------------------------------------------------------------

    def only(self, chosen: Bools | Ints) -> Frame:
        """Return a frame of these accounts; numbers may repeat."""
        numbers = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Frame(self.packer, self.tiers, self.joined.only(numbers.astype(np.intp)))

    def touching(self, coins: Bools, marks: Bools) -> Bools:
        """Say which accounts a move of these coins and instruments concerns."""
        found = np.zeros(self.count, dtype=np.bool_)
        found[self.account[coins[self.coin]]] = True
        places = np.concatenate([coins, marks])
        found[self.needs_account[places[self.needs]]] = True
        return found

    def priced(self, prices: PriceArrays) -> Bools:
        """PX-3: say which accounts have every price they need."""
        found = self.known.copy()
        missing = np.isnan(np.concatenate([prices.index, prices.mark]))
        if missing.any():
            found[self.needs_account[missing[self.needs]]] = False
        return found


def _columns(rows: Any, *names: str) -> list[Floats]:
    return [np.ascontiguousarray(rows[name]) for name in names]


def _runs(numbers: Ints, start: int, end: int) -> list[tuple[int, int, int]]:
    """Return (number, start, end) of each run of equal numbers between two places."""
    part = numbers[start:end]
    if not len(part):
        return []
    bounds = np.flatnonzero(np.diff(part)) + 1
    edges = [0, *bounds.tolist(), len(part)]
    return [(int(part[a]), start + a, start + b) for a, b in pairwise(edges)]


def groups_of(numbers: Ints) -> Groups:
    return [(int(number), np.flatnonzero(numbers == number)) for number in set(numbers.tolist())]
