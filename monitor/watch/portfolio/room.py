"""Which portfolio accounts may a tick concern? Those whom no cell of prices clears.

Cells lie in one another: an account stands in the widest that proves its zone, and is looked at again
when that is left, in the next narrower one where it proves nothing any more. The narrowest is the
point of the present prices; what floats cannot tell there is named, and for decimals to decide.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from monitor.account.state import Account
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.watch.exposures import Form
from monitor.watch.guard import Look, Quiet
from monitor.watch.portfolio.accounts import bound_accounts, mark_contracts, mark_rows
from monitor.watch.portfolio.book import compile_book
from monitor.watch.portfolio.gates import FOREVER
from monitor.watch.portfolio.layout import (
    EQUITY_HI,
    EQUITY_LO,
    FOUND,
    MOST_HOLDINGS,
    MOST_LEVELS,
    REQUIREMENT_HI,
    REQUIREMENT_LO,
    SHORT,
    SURE,
    ZONE,
)
from monitor.watch.portfolio.market import Market
from monitor.watch.portfolio.pools import Pools
from monitor.watch.portfolio.ring import Ring, Width
from monitor.watch.portfolio.unit import SCRATCH

__all__ = ["WIDTHS", "PortfolioWatch"]

Floats = NDArray[np.float64]
Slots = NDArray[np.int64]

WIDTHS = (
    Width(0.03, 0.15, 3_600_000),
    Width(0.015, 0.075, 1_800_000),
    Width(0.008, 0.04, 1_800_000),
    Width(0.004, 0.02, 900_000),
    Width(0.002, 0.01, 600_000),
    Width(0.001, 0.005, 300_000),
    Width(0.0005, 0.0025, 120_000),
    Width(0.00015, 0.001, 60_000),
    Width(0.0, 0.0, 0),
)
"""The cells, the widest first; the last is a point."""
_PATIENCE = 16
"""How many looks pass, at most, before an account is tried in a wider cell: twice as many after each in vain."""
_NOWHERE = -1


class PortfolioWatch:
    """The units of many accounts, by slot. Synchronous; prices are those of one price book."""

    def __init__(self) -> None:
        self._market: Market | None = None
        self._begun = 0
        """Rows of markets before."""
        self._rings: list[Ring] = []
        self._pools = Pools()
        self._rows_of: dict[int, tuple[int, ...]] = {}
        self._members: dict[int, set[int]] = {}
        """Row → slots that depend on it."""
        self._listed: dict[int, Slots] = {}
        """The same as arrays, of rows whose members have not changed since."""
        self._ring_of = np.zeros(1024, dtype=np.int8)
        self._stands = np.zeros((1024, 2), dtype=np.int64)
        """Slot → zone and OC-1; zone -1 where floats were not sure."""
        self._patience = np.ones(1024, dtype=np.int64)
        self._waits = np.zeros(1024, dtype=np.int64)
        """By slot: looks between two tries of a wider ring, and those until the next."""
        self._occupied: set[int] = set()
        """Rings that follow anything."""
        self._quiet: Quiet | None = None
        self._coins = np.zeros((MOST_HOLDINGS, 6))
        self._sums = np.zeros(SCRATCH)

    # -- accounts -----------------------------------------------------------------------------

    def put(
        self, slot: int, account: Account, reference: Reference, prices: PriceBook, form: Form
    ) -> bool:
        """Take an account all of whose prices are known; say whether floats can screen it.

        No tick concerns it until it is looked at.
        """
        self.drop(slot)
        market = self._market
        if market is None or market.book is not prices or market.reference is not reference:
            market = self._begin(reference, prices)
        if form.exact_only:
            return False
        changes = market.changes
        book = compile_book(account, reference, form, market)
        if market.changes != changes:
            self._shake()
        self._quiet = None
        if book is None:
            return False
        self._room(slot)
        self._pools.put(slot, book)
        self._rows_of[slot] = book.rows
        for row in book.rows:
            self._members.setdefault(row, set()).add(slot)
            self._listed.pop(row, None)
        return True

    def drop(self, slot: int) -> None:
        """Forget an account, or that it was to be screened."""
        rows = self._rows_of.pop(slot, ())
        for row in rows:
            self._members[row].discard(slot)
            self._listed.pop(row, None)
        if rows:
            self._pools.drop(slot)
        if slot < len(self._ring_of):
            self._ring_of[slot] = _NOWHERE

    def mute(self, slot: int) -> None:
        """Let no tick concern an account until it is looked at."""
        if slot < len(self._ring_of):
            self._ring_of[slot] = _NOWHERE

    def look(self, slot: int, levels: tuple[float, ...]) -> Look | None:
        """Screen an account at the present prices and guard what is found; None: not screened."""
        if slot not in self._rows_of:
            return None
        if len(levels) > MOST_LEVELS:
            raise ValueError(f"{len(levels)} levels given, {MOST_LEVELS} are expected at most")
        self._pools.set_levels(slot, levels)
        chosen = np.array([slot])
        last = len(self._rings) - 1
        found = self._bound(last, chosen)[0]
        sure = bool(found[SURE])
        self._stands[slot] = (int(found[ZONE]), int(found[SHORT])) if sure else (-1, 0)
        self._ring_of[slot] = last
        self._patience[slot], self._waits[slot] = 1, 0
        if sure:
            for number in range(last):
                if self._proves(number, chosen)[0]:
                    self._ring_of[slot] = number
                    break
        self._settle(int(self._ring_of[slot]), chosen)
        equity = 0.5 * (found[EQUITY_LO] + found[EQUITY_HI])
        asked = 0.5 * (found[REQUIREMENT_LO] + found[REQUIREMENT_HI])
        ratio = float(equity / asked) if asked > 0.0 else float("inf")
        return Look(int(found[ZONE]), bool(found[SHORT]), sure, ratio)

    def screen_all(self) -> int:
        """Screen every account at the present prices; return of how many floats are sure."""
        slots = np.array(sorted(self._rows_of), dtype=np.int64)
        return int(self._bound(len(self._rings) - 1, slots)[:, SURE].sum()) if len(slots) else 0

    # -- prices -------------------------------------------------------------------------------

    def places(self, keys: Iterable[str]) -> Slots:
        """Return the rows of price keys, 0 of those that nobody here goes by."""
        rows = self._market.rows if self._market is not None else {}
        return np.array([rows.get(key, 0) for key in keys], dtype=np.int64)

    @property
    def version(self) -> int:
        """Changes whenever `places` may."""
        return self._begun + (len(self._market.rows) if self._market is not None else 0)

    def quiet(self) -> Quiet:
        """Say within which prices, and up to which moments, by row, no tick concerns anybody."""
        if self._quiet is None:
            count = len(self._market.prices) if self._market is not None else 1
            low, high = np.full(count, -np.inf), np.full(count, np.inf)
            until = np.full(count, FOREVER, dtype=np.int64)
            for number, ring in enumerate(self._rings):
                ring.grow()
                if number in self._occupied:
                    ring.narrow(low, high, until)
            self._quiet = Quiet(low, high, until)
        return self._quiet

    def follow(self, rows: Slots, prices: Floats, stamps: Slots) -> None:
        """Follow ticks that the price book has accepted, all of them quiet but for the last."""
        if self._market is not None:
            self._market.follow(rows, prices, stamps)

    def tick(self, key: str) -> list[int]:
        """Take the tick that the price book has just accepted; return the slots it may concern."""
        market = self._market
        row = market.take(key) if market is not None else None
        if market is None or row is None:
            return []
        low, high, until = self.quiet()
        if low[row] <= market.prices[row] <= high[row] and market.stamps[row] <= until[row]:
            return []
        left: Slots = np.zeros(0, dtype=np.int64)
        for number, ring in enumerate(self._rings):
            if number not in self._occupied and not len(left):
                continue
            rows = ring.left_by(row) if ring.followed[row] else set()
            own = self._members_in(number, rows) if rows else left[:0]
            if rows and not len(own):
                self._follow_members(number)
            if len(own) or len(left):
                left = self._again(number, own, left, rises=row in rows)
        self._quiet = None
        return sorted(left.tolist())

    def _again(self, number: int, own: Slots, left: Slots, *, rises: bool) -> Slots:
        """Look at accounts of a ring that was left, and at those that come from wider ones.

        `rises`: the price itself left its cell, so what the new one proves a wider one may as well.
        """
        chosen = np.concatenate([own, left])
        proved = self._proves(number, chosen)
        self._ring_of[chosen] = number
        last = number == len(self._rings) - 1
        self._settle(number, chosen if last else chosen[proved])
        if number and rises:
            self._rise(number, own[proved[: len(own)]])
        return chosen[~proved]

    def _rise(self, number: int, slots: Slots) -> None:
        """Try accounts of a ring in the next wider one, if their patience is at its end."""
        self._waits[slots] -= 1
        slots = slots[self._waits[slots] <= 0]
        if not len(slots):
            return
        proved = self._proves(number - 1, slots)
        risen, vain = slots[proved], slots[~proved]
        self._ring_of[risen] = number - 1
        self._settle(number - 1, risen)
        self._patience[risen] = 1
        self._patience[vain] = np.minimum(_PATIENCE, 2 * self._patience[vain])
        self._waits[slots] = self._patience[slots]

    def _settle(self, number: int, slots: Slots) -> None:
        """Follow from now on what accounts depend on that have come to stand in a ring."""
        pools = self._pools
        mark_rows(slots, pools.accounts, pools.rows.rows, self._rings[number].followed)
        if len(slots):
            self._occupied.add(number)
        self._quiet = None

    def _follow_members(self, number: int) -> None:
        """Follow no more than what those depend on who stand in a ring."""
        self._rings[number].followed[:] = False
        self._occupied.discard(number)
        self._settle(number, np.flatnonzero(self._ring_of == number))

    def _members_in(self, number: int, rows: set[int]) -> Slots:
        """Return the slots of a ring that depend on any of `rows`, rising."""
        chosen = [slots[self._ring_of[slots] == number] for slots in map(self._list, sorted(rows))]
        return chosen[0] if len(chosen) == 1 else np.unique(np.concatenate(chosen))

    def _list(self, row: int) -> Slots:
        found = self._listed.get(row)
        if found is None:
            members = self._members.get(row, set())
            found = np.fromiter(members, dtype=np.int64, count=len(members))
            found.sort()
            self._listed[row] = found
        return found

    def _proves(self, number: int, chosen: Slots) -> NDArray[np.bool_]:
        """Say whose standing a ring proves."""
        found = self._bound(number, chosen)
        stands = self._stands[chosen]
        proved: NDArray[np.bool_] = (
            (found[:, SURE] > 0.0)
            & (found[:, ZONE] == stands[:, 0])
            & (found[:, SHORT] == stands[:, 1])
        )
        return proved

    def _bound(self, number: int, chosen: Slots) -> Floats:
        """Return the figures of accounts in one ring, its cells made where they are wanting."""
        ring, pools = self._rings[number], self._pools
        self._quiet = None
        ring.grow()
        wanted = np.zeros(len(ring.known), dtype=np.bool_)
        rows = np.zeros(len(ring.lo), dtype=np.bool_)
        mark_contracts(chosen, pools.accounts, pools.legs.rows, wanted)
        mark_rows(chosen, pools.accounts, pools.rows.rows, rows)
        ring.renew(rows, wanted)
        ring.ensure(wanted)
        lows, highs = ring.values()
        found = np.zeros((len(chosen), FOUND))
        bound_accounts(
            chosen,
            pools.accounts,
            pools.rates,
            pools.levels,
            pools.holdings.rows,
            pools.balances.rows,
            pools.legs.rows,
            pools.amounts.rows,
            pools.units.rows,
            pools.caps.rows,
            pools.discounts.rows,
            pools.borrows.rows,
            lows,
            highs,
            ring.table,
            ring.under,
            ring.shares,
            ring.scales,
            ring.hedges,
            self._coins,
            self._sums,
            found,
            ring.width.price == 0.0,
        )
        return found

    # -- inside -------------------------------------------------------------------------------

    def _begin(self, reference: Reference, prices: PriceBook) -> Market:
        """Every account is put again with another reference set."""
        if self._market is not None:
            self._begun += len(self._market.rows)
        market = self._market = Market(reference, prices)
        self._quiet = None
        self._rings = [Ring(market, width) for width in WIDTHS]
        self._pools = Pools()
        self._occupied.clear()
        self._members.clear()
        self._listed.clear()
        self._rows_of.clear()
        self._ring_of[:] = _NOWHERE
        return market

    def _shake(self) -> None:
        """Prices reach contracts through other rows than before: no cell made until now holds.

        The accounts are put again, as the price that did it says; until then all of them are looked
        at with the next tick of theirs.
        """
        for ring in self._rings:
            ring.forget()
        last = len(self._rings) - 1
        self._ring_of[self._ring_of >= 0] = last
        self._rings[last].grow()
        self._settle(last, np.flatnonzero(self._ring_of == last))

    def _room(self, slot: int) -> None:
        while slot >= len(self._ring_of):
            more = len(self._ring_of)
            self._ring_of = np.append(self._ring_of, np.full(more, _NOWHERE, dtype=np.int8))
            self._stands = np.concatenate([self._stands, np.zeros_like(self._stands)])
            self._patience = np.append(self._patience, np.ones(more, dtype=np.int64))
            self._waits = np.append(self._waits, np.zeros(more, dtype=np.int64))
