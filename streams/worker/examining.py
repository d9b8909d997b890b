"""Accounts looked at in bounded turns (H-8); with the last of its own an armed partition is ready (H-9)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import structlog

from monitor.engine import Decision, Engine
from monitor.schema import Cause
from streams.worker.partition import OwnedPartition
from streams.worker.runtime import SLICE_SECONDS, TURN_SECONDS, Runtime, wall
from streams.worker.totalling import Totalling
from streams.worker.view import RedisView

__all__ = ["ACCOUNTS_AT_ONCE", "Examining"]

log = structlog.get_logger(__name__)

ACCOUNTS_AT_ONCE = 64
"""Adopted or examined together; a turn takes as many of these as fit into `TURN_SECONDS`."""
FEWER_AT_ONCE = 16
"""The same once all partitions are ready, in turns of `SLICE_SECONDS`: ticks and commands come first then."""
SHOWN_AT_ONCE = 2_000
"""Accounts that one step of the loop marks for Redis: about a millisecond of them (H-8)."""


class Decided(Protocol):
    """Takes decisions to their partitions."""

    def __call__(self, engine: Engine, decisions: Sequence[Decision], /) -> None: ...


class Examining:
    """What is to be looked at, and what follows when all of a partition was."""

    def __init__(
        self,
        runtime: Runtime,
        partitions: Mapping[int, OwnedPartition],
        decided: Decided,
        *,
        view: RedisView,
        totalling: Totalling,
        on_ready: Callable[[], None],
    ) -> None:
        """`partitions`: the owned ones, as they are at any time."""
        self._runtime, self._partitions, self._decided = runtime, partitions, decided
        self._view, self._totalling, self._on_ready = view, totalling, on_ready
        self._waiting: OrderedDict[str, int] = OrderedDict()
        """Account → its partition."""
        self._left: Counter[int] = Counter()
        """How many of them there are, by partition."""
        self._wake = asyncio.Event()
        self._to_show: list[int] = []
        """Partitions that became ready and whose accounts are not in Redis yet."""

    @property
    def under_way(self) -> bool:
        """Whether accounts wait to be examined."""
        return bool(self._waiting)

    @property
    def arming(self) -> bool:
        """Whether a partition is armed, and not ready yet."""
        engine = self._runtime.engine
        return engine is not None and any(self._fresh(engine))

    def soon(self, account_ids: Iterable[str]) -> None:
        """Assess these accounts, a few at a turn, in their order; those that wait already keep their place."""
        engine, waiting = self._runtime.engine, self._waiting
        for account_id in account_ids:
            entry = engine.entries.get(account_id) if engine is not None else None
            if entry is not None and account_id not in waiting:
                waiting[account_id] = entry.partition
                self._left[entry.partition] += 1
        self._wake.set()

    async def run(self) -> None:
        """Examine what is to be examined until cancelled (H-8)."""
        waiting = self._waiting
        while True:
            await self._wake.wait()
            engine = self._runtime.engine
            if engine is None or not waiting:
                if engine is not None and engine.taking.under_way:
                    await asyncio.sleep(0)  # a span begins between two ticks
                    continue
                self._wake.clear()
                self._finish()
                continue
            cause = Cause(kind="recovery", ts=self._runtime.now())
            seconds, most = SLICE_SECONDS, FEWER_AT_ONCE
            if self.arming:
                seconds, most = TURN_SECONDS, ACCOUNTS_AT_ONCE
            until = time.perf_counter() + seconds
            while waiting and time.perf_counter() < until:
                count = min(most, len(waiting))
                part = [waiting.popitem(last=False) for _ in range(count)]
                self._left.subtract(number for _, number in part)
                self._decided(engine, engine.examine([name for name, _ in part], cause))
            if not engine.taking.under_way:
                self._finish()
            await asyncio.sleep(0)

    async def show(self) -> None:
        """Have all accounts of partitions that have become ready written to Redis."""
        engine = self._runtime.engine
        numbers, self._to_show = self._to_show, []
        for number in numbers:
            owned = engine.partitions.get(number, {}) if engine is not None else {}
            names = list(owned) if number in self._partitions else []
            for start in range(0, len(names), SHOWN_AT_ONCE):
                self._view.armed(names[start : start + SHOWN_AT_ONCE])
                await asyncio.sleep(0)

    @property
    def to_show(self) -> bool:
        """Whether `show` has anything to do."""
        return bool(self._to_show)

    def _fresh(self, engine: Engine) -> Iterable[OwnedPartition]:
        owned = self._partitions.values()
        return (one for one in owned if one.number in engine.armed and not one.span.ready)

    def _finish(self) -> None:
        """The armed partitions all of whose accounts are examined are ready from the present tick on."""
        engine = self._runtime.engine
        if engine is None:
            return
        fresh = [owned for owned in self._fresh(engine) if not self._left[owned.number]]
        for owned in fresh:
            span, tick = owned.span, self._runtime.tick
            span.ready, span.reason = True, ""
            span.since, span.since_tick = wall(), tick
            span.tick, span.book = tick, dict(owned.folded)
            self._totalling.ready(owned.number)
            log.info(
                "partition_ready",
                partition=owned.number,
                accounts=len(engine.partitions.get(owned.number, ())),
            )
        if fresh:
            self._to_show += [owned.number for owned in fresh]
            self._on_ready()
