"""Many accounts put in one call: records made from a sheet, placed, and the flags they begin with."""

from __future__ import annotations

from monitor.watch import layout as at
from monitor.watch import rows as of
from monitor.watch.census import Census
from monitor.watch.compiled import compiled
from monitor.watch.drafting import UNTOLD, Draft, length_at_most, make_draft
from monitor.watch.placing import DONE, place_record
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
    Codes,
    Fields,
    Floats,
    Numbers,
    State,
)

__all__ = ["APART", "NARROW", "PLACED", "SCANT", "UNPRICED", "depending", "fill"]

PLACED, UNPRICED, APART = 0, 1, 2
"""What came of an account: it has its record; a price is missing; floats cannot tell its record."""
NARROW, SCANT = -4, -5
"""The scratch space, or the draft, is too small for an account; beside `placing.FULL_BOOK` …"""
_UNASSESSED = Census.code("unassessed")


@compiled
def _lacks_price(s: State, record: Floats) -> bool:
    for c in range(int(record[at.COLUMNS])):
        if s.prices[int(record[at.HEAD + c * at.COLUMN + at.ROW])] <= 0.0:
            return True
    return False


@compiled
def _width(record: Floats) -> int:
    """Return how wide scratch space must be for a record (`scratch.rows_for`)."""
    columns, parts = int(record[at.COLUMNS]), int(record[at.PARTS])
    width = max(columns, parts)
    part = at.HEAD + columns * at.COLUMN
    for _ in range(parts):
        width = max(width, int(record[part + at.HOLDINGS]))
        part += int(record[part + at.LENGTH])
    return width


@compiled
def _stand(s: State, slot: int, record: Floats) -> None:
    """Let the parts of a record stand where those of the slot's present one do."""
    old = s.slots[slot, OFFSET]
    old += at.HEAD + int(s.book[old + at.COLUMNS]) * at.COLUMN
    new = at.HEAD + int(record[at.COLUMNS]) * at.COLUMN
    for _ in range(int(record[at.PARTS])):
        record[new + at.ZONE] = s.book[old + at.ZONE]
        record[new + at.SHORT] = s.book[old + at.SHORT]
        old += int(s.book[old + at.LENGTH])
        new += int(record[new + at.LENGTH])


@compiled
def _flags(s: State, slot: int, sheet: Floats, row: int) -> None:
    flags = s.slots[slot, FLAGS]
    if not flags & STANDS:
        s.codes[slot] = _UNASSESSED
    flags &= ~(BOXED | QUIET | ALWAYS | GUARDED)
    flags |= UNSEEN
    if sheet[row + of.QUIET] > 0.0:
        flags |= QUIET
    if sheet[row + of.ALWAYS] > 0.0:
        flags |= ALWAYS
    if sheet[row + of.KEEP] == 0.0:
        flags &= ~STANDS
    s.slots[slot, FLAGS] = flags


@compiled
def fill(
    fields: Fields,
    heap: Numbers,
    draft: Draft,
    sheet: Floats,
    row: int,
    answers: Numbers,
    number: int,
) -> tuple[int, int, int, int]:
    """Put the accounts of a sheet from one row on, the `number`-th; no price concerns them before a look.

    `answers` gets what came of each. Returns (row and number it stopped at, what is full or `DONE`, how
    wide scratch space must be or how long the record is that found no room, or no draft).
    """
    s = State(*fields)
    while row < len(sheet):
        slot = int(sheet[row + of.SLOT])
        most = length_at_most(sheet, row)
        if most > len(draft.record):
            return row, number, SCANT, most
        length = make_draft(s.tables, sheet, row, draft)
        if length == UNTOLD:
            answers[number] = APART
        elif _lacks_price(s, draft.record):
            answers[number] = UNPRICED
        else:
            record = draft.record[:length]
            width = _width(record)
            if width > s.work.shape[1]:
                return row, number, NARROW, width
            if s.slots[slot, FLAGS] & STANDS and sheet[row + of.KEEP] > 0.0:
                _stand(s, slot, record)
            full = place_record(s, heap, slot, record)
            if full != DONE:
                return row, number, full, length
            _flags(s, slot, sheet, row)
            answers[number] = PLACED
        row += int(sheet[row + of.LENGTH])
        number += 1
    return row, number, DONE, 0


@compiled
def depending(fields: Fields, marked: Codes, found: Numbers) -> int:
    """Collect the slots whose records depend on a marked row; return how many."""
    s = State(*fields)
    count = 0
    for slot in range(len(found)):
        if s.slots[slot, SPACE] == 0:
            continue
        record = s.slots[slot, OFFSET]
        for c in range(int(s.book[record + at.COLUMNS])):
            if marked[int(s.book[record + at.HEAD + c * at.COLUMN + at.ROW])]:
                found[count] = slot
                count += 1
                break
    return count
