"""Account events into their partition's books, each in one step with its decision."""

from __future__ import annotations

import asyncio
from typing import Any

from monitor.account import EventSource, Rejected, decode
from streams.dead_letters import BadRecord
from streams.intake import Intake, Received
from streams.ticks import AHEAD_LIMIT_MS
from streams.worker.messages import letter_out
from streams.worker.ownership import Ownership
from streams.worker.partition import OwnedPartition
from streams.worker.runtime import Runtime, wall
from streams.worker.ticking import Ticking

__all__ = ["Folding"]

FRESH_MS = 1_000
"""A record that came so late, and has others behind it, is part of a backlog."""
LAG_LIMIT_MS = 10_000
"""H-6: a partition whose records come so late, by the broker's clock, is not ready."""
WAIT_SECONDS = 0.01


class Folding:
    """Takes what the intake brings."""

    def __init__(
        self, runtime: Runtime, ownership: Ownership, ticking: Ticking, intake: Intake
    ) -> None:
        self._runtime, self._ownership = runtime, ownership
        self._ticking, self._intake = ticking, intake

    async def received(self, event: Received) -> None:
        """Fold one event, or wait until that may be done."""
        self._ticking.events += 1
        owned = await self._opened(event)
        engine = self._runtime.engine
        if owned is None or owned.writer is None or engine is None:
            return
        topic = self._runtime.topics.bare(event.topic)
        if event.offset <= owned.folded_here.get(topic, -1):
            return
        decoded = await self._decoded(event, topic, owned)
        if event.generation != self._intake.generation or not owned.open.is_set():
            return
        owned.folded_here[topic] = event.offset
        if decoded is not None:
            source = EventSource(topic, event.partition, event.offset)
            decision = engine.event(decoded[0], source, decoded[1], self._runtime.now())
            if decision.commands:
                self._runtime.meters.decided(decision, event.timestamp)
            owned.take(decision, event, engine.now)
        owned.folded[topic] = max(owned.folded.get(topic, -1), event.offset)
        self._follow_lag(owned, event)

    async def _opened(self, event: Received) -> OwnedPartition | None:
        """Wait until the event's partition may be folded; None if it belongs to the past."""
        while event.generation == self._intake.generation:
            owned = self._ownership.partitions.get(event.partition)
            if owned is not None and owned.open.is_set():
                return owned
            await asyncio.sleep(WAIT_SECONDS)
        return None

    async def _decoded(
        self, event: Received, topic: str, owned: OwnedPartition
    ) -> tuple[Any, str] | None:
        """Decode and check what needs no book; a dead letter where that fails."""
        try:
            text = (event.value or b"").decode()
            decoded = decode(topic, text)
            if event.key != decoded.account_id.encode():
                raise Rejected(f"key {event.key!r} is not the account_id {decoded.account_id}")
            await self._not_ahead(event, decoded.ts)
        except (Rejected, UnicodeDecodeError) as error:
            self._refuse(owned, event, str(error))
            return None
        return decoded, text

    async def _not_ahead(self, event: Received, ts: int) -> None:
        """Refuse a `ts` too far ahead of the clock; `time_scale` multiplies the limit.

        On the event clock a worker may be behind the ticks itself. So it waits for ticks that
        were appended after the event; where none come any more, for two polls without any.
        """
        runtime, ticking = self._runtime, self._ticking
        limit = int(AHEAD_LIMIT_MS * runtime.present_engine().reference.policy.time_scale)
        on_wall_clock = runtime.settings.clock == "wall"
        if not on_wall_clock and ticking.last_ts is None:
            return  # the event clock has not begun
        idle = ticking.idle_polls
        while ts > runtime.now() + limit:
            read = ticking.appended_until >= event.timestamp or ticking.idle_polls >= idle + 2
            if on_wall_clock or read:
                raise Rejected(f"ts: {ts} is {ts - runtime.now()} ms ahead of the clock")
            await asyncio.sleep(WAIT_SECONDS)

    def _refuse(self, owned: OwnedPartition, event: Received, reason: str) -> None:
        if owned.writer is None:
            return
        bad = BadRecord(event.topic, event.partition, event.offset, event.key, event.value, reason)
        owned.dead_letters += 1
        letter = letter_out(bad, self._runtime.topics, self._runtime.now(), None)
        owned.writer.dead_letter(event, letter)

    def _follow_lag(self, owned: OwnedPartition, event: Received) -> None:
        """H-6: arm when caught up; not ready while records come late by wall time."""
        late = wall() - event.timestamp
        topic = self._runtime.topics.bare(event.topic)
        owned.fresh[topic] = late < FRESH_MS or not self._intake.behind(event)
        if self._ownership.is_armed(owned):
            if late > LAG_LIMIT_MS and not owned.fresh[topic]:
                self._ownership.catch_up(owned, f"account topics lag by {late} ms")
        elif owned.caught_up:
            self._ownership.arm(owned)
