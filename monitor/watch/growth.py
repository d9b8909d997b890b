"""How the arrays of the screen grow."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.watch import edges

__all__ = ["longer", "more_places"]

T = TypeVar("T", bound=np.generic)
_MANY = 4096
"""Places of a row beyond which it grows by a quarter: every place that stands ready takes 20 bytes."""


def longer(array: NDArray[T], least: int) -> NDArray[T]:
    """Return the array with at least twice the length, filled up with 0.

    Memory that was never written to is not taken from the system: what is to come costs nothing.
    """
    found = np.zeros((max(2 * len(array), least), *array.shape[1:]), dtype=array.dtype)
    found[: len(array)] = array
    return found


def more_places(room: int) -> int:
    """Return how many places follow on so many: twice as many at first, a quarter more at last."""
    added = room if room < _MANY else room // 4
    return room + max(edges.ARITY, -(-added // edges.ARITY) * edges.ARITY)
