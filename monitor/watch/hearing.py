"""Which tick of many is the first that a guard must hear of?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.watch.guard import Guard
from monitor.watch.screen import Screen
from monitor.watch.state import Floats

__all__ = ["AT_ONCE", "Hearing"]

Integers = NDArray[np.int64]

AT_ONCE = 256
"""Ticks looked at before it is known that none of them is to be heard of."""


class Hearing:
    """Stands between ticks, which bear rows of the screen, and a guard with rows of its own."""

    def __init__(self, guard: Guard, screen: Screen) -> None:
        self._guard, self._screen = guard, screen
        self._places: Integers = np.zeros(0, dtype=np.int64)
        """Row of the screen → row of the guard, 0 for none."""
        self._version = -1

    def first(self, ticks: Floats, stamps: Integers) -> int:
        """Return the position of the first of (row, price) that may concern somebody; else their number."""
        count = len(ticks)
        low, high, until = self._guard.quiet()
        for begin in range(0, count, AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            places, prices = self._place(ticks[part, 0]), ticks[part, 1]
            loud = (prices < low[places]) | (prices > high[places])
            loud |= stamps[part] > until[places]
            found = int(loud.argmax())
            if loud[found]:
                return begin + found
        return count

    def follow(self, ticks: Floats, stamps: Integers) -> None:
        """Tell the guard of ticks that were taken, the last of them included."""
        self._guard.follow(self._place(ticks[:, 0]), ticks[:, 1], stamps)

    def _place(self, rows: Floats) -> Integers:
        version = self._guard.version
        known = self._screen.rows
        if version != self._version or len(self._places) != len(known):
            self._places = self._guard.places(known)
            self._version = version
        return self._places[rows.astype(np.int64)]
