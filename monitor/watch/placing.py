"""Where records lie and which places they have, in compiled code: put, replaced, taken away.

`heap` says where there is room in the book: how much of it was ever used, then for each multiple of
`STEP` floats where the first free block of that size begins (−1: none). A free block begins with
where the next one does.
"""

from __future__ import annotations

from monitor.watch import edges as tree
from monitor.watch import layout as at
from monitor.watch import tracks
from monitor.watch.compiled import compiled
from monitor.watch.state import (
    BOXED,
    FLAGS,
    OFFSET,
    SPACE,
    Edges,
    Fields,
    Floats,
    Numbers,
    Owners,
    State,
)

__all__ = [
    "DONE",
    "FULL_BOOK",
    "FULL_HEAP",
    "STEP",
    "USED",
    "clear",
    "grow",
    "place_record",
    "put",
]

STEP = 8
"""Records take room in steps of so many floats, a cache line."""
USED = 0
"""Of a heap: floats of the book that were ever used."""
DONE, FULL_BOOK, FULL_HEAP = -1, -2, -3
"""What came of a record that was to be put; from 0 on, the row that has no place left. Where anything is
full nothing is done."""
_NEVER = -float("inf")


@compiled
def _full_row(s: State, slot: int, record: Floats) -> int:
    """Return a row that has no place for the record, whose slot has none there either; else `DONE`."""
    old = s.slots[slot, OFFSET] + at.HEAD
    ends = old
    if s.slots[slot, SPACE] > 0:
        ends += int(s.book[s.slots[slot, OFFSET] + at.COLUMNS]) * at.COLUMN
    for c in range(int(record[at.COLUMNS])):
        row = int(record[at.HEAD + c * at.COLUMN + at.ROW])
        while old < ends and s.book[old + at.ROW] < row:
            old += at.COLUMN
        if old < ends and int(s.book[old + at.ROW]) == row:
            continue
        if s.rows[row, tree.FREE] < 0 and s.rows[row, tree.USED] >= s.rows[row, tree.ROOM]:
            return row
    return DONE


@compiled
def _block(s: State, heap: Numbers, slot: int, length: int) -> tuple[int, int]:
    """Return where a record of this length is to lie and how much room it has there; else (what is full, 0)."""
    offset, space = s.slots[slot, OFFSET], s.slots[slot, SPACE]
    if length <= space <= 2 * length + STEP:
        return int(offset), int(space)
    steps = (length + STEP - 1) // STEP
    if steps >= len(heap):
        return FULL_HEAP, 0
    offset = heap[steps]
    if offset >= 0:
        heap[steps] = int(s.book[offset])
        return int(offset), steps * STEP
    offset = heap[USED]
    if offset + steps * STEP > len(s.book):
        return FULL_BOOK, 0
    heap[USED] = offset + steps * STEP
    return int(offset), steps * STEP


@compiled
def _detach(s: State, slot: int, wanted: Floats) -> None:
    """Free the places of a slot's record, but for columns of the record `wanted`, which takes them over."""
    record = s.slots[slot, OFFSET]
    new = ends = at.HEAD
    if len(wanted) > 0:
        ends += int(wanted[at.COLUMNS]) * at.COLUMN
    for c in range(int(s.book[record + at.COLUMNS])):
        column = record + at.HEAD + c * at.COLUMN
        row, place = int(s.book[column + at.ROW]), int(s.book[column + at.PLACE])
        while new < ends and wanted[new + at.ROW] < row:
            new += at.COLUMN
        if new < ends and int(wanted[new + at.ROW]) == row:
            wanted[new + at.PLACE] = float(place)
        else:
            start, room = s.rows[row, tree.START], s.rows[row, tree.ROOM]
            tree.move(s.edges, start, room, place, _NEVER, -_NEVER)
            tree.free_place(s.owners, s.rows[row], place)


@compiled
def _attach(s: State, slot: int) -> None:
    """Give every column of a record a place that has none yet."""
    record = s.slots[slot, OFFSET]
    for c in range(int(s.book[record + at.COLUMNS])):
        column = record + at.HEAD + c * at.COLUMN
        if s.book[column + at.PLACE] < 0.0:
            row = int(s.book[column + at.ROW])
            place = tree.take_place(s.owners, s.rows[row], slot)
            s.book[column + at.PLACE] = float(place)
            start, room = s.rows[row, tree.START], s.rows[row, tree.ROOM]
            tree.move(s.edges, start, room, place, _NEVER, -_NEVER)


@compiled
def _free(s: State, heap: Numbers, slot: int) -> None:
    """Give the block of a slot's record back."""
    offset, steps = s.slots[slot, OFFSET], s.slots[slot, SPACE] // STEP
    s.book[offset] = float(heap[steps])
    heap[steps] = offset


@compiled
def place_record(s: State, heap: Numbers, slot: int, record: Floats) -> int:
    """Let a slot have a record instead of any that it has; say what came of it (`DONE` …)."""
    full = _full_row(s, slot, record)
    if full != DONE:
        return full
    offset, space = _block(s, heap, slot, len(record))
    if space == 0:
        return offset
    if s.slots[slot, SPACE] > 0:
        tracks.leave(s, slot)
        _detach(s, slot, record)
        if s.slots[slot, OFFSET] != offset:
            _free(s, heap, slot)
    s.slots[slot, OFFSET], s.slots[slot, SPACE] = offset, space
    for number in range(len(record)):
        s.book[offset + number] = record[number]
    _attach(s, slot)
    return DONE


@compiled
def put(fields: Fields, heap: Numbers, slot: int, record: Floats) -> int:
    """Let a slot have a record; no price concerns it before it is looked at. Says what came of it."""
    s = State(*fields)
    s.slots[slot, FLAGS] &= ~BOXED
    return place_record(s, heap, slot, record)


@compiled
def clear(fields: Fields, heap: Numbers, slot: int) -> None:
    """Take the record of a slot away, and its flags."""
    s = State(*fields)
    if s.slots[slot, SPACE] > 0:
        tracks.leave(s, slot)
        _detach(s, slot, s.work[0, :0])
        _free(s, heap, slot)
    s.slots[slot, OFFSET] = s.slots[slot, SPACE] = s.slots[slot, FLAGS] = 0


@compiled
def grow(
    fields: Fields, row: int, start: int, room: int, to_edges: Edges, to_owners: Owners
) -> None:
    """Move a row's places to a larger block, of other arrays perhaps."""
    s = State(*fields)
    tree.grow(s.edges, s.owners, s.rows[row], start, room, to_edges, to_owners)
