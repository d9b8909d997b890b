"""Ticks into the engine: as far as floats clear them in compiled runs, each a state of its own.

A tick that concerns somebody is *under way* until all of them are looked at, the worst first; that may take
several turns (H-8). No later tick is taken before, so every decision sees the prices of its tick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from monitor.engine.batch import TickBatch
from monitor.engine.entry import Decision
from monitor.engine.gathering import Gathering, Market
from monitor.prices import TickLike
from monitor.schema import Cause
from monitor.watch import Watch
from monitor.watch.screen import Found
from monitor.watch.state import Floats

__all__ = ["Batch", "Examiner", "Over", "Taking"]

Batch = TickBatch[TickLike]
Over = Callable[[], bool]
"""Whether a turn is over."""

AT_ONCE = 8
"""Accounts assessed between two looks at whether the turn is over."""


class Examiner(Market, Protocol):
    """What taking ticks needs of the engine."""

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
        self._gathering = Gathering(engine)
        self._under_way: _UnderWay | None = None
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
        known = self._gathering.place_of(tick)
        watch = engine.watch
        if known is None or self._under_way is not None or watch.guard_goes_by(known[0]):
            return False
        at = max(engine.now, tick.ts if now is None else now)
        deadline = engine.next_deadline()
        if deadline is not None and deadline <= at:
            return False
        price, screen = tick.value, watch.screen
        if not screen.quiet(known[1], price):
            return False
        engine.now = at
        self._gathering.interrupted()
        if engine.prices.take(tick, offset, engine.reference.policy, at) == "accepted":
            screen.pass_over(known[1], price)
        return True

    # -- inside -------------------------------------------------------------------------------

    def _advance(self, batch: Batch, begin: int, now: int | None, found: list[Decision]) -> int:
        """Take ticks until one concerns somebody or a deadline comes; return the next position."""
        engine = self._engine
        run = self._gathering.run(batch, begin, now)
        if run is None:
            self._take_apart(*batch[begin], now, found)
            return begin + 1
        ticks = run.ticks
        if not len(ticks):
            self._gathering.take(run, run.end, now)
            return run.end
        stop = engine.watch.run(ticks)
        self.looked += stop.looked
        place = run.place(stop.tick)
        end = run.end if stop.tick == len(ticks) - 1 else place + 1
        self._gathering.take(run, end, now)
        self._begin(batch.ticks[place], ticks, stop)
        return end

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
        self._gathering.learn(tick, key, row)
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
        slots = watch.guarded(f"{tick.symbol}/{tick.kind}")
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
