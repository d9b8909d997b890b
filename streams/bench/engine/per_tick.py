"""What each tick of a run takes the screen, by a clock inside the compiled loop.

From Python a call costs more than most ticks do; a worker makes one for many ticks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from monitor.watch import kernels
from monitor.watch.compiled import HAS_NUMBA, compiled
from monitor.watch.screen import Screen
from monitor.watch.state import Fields, Floats, Numbers

__all__ = ["PerTick"]


class PerTick:
    """While it is with a screen, each tick's nanoseconds and how many accounts it hit are noted."""

    def __init__(self) -> None:
        self._stamp = np.zeros(2, dtype=np.int64)
        self._spent: list[Numbers] = []
        self._hits: list[Numbers] = []

    @contextmanager
    def noting(self, screen: Screen) -> Iterator[None]:
        """Let the screen take its ticks here; one that is gone on with counts as one more."""
        screen.loop = self._loop
        try:
            yield
        finally:
            screen.loop = kernels.run

    def taken(self) -> tuple[Numbers, Numbers]:
        """Return (nanoseconds, accounts hit) of every tick so far, and forget them."""
        none = np.zeros(0, dtype=np.int64)
        found = np.concatenate([none, *self._spent]), np.concatenate([none, *self._hits])
        self._spent, self._hits = [], []
        return found

    def _loop(
        self, fields: Fields, ticks: Floats, begin: int, place: int
    ) -> tuple[int, int, int, int]:
        spent, hits = np.zeros(len(ticks), dtype=np.int64), np.zeros(len(ticks), dtype=np.int64)
        found = _run(fields, ticks, begin, place, spent, hits, self._stamp)
        self._spent.append(spent[begin : found[0] + 1])
        self._hits.append(hits[begin : found[0] + 1])
        return found


if HAS_NUMBA:
    from numba import types

    # A symbol of the C library, so that what is compiled can be kept.
    _signature: Any = types.int32(types.int32, types.uintp)
    _gettime: Any = types.ExternalFunction("clock_gettime", _signature)
    _CLOCK = time.CLOCK_MONOTONIC

    @compiled
    def _now(stamp: Numbers) -> int:
        _gettime(_CLOCK, stamp.ctypes.data)
        return int(stamp[0] * 1_000_000_000 + stamp[1])

else:

    def _now(stamp: Numbers) -> int:
        stamp[0] = time.monotonic_ns()
        return int(stamp[0])


@compiled
def _run(
    fields: Fields,
    ticks: Floats,
    begin: int,
    place: int,
    spent: Numbers,
    hits: Numbers,
    stamp: Numbers,
) -> tuple[int, int, int, int]:
    looked = 0
    for number in range(begin, len(ticks)):
        began = _now(stamp)
        _, kept, count, place = kernels.run(fields, ticks[number : number + 1], 0, place)
        spent[number] += _now(stamp) - began
        hits[number] += count
        looked += count
        if kept > 0 or place >= 0:
            return number, kept, looked, place
        place = 0
    return len(ticks) - 1, 0, looked, -1
