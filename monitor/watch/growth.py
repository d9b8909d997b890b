"""How the arrays of the screen are made, and grow."""

from __future__ import annotations

import mmap
import sys
from contextlib import suppress
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.watch import edges

__all__ = ["longer", "more_places", "zeros"]

T = TypeVar("T", bound=np.generic)
_MANY = 4096
"""Places of a row beyond which it grows by a quarter: every place that stands ready takes 12 bytes."""
_LARGE, _HUGE = 1 << 17, 1 << 22
"""Bytes from which an array has memory of its own, and from which it asks for large pages."""


def zeros(shape: tuple[int, ...], dtype: np.dtype[T]) -> NDArray[T]:
    """Return an array of zeros; a large one begins at a cache line, and all its memory is free again with it.

    `malloc` keeps what arrays leave behind as they grow: some 300 bytes for each of 100,000 accounts.
    """
    size = prod(shape) * dtype.itemsize
    if size < _LARGE:
        return np.zeros(shape, dtype)
    if sys.platform == "win32":
        memory = mmap.mmap(-1, size)
    else:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if size >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):  # a kernel without them
                memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


def longer(array: NDArray[T], least: int) -> NDArray[T]:
    """Return the array with at least twice the length, filled up with 0.

    Memory that was never written to is not taken from the system: what is to come costs nothing.
    """
    found = zeros((max(2 * len(array), least), *array.shape[1:]), array.dtype)
    found[: len(array)] = array
    return found


def more_places(room: int) -> int:
    """Return how many places follow on so many: twice as many at first, a quarter more at last."""
    added = room if room < _MANY else room // 4
    return room + max(edges.ARITY, -(-added // edges.ARITY) * edges.ARITY)
