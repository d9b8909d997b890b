"""Ticks into the engine: as far as floats clear them in compiled runs, each a state of its own.

A tick that concerns somebody is *under way* until all of them are looked at, the worst first; that may take
several turns (H-8). No later tick is taken before, so every decision sees the prices of its tick.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from monitor.engine.entry import Decision
from monitor.prices import PriceBook, TickLike
from monitor.reference import Reference
from monitor.schema import Cause
from monitor.watch import Watch
from monitor.watch.screen import Found
from monitor.watch.state import Floats

__all__ = ["Batch", "Examiner", "Over", "Taking"]

Batch = Sequence[tuple[TickLike, int]]
"""Ticks with their offsets."""
Over = Callable[[], bool]
"""Whether a turn is over."""

SHORTEST, LONGEST = 4, 1024
"""Ticks in one run: twice as many as in the last where that went through, few where it was stopped,
since those after the stop are gathered again."""
AT_ONCE = 8
"""Accounts assessed between two looks at whether the turn is over."""


class Examiner(Protocol):
    """What taking ticks needs of the engine."""

    prices: PriceBook
    watch: Watch
    reference: Reference
    now: int

    def tick_over(self, now: int) -> int:
        """Let time be at least `now`; return it."""

    def next_deadline(self) -> int | None:
        """Return when the earliest deadline comes."""

    def due(self, now: int) -> list[Decision]:
        """Meet deadlines."""

    def priced_otherwise(
        self, routes: dict[str, tuple[str, str | None]], named: list[str], key: str
    ) -> list[str]:
        """PX-2: compile those anew whom a first price concerns."""

    def examine(
        self, account_ids: Sequence[str], cause: Cause, *, screened: bool = False
    ) -> list[Decision]:
        """Look at accounts."""


class _Run(NamedTuple):
    """Ticks of known symbols, none of them older than what came before (PX-5)."""

    ticks: Floats
    """(row, price) each."""
    keys: list[str]
    places: list[int]
    """The price key of each, and where it stands in the batch."""
    end: int
    """Where the batch goes on."""


class _UnderWay:
    """One tick that concerns somebody."""

    def __init__(self, tick: TickLike, ticks: Floats, number: int) -> None:
        self.cause = Cause(kind="tick", symbol=tick.symbol, price=tick.price, ts=tick.ts)
        self.ticks, self.number = ticks[: number + 1], number
        self.slots: list[int] = []
        self.place = 0
        self.names: list[str] = []
        """Who is to be looked at, the worst last."""

    def heard(self, found: Found, watch: Watch) -> None:
        """Note whom floats could not clear; once all are known, bring them into order."""
        self.slots += found.slots
        self.place = found.place
        if self.place < 0:
            self.names = watch.worst_first(self.slots)[::-1]


class Taking:
    """Takes ticks for an engine."""

    def __init__(self, engine: Examiner) -> None:
        self._engine = engine
        self._known: dict[tuple[str, str], tuple[str, int]] = {}
        """Symbol and kind → price key and row, for symbols that had a price."""
        self._under_way: _UnderWay | None = None
        self._length = LONGEST
        self.looked = 0
        """Boxes that ticks had made anew."""

    @property
    def under_way(self) -> bool:
        """Whether a tick was taken and not all whom it concerns were looked at."""
        return self._under_way is not None

    def turn(
        self, batch: Batch, begin: int, now: int | None, over: Over
    ) -> tuple[int, list[Decision]]:
        """Take ticks from `begin` on until something was decided or the turn is over.

        Returns the position of the next tick to take, and what was decided with the one before it.
        """
        engine, found = self._engine, list[Decision]()
        while True:
            if self._under_way is not None and not self._work_off(self._under_way, found, over):
                return begin, found
            deadline = engine.next_deadline()
            if deadline is not None and deadline <= engine.now:
                found += engine.due(engine.now)
            if found or begin >= len(batch) or over():
                return begin, found
            begin = self._advance(batch, begin, now, found)

    def passes(self, tick: TickLike, offset: int, now: int | None) -> bool:
        """Take one tick if it concerns nobody and no deadline comes; else nothing is done."""
        engine = self._engine
        known = self._known.get((tick.symbol, tick.kind))
        watch = engine.watch
        if known is None or self._under_way is not None or watch.elsewhere(known[0]):
            return False
        at = max(engine.now, tick.ts if now is None else now)
        deadline = engine.next_deadline()
        if deadline is not None and deadline <= at:
            return False
        price, screen = tick.value, watch.screen
        if not screen.quiet(known[1], price):
            return False
        engine.now = at
        if engine.prices.take(tick, offset, engine.reference.policy, at) == "accepted":
            screen.pass_over(known[1], price)
        return True

    # -- inside -------------------------------------------------------------------------------

    def _advance(self, batch: Batch, begin: int, now: int | None, found: list[Decision]) -> int:
        """Take ticks until one concerns somebody or a deadline comes; return the next position."""
        engine = self._engine
        run = self._collect(batch, begin, now)
        if run.end == begin:
            self._take_apart(*batch[begin], now, found)
            return begin + 1
        if not run.places:
            self._take(batch, begin, run.end, run, now)
            return run.end
        stop = engine.watch.run(run.ticks)
        self.looked += stop.looked
        last = stop.tick == len(run.places) - 1
        self._length = min(LONGEST, 2 * self._length) if last else SHORTEST
        end = run.end if last else run.places[stop.tick] + 1
        self._take(batch, begin, end, run, now)
        self._begin(batch[run.places[stop.tick]][0], run.ticks, stop)
        return end

    def _collect(self, batch: Batch, begin: int, now: int | None) -> _Run:
        """Gather ticks up to the first that has to be taken apart, or with which a deadline comes."""
        engine, known = self._engine, self._known
        prices, deadline = engine.prices.prices, engine.next_deadline()
        guard = engine.watch.guard
        rows: list[float] = []
        values: list[float] = []
        keys: list[str] = []
        places: list[int] = []
        last: dict[str, tuple[int, int]] = {}
        at, end = engine.now if now is None else max(engine.now, now), begin
        whole = begin if engine.reference.policy.jump_guard else begin + self._length
        for tick, _ in batch[begin:whole]:
            if deadline is not None and at >= deadline and end > begin:
                break
            entry = known.get((tick.symbol, tick.kind))
            if entry is None:
                break
            key, row = entry
            ts, stamp = tick.ts, last.get(key)
            if stamp is None:
                price = prices[key]
                stamp = price.ts, price.seq
            place, end = end, end + 1
            if now is None and ts > at:
                at = ts
            if (ts, tick.seq) <= stamp:
                continue  # PX-5
            last[key] = ts, tick.seq
            rows.append(row)
            values.append(tick.value)
            keys.append(key)
            places.append(place)
            if guard is not None and guard.goes_by(key):
                break
        ticks = np.empty((len(rows), 2))
        ticks[:, 0], ticks[:, 1] = rows, values
        return _Run(ticks, keys, places, end)

    def _take(self, batch: Batch, begin: int, end: int, run: _Run, now: int | None) -> None:
        """Let the price book follow what the watch has taken of a run."""
        engine, policy = self._engine, self._engine.reference.policy
        if engine.prices.takes_each(policy):
            for tick, offset in batch[begin:end]:
                at = engine.tick_over(tick.ts if now is None else now)
                engine.prices.take(tick, offset, policy, at)
            return
        taken = bisect_left(run.places, end)
        newest = dict(zip(run.keys[:taken], run.places[:taken], strict=True))
        engine.prices.take_newest(
            {key: batch[place] for key, place in newest.items()}, older=end - begin - taken
        )
        engine.tick_over(max(tick.ts for tick, _ in batch[begin:end]) if now is None else now)

    def _take_apart(
        self, tick: TickLike, offset: int, now: int | None, found: list[Decision]
    ) -> None:
        """Take one tick that may be the first of its symbol, or that the jump guard may hold (PX-6)."""
        engine = self._engine
        at = engine.tick_over(tick.ts if now is None else now)
        key = f"{tick.symbol}/{tick.kind}"
        first = key not in engine.prices.prices
        routes = engine.prices.routes() if first and tick.kind == "index" else {}
        if engine.prices.take(tick, offset, engine.reference.policy, at) != "accepted":
            return
        price, row = tick.value, engine.watch.screen.row(key)
        self._known[tick.symbol, tick.kind] = key, row
        if first:
            engine.watch.guarded(key)
            waited = engine.watch.first(key, price)
            named = engine.priced_otherwise(routes, waited, key)
            cause = Cause(kind="tick", symbol=tick.symbol, price=tick.price, ts=tick.ts)
            found += engine.examine(named, cause)
            return
        ticks = np.array([[row, price]])
        stop = engine.watch.run(ticks)
        self.looked += stop.looked
        self._begin(tick, ticks, stop)

    def _begin(self, tick: TickLike, ticks: Floats, stop: Found) -> None:
        """Let the last tick taken be under way if it concerns anybody."""
        watch = self._engine.watch
        slots = watch.guarded(f"{tick.symbol}/{tick.kind}") if watch.guard is not None else []
        if slots or stop.slots or stop.place >= 0:
            self._under_way = _UnderWay(tick, ticks, stop.tick)
            self._under_way.slots += slots
            self._under_way.heard(stop, watch)

    def _work_off(self, tick: _UnderWay, found: list[Decision], over: Over) -> bool:
        """Go on with the tick under way; say whether it is done."""
        engine = self._engine
        while tick.place >= 0:
            if over():
                return False
            stop = engine.watch.run(tick.ticks, tick.number, tick.place)
            self.looked += stop.looked
            tick.heard(stop, engine.watch)
        while tick.names:
            if over():
                return False
            now = tick.names[: -AT_ONCE - 1 : -1]
            del tick.names[-AT_ONCE:]
            found += engine.examine(now, tick.cause, screened=True)
        self._under_way = None
        return True
