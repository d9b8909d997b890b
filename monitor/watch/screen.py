"""The screen: which boxes does a price leave? One row of floats per price, one column per account.

For every account and price: the price its box was made at and the weight u of a relative move.
`spent` is Σ u · |move|; below 1 nothing can have changed (see `monitor.watch.box`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMIT", "Screen"]

Floats = NDArray[np.float64]

LIMIT = 1.0 - 1e-6
"""Below 1 by more than the rounding that updates of `spent` can pile up between two boxes."""


class Screen:
    """Rows grow with the prices, columns with the accounts. `prices` holds the last of each row."""

    def __init__(self, capacity: int = 1024) -> None:
        self.rows: dict[str, int] = {}
        """Price key → row."""
        self.prices: list[float] = []
        self._capacity = capacity
        self._inverse = np.zeros((0, capacity))
        self._weights = np.zeros((0, capacity))
        self._parts = np.zeros((0, capacity))
        self._spent = np.zeros(capacity)
        self._scratch = np.zeros(capacity)
        self._free: list[int] = []
        self._used = 0

    def row(self, key: str) -> int:
        """Return the row of a price key, made when it is new."""
        found = self.rows.get(key)
        if found is None:
            found = self.rows[key] = len(self.rows)
            self.prices.append(0.0)
            if found >= len(self._weights):
                self._grow(rows=max(8, len(self._weights)))
        return found

    def slot(self) -> int:
        """Return a free column for an account."""
        if self._free:
            return self._free.pop()
        if self._used >= self._capacity:
            self._grow(columns=self._capacity)
        self._used += 1
        return self._used - 1

    def clear(self, slot: int) -> None:
        """Forget the box in `slot`: no price concerns it until a new one is put."""
        self._weights[:, slot] = 0.0
        self._parts[:, slot] = 0.0
        self._spent[slot] = 0.0

    def release(self, slot: int) -> None:
        """Give a column back."""
        self.clear(slot)
        self._free.append(slot)

    def put(self, slot: int, weights: Mapping[int, float]) -> None:
        """Place a box, made at the present prices, in `slot`."""
        self.clear(slot)
        for row, weight in weights.items():
            self._weights[row, slot] = weight
            self._inverse[row, slot] = 1.0 / self.prices[row]

    def left(self, row: int, price: float) -> list[int]:
        """Take a price; return the slots whose box it leaves."""
        self.prices[row] = price
        used = self._used
        spent, parts, scratch = self._spent[:used], self._parts[row, :used], self._scratch[:used]
        np.multiply(self._inverse[row, :used], price, out=scratch)
        np.subtract(scratch, 1.0, out=scratch)
        np.abs(scratch, out=scratch)
        np.multiply(scratch, self._weights[row, :used], out=scratch)
        np.subtract(spent, parts, out=spent)
        np.add(spent, scratch, out=spent)
        parts[:] = scratch
        found: list[int] = np.flatnonzero(spent >= LIMIT).tolist()
        return found

    def any_left(self, extremes: Mapping[int, tuple[float, float]]) -> bool:
        """Say whether any box could be left while each row moves anywhere in its (low, high).

        Until its first tick in the batch a row stands where it stood, so that counts too: a price
        on its way back to where the box was made frees nothing before it has come.
        """
        used = self._used
        worst = self._spent[:used].copy()
        for row, (low, high) in extremes.items():
            inverse, parts = self._inverse[row, :used], self._parts[row, :used]
            move = np.maximum(np.abs(inverse * low - 1.0), np.abs(inverse * high - 1.0))
            worst += np.maximum(move * self._weights[row, :used] - parts, 0.0)
        return bool((worst >= LIMIT).any())

    def move(self, row: int, price: float) -> None:
        """Take a price that `any_left` has cleared."""
        self.prices[row] = price
        used = self._used
        now = np.abs(self._inverse[row, :used] * price - 1.0) * self._weights[row, :used]
        self._spent[:used] += now - self._parts[row, :used]
        self._parts[row, :used] = now

    def _grow(self, *, rows: int = 0, columns: int = 0) -> None:
        def grown(old: Any) -> Any:
            new = np.zeros((old.shape[0] + rows, old.shape[1] + columns))
            new[: old.shape[0], : old.shape[1]] = old
            return new

        self._inverse, self._weights = grown(self._inverse), grown(self._weights)
        self._parts = grown(self._parts)
        if columns:
            self._spent = np.concatenate([self._spent, np.zeros(columns)])
            self._scratch = np.zeros(len(self._spent))
            self._capacity += columns
