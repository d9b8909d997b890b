"""The arrays that the compiled loops work on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ALWAYS",
    "BOXED",
    "FLAGS",
    "GUARDED",
    "OFFSET",
    "QUIET",
    "SPACE",
    "STANDS",
    "UNSEEN",
    "Codes",
    "Fields",
    "Floats",
    "Numbers",
    "Owners",
    "State",
]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Owners = NDArray[np.int32]
Codes = NDArray[np.int8]
Fields = tuple[Any, ...]
"""The fields of a `State`."""

OFFSET, SPACE, FLAGS = 0, 1, 2
"""Of a slot."""
UNSEEN, ALWAYS, QUIET, STANDS, BOXED, GUARDED = 1, 2, 4, 8, 16, 32
"""Flags: its book or the rules changed and it was not looked at since; any tick of its prices concerns
it; nothing is open, and only a ratio can ask for anything; it is known where it stands, and that its
box was made there; it has no box, for something else guards it (`monitor.watch.guard`)."""


class State(NamedTuple):
    """Everything the screen knows, as arrays."""

    edges: Floats
    """(lower, upper) of every place and node (`monitor.watch.edges`)."""
    owners: Owners
    rows: Numbers
    """By row: its block of places."""
    prices: Floats
    """By row: the last price, 0 before the first."""
    stir: Floats
    """By row: what the squares of its relative moves add up to, the older ones fading."""
    book: Floats
    """The records of all accounts (`monitor.watch.layout`)."""
    slots: Numbers
    """By slot: where its record begins, how much room it has there, its flags."""
    tables: Floats
    """Tier tables and ladders."""
    ratios: Floats
    """By slot: for showing, and for the order of work."""
    codes: Codes
    """By slot: what it is counted as (`monitor.watch.census`)."""
    work: Floats
    """Scratch space of one box (`monitor.watch.scratch`)."""
    zones: Numbers
    stack: Numbers
    found: Numbers
    """Slots that a call answers with; how many are looked at in one call."""
