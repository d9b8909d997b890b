"""One owned partition: claimed, recovered, folded into, armed; the journal's `Owner`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from monitor.engine import Decision, Engine
from monitor.schema import PartitionSpan
from streams.intake import Received
from streams.journal import CommandOut, JournalError, PartitionWriter
from streams.topics import Topics
from streams.worker.messages import command_out, notice_out, refusal_out

__all__ = ["OwnedPartition"]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Span:
    """How far this partition is covered (H-6); see `PartitionSpan`."""

    ready: bool = False
    since: int = 0
    since_tick: int = -1
    tick: int = -1
    book: dict[str, int] = field(default_factory=dict)
    reason: str = "claiming"


class _Covering(NamedTuple):
    """Where things stood when what was decided by then went on its way to the journal."""

    is_durable: Callable[[], bool]
    tick: int
    book: dict[str, int]


class OwnedPartition:
    """Folds events into the engine and hands what changed to the partition's writer."""

    def __init__(
        self,
        number: int,
        topics: Topics,
        *,
        engine: Callable[[], Engine],
        acknowledge: Callable[[Sequence[Received]], None],
        lost: Callable[[int, JournalError], None],
        changed: Callable[[Decision], None],
    ) -> None:
        self.number = number
        self.writer: PartitionWriter[Received] | None = None
        self.open = asyncio.Event()
        """Set once events may be folded."""
        self.folded: dict[str, int] = {}
        """Account topic (plain name) → last offset folded by any owner."""
        self.folded_here: dict[str, int] = {}
        """The same, since this worker was assigned the partition."""
        self.ends: dict[str, int] = {}
        """Account topic → the offset to fold up to before the partition may be armed."""
        self.sources: dict[str, str] = {}
        """Account topic (full name) → its id, as it was verified."""
        self.fresh: dict[str, bool] = {}
        """Account topic → whether its last event was young, or the last there was."""
        self.span = Span()
        self.in_line: set[str] = set()
        """Account topics of which more records are known to stand behind the last one folded."""
        self._covering: _Covering | None = None
        self.dead_letters = 0
        self._snapshots = 0
        """Records handed to the writer."""
        self._engine = engine
        self._topics = topics
        self._acknowledge = acknowledge
        self._lost = lost
        self._changed = changed
        self._outbox: dict[str, list[CommandOut]] = {}

    # -- recovery -----------------------------------------------------------------------------

    def adopt(self, states: Sequence[bytes]) -> None:
        """Take accounts' states from the journal."""
        folded = self._engine().adopt_all(states, self.number)
        for topic, offset in folded.items():
            self.folded[topic] = max(self.folded.get(topic, -1), offset)

    @property
    def caught_up(self) -> bool:
        """Whether everything that stood in the account topics at the claim is folded."""
        folded = all(self.folded.get(topic, -1) >= end - 1 for topic, end in self.ends.items())
        return folded and all(self.fresh.values())

    @property
    def behind(self) -> str:
        """Say which topics are not folded up to their ends yet, and how far."""
        return ", ".join(
            f"{topic} {self.folded.get(topic, -1) + 1} of {end}"
            for topic, end in self.ends.items()
            if self.folded.get(topic, -1) < end - 1
        )

    def expect(self, topic: str, *, more: bool) -> None:
        """Note whether more of an account topic stands in line, and let the writer gather it."""
        if more:
            self.in_line.add(topic)
        else:
            self.in_line.discard(topic)
        if self.writer is not None:
            self.writer.expect(more=bool(self.in_line))

    # -- decisions ----------------------------------------------------------------------------

    def take(self, decision: Decision, event: Received | None, now: int) -> None:
        """Hand a decision, and the event that it folds, to the writer in one step."""
        writer = self.writer
        if writer is None:
            return
        account_id = decision.account_id
        if decision.defect is not None:
            log.error("account_defect", account_id=account_id, exc_info=decision.defect)
        speaks = bool(decision.commands or decision.notices or decision.refused)
        if speaks:
            self._outbox.setdefault(account_id, []).extend(self._words(decision, now))
        if speaks or decision.dirty:
            writer.mark(account_id, event, urgent=speaks)
            self._changed(decision)
        elif event is not None:
            writer.settle(event)

    def _words(self, decision: Decision, now: int) -> list[CommandOut]:
        """Return all that a decision has to say, in its order."""
        topics = self._topics
        out = [notice_out(notice, topics) for notice in decision.notices]
        out += [command_out(command, topics) for command in decision.commands]
        self.dead_letters += len(decision.refused)
        out += [
            refusal_out(refusal, decision.account_id, topics, now) for refusal in decision.refused
        ]
        return out

    @property
    def outbox(self) -> int:
        """How many messages are decided and not published yet."""
        waiting = sum(len(messages) for messages in self._outbox.values())
        return waiting + (self.writer.unpublished if self.writer is not None else 0)

    def durable_from_now(self) -> Callable[[], bool]:
        """Return what says whether all that is folded at this moment is in the journal."""
        writer = self.writer
        if writer is None:
            return lambda: False
        # The accounts that wait now are taken before any that is marked later.
        taken = self._snapshots + writer.dirty
        before: int | None = None

        def durable() -> bool:
            nonlocal before
            if writer.lost is not None:
                return False
            if writer.settled:
                return True
            if before is None and self._snapshots >= taken:
                before = writer.last_offset  # the last of them may be in flight
            return before is not None and writer.last_offset > before

        return durable

    def cover(self, tick: int) -> None:
        """Note up to which tick all decisions are durable, `tick` being the last one taken.

        While events flow there is always something on its way to the journal. So it is noted where
        things stand, and said once all of that has arrived. Nothing is noted while the next tick is under way:
        what is folded then comes after a tick that is not done.
        """
        writer, span, under_way = self.writer, self.span, self._engine().taking.under_way
        if not span.ready or writer is None:
            self._covering = None
        elif writer.settled and not under_way:
            self._covering = None
            span.tick, span.book = tick, dict(self.folded)
        elif self._covering is None:
            if not under_way:
                self._covering = _Covering(self.durable_from_now(), tick, dict(self.folded))
        elif self._covering.is_durable():
            span.tick, span.book = self._covering.tick, self._covering.book
            self._covering = None

    def published_span(self) -> PartitionSpan:
        """Return the span as heartbeats carry it."""
        span = self.span
        return PartitionSpan(
            partition=self.number,
            ready=span.ready,
            since=span.since,
            since_tick=span.since_tick,
            tick=span.tick,
            book=span.book,
            reason=None if span.ready else f"{span.reason} {self.behind}".strip(),
        )

    # -- the journal's owner ------------------------------------------------------------------

    def snapshot(self, account_id: str) -> tuple[bytes, Sequence[CommandOut]]:
        """Return the account's state and the commands decided since the last snapshot."""
        self._snapshots += 1
        state = self._engine().entries[account_id].record()
        return state, self._outbox.pop(account_id, ())

    def out_of_sync(self, account_id: str, reason: str) -> bytes:
        """Keep of an account that cannot be written only its settings and offsets."""
        log.error("account_out_of_sync", account_id=account_id, reason=reason)
        self._outbox.pop(account_id, None)
        entry = self._engine().entries[account_id]
        account = entry.account
        account.held, account.gap_since, account.out_of_sync = [], None, True
        account.orders, account.ended, account.early_fills, account.seen = {}, {}, {}, {}
        entry.begin_anew()
        self._engine().changed(entry)
        return entry.record()

    def acknowledge(self, events: Sequence[Received]) -> None:
        """Acknowledge events whose effects are durable."""
        self._acknowledge(events)

    def lost(self, partition: int, error: JournalError) -> None:
        """Stop folding; the worker leaves the group and rejoins."""
        self.open.clear()
        self.span.ready, self.span.reason = False, str(error)
        self._lost(partition, error)
