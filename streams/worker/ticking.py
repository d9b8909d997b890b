"""Ticks into the engine, in bounded turns, and their decisions out to the partitions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from monitor.engine import Engine, TickBatch
from monitor.reference import Reference
from streams.dead_letters import BadRecord
from streams.hours import HourWriter
from streams.tick_messages import TickMessage
from streams.ticks import AHEAD_LIMIT_MS, TickReader
from streams.worker.ownership import Ownership
from streams.worker.runtime import TURN_SECONDS, Runtime, wall

__all__ = ["Ticking"]

LATE_MS = 250
"""From a tick's append to its being taken: beyond, and with more behind it, the worker is late."""


class Ticking:
    """Reads every tick once a reference set says which symbols are needed."""

    def __init__(
        self,
        runtime: Runtime,
        ownership: Ownership,
        client: dict[str, Any],
        on_bad: Callable[[BadRecord], None],
    ) -> None:
        self._runtime, self._ownership = runtime, ownership
        self._client, self._on_bad = client, on_bad
        self._reader: TickReader | None = None
        self._hours: HourWriter | None = None
        self._newest = -1
        """Offset of the last tick taken; the one under way while there is one."""
        self.appended_until = 0
        """Append time up to which all ticks are taken."""
        self.idle_polls = 0
        """How often the tick topic was found to hold nothing new."""
        self.events = 0
        """Account events received so far, as the intake's side counts them here."""

    @property
    def last_ts(self) -> int | None:
        """The `ts` of the last tick, None before the first."""
        return self._reader.last_ts if self._reader is not None else None

    @property
    def position(self) -> int | None:
        """Offset of the next tick to be taken, None before the first is read."""
        return self._reader.position if self._reader is not None else None

    @property
    def lag(self) -> int:
        """How many ticks are known to stand in the topic and are not read."""
        return self._reader.lag if self._reader is not None else 0

    async def run(self) -> None:
        """Take ticks until cancelled."""
        await self._runtime.has_engine.wait()
        engine = self._runtime.present_engine()
        reader = self._reader = self._make_reader(engine.reference)
        async for batch in reader.batches():
            if reader.caught_up:
                self._runtime.ticks_read.set()
            taken = 0
            while taken < len(batch) or engine.taking.under_way:
                taken = self._take(engine, batch, taken)
                await self._let_others_work()
            self.appended_until = reader.appended
            self.idle_polls += not batch

    def cut_hours(self, hours: HourWriter) -> None:
        """IN-1: tell `hours` of every tick with which a full hour has passed, before it is taken."""
        self._hours = hours

    async def close(self) -> None:
        """Let the consumer go."""
        if self._reader is not None:
            await self._reader.close()

    def _make_reader(self, reference: Reference) -> TickReader:
        """H-9: on the wall clock, begin where ticks are young; older ones only for symbols without."""
        since = None
        needed = {f"{name}-USD" for name in reference.currencies}
        needed |= {name for name, i in reference.instruments.items() if i.kind != "spot"}
        on_event_clock = self._runtime.settings.clock == "event"
        if not on_event_clock:
            ages = reference.policy.max_age_seconds.values()
            since = wall() - int(2000 * max(ages, default=10))
        return TickReader(
            self._client,
            self._runtime.topics.ticks,
            on_bad=self._on_bad,
            since_ms=since,
            needed=needed,
            ahead_limit_ms=None if on_event_clock else AHEAD_LIMIT_MS,
        )

    def _take(self, engine: Engine, batch: TickBatch[TickMessage], taken: int) -> int:
        """Take ticks from `taken` on for at most a turn (H-8); return where the next one stands.

        The one before may still be under way.
        """
        now = None if self._runtime.settings.clock == "event" else wall()
        until = time.perf_counter() + TURN_SECONDS
        hours = self._hours_of(batch, taken)
        while True:
            end = self._until_hour(engine, batch, taken, hours)
            part = batch if end == len(batch) else batch[:end]
            taken, found = engine.turn(part, taken, now, lambda: time.perf_counter() > until)
            if taken:
                self._newest = batch.offsets[taken - 1]
            if found:
                self._ownership.decided(engine, found, appended=self._appended_at(self._newest))
            if not engine.taking.under_way:
                self._runtime.tick = max(self._runtime.tick, self._newest)
                if taken == len(batch):
                    break
            if time.perf_counter() > until:
                break
        self._runtime.late = self._is_late(engine, batch, taken)
        self._ownership.cover()
        return taken

    def _is_late(self, engine: Engine, batch: TickBatch[TickMessage], taken: int) -> bool:
        """Whether the last tick taken had waited for long, and there is more to take."""
        if taken == len(batch) and not engine.taking.under_way and not self.lag:
            return False
        appended = self._appended_at(self._newest)
        return appended is not None and wall() - appended > LATE_MS

    def _until_hour(
        self,
        engine: Engine,
        batch: TickBatch[TickMessage],
        taken: int,
        hours: HourWriter | None,
    ) -> int:
        """Cut the hours that the next tick ends; return where the next one that ends any stands."""
        if hours is None or taken == len(batch) or engine.taking.under_way:
            return len(batch) if hours is None else taken
        ts = batch.ts[taken]
        if ts > hours.boundary:
            hours.before_tick(ts, engine.prices, engine.reference, engine.totals)
        later = range(taken + 1, len(batch))
        return next((n for n in later if batch.ts[n] > hours.boundary), len(batch))

    def _appended_at(self, offset: int) -> int | None:
        return self._reader.appended_at(offset) if self._reader is not None else None

    def _hours_of(self, batch: TickBatch[TickMessage], taken: int) -> HourWriter | None:
        """Return who cuts the hours, if a full hour passes with a tick from `taken` on."""
        hours, reader = self._hours, self._reader
        if hours is None or reader is None:
            return None
        # On the wall clock older ticks come first, and not in the order of their times.
        if not reader.caught_up and self._runtime.settings.clock == "wall":
            return None
        if reader.last_ts is None or reader.last_ts <= hours.boundary:
            return None
        return hours if max(batch.ts[taken:], default=0) > hours.boundary else None

    async def _let_others_work(self) -> None:
        """H-8: between two turns of ticks account events get as long, while there are any."""
        until = time.perf_counter() + TURN_SECONDS
        while True:
            before = self.events
            await asyncio.sleep(0)
            if self.events == before or time.perf_counter() > until:
                return
