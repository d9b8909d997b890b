"""The edges of all boxes by price, and the finding of those that a price has passed.

Every row (a price) has a place for each account that depends on it, with the interval in which that
account need not be looked at. Above the places stands a tree of extremes: of 32 intervals each
node keeps the highest lower edge and the lowest upper edge. So whether a price passes any edge of
its row is one comparison with the root, and finding those passed costs about their number.

`edges` holds (lower, upper) of places and nodes; a row's block in it begins at `START` with its places,
followed by each level of nodes, the root last. A place that nothing may leave has (−∞, ∞), one that
every tick concerns (∞, −∞). `owners`: the slot of each place; a free one points at the next free
one as −2 − place, the last as −1.

Edges are kept in 32 bits, half the memory and half the cache lines, each rounded into its interval by at most
2⁻²² of the price: so an account may be looked at that much too early, never too late.
"""

from __future__ import annotations

import numpy as np

from monitor.watch.compiled import compiled
from monitor.watch.state import Edges, Numbers, Owners

__all__ = [
    "ARITY",
    "FREE",
    "ROOM",
    "ROOT",
    "START",
    "USED",
    "block",
    "free_place",
    "grow",
    "left",
    "move",
    "take_place",
]

ARITY = 32
INFINITY = float("inf")
START, ROOM, USED, FREE, ROOT = range(5)
"""Of a row: its block, how many places it holds, how many were ever used, the first free one (−1: none),
the last entry of its block."""


_STEP = 2.0**-23
"""Relative: adding so much to a 32-bit float rounds to the next one, or the one after it."""


def block(room: int) -> int:
    """Return how many entries a block of `room` places takes, nodes included."""
    total = size = room
    while size > 1:
        size = (size + ARITY - 1) // ARITY
        total += size
    return total


@compiled
def _inward(low: float, high: float) -> tuple[float, float]:
    """Return an interval within the given one whose edges 32 bits hold; one that every tick concerns where
    they hold none.
    """
    lower, upper = float(np.float32(low)), float(np.float32(high))
    if lower < low:
        lower = float(np.float32(lower * (1.0 + _STEP)))
    if upper > high:
        upper = float(np.float32(upper * (1.0 - _STEP)))
    return (lower if lower >= low else INFINITY), (upper if upper <= high else -INFINITY)


@compiled
def move(edges: Edges, start: int, room: int, place: int, low: float, high: float) -> None:
    """Give a place another interval."""
    low, high = _inward(low, high)
    was_low, was_high = edges[start + place, 0], edges[start + place, 1]
    edges[start + place, 0], edges[start + place, 1] = low, high
    size = room
    while size > 1:
        above = start + size
        parent = place // ARITY
        old_low, old_high = edges[above + parent, 0], edges[above + parent, 1]
        new_low, new_high = max(old_low, low), min(old_high, high)
        first = parent * ARITY
        last = min(first + ARITY, size)
        if was_low == old_low and low < was_low:
            new_low = low
            for child in range(start + first, start + last):
                new_low = max(new_low, edges[child, 0])
        if was_high == old_high and high > was_high:
            new_high = high
            for child in range(start + first, start + last):
                new_high = min(new_high, edges[child, 1])
        if new_low == old_low and new_high == old_high:
            return
        edges[above + parent, 0], edges[above + parent, 1] = new_low, new_high
        was_low, was_high, low, high = old_low, old_high, new_low, new_high
        start, place, size = above, parent, (size + ARITY - 1) // ARITY


@compiled
def left(
    edges: Edges,
    owners: Owners,
    row: Numbers,
    price: float,
    place: int,
    found: Numbers,
    stack: Numbers,
) -> tuple[int, int]:
    """Collect the slots whose interval `price` is outside of, from `place` on, as `found` has room.

    Returns (how many, the place to go on from; −1 when there are no more). `stack` is scratch space.
    """
    top = 0
    start, size = row[START], row[ROOM]
    stack[0], stack[1] = start, size
    while size > 1:
        start += size
        size = (size + ARITY - 1) // ARITY
        top += 1
        stack[2 * top], stack[2 * top + 1] = start, size
    count = 0
    while place < row[ROOM]:
        # Climb to the widest node that begins here and was not left, and step over it.
        level, node, width = 0, place, 1
        while level < top and node % ARITY == 0:
            level, node, width = level + 1, node // ARITY, width * ARITY
        entry = stack[2 * level] + node
        while edges[entry, 0] > price or edges[entry, 1] < price:
            if level == 0:
                if count == len(found):
                    return count, place
                found[count] = owners[row[START] + place]
                count += 1
                break
            level, node, width = level - 1, node * ARITY, width // ARITY
            entry = stack[2 * level] + node
        place += width
    return count, -1


@compiled
def take_place(owners: Owners, row: Numbers, slot: int) -> int:
    """Return a free place of a row for a slot; −1 when there is none."""
    place = row[FREE]
    if place >= 0:
        row[FREE] = -2 - owners[row[START] + place]
    elif row[USED] < row[ROOM]:
        place = row[USED]
        row[USED] += 1
    else:
        return -1
    owners[row[START] + place] = slot
    return int(place)


@compiled
def free_place(owners: Owners, row: Numbers, place: int) -> None:
    """Give a place back; its interval is (−∞, ∞) by then."""
    owners[row[START] + place] = -2 - row[FREE]
    row[FREE] = place


@compiled
def grow(
    edges: Edges,
    owners: Owners,
    row: Numbers,
    start: int,
    room: int,
    to_edges: Edges,
    to_owners: Owners,
) -> None:
    """Move a row's places into a larger block at `start`, of other arrays perhaps, and make its nodes anew."""
    for place in range(room):
        if place < row[USED]:
            to_edges[start + place, 0] = edges[row[START] + place, 0]
            to_edges[start + place, 1] = edges[row[START] + place, 1]
            to_owners[start + place] = owners[row[START] + place]
        else:
            to_edges[start + place, 0], to_edges[start + place, 1] = -INFINITY, INFINITY
    row[START], row[ROOM] = start, room
    size = room
    while size > 1:
        above = start + size
        for first in range(0, size, ARITY):
            low, high = -INFINITY, INFINITY
            for child in range(start + first, start + min(first + ARITY, size)):
                low, high = max(low, to_edges[child, 0]), min(high, to_edges[child, 1])
            to_edges[above + first // ARITY, 0], to_edges[above + first // ARITY, 1] = low, high
        start, size = above, (size + ARITY - 1) // ARITY
    row[ROOT] = start
