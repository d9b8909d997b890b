"""What the screen does with accounts in compiled code: place them, look at them, take ticks (H-2).

Each function below without an underscore is called from Python and takes the fields of a `State` as a plain
tuple, which is the cheapest way in.
"""

from __future__ import annotations

from monitor.watch import edges as tree
from monitor.watch import layout as at
from monitor.watch import scratch as on
from monitor.watch.box import CLEAR, make_part, share_of
from monitor.watch.compiled import compiled
from monitor.watch.state import (
    ALWAYS,
    BOXED,
    FLAGS,
    GUARDED,
    OFFSET,
    QUIET,
    SPACE,
    STANDS,
    UNSEEN,
    Fields,
    Floats,
    Numbers,
    State,
)

__all__ = [
    "ALWAYS",
    "BOXED",
    "CLEARED",
    "EVENT",
    "FLAGS",
    "GUARDED",
    "OFFSET",
    "ONLY_BOX",
    "QUIET",
    "SPACE",
    "STANDS",
    "SURE",
    "TICK",
    "UNSEEN",
    "UNSURE",
    "fence",
    "run",
    "survey",
]

_ENOUGH = 0.2
"""A box with less than this left of its budget is made anew."""
ONLY_BOX, EVENT, TICK = 0, 1, 2
"""Why an account is looked at. Nothing is cleared for the first; for an event only what is quiet and
above all levels; for a tick also what stands where it stood, or has passed a silent level only."""
UNSURE, SURE, CLEARED = 0, 1, 2
"""What came of it: only decimals can tell; floats are sure; and nothing follows."""
_STIR_LEAST = 1e-14
"""So that a price that never moved has a share of a box."""
_NEVER, _EVERY = -float("inf"), float("inf")
"""Lower edges; the upper ones are their opposites."""


@compiled
def _fence(book: Floats, rows: Numbers, edges: Floats, record: int, lower: float) -> None:
    for c in range(int(book[record + at.COLUMNS])):
        column = record + at.HEAD + c * at.COLUMN
        row, place = int(book[column + at.ROW]), int(book[column + at.PLACE])
        tree.move(edges, rows[row, tree.START], rows[row, tree.ROOM], place, lower, -lower)


@compiled
def fence(fields: Fields, slot: int, lower: float) -> None:
    """Let no price (−∞) or any (∞) concern a slot."""
    s = State(*fields)
    _fence(s.book, s.rows, s.edges, s.slots[slot, OFFSET], lower)


@compiled
def _begin(
    book: Floats, prices: Floats, stir: Floats, work: Floats, record: int, columns: int
) -> None:
    for c in range(columns):
        row = int(book[record + at.HEAD + c * at.COLUMN + at.ROW])
        work[on.P, c], work[on.STIR, c] = prices[row], stir[row] + _STIR_LEAST
        work[on.ALL_DOWN, c] = work[on.ALL_UP, c] = 1.0
        work[on.ALL_LOW, c] = work[on.ALL_HIGH, c] = 1.0
        work[on.ALL_FALL, c] = work[on.ALL_RISE, c] = 0.0


@compiled
def _make(
    book: Floats, tables: Floats, work: Floats, zones: Numbers, record: int, columns: int
) -> tuple[bool, bool, bool, float]:
    """Make the box of a record; return (sure, nothing follows of where it stands, above all levels, ratio).

    `zones` gets zone and OC-1's inequality of each part.
    """
    sure = same = above = True
    first = 0.0
    part = record + at.HEAD + columns * at.COLUMN
    for number in range(int(book[record + at.PARTS])):
        zone, short, certain, ratio = make_part(book, part, tables, work, columns)
        zones[2 * number], zones[2 * number + 1] = zone, int(short)
        if number == 0:
            first = ratio
        sure = sure and certain
        stood, ladder = int(book[part + at.ZONE]), int(book[part + at.LADDER])
        levels = int(tables[ladder])
        if stood != zone:
            silent = int(tables[ladder + 2 + 2 * levels])
            same = same and min(stood, zone) == silent and max(stood, zone) == silent + 1
        same = same and (book[part + at.SHORT] > 0.0) == short
        above = above and not short and zone == levels
        part += int(book[part + at.LENGTH])
    return sure, same, above, first


@compiled
def _place(
    book: Floats, rows: Numbers, edges: Floats, work: Floats, record: int, columns: int
) -> None:
    """Set the edges of the box just made, and keep what it takes to move it."""
    total = 0.0
    for c in range(columns):
        fall, rise = work[on.ALL_FALL, c], work[on.ALL_RISE, c]
        share = share_of(max(fall, rise), work[on.STIR, c])
        work[on.SHARE, c] = share
        total += share
    for c in range(columns):
        column = record + at.HEAD + c * at.COLUMN
        row, price = int(book[column + at.ROW]), work[on.P, c]
        book[column + at.ANCHOR] = price
        book[column + at.FALL] = work[on.ALL_FALL, c]
        book[column + at.RISE] = work[on.ALL_RISE, c]
        book[column + at.PORTION] = work[on.SHARE, c] / total if total > 0.0 else 0.0
        book[column + at.LOWEST] = price * (1.0 - work[on.ALL_LOW, c] * CLEAR)
        book[column + at.HIGHEST] = price * (1.0 + work[on.ALL_HIGH, c] * CLEAR)
        low = price * (1.0 - work[on.ALL_DOWN, c])
        high = price * (1.0 + work[on.ALL_UP, c])
        start, room = rows[row, tree.START], rows[row, tree.ROOM]
        tree.move(edges, start, room, int(book[column + at.PLACE]), low, high)


@compiled
def _used(book: Floats, column: int, price: float) -> float:
    """Return how much a price has used up, at most, since its box was made."""
    move = price / book[column + at.ANCHOR] - 1.0
    use = book[column + at.RISE] if move > 0.0 else -book[column + at.FALL]
    return float(use * move)


@compiled
def _move(
    book: Floats, rows: Numbers, edges: Floats, prices: Floats, record: int, columns: int
) -> bool:
    """Share what is left of a box's budget anew, where that is enough."""
    left = CLEAR
    for c in range(columns):
        column = record + at.HEAD + c * at.COLUMN
        price = prices[int(book[column + at.ROW])]
        if price < book[column + at.LOWEST] or price > book[column + at.HIGHEST]:
            return False
        left -= _used(book, column, price)
    if left < _ENOUGH:
        return False
    for c in range(columns):
        column = record + at.HEAD + c * at.COLUMN
        row, anchor = int(book[column + at.ROW]), book[column + at.ANCHOR]
        budget = _used(book, column, prices[row]) + left * book[column + at.PORTION]
        low, high = book[column + at.LOWEST], book[column + at.HIGHEST]
        if book[column + at.FALL] > 0.0:
            low = max(low, anchor * (1.0 - budget / book[column + at.FALL]))
        if book[column + at.RISE] > 0.0:
            high = min(high, anchor * (1.0 + budget / book[column + at.RISE]))
        start, room = rows[row, tree.START], rows[row, tree.ROOM]
        tree.move(edges, start, room, int(book[column + at.PLACE]), low, high)
    return True


@compiled
def _look(s: State, slot: int, why: int) -> int:
    """Make an account's box at the present prices; say what came of it."""
    book, rows, edges, slots, work = s.book, s.rows, s.edges, s.slots, s.work
    record, flags = slots[slot, OFFSET], slots[slot, FLAGS]
    if flags & GUARDED:
        return UNSURE
    columns = int(book[record + at.COLUMNS])
    if (
        why == TICK
        and flags & (UNSEEN | ALWAYS | BOXED) == BOXED
        and _move(book, rows, edges, s.prices, record, columns)
    ):
        return CLEARED
    _begin(book, s.prices, s.stir, work, record, columns)
    sure, same, above, ratio = _make(book, s.tables, work, s.zones, record, columns)
    s.ratios[slot] = ratio
    flags &= ~BOXED
    slots[slot, FLAGS] = flags
    if not sure or flags & ALWAYS:
        _fence(book, rows, edges, record, _EVERY)
        return SURE if sure else UNSURE
    _place(book, rows, edges, work, record, columns)
    if why == TICK and same and flags & (UNSEEN | STANDS) == STANDS:
        _note(s, slot, record, columns)
        return CLEARED
    if why == ONLY_BOX or flags & QUIET == 0 or not above:
        return SURE
    _note(s, slot, record, columns)
    return CLEARED


@compiled
def _note(s: State, slot: int, record: int, columns: int) -> None:
    """Let an account stand where its box was found."""
    part = record + at.HEAD + columns * at.COLUMN
    for number in range(int(s.book[record + at.PARTS])):
        zone = s.zones[2 * number]
        s.book[part + at.ZONE], s.book[part + at.SHORT] = (
            float(zone),
            float(s.zones[2 * number + 1]),
        )
        if number == 0:
            ladder = int(s.book[part + at.LADDER])
            s.codes[slot] = int(s.tables[ladder + 1 + int(s.tables[ladder]) + zone])
        part += int(s.book[part + at.LENGTH])
    s.slots[slot, FLAGS] = (s.slots[slot, FLAGS] & ~UNSEEN) | STANDS | BOXED


@compiled
def survey(fields: Fields, slots: Numbers, why: int) -> None:
    """Look at accounts; each entry of `slots` becomes what came of it."""
    s = State(*fields)
    for number in range(len(slots)):
        slots[number] = _look(s, slots[number], why)


@compiled
def _concerned(s: State, row: int, place: int) -> tuple[int, int, int]:
    """Look at those whom a row's price concerns, from `place` on, as many as `found` has room for.

    Returns (how many are left in `found` since they were not cleared, how many were looked at, the
    place to go on from or −1).
    """
    count, place = tree.left(s.edges, s.owners, s.rows[row], s.prices[row], place, s.found, s.stack)
    kept = 0
    for number in range(count):
        slot = s.found[number]
        if _look(s, slot, TICK) != CLEARED:
            s.found[kept] = slot
            kept += 1
    return kept, count, place


@compiled
def run(fields: Fields, ticks: Floats, begin: int, place: int) -> tuple[int, int, int, int]:
    """Take ticks, each (row, price), until one concerns somebody whom floats cannot clear.

    Begins with tick `begin`, at `place` where a part of it is done. Stops when `found` holds somebody, or
    when as many as it has room for were looked at. Returns (the tick it stopped at, how many stand in
    `found`, how many were looked at, the place to go on from or −1 when that tick is done).
    """
    s = State(*fields)
    rows, edges, prices, stir = s.rows, s.edges, s.prices, s.stir
    looked = 0
    for number in range(begin, len(ticks)):
        row, price = int(ticks[number, 0]), ticks[number, 1]
        before = prices[row]
        if place == 0 and before != price:
            if before > 0.0:
                stir[row] += (price / before - 1.0) * (price / before - 1.0)
            prices[row] = price
        root = rows[row, tree.ROOT]
        if rows[row, tree.ROOM] > 0 and (edges[root, 0] > price or edges[root, 1] < price):
            kept, count, place = _concerned(s, row, place)
            looked += count
            if kept > 0 or place >= 0 or looked >= len(s.found):
                return number, kept, looked, place
        place = 0
    return len(ticks) - 1, 0, looked, -1
