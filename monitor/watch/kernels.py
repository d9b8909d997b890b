"""What the screen does with accounts in compiled code: place them, look at them, take ticks (H-2).

Each function below without an underscore is called from Python and takes the fields of a `State` as a plain
tuple, which is the cheapest way in.
"""

from __future__ import annotations

import numpy as np

from monitor.watch import edges as tree
from monitor.watch import layout as at
from monitor.watch import scratch as on
from monitor.watch import tracks
from monitor.watch.box import CLEAR, follow_part, judge, make_part, share_of
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
    TRACKED,
    UNSEEN,
    Edges,
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
    "TRACKED",
    "UNSEEN",
    "UNSURE",
    "fence",
    "run",
    "survey",
    "tracked_interval",
]

_ENOUGH = 0.2
"""A box with less than this left of its budget is made anew."""
ONLY_BOX, EVENT, TICK = 0, 1, 2
"""Why an account is looked at. Nothing is cleared for the first; for an event only what is quiet and
in its calm zones; for a tick also what stands where it stood, or has passed a silent level only."""
UNSURE, SURE, CLEARED = 0, 1, 2
"""What came of it: only decimals can tell; floats are sure; and nothing follows."""
_STIR_LEAST = 1e-14
"""So that a price that never moved has a share of a box."""
_NEVER, _EVERY = -float("inf"), float("inf")
"""Lower edges; the upper ones are their opposites."""


@compiled
def _fence(book: Floats, rows: Numbers, edges: Edges, record: int, lower: float) -> None:
    for c in range(int(book[record + at.COLUMNS])):
        column = record + at.HEAD + c * at.COLUMN
        row, place = int(book[column + at.ROW]), int(book[column + at.PLACE])
        tree.move(edges, rows[row, tree.START], rows[row, tree.ROOM], place, lower, -lower)


@compiled
def fence(fields: Fields, slot: int, lower: float) -> None:
    """Let no price (−∞) or any (∞) concern a slot."""
    s = State(*fields)
    tracks.leave(s, slot)
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
        for budget in range(tracks.FOLLOWED):
            work[on.NEAR_RISE + budget, c] = work[on.NEAR_FALL + budget, c] = 0.0
    work[on.PRESSURE, 0] = work[on.PRESSURE, 1] = 0.0


@compiled
def _make(
    book: Floats,
    tables: Floats,
    work: Floats,
    zones: Numbers,
    record: int,
    columns: int,
    near: bool,
    hasty: bool,
) -> tuple[bool, bool, bool, float]:
    """Make the box of a record; return (sure, nothing follows of where it stands, all its ratios calm, ratio).

    `zones` gets zone and OC-1's inequality of each part. Where `hasty` there is no box as soon as something is
    sure to follow.
    """
    sure = same = calm = True
    first = 0.0
    part = record + at.HEAD + columns * at.COLUMN
    for number in range(int(book[record + at.PARTS])):
        constraints, gross, zone, short, certain, ratio = judge(book, part, tables, work)
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
        calm = calm and not short
        calm = calm and tables[ladder + 3 + 2 * levels] <= zone <= tables[ladder + 4 + 2 * levels]
        if hasty and sure and not same and not calm:
            return sure, same, calm, first
        if certain and near:
            follow_part(book, part, tables, work, columns, constraints, gross)
        elif certain:
            make_part(book, part, tables, work, columns, constraints)
        part += int(book[part + at.LENGTH])
    return sure, same, calm, first


@compiled
def _place(
    book: Floats, rows: Numbers, edges: Edges, work: Floats, record: int, columns: int
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
    book: Floats, rows: Numbers, edges: Edges, prices: Floats, record: int, columns: int
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
def _is_near(book: Floats, pulse: Numbers, record: int, tracked: bool) -> bool:
    """Note that a tick has an account looked at; say whether that is so soon again that it should be tracked."""
    ticks = float(pulse[tracks.TICKS])
    since = ticks - book[record + at.HIT]
    book[record + at.HIT] = ticks
    patience = pulse[tracks.PATIENCE]
    return bool(since < (4 * patience if tracked else patience))


@compiled
def _guard(s: State, slot: int, record: int, near: bool, sure: bool) -> None:
    """Let the box just made, or what is followed, guard an account; where floats are not sure, any tick."""
    if near and sure:
        if not s.slots[slot, FLAGS] & TRACKED:
            tracks.enter(s, slot)
            _fence(s.book, s.rows, s.edges, record, _NEVER)
        tracks.begin(s.book, s.rows, s.work, s.tracks, s.near, s.hulls, s.left, record)
        return
    tracks.leave(s, slot)
    if sure:
        _place(s.book, s.rows, s.edges, s.work, record, int(s.book[record + at.COLUMNS]))
    else:
        _fence(s.book, s.rows, s.edges, record, _EVERY)


@compiled
def _look(s: State, slot: int, why: int | np.int64) -> int:
    """Make an account's box at the present prices; say what came of it.

    `why` is no constant, for which all of it would be compiled once more.
    """
    book, rows = s.book, s.rows
    record, flags = s.slots[slot, OFFSET], s.slots[slot, FLAGS]
    if flags & GUARDED:
        return UNSURE
    columns, tracked = int(book[record + at.COLUMNS]), flags & TRACKED > 0
    near = tracked
    if why == TICK:
        near = _is_near(book, s.pulse, record, tracked)
        if flags & (UNSEEN | ALWAYS | BOXED) == BOXED and near == tracked:
            if near and tracks.settle(
                book, rows, s.prices, s.tracks, s.near, s.hulls, s.left, record
            ):
                return CLEARED
            if not near and _move(book, rows, s.edges, s.prices, record, columns):
                return CLEARED
    near = near and (tracked or tracks.has_room(s, record, columns))
    _begin(book, s.prices, s.stir, s.work, record, columns)
    standing = flags & (UNSEEN | STANDS) == STANDS
    hasty = why == TICK and standing and flags & (TRACKED | ALWAYS) == TRACKED
    sure, same, calm, ratio = _make(book, s.tables, s.work, s.zones, record, columns, near, hasty)
    s.ratios[slot] = ratio
    s.slots[slot, FLAGS] = flags & ~BOXED
    if hasty and sure and not same and not calm:
        tracks.alarm(book, rows, s.near, s.hulls, record)
        return SURE
    always = flags & ALWAYS > 0
    _guard(s, slot, record, near, sure and not always)
    if not sure or always:
        return SURE if sure else UNSURE
    if why == ONLY_BOX:
        if standing and _is_where_it_stood(book, s.zones, record, columns):
            s.slots[slot, FLAGS] |= BOXED
        return SURE
    if why == TICK and same and standing:
        _note(s, slot, record, columns)
        return CLEARED
    if flags & QUIET == 0 or not calm:
        return SURE
    _note(s, slot, record, columns)
    return CLEARED


@compiled
def _is_where_it_stood(book: Floats, zones: Numbers, record: int, columns: int) -> bool:
    """Say whether the box just made is that of the very zones where an account stands."""
    part = record + at.HEAD + columns * at.COLUMN
    for number in range(int(book[record + at.PARTS])):
        if book[part + at.ZONE] != zones[2 * number]:
            return False
        if (book[part + at.SHORT] > 0.0) != (zones[2 * number + 1] > 0):
            return False
        part += int(book[part + at.LENGTH])
    return True


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
def _concerned(s: State, row: int, place: int, due: int) -> tuple[int, int, int]:
    """Look at those whom a row's price concerns, the first of `due` and from `place` on, as many as `found` has
    room for.

    Returns (how many are left in `found` since they were not cleared, how many were looked at, the
    place to go on from or −1). Those it has looked at are not due again at that price.
    """
    kept = looked = 0
    for number in range(min(due, len(s.found))):
        slot = s.due[number]
        if _look(s, slot, np.int64(TICK)) != CLEARED:
            s.found[kept] = slot
            kept += 1
    if due >= len(s.found):
        return kept, len(s.found), 0
    looked = due
    root = s.rows[row, tree.ROOT]
    if s.rows[row, tree.ROOM] == 0 or (
        s.edges[root, 0] <= s.prices[row] and s.edges[root, 1] >= s.prices[row]
    ):
        return kept, looked, -1
    count, place = tree.left(
        s.edges, s.owners, s.rows[row], s.prices[row], place, s.found[looked:], s.stack
    )
    for number in range(looked, looked + count):
        slot = s.found[number]
        if _look(s, slot, np.int64(TICK)) != CLEARED:
            s.found[kept] = slot
            kept += 1
    return kept, looked + count, place


@compiled
def run(fields: Fields, ticks: Floats, begin: int, place: int) -> tuple[int, int, int, int]:
    """Take ticks, each (row, price), until one concerns somebody whom floats cannot clear.

    Begins with tick `begin`, at `place` where a part of it is done. Stops when `found` holds somebody, or
    when as many as it has room for were looked at. Returns (the tick it stopped at, how many stand in
    `found`, how many were looked at, the place to go on from or −1 when that tick is done).
    """
    s = State(*fields)
    rows, edges, prices, stir = s.rows, s.edges, s.prices, s.stir
    entries, near, hulls, numbers = s.tracks, s.near, s.hulls, s.numbers
    left, tracked, waiting = s.left, s.tracked, s.due
    looked = 0
    for number in range(begin, len(ticks)):
        row, price = int(ticks[number, 0]), ticks[number, 1]
        before = prices[row]
        if place == 0 and before != price:
            if before > 0.0:
                stir[row] += (price / before - 1.0) * (price / before - 1.0)
            prices[row] = price
        s.pulse[tracks.TICKS] += 1
        root = rows[row, tree.ROOT]
        passed = edges[root, 0] > price or edges[root, 1] < price
        due = 0
        if place == 0 and rows[row, tracks.COUNT] > 0:
            due = tracks.follow(
                entries, near, hulls, numbers, left, tracked, rows[row], price, waiting
            )
        if due > 0 or (rows[row, tree.ROOM] > 0 and passed):
            kept, count, place = _concerned(s, row, place, due)
            looked += count
            if kept > 0 or place >= 0 or looked >= len(s.found):
                return number, kept, looked, place
        place = 0
    return len(ticks) - 1, 0, looked, -1


@compiled
def tracked_interval(fields: Fields, slot: int, row: int) -> tuple[float, float]:
    """Return between which prices of one row a tracked account is not due, while no other moves."""
    return tracks.interval(State(*fields), slot, row)
