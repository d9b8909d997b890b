"""Full hours of a worker: read whole before events are folded, cut from its ticks, published by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monitor.interest.hours import HourPrices
from streams.dead_letters import BadRecord
from streams.hours import HourReader, HourWriter, missed_hours
from streams.journal import Outlet
from streams.ticks import AHEAD_LIMIT_MS
from streams.worker.ownership import Ownership
from streams.worker.runtime import Runtime
from streams.worker.ticking import Ticking

__all__ = ["Houring"]


class Houring:
    """IN-1: runs as long as the worker."""

    def __init__(
        self,
        runtime: Runtime,
        ownership: Ownership,
        ticking: Ticking,
        outlet: Outlet,
        client: Mapping[str, Any],
        on_bad: Callable[[BadRecord], None],
    ) -> None:
        self._runtime, self._ownership, self._ticking = runtime, ownership, ticking
        self._outlet, self._client, self._on_bad = outlet, client, on_bad
        self._reader: HourReader | None = None

    async def run(self) -> None:
        """Read, follow, cut and publish until cancelled."""
        runtime = self._runtime
        await runtime.has_engine.wait()
        on_wall_clock = runtime.settings.clock == "wall"
        book = runtime.present_engine().interest.hours
        reader = self._reader = HourReader(
            self._client,
            runtime.topics.hour_prices,
            book,
            on_bad=self._on_bad,
            ahead_limit_ms=AHEAD_LIMIT_MS if on_wall_clock else None,
        )
        writer = HourWriter(
            book,
            runtime.topics.hour_prices,
            self._outlet,
            may_publish=lambda: 0 in self._ownership.partitions,
            missed=self._missed if on_wall_clock else None,
        )
        self._ticking.cut_hours(writer)
        async with asyncio.TaskGroup() as group:
            group.create_task(reader.run())
            await reader.caught_up.wait()
            group.create_task(writer.run())
            await runtime.ticks_read.wait()
            runtime.inputs.set()

    async def close(self) -> None:
        """Let the consumer go."""
        if self._reader is not None:
            await self._reader.close()

    async def _missed(self, hours: range) -> Sequence[HourPrices]:
        runtime = self._runtime
        reference = runtime.present_engine().reference
        return await missed_hours(self._client, runtime.topics.ticks, hours, reference)
