"""Books of many accounts in flat arrays, as the compiled loops read them."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.watch.portfolio.book import Book
from monitor.watch.portfolio.layout import (
    ACCOUNT,
    ACCOUNT_F,
    H_BORROW,
    H_DISCOUNT,
    HOLDING,
    HOLDING_F,
    HOLDINGS_BEGIN,
    HOLDINGS_END,
    LEG_F,
    LEG_I,
    LEGS_BEGIN,
    LEGS_END,
    LEVELS,
    MOST_LEVELS,
    ROWS_BEGIN,
    ROWS_END,
    UNIT_I,
    UNITS_BEGIN,
    UNITS_END,
)

__all__ = ["Pools"]

T = TypeVar("T", bound=np.generic)
_SMALL = 1024


class _Pool(Generic[T]):
    """Rows of one width; new blocks go to the end."""

    __slots__ = ("rows", "used")

    def __init__(self, shape: tuple[int, ...], kind: type[T]) -> None:
        self.rows: NDArray[T] = np.zeros((_SMALL, *shape), dtype=kind)
        self.used = 0

    def add(self, block: NDArray[T]) -> tuple[int, int]:
        begin, end = self.used, self.used + len(block)
        if end > len(self.rows):
            more = np.zeros((max(len(self.rows), end), *self.rows.shape[1:]), self.rows.dtype)
            self.rows = np.concatenate([self.rows, more])
        self.rows[begin:end] = block
        self.used = end
        return begin, end


class Pools:
    """What accounts hold, by slot."""

    def __init__(self) -> None:
        self.accounts = np.zeros((_SMALL, ACCOUNT), dtype=np.int64)
        self.rates = np.zeros((_SMALL, ACCOUNT_F))
        self.levels = np.zeros((_SMALL, MOST_LEVELS))
        self._kept: dict[int, Book] = {}
        self._tiers: dict[tuple[Any, ...], tuple[int, int]] = {}
        self._empty()

    def _empty(self) -> None:
        self.holdings: _Pool[np.int64] = _Pool((HOLDING,), np.int64)
        self.balances: _Pool[np.float64] = _Pool((HOLDING_F,), np.float64)
        self.legs: _Pool[np.int64] = _Pool((LEG_I,), np.int64)
        self.amounts: _Pool[np.float64] = _Pool((LEG_F,), np.float64)
        self.units: _Pool[np.int64] = _Pool((UNIT_I,), np.int64)
        self.caps: _Pool[np.float64] = _Pool((), np.float64)
        self.rows: _Pool[np.int64] = _Pool((), np.int64)
        self.discounts: _Pool[np.float64] = _Pool((2,), np.float64)
        self.borrows: _Pool[np.float64] = _Pool((3,), np.float64)
        self._tiers.clear()
        self._live = 0

    def put(self, slot: int, book: Book) -> None:
        """Take an account; its levels stay as they were."""
        self.drop(slot)
        self._kept[slot] = book
        self._live += len(book.legs)
        if self.legs.used > 2 * self._live + _SMALL:
            self._pack()
        else:
            self._place(slot, book)

    def drop(self, slot: int) -> None:
        """Forget an account."""
        known = self._kept.pop(slot, None)
        if known is not None:
            self._live -= len(known.legs)

    def set_levels(self, slot: int, levels: tuple[float, ...]) -> None:
        """Set the rising levels that matter to an account."""
        self.accounts[slot, LEVELS] = len(levels)
        self.levels[slot, : len(levels)] = levels

    def _pack(self) -> None:
        """Leave behind what books of before took up."""
        self._empty()
        for slot, book in self._kept.items():
            self._live += len(book.legs)
            self._place(slot, book)

    def _place(self, slot: int, book: Book) -> None:
        while slot >= len(self.accounts):
            self.accounts = np.concatenate([self.accounts, np.zeros_like(self.accounts)])
            self.rates = np.concatenate([self.rates, np.zeros_like(self.rates)])
            self.levels = np.concatenate([self.levels, np.zeros_like(self.levels)])
        for number, (discount, borrow) in enumerate(zip(book.discounts, book.borrows, strict=True)):
            tiers = self._tier(self.discounts, discount), self._tier(self.borrows, borrow)
            book.holdings[number, H_DISCOUNT : H_DISCOUNT + 2] = tiers[0]
            book.holdings[number, H_BORROW : H_BORROW + 2] = tiers[1]
        count = self.accounts[slot, LEVELS]
        self.accounts[slot] = book.account
        self.accounts[slot, LEVELS] = count
        own = self.accounts[slot]
        own[HOLDINGS_BEGIN], own[HOLDINGS_END] = self.holdings.add(book.holdings)
        self.balances.add(book.balances)
        own[LEGS_BEGIN], own[LEGS_END] = self.legs.add(book.legs)
        self.amounts.add(book.amounts)
        own[UNITS_BEGIN], own[UNITS_END] = self.units.add(book.units)
        self.caps.add(book.caps)
        own[ROWS_BEGIN], own[ROWS_END] = self.rows.add(np.array(book.rows, dtype=np.int64))
        self.rates[slot] = book.rates

    def _tier(self, pool: _Pool[np.float64], tiers: tuple[Any, ...]) -> tuple[int, int]:
        if not tiers:
            return 0, 0
        place = id(pool), tiers
        found = self._tiers.get(place)
        if found is None:
            found = self._tiers[place] = pool.add(np.array(tiers, dtype=float))
        return found
