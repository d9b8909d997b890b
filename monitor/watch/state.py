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
    "TRACKED",
    "UNSEEN",
    "Codes",
    "Edges",
    "Fields",
    "Floats",
    "Numbers",
    "Owners",
    "State",
]

Floats = NDArray[np.float64]
Edges = NDArray[np.float32]
Numbers = NDArray[np.int64]
Owners = NDArray[np.int32]
Codes = NDArray[np.int8]
Fields = tuple[Any, ...]
"""The fields of a `State`."""

OFFSET, SPACE, FLAGS = 0, 1, 2
"""Of a slot."""
UNSEEN, ALWAYS, QUIET, STANDS, BOXED, GUARDED, TRACKED = 1, 2, 4, 8, 16, 32, 64
"""Flags: its book or the rules changed and it was not looked at since; any tick of its prices concerns
it; no more than a warning is open, and only a ratio can ask for anything; it is known where it stands, and that its
box was made there; it has no box, for something else guards it (`monitor.watch.guard`), or for every tick of its
prices is followed (`monitor.watch.tracks`)."""


class State(NamedTuple):
    """Everything the screen knows, as arrays."""

    edges: Edges
    """(lower, upper) of every place and node (`monitor.watch.edges`)."""
    owners: Owners
    rows: Numbers
    """By row: its block of places, and its list in `tracks`."""
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
    tracks: Floats
    """What is followed of every tracked account by row (`monitor.watch.tracks`)."""
    near: Floats
    """Of each entry in `tracks`: between which prices nothing is to be done."""
    hulls: Floats
    """Of each block of entries: between which prices nothing is to be done for any of them."""
    numbers: Owners
    """Of each entry in `tracks`: the number of its account."""
    left: Floats
    """By number: what is left of each budget."""
    tracked: Owners
    """By number: its slot; a free one points at the next free one as −2 − number, the last as −1."""
    pulse: Numbers
    """Ticks so far, and more single numbers (`monitor.watch.tracks`)."""
    due: Numbers
    """Slots that a tick has made due; as long as the longest list."""
    work: Floats
    """Scratch space of one box (`monitor.watch.scratch`)."""
    zones: Numbers
    stack: Numbers
    found: Numbers
    """Slots that a call answers with; how many are looked at in one call."""
