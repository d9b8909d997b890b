"""The screen: records, boxes and edges of all accounts, and whom a price concerns.

Owns the arrays that the compiled loops work on, and their growth. Accounts stand in slots, prices in
rows; the records of `monitor.watch.layout` lie one after the other in `book`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from monitor.ladder import Ladder
from monitor.watch import drafting, filling, kernels, layout, placing, scratch, tracks
from monitor.watch import edges as tree
from monitor.watch.census import Census
from monitor.watch.exposures import Form
from monitor.watch.growth import longer, more_places, zeros
from monitor.watch.layout import pack
from monitor.watch.shelf import Shelf
from monitor.watch.state import Fields, Floats, State

__all__ = ["Found", "Screen"]

LOOKED_AT_ONCE = 2048
"""Accounts that one call looks at before it comes back (H-8): about 4 ms of them."""
_FADE_TICKS = 1 << 16
"""After so many ticks what prices moved before counts half."""
_FIRST_STIR = 1e-6
_PATIENCE = 1 << 16
"""Ticks: a tracked account costs about a nanosecond at each of its prices' ticks, a box that is left and made
anew some twenty microseconds."""
_REFRESH_TICKS, _REFRESHES = 4_096, 16
"""How often the tracked accounts are looked through for those whom no tick concerns any more, each time one
of so many parts of them."""


class Found(NamedTuple):
    """Where a run of ticks stopped."""

    tick: int
    """Its position in the run."""
    slots: list[int]
    """Those that floats cannot clear at that tick, in the order of their places."""
    looked: int
    """How many boxes were made anew."""
    place: int
    """Where that tick goes on; −1: it is done."""


class Screen:
    """Where the accounts stand, in floats. One owner; not for several threads."""

    def __init__(self, capacity: int = 64) -> None:
        self.rows: dict[str, int] = {}
        """Price key → row."""
        self.census = Census(capacity)
        self.shelf = Shelf(lambda tables: self._use(tables=tables))
        self.state = State(
            edges=np.zeros((1024, 2), dtype=np.float32),
            owners=np.zeros(1024, dtype=np.int32),
            rows=np.zeros((16, 8), dtype=np.int64),
            prices=np.zeros(16),
            stir=np.zeros(16),
            book=np.zeros(4096),
            slots=np.zeros((capacity, 3), dtype=np.int64),
            tables=self.shelf.tables,
            ratios=self.census.ratios,
            codes=self.census.codes,
            tracks=np.zeros((tracks.SHORTEST, tracks.ENTRY)),
            near=np.zeros((tracks.SHORTEST, 2)),
            hulls=np.zeros((tracks.SHORTEST // tracks.BLOCK, 2)),
            numbers=np.zeros(tracks.SHORTEST, dtype=np.int32),
            left=np.zeros((tracks.SHORTEST, tracks.FOLLOWED)),
            tracked=np.zeros(tracks.SHORTEST, dtype=np.int32),
            pulse=np.array([0, 0, -1, 0, _PATIENCE]),
            due=np.zeros(tracks.SHORTEST, dtype=np.int64),
            work=np.zeros((scratch.rows_for(16), 16)),
            zones=np.zeros(32, dtype=np.int64),
            stack=np.zeros(32, dtype=np.int64),
            found=np.zeros(LOOKED_AT_ONCE, dtype=np.int64),
        )
        self._use()
        self._one = np.zeros(1, dtype=np.int64)
        self._draft = drafting.new_draft()
        self._heap = np.full(64, -1, dtype=np.int64)
        self._heap[placing.USED] = 0
        self._used_edges = self._used_slots = 0
        self._free_slots: list[int] = []
        self._free_blocks: dict[int, list[int]] = {}
        self.loop: Callable[[Fields, Floats, int, int], tuple[int, int, int, int]] = kernels.run
        """What takes ticks; a benchmark looks at each of them in a loop of its own."""
        self._ticks = self._since = self._next = 0
        self._used_tracks = 0

    # -- prices -------------------------------------------------------------------------------

    def row(self, key: str) -> int:
        """Return the row of a price key, made when it is new."""
        found = self.rows.get(key)
        if found is None:
            found = self.rows[key] = len(self.rows)
            if found == len(self.state.prices):
                self._grow("rows", "prices", "stir", least=found + 1)
            self.state.rows[found, tree.FREE] = -1
        return found

    def price(self, row: int, price: float) -> None:
        """Take the first price of a row."""
        self.state.stir[row] = _FIRST_STIR
        self.state.prices[row] = price

    def priced(self, rows: Sequence[int]) -> bool:
        """Say whether there is a price in all of these rows."""
        prices = self.state.prices
        return all(prices[row] > 0.0 for row in rows)

    def run(self, ticks: Floats, begin: int = 0, place: int = 0) -> Found:
        """Take ticks, an array of (row, price), each a state of its own, as far as floats clear them.

        Every row has had a price before. Goes on with what `Found` said where that tick was not done.
        """
        number, kept, looked, place = self.loop(self._fields, ticks, begin, place)
        self._ticks += number + 1 - begin
        self._since += number + 1 - begin
        if self._since >= _REFRESH_TICKS:
            self._refresh()
        if self.state.pulse[tracks.WANTING]:
            self._grow_lists()
        if self._ticks >= _FADE_TICKS:
            self._ticks = 0
            self.state.stir[:] *= 0.5
        slots: list[int] = self.state.found[:kept].tolist() if kept else []
        return Found(number, slots, looked, place)

    # -- accounts -----------------------------------------------------------------------------

    def slot(self) -> int:
        """Return a free slot for an account."""
        if self._free_slots:
            return self._free_slots.pop()
        found = self._used_slots
        self._used_slots += 1
        if found == len(self.state.slots):
            self.census.reserve(2 * found)
            slots = longer(self.state.slots, 2 * found)
            self._use(slots=slots, ratios=self.census.ratios, codes=self.census.codes)
        return found

    def put(self, slot: int, form: Form) -> None:
        """Give a slot the record of a form; no price concerns it before it is looked at."""
        record = np.array(pack(form, self.shelf.discounts, self.shelf.borrows))
        self._room_to_work(form)
        while (full := placing.put(self._fields, self._heap, slot, record)) != placing.DONE:
            self._make_room(full, len(record))

    def fill(self, sheet: Floats, count: int) -> list[int]:
        """Do the same with the `count` accounts of a sheet (`monitor.watch.rows`), and set their flags.

        Returns what came of each, `filling.PLACED` …; where that is something else, nothing was done.
        """
        answers = np.zeros(count, dtype=np.int64)
        row = number = 0
        while True:
            row, number, full, width = filling.fill(
                self._fields, self._heap, self._draft, sheet, row, answers, number
            )
            if full == placing.DONE:
                found: list[int] = answers.tolist()
                return found
            if full == filling.SCANT:
                self._draft = drafting.new_draft(2 * width)
            elif full == filling.NARROW:
                self._widen(width)
            else:
                self._make_room(full, width)

    def clear(self, slot: int) -> None:
        """Take the record of a slot away, and its flags."""
        placing.clear(self._fields, self._heap, slot)

    def release(self, slot: int) -> None:
        """Give a slot back."""
        self.clear(slot)
        self.census.forget(slot)
        self._free_slots.append(slot)

    def look(self, slot: int, why: int) -> int:
        """Make the box of a slot at the present prices; say what came of it (`kernels.CLEARED` …)."""
        self._one[0] = slot
        kernels.survey(self._fields, self._one, why)
        return int(self._one[0])

    def survey(self, slots: Sequence[int], why: int) -> list[int]:
        """Do the same with many slots that have records."""
        found = np.array(slots, dtype=np.int64)
        kernels.survey(self._fields, found, why)
        answers: list[int] = found.tolist()
        return answers

    def depending(self, keys: Sequence[str]) -> list[int]:
        """Return the slots whose records depend on any of these prices."""
        marked = np.zeros(len(self.state.prices), dtype=np.int8)
        marked[[self.row(key) for key in keys]] = 1
        found = np.zeros(self._used_slots, dtype=np.int64)
        count = filling.depending(self._fields, marked, found)
        slots: list[int] = found[:count].tolist()
        return slots

    def fence(self, slot: int, *, everything: bool) -> None:
        """Let every tick of its prices concern a slot, or none."""
        if self.state.slots[slot, kernels.SPACE]:
            kernels.fence(self._fields, slot, np.inf if everything else -np.inf)

    def interval(self, slot: int, row: int) -> tuple[float, float]:
        """Return the prices of one row between which a slot need not be looked at."""
        if self.flags(slot) & kernels.TRACKED:
            low, high = kernels.tracked_interval(self._fields, slot, row)
            return low, high
        record = int(self.state.slots[slot, kernels.OFFSET])
        count = int(self.state.book[record + layout.COLUMNS])
        for number in range(count):
            at = record + layout.HEAD + number * layout.COLUMN
            if self.state.book[at + layout.ROW] == row:
                place = self.state.rows[row, tree.START] + int(self.state.book[at + layout.PLACE])
                low, high = self.state.edges[place].tolist()
                return low, high
        return -np.inf, np.inf

    # -- flags, ladders and zones -------------------------------------------------------------

    def flag(self, slot: int, on: int, off: int = 0) -> None:
        """Set and unset flags of a slot."""
        flags = int(self.state.slots[slot, kernels.FLAGS])
        self.state.slots[slot, kernels.FLAGS] = (flags & ~off) | on

    def flags(self, slot: int) -> int:
        """Return the flags of a slot."""
        return int(self.state.slots[slot, kernels.FLAGS])

    def parts(self, slot: int) -> list[int]:
        """Return where the parts of a record begin: the account's own, then isolated positions."""
        book = self.state.book
        record = int(self.state.slots[slot, kernels.OFFSET])
        at = record + layout.HEAD + int(book[record + layout.COLUMNS]) * layout.COLUMN
        found = [at]
        for _ in range(int(book[record + layout.PARTS]) - 1):
            at += int(book[at + layout.LENGTH])
            found.append(at)
        return found

    def ladder(self, part: int) -> Ladder:
        """Return the ladder that a part is looked at with."""
        return self.shelf.ladder(int(self.state.book[part + layout.LADDER]))

    # -- inside -------------------------------------------------------------------------------

    def _use(self, **arrays: Any) -> None:
        self.state = self.state._replace(**arrays)
        self._fields = tuple(self.state)

    def _grow(self, *names: str, least: int) -> None:
        self._use(**{name: longer(getattr(self.state, name), least) for name in names})

    def _make_room(self, full: int, length: int) -> None:
        """Let there be more of what a record of this length found full (`placing`)."""
        if full == placing.FULL_BOOK:
            self._grow("book", least=int(self._heap[placing.USED]) + length + placing.STEP)
        elif full == placing.FULL_HEAP:
            added = np.full(len(self._heap) + length // placing.STEP, -1, dtype=np.int64)
            self._heap = np.concatenate([self._heap, added])
        else:
            self._grow_row(full)

    def _grow_row(self, row: int) -> None:
        """Give a row more places."""
        old, room = self.state.rows[row, [tree.START, tree.ROOM]].tolist()
        wanted = more_places(room)
        free = self._free_blocks.get(wanted)
        if free:
            start = free.pop()
        elif self._used_edges + tree.block(wanted) <= len(self.state.edges):
            start = self._used_edges
            self._used_edges += tree.block(wanted)
        else:
            self._pack_rows(row, wanted)
            return
        edges, owners = self.state.edges, self.state.owners
        placing.grow(self._fields, row, start, wanted, edges, owners)
        if room:
            self._free_blocks.setdefault(room, []).append(old)

    def _pack_rows(self, row: int, wanted: int) -> None:
        """Move all rows to larger arrays, one of them with more places, without the blocks between them."""
        rooms = self.state.rows[: len(self.rows), tree.ROOM].tolist()
        rooms[row] = wanted
        used = sum(tree.block(room) for room in rooms if room)
        length = more_places(used + tree.block(wanted))
        state = self.state
        edges = zeros((length, 2), state.edges.dtype)
        owners = zeros((length,), state.owners.dtype)
        start = 0
        for number, room in enumerate(rooms):
            if room:
                placing.grow(self._fields, number, start, room, edges, owners)
                start += tree.block(room)
        self._used_edges = start
        self._free_blocks.clear()
        self._use(edges=edges, owners=owners)

    def _refresh(self) -> None:
        """Look again at a part of the tracked accounts, at those whom no tick concerned for long."""
        self._since = 0
        state, first = self.state, self._next
        used = int(state.pulse[tracks.USED])
        self._next = first + -(-used // _REFRESHES)
        tracked = state.tracked[first : min(self._next, used)]
        if self._next >= used:
            self._next = 0
        slots = tracked[tracked >= 0]
        hits = state.book[state.slots[slots, kernels.OFFSET] + layout.HIT]
        idle = slots[state.pulse[tracks.TICKS] - hits >= 4 * state.pulse[tracks.PATIENCE]].tolist()
        if idle:
            for slot, answer in zip(idle, self.survey(idle, kernels.TICK), strict=True):
                if answer != kernels.CLEARED:
                    self.fence(slot, everything=True)

    def _grow_lists(self) -> None:
        """Give full lists of tracked accounts twice the room."""
        state = self.state
        state.pulse[tracks.WANTING] = 0
        if state.pulse[tracks.USED] == len(state.tracked):
            self._grow("left", "tracked", least=2 * len(state.tracked))
        for row in range(len(self.rows)):
            start, room, count = state.rows[row, tracks.START :].tolist()
            wanted = max(tracks.SHORTEST, 2 * room)
            if count < room or wanted > tracks.LONGEST:
                continue
            begin = self._used_tracks
            self._used_tracks += wanted
            if self._used_tracks > len(self.state.tracks):
                self._grow("tracks", "near", "numbers", least=self._used_tracks)
                self._grow("hulls", least=len(self.state.tracks) // tracks.BLOCK)
            for array in (self.state.tracks, self.state.near, self.state.numbers):
                array[begin : begin + count] = array[start : start + count]
            tracks.wrap(self.state.near, self.state.hulls, begin, count, wanted)
            self.state.rows[row, tracks.START :] = begin, wanted, count
            if wanted > len(self.state.due):
                self._grow("due", least=wanted)

    def _room_to_work(self, form: Form) -> None:
        """Let the scratch space be large enough for every part of a form."""
        parts = (form, *(part for _, part in form.apart))
        width = max(len(form.columns), len(parts), *(len(part.holdings) for part in parts))
        if width > self.state.work.shape[1]:
            self._widen(width)

    def _widen(self, width: int) -> None:
        """Let the scratch space be large enough for so many columns, holdings or parts."""
        width *= 2
        self._use(
            work=np.zeros((scratch.rows_for(width), width)),
            zones=np.zeros(2 * width, dtype=np.int64),
        )
