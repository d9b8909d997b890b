"""Account events into their partition's books, each in one step with its decision."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from monitor.account import EventSource, Rejected, decode
from streams.dead_letters import BadRecord
from streams.intake import Intake, Received
from streams.ticks import AHEAD_LIMIT_MS
from streams.worker.messages import letter_out
from streams.worker.ownership import Ownership
from streams.worker.partition import OwnedPartition
from streams.worker.runtime import TURN_SECONDS, Runtime, wall
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

    def take(self, events: Sequence[Received]) -> int:
        """Fold events in their order until one has to wait or a turn is over (H-8); return how many.

        A batch that flows costs no coroutine an event. What is left goes to `received`, one by one.
        """
        taken = 0
        until = time.perf_counter() + TURN_SECONDS
        for event in events:
            if not self._fold(event, None):
                break
            taken += 1
            if time.perf_counter() > until:
                break
        self._ticking.events += taken
        return taken

    async def received(self, event: Received) -> None:
        """Fold one event, or wait until that may be done."""
        self._ticking.events += 1
        idle = self._ticking.idle_polls
        while True:
            if self._fold(event, idle):
                return
            await asyncio.sleep(WAIT_SECONDS)

    def _fold(self, event: Received, idle_since: int | None) -> bool:
        """Fold one event in one step with its decision; False if it has to wait.

        `idle_since`: the ticks' idle polls when the event began to wait, None if it has not.
        """
        if event.generation != self._intake.generation:
            return True  # it belongs to the past
        owned = self._ownership.partitions.get(event.partition)
        engine = self._runtime.engine
        if owned is None or engine is None or not owned.open.is_set():
            return False
        topic = self._runtime.topics.bare(event.topic)
        if event.offset <= owned.folded_here.get(topic, -1):
            return True
        try:
            decoded, text = self._decoded(event, topic)
            if self._waits_for_ticks(event, decoded.ts, idle_since):
                return False
        except (Rejected, UnicodeDecodeError) as error:
            owned.folded_here[topic] = event.offset
            self._refuse(owned, event, str(error))
        else:
            owned.folded_here[topic] = event.offset
            source = EventSource(topic, event.partition, event.offset)
            decision = engine.event(decoded, source, text, self._runtime.now())
            if decision.commands:
                self._runtime.meters.decided(decision, event.timestamp)
            owned.take(decision, event, engine.now)
        owned.folded[topic] = max(owned.folded.get(topic, -1), event.offset)
        self._follow_lag(owned, event)
        return True

    def _decoded(self, event: Received, topic: str) -> tuple[Any, str]:
        """Decode and check what needs no book. Raises Rejected or UnicodeDecodeError."""
        text = (event.value or b"").decode()
        decoded = decode(topic, text)
        if event.key != decoded.account_id.encode():
            raise Rejected(f"key {event.key!r} is not the account_id {decoded.account_id}")
        return decoded, text

    def _waits_for_ticks(self, event: Received, ts: int, idle_since: int | None) -> bool:
        """Refuse a `ts` too far ahead of the clock; `time_scale` multiplies the limit.

        On the event clock a worker may be behind the ticks itself. So the event waits for ticks
        that were appended after it; where none come any more, for two polls without any.
        Raises Rejected.
        """
        runtime, ticking = self._runtime, self._ticking
        on_wall_clock = runtime.settings.clock == "wall"
        if not on_wall_clock and ticking.last_ts is None:
            return False  # the event clock has not begun
        now = runtime.now()
        limit = int(AHEAD_LIMIT_MS * runtime.present_engine().reference.policy.time_scale)
        if ts <= now + limit:
            return False
        idle = idle_since is not None and ticking.idle_polls >= idle_since + 2
        if on_wall_clock or idle or ticking.appended_until >= event.timestamp:
            raise Rejected(f"ts: {ts} is {ts - now} ms ahead of the clock")
        return True

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
