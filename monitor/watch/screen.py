"""The screen: which boxes does a price leave? One row of floats a price, of those it concerns.

For every price and account that depends on it: the price its box was made at and the weight u of a
relative move. `spent` is Σ u · |move| by account; below 1 nothing can have changed (see
`monitor.watch.box`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMIT", "Screen"]

Floats = NDArray[np.float64]

LIMIT = 1.0 - 1e-6
"""Below 1 by more than the rounding that updates of `spent` can pile up between two boxes."""


class _Row:
    """One price: the accounts that depend on it, packed."""

    __slots__ = ("inverse", "parts", "places", "slots", "used", "weights")

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        """Slot → place in the arrays."""
        self.used = 0
        self.slots = np.zeros(16, dtype=np.intp)
        self.inverse = np.zeros(16)
        self.weights = np.zeros(16)
        self.parts = np.zeros(16)

    def place(self, slot: int) -> int:
        """Return where `slot` stands, at the end when it is new."""
        found = self.places.get(slot)
        if found is None:
            if self.used == len(self.slots):
                self._grow()
            found = self.places[slot] = self.used
            self.slots[found] = slot
            self.used += 1
        return found

    def _grow(self) -> None:
        more = len(self.slots)
        self.slots = np.concatenate([self.slots, np.zeros(more, dtype=np.intp)])
        self.inverse = np.concatenate([self.inverse, np.zeros(more)])
        self.weights = np.concatenate([self.weights, np.zeros(more)])
        self.parts = np.concatenate([self.parts, np.zeros(more)])

    def moved(self, price: float) -> Floats:
        """Return u · |move| of every account in this row if the price were `price`."""
        moves: Floats = self.inverse[: self.used] * price
        moves -= 1.0
        np.abs(moves, out=moves)
        moves *= self.weights[: self.used]
        return moves


class Screen:
    """`prices` holds the last price of each row; accounts stand in slots."""

    def __init__(self, capacity: int = 1024) -> None:
        self.rows: dict[str, int] = {}
        """Price key → row."""
        self.prices: list[float] = []
        self._rows: list[_Row] = []
        self._boxes: list[tuple[int, ...]] = []
        """Slot → rows in which it has a weight."""
        self._spent = np.zeros(capacity)
        self._free: list[int] = []

    def row(self, key: str) -> int:
        """Return the row of a price key, made when it is new."""
        found = self.rows.get(key)
        if found is None:
            found = self.rows[key] = len(self.rows)
            self.prices.append(0.0)
            self._rows.append(_Row())
        return found

    def slot(self) -> int:
        """Return a free slot for an account."""
        if self._free:
            return self._free.pop()
        self._boxes.append(())
        if len(self._boxes) > len(self._spent):
            self._spent = np.concatenate([self._spent, np.zeros(len(self._spent))])
        return len(self._boxes) - 1

    def clear(self, slot: int) -> None:
        """Forget the box in `slot`: no price concerns it until a new one is put."""
        for number in self._boxes[slot]:
            row = self._rows[number]
            place = row.places[slot]
            row.weights[place] = 0.0
            row.parts[place] = 0.0
        self._boxes[slot] = ()
        self._spent[slot] = 0.0

    def release(self, slot: int) -> None:
        """Give a slot back."""
        self.clear(slot)
        self._free.append(slot)

    def put(self, slot: int, weights: Mapping[int, float]) -> None:
        """Place a box, made at the present prices, in `slot`."""
        self.clear(slot)
        for number, weight in weights.items():
            row = self._rows[number]
            place = row.place(slot)
            row.weights[place] = weight
            row.inverse[place] = 1.0 / self.prices[number]
            row.parts[place] = 0.0
        self._boxes[slot] = tuple(weights)

    def weight(self, slot: int, number: int) -> float:
        """Return the weight of one row in the box of `slot`; 0 where it has none."""
        row = self._rows[number]
        place = row.places.get(slot)
        return 0.0 if place is None else float(row.weights[place])

    def left(self, number: int, price: float) -> list[int]:
        """Take a price; return the slots whose box it leaves, rising."""
        self.move(number, price)
        row = self._rows[number]
        slots = row.slots[: row.used]
        found: list[int] = slots[self._spent[slots] >= LIMIT].tolist()
        found.sort()
        return found

    def any_left(self, extremes: Mapping[int, tuple[float, float]]) -> bool:
        """Say whether any box could be left while each row moves anywhere in its (low, high).

        Until its first tick in the batch a row stands where it stood, so that counts too: a price
        on its way back to where the box was made frees nothing before it has come.
        """
        worst = self._spent[: len(self._boxes)].copy()
        for number, (low, high) in extremes.items():
            row = self._rows[number]
            moved = np.maximum(row.moved(low), row.moved(high))
            worst[row.slots[: row.used]] += np.maximum(moved - row.parts[: row.used], 0.0)
        return bool((worst >= LIMIT).any())

    def move(self, number: int, price: float) -> None:
        """Take a price, whoever it concerns."""
        self.prices[number] = price
        row = self._rows[number]
        used = row.used
        moved = row.moved(price)
        self._spent[row.slots[:used]] += moved - row.parts[:used]
        row.parts[:used] = moved
