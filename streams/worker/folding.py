"""Account events into their partition's books, each in one step with its decision."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from monitor.account import EventSource, Rejected, decode
from monitor.engine import Decision, Engine, Incoming
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
EVENTS_AT_ONCE = 128
"""Folded in one step, before it is asked whether the turn is over (H-8)."""

_Place = tuple[str, int]
"""Topic and partition."""


@dataclass(slots=True, eq=False)
class _Line:
    """What one step takes from a place; `owned` None: all of it has to wait."""

    owned: OwnedPartition | None
    topic: str
    last: int
    """Offset of the last record taken here."""
    newest: Received | None = None


class _Taken(NamedTuple):
    """A record that is taken; `reason`: why it is a dead letter, None: the engine has it."""

    line: _Line
    owned: OwnedPartition
    event: Received
    reason: str | None


class Folding:
    """Takes what the intake brings."""

    def __init__(
        self, runtime: Runtime, ownership: Ownership, ticking: Ticking, intake: Intake
    ) -> None:
        self._runtime, self._ownership = runtime, ownership
        self._ticking, self._intake = ticking, intake

    def take(self, events: Sequence[Received]) -> list[Received]:
        """Fold events in the order of each partition until a turn is over (H-8); return what is left.

        A partition that has to wait keeps no other one. What flows costs no coroutine an event.
        """
        until = time.perf_counter() + TURN_SECONDS
        waiting: set[_Place] = set()
        left: list[Received] = []
        begin = 0
        while begin < len(events):
            left += self._fold(events[begin : begin + EVENTS_AT_ONCE], waiting, None)
            begin += EVENTS_AT_ONCE
            if time.perf_counter() > until:
                break
        left += events[begin:]
        self._ticking.events += len(events) - len(left)
        return left

    async def received(self, event: Received) -> None:
        """Fold one event, or wait until that may be done."""
        self._ticking.events += 1
        idle = self._ticking.idle_polls
        while True:
            if not self._fold([event], set(), idle):
                return
            await asyncio.sleep(WAIT_SECONDS)

    def _fold(
        self, events: Sequence[Received], waiting: set[_Place], idle_since: int | None
    ) -> list[Received]:
        """Fold events in one step with their decisions; return those that have to wait.

        `waiting`: where what comes later has to wait too; added to. `idle_since`: the ticks' idle
        polls when the events began to wait, None if they have not.
        """
        engine = self._runtime.engine
        if engine is None:
            return list(events)
        now = self._runtime.now()
        horizon = self._horizon(engine, now)
        generation = self._intake.generation
        left: list[Received] = []
        lines: dict[_Place, _Line] = {}
        taken: list[_Taken] = []
        incoming: list[Incoming] = []
        for event in events:
            if event.generation != generation:
                continue  # it belongs to the past
            place = event.topic, event.partition
            line = lines.get(place)
            if line is None:
                line = lines[place] = self._line(place)
            owned = line.owned
            if owned is None or (waiting and place in waiting):
                waiting.add(place)
                left.append(event)
                continue
            if event.offset <= line.last:
                continue
            reason = None
            try:
                found = _decoded(event, line.topic)
                ts = found.event.ts
                if ts > horizon and self._waits_for_ticks(event, ts, now, idle_since):
                    waiting.add(place)
                    left.append(event)
                    continue
                incoming.append(found)
            except (Rejected, UnicodeDecodeError) as error:
                reason = str(error)
            line.last, line.newest = event.offset, event
            taken.append(_Taken(line, owned, event, reason))
        self._hand_on(engine, taken, engine.events(incoming, now))
        for line in lines.values():
            self._follow(line)
        return left

    def _line(self, place: _Place) -> _Line:
        name, number = place
        topic, owned = self._runtime.topics.bare(name), self._ownership.partitions.get(number)
        if owned is None or not owned.open.is_set():
            return _Line(None, topic, -1)
        return _Line(owned, topic, owned.folded_here.get(topic, -1))

    def _hand_on(self, engine: Engine, taken: Sequence[_Taken], found: Sequence[Decision]) -> None:
        """Hand what the engine says of each event, and every dead letter, to the writers in order."""
        decisions = iter(found)
        for _, owned, event, reason in taken:
            if reason is not None:
                self._refuse(owned, event, reason)
                continue
            decision = next(decisions)
            if decision.commands:
                self._runtime.meters.decided(decision, event.timestamp)
            owned.take(decision, event, engine.now)

    def _follow(self, line: _Line) -> None:
        """Note how far a place is folded; H-6: arm when caught up, not ready while records come late."""
        owned, event, topic = line.owned, line.newest, line.topic
        if owned is None or event is None:
            return
        owned.folded_here[topic] = line.last
        owned.folded[topic] = max(owned.folded.get(topic, -1), line.last)
        behind = self._intake.behind(event)
        owned.expect(topic, more=behind > 0)
        late = wall() - event.timestamp
        owned.fresh[topic] = late < FRESH_MS or not behind
        if self._ownership.is_armed(owned):
            if late > LAG_LIMIT_MS and not owned.fresh[topic]:
                self._ownership.catch_up(owned, f"account topics lag by {late} ms")
        elif owned.caught_up:
            self._ownership.arm(owned)

    def _horizon(self, engine: Engine, now: int) -> float:
        """Return up to which `ts` an event need not wait for the clock; `time_scale` multiplies it."""
        if self._runtime.settings.clock != "wall" and self._ticking.last_ts is None:
            return math.inf  # the event clock has not begun
        return now + int(AHEAD_LIMIT_MS * engine.reference.policy.time_scale)

    def _waits_for_ticks(self, event: Received, ts: int, now: int, idle_since: int | None) -> bool:
        """Refuse an event whose `ts` is too far ahead of the clock. Raises Rejected.

        On the event clock a worker may be behind the ticks itself. So the event waits for ticks
        that were appended after it; where none come any more, for two polls without any.
        """
        ticking = self._ticking
        on_wall_clock = self._runtime.settings.clock == "wall"
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


def _decoded(event: Received, topic: str) -> Incoming:
    """Decode and check what needs no book. Raises Rejected or UnicodeDecodeError."""
    text = (event.value or b"").decode()
    decoded = decode(topic, text)
    if event.key != decoded.account_id.encode():
        raise Rejected(f"key {event.key!r} is not the account_id {decoded.account_id}")
    return Incoming(decoded, EventSource(topic, event.partition, event.offset), text)
