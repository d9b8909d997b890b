"""Accounts written into a sheet, from which compiled code makes their records many at a time.

A plain account has no orders, no options, no debt of an isolated position and no portfolio margin: most
accounts at most times. The others are compiled one by one (`monitor.watch.form`), as is a plain one of
which floats cannot tell something.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, SupportsFloat, cast

import numpy as np

from monitor.account.glance import Glance
from monitor.account.state import Account
from monitor.watch import rows
from monitor.watch.shelf import Shelf
from monitor.watch.state import Floats
from monitor.watch.tables import Tables

__all__ = ["Levels", "Row", "Sheet", "Sheets"]


class Levels(NamedTuple):
    """Which levels matter to an account: places of ladders in the tables."""

    ladder: int
    apart: Mapping[str, int] | None
    """By key of its isolated positions; None: that of the account."""
    quiet: bool
    """No episode is open but for a warning that stands."""


class Row(Protocol):
    """What must be known of an account apart from its book."""

    slot: int
    always: bool
    guarded: bool
    keys: tuple[str, ...]


class _Coins(dict[str, int]):
    """Coin → place of its terms; KeyError for one that the reference set does not know."""

    def __init__(self, tables: Tables, shelf: Shelf) -> None:
        super().__init__()
        self._tables, self._shelf = tables, shelf

    def __missing__(self, name: str) -> int:
        coin, shelf = self._tables.coin(name), self._shelf
        values = [0.0] * rows.COIN_TERMS
        values[rows.OWN], values[rows.BRIDGE] = float(coin.column), float(coin.bridge)
        values[rows.COLLATERAL] = float(coin.is_collateral)
        values[rows.BY_VALUE], values[rows.ADDS] = float(coin.by_value), float(coin.adds_to_quota)
        values[rows.DISCOUNT] = float(shelf.discounts(coin.discount, coin.minimum_rate))
        values[rows.BORROW] = float(shelf.borrows(coin.borrow))
        values[rows.WHOLE] = float(shelf.discounts((), 1.0))
        values[rows.QUOTA] = float(coin.entry.interest_free_quota)
        # By name: which coin a place is for tells holdings apart.
        found = self[name] = shelf.table(f"coin {name}", values)
        return found


class _Contracts(dict[str, int]):
    """Contract → place of its terms; KeyError for what is none, or unknown."""

    def __init__(self, tables: Tables, shelf: Shelf, coins: _Coins) -> None:
        super().__init__()
        self._tables, self._shelf, self._coins = tables, shelf, coins
        self._groups: dict[tuple[str, str], int] = {}

    def __missing__(self, name: str) -> int:
        listed = self._tables.listed(name)
        if listed.is_spot or listed.is_option:
            raise KeyError(name)
        values = [0.0] * rows.CONTRACT_TERMS
        values[rows.MARK], values[rows.SETTLE] = (
            float(listed.mark),
            float(self._coins[listed.settle]),
        )
        values[rows.INVERSE], values[rows.SIZE] = float(listed.inverse), float(listed.size)
        values[rows.GROUP] = float(self._groups.setdefault(listed.group, len(self._groups)))
        values[rows.TIERS] = float(len(listed.up_to))
        for up_to, maintenance in zip(listed.up_to, listed.maintenance, strict=True):
            values += (float(up_to), maintenance)
        found = self[name] = self._shelf.table("contract", values)
        return found


class Sheet:
    """Rows of accounts, in the order in which they were added."""

    def __init__(self) -> None:
        self.numbers = array("d")
        self.keys: list[tuple[str, ...]] = []
        """MR-3: of each account, its isolated positions."""

    def floats(self) -> Floats:
        """Return all rows, one after the other."""
        return np.frombuffer(self.numbers)


class Sheets:
    """Writes accounts into sheets under one reference set."""

    def __init__(self, tables: Tables, shelf: Shelf) -> None:
        self._tables = tables
        self._coins = _Coins(tables, shelf)
        self._contracts = _Contracts(tables, shelf, self._coins)
        self._moves_frozen = tables.reference.policy.anticipate_funding
        self._priced = len(tables.prices.prices)
        self._tuples: dict[tuple[str, ...], tuple[str, ...]] = {(): ()}

    def begin(self) -> Sheet:
        """Return an empty sheet for prices as they are now."""
        if self._priced != len(self._tables.prices.prices):  # PX-2: a first price can change routes
            self._priced = len(self._tables.prices.prices)
            self._coins.clear()
            self._contracts.clear()
        return Sheet()

    def add(self, sheet: Sheet, row: Row, account: Account | Glance, levels: Levels) -> bool:
        """Add a known account; False, and nothing is added, where it is not plain."""
        if account.orders or row.guarded or account.mode == "portfolio":
            return False
        isolated, positions = account.isolated, account.positions
        if self._moves_frozen and (isolated or positions):
            return False  # CU-4: what is frozen moves with the marks
        keys: tuple[str, ...] = ()
        if isolated:
            found = tuple(sorted(isolated))
            keys = self._tuples.setdefault(found, found)
        takers = self._tables.takers(account.fee_schedule)
        leverages = account.borrow_leverage
        numbers: list[SupportsFloat] = [
            0.0,
            row.slot,
            levels.ladder,
            account.mode == "spot",
            account.auto_borrow,
            levels.quiet,
            row.always,
            row.keys == keys,
            takers.spot_rate,
            takers.contract_rate,
            1.0 / float(leverages["*"]) if "*" in leverages else 1.0,
            len(account.balances),
            len(positions),
            len(isolated),
        ]
        try:
            if leverages or account.collateral_off:
                self._balances(numbers, account)
            else:
                coins = self._coins
                for name, balance in account.balances.items():
                    cash, borrowed, interest = (
                        balance.cash,
                        balance.borrowed,
                        balance.accrued_interest,
                    )
                    numbers += (coins[name], cash, borrowed, interest, 1.0, 1.0)
            contracts = self._contracts
            for one in positions.values():
                numbers += (contracts[one.instrument], one.quantity, one.entry_price)
            if isolated:
                self._isolated(numbers, account, keys, levels)
        except KeyError:  # an option, or unknown to the reference set
            return False
        numbers[rows.LENGTH] = len(numbers)
        sheet.numbers.fromlist(cast("list[float]", numbers))  # which makes floats of decimals
        sheet.keys.append(keys)
        return True

    # -- inside -------------------------------------------------------------------------------

    def _balances(self, numbers: list[SupportsFloat], account: Account | Glance) -> None:
        """Add the balances, with an empty one for every coin that settings are made for."""
        coins, leverages, balances = self._coins, account.borrow_leverage, account.balances
        off = account.collateral_off if account.mode == "multi_currency" else ()
        known = self._tables.reference.coins
        lever = float(numbers[rows.ANY_LEVER])
        named = [name for name in (*leverages, *off) if name in known]
        for name in dict.fromkeys((*balances, *named)):
            balance = balances.get(name)
            numbers.append(coins[name])
            if balance is None:
                numbers += (0.0, 0.0, 0.0)
            else:
                numbers += (balance.cash, balance.borrowed, balance.accrued_interest)
            own = 1.0 / float(leverages[name]) if name in leverages else lever
            numbers += (name not in off, own)
        numbers[rows.BALANCES] = (len(numbers) - rows.HEAD) // rows.BALANCE

    def _isolated(
        self,
        numbers: list[SupportsFloat],
        account: Account | Glance,
        keys: Sequence[str],
        levels: Levels,
    ) -> None:
        coins, contracts, apart = self._coins, self._contracts, levels.apart
        for key in keys:
            one = account.isolated[key]
            if one.liability or one.accrued_interest:
                raise KeyError(key)
            ladder = levels.ladder if apart is None else apart[key]
            numbers += (contracts[one.instrument], one.quantity, one.entry_price)
            numbers += (one.margin, coins[one.margin_currency], ladder)
