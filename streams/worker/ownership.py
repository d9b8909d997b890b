"""Which partitions this worker owns: claimed, recovered, examined, ready, let go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import structlog
from confluent_kafka.admin import AdminClient

from monitor.engine import Decision, Engine
from streams.intake import GROUP, Intake, Received
from streams.journal import (
    JournalError,
    JournalSettings,
    Outlet,
    PartitionJournal,
    PartitionWriter,
    PauseGuard,
    read_sources,
    verify_journal,
    verify_sources,
)
from streams.worker.examining import ACCOUNTS_AT_ONCE, Examining
from streams.worker.offsets import committed_offsets
from streams.worker.partition import OwnedPartition
from streams.worker.runtime import TURN_SECONDS, Runtime
from streams.worker.totalling import Totalling
from streams.worker.view import RedisView

__all__ = ["Ownership"]

log = structlog.get_logger(__name__)

CATCH_UP_LINGER_SECONDS = 0.1
QUIET_LINGER_SECONDS = 0.05
"""How long a group without a command waits for more: only acknowledgements wait with it, and those
are committed every half second."""
IN_LINE_LINGER_SECONDS = 0.25
"""The same while more of the account topics stands in line: a request for every few records costs the
worker and the broker more than the records do. Gone as soon as nothing is left in line."""
RELEASED_AT_ONCE = 100
"""Accounts that one step of the loop forgets: about a millisecond of them (H-8)."""
CLAIMED_AT_ONCE = 4
"""Partitions that are claimed, read and adopted at once: while one is adopted the broker reads for the others, and
of no more than these the records lie in memory beside the accounts."""
FLUSH_SHARE = 0.6
"""Of the session: how long a revocation may take to flush."""


class Parked(NamedTuple):
    """How a partition was let go: everything of it in the journal, its accounts still in memory."""

    last_offset: int
    """Of this worker's last append."""
    folded: dict[str, int]
    """Account topic (plain name) → last offset folded."""
    sources: dict[str, str]
    """Account topic → its id."""


class Ownership:
    """The owned partitions by number, and every step between assigned and revoked."""

    def __init__(
        self,
        runtime: Runtime,
        intake: Intake,
        *,
        journal: JournalSettings,
        guard: PauseGuard,
        outlet: Outlet,
        view: RedisView,
        totalling: Totalling,
        admin: AdminClient,
        on_ready: Callable[[], None],
    ) -> None:
        self.partitions: dict[int, OwnedPartition] = {}
        self._runtime, self._intake = runtime, intake
        self._journal, self._guard, self._outlet = journal, guard, outlet
        self._view, self._totalling, self._admin = view, totalling, admin
        self.examining = Examining(
            runtime,
            self.partitions,
            self.decided,
            view=view,
            totalling=totalling,
            on_ready=on_ready,
        )
        self._parked: dict[int, Parked] = {}
        """Partitions let go, whose accounts are still in the engine until the group has decided."""
        self._leaving: dict[int, asyncio.Task[None]] = {}
        """Partitions whose accounts are being forgotten."""
        self._step = asyncio.Lock()
        """Held for a step of adopting or forgetting: those of many partitions would come one right after
        the other, with nothing between them."""
        self._turn_to_claim = asyncio.Semaphore(CLAIMED_AT_ONCE)
        self._claiming: set[int] = set()
        self._claims: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether ticks or account events stand in line: what can wait does, and leaves them the loop."""
        return self._runtime.late or any(owned.in_line for owned in self.partitions.values())

    # -- owning -------------------------------------------------------------------------------

    def assign(self, numbers: Sequence[int]) -> None:
        """Claim these partitions in the background; their events wait until that is done.

        What was let go and does not come back is forgotten.
        """
        for number in [n for n in self._parked if n not in numbers]:
            self._forget(number)
        for number in numbers:
            if (leaving := self._leaving.pop(number, None)) is not None:
                leaving.cancel()
                self._runtime.present_engine().release(number)
            owned = OwnedPartition(
                number,
                self._runtime.topics,
                engine=self._runtime.present_engine,
                acknowledge=self._intake.acknowledge,
                lost=self._lost,
                changed=self._changed,
            )
            self.partitions[number] = owned
            self._begin(f"claim {number}", self._claim(owned, self._parked.pop(number, None)))
        self._totalling.share(self)

    async def flush(self) -> bool:
        """Stop folding and make everything durable; say whether there was anything to flush."""
        for task in self._claims:
            task.cancel()
        owned = list(self.partitions.values())
        for one in owned:
            self.disarm(one, "revoked")
            one.open.clear()
        seconds = self._runtime.settings.session_timeout * FLUSH_SHARE
        writers = [o.writer for o in owned if o.writer is not None]
        outcomes = await asyncio.gather(
            *(w.flush(seconds) for w in writers), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                log.warning("flush_failed", error=str(outcome))
        self.cover()
        for one in owned:
            if one.writer is not None and one.writer.lost is None and one.writer.settled:
                self._parked[one.number] = Parked(
                    one.writer.last_offset, dict(one.folded), dict(one.sources)
                )
        await asyncio.gather(*(w.close() for w in writers), return_exceptions=True)
        return bool(writers)

    def release(self) -> None:
        """Own nothing; accounts stay in memory where all of them is in the journal."""
        for number in list(self.partitions):
            self._view.released(number)
            self._totalling.released(number)
            del self.partitions[number]
            if number not in self._parked:
                self._forget(number)

    def _forget(self, number: int) -> None:
        """Let go of a partition's accounts, in the background."""
        self._parked.pop(number, None)
        if self._runtime.engine is not None and number not in self._leaving:
            work = self._let_go(self._runtime.engine, number)
            task = asyncio.create_task(self._runtime.guarded(f"forget {number}", work))
            self._leaving[number] = task

    async def _let_go(self, engine: Engine, number: int) -> None:
        left = True
        while left:
            async with self._step:
                left = engine.release(number, RELEASED_AT_ONCE)
                await asyncio.sleep(0)
        del self._leaving[number]

    def drop(self, reason: str) -> None:
        """Decide nothing any more, at once: others may have taken over."""
        for owned in self.partitions.values():
            owned.open.clear()
            owned.span.ready, owned.span.reason = False, reason
        if self._runtime.engine is not None:
            self._runtime.engine.armed.clear()

    async def close(self) -> None:
        """End what still runs and let the producers go."""
        running = [*self._claims, *self._leaving.values()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for owned in self.partitions.values():
            if owned.writer is not None:
                await owned.writer.close()

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._runtime.guarded(name, work), name=name)
        self._claims.add(task)
        task.add_done_callback(self._claims.discard)

    def _changed(self, decision: Decision) -> None:
        owned = self.partitions.get(decision.partition)
        if owned is not None and owned.span.ready:  # else all of its accounts are shown once it is
            self._view.changed(decision)
        self._totalling.changed(decision.partition, decision.account_id)

    def _lost(self, partition: int, error: JournalError) -> None:
        log.error("partition_lost", partition=partition, error=str(error))
        self._runtime.fail(error)

    # -- claims -------------------------------------------------------------------------------

    async def _claim(self, owned: OwnedPartition, parked: Parked | None) -> None:
        """Claim the journal's partition, read it, and open the partition to events.

        `parked`: how this worker let it go. If nobody has claimed it since, its accounts stand.
        """
        self._claiming.add(owned.number)
        try:
            await self._runtime.inputs.wait()
            # What stands in memory is not read, and was answered for a moment ago: it waits for no other.
            async with self._turn_to_claim if parked is None else nullcontext():
                await self._recover(owned, parked)
            if owned.caught_up:
                self.arm(owned)
        finally:
            self._claiming.discard(owned.number)

    async def _recover(self, owned: OwnedPartition, parked: Parked | None) -> None:
        previous = parked.last_offset if parked is not None else None
        journal, recovery = await PartitionJournal.claim(
            self._journal, owned.number, previous=previous
        )
        known = recovery.sources
        if parked is not None and recovery.memory_stands:
            owned.folded, known = dict(parked.folded), parked.sources
        elif parked is not None:
            self._runtime.present_engine().release(owned.number)
        topics = self._runtime.topics
        names = topics.account_topics
        try:
            found = await read_sources(self._admin, names, [owned.number])
            await self._adopt(owned, recovery.states)
            applied = {(topics.name(t), owned.number): o for t, o in owned.folded.items()}
            verify_sources(known, applied, found)
            committed = await self._committed(owned.number)
            verify_journal(known, committed)
        # Cancelled or failed, the producer must go: its id is the fence of whoever claims next.
        except BaseException:
            await journal.abort()
            raise
        for name in names:
            topic = topics.bare(name)
            end = found.ends[(name, owned.number)]
            owned.ends[topic] = 0 if committed.get(name, 0) >= end else end
        engine = self._runtime.present_engine()
        engine.now = max(engine.now, recovery.now)
        writer: PartitionWriter[Received] = PartitionWriter(
            journal, owned, self._outlet, now=self._runtime.now, guard=self._guard
        )
        writer.durable = self._runtime.meters.durable
        writer.linger, writer.longest_linger = CATCH_UP_LINGER_SECONDS, IN_LINE_LINGER_SECONDS
        await writer.begin(recovery, found.ids)
        owned.writer, owned.sources = writer, found.ids
        log.info(
            "partition_claimed",
            partition=owned.number,
            epoch=writer.epoch.offset,
            stands=recovery.memory_stands,
            read=recovery.records_read,
        )
        self._view.claimed(owned.number, writer.epoch.offset)
        owned.span.reason = "catching up"
        owned.open.set()

    async def _adopt(self, owned: OwnedPartition, states: dict[str, bytes]) -> None:
        """Take the accounts that the journal holds, in bounded turns (H-8); `states` is used up."""
        while states:
            async with self._step:
                until = time.perf_counter() + TURN_SECONDS
                while states and time.perf_counter() < until:
                    count = min(ACCOUNTS_AT_ONCE, len(states))
                    owned.adopt([states.popitem()[1] for _ in range(count)])
                await asyncio.sleep(0)

    async def _committed(self, partition: int) -> dict[str, int]:
        """Return the group's committed offsets of one partition, by full topic name."""
        group = self._runtime.settings.topic_prefix + GROUP
        topics = self._runtime.topics.account_topics
        return await committed_offsets(self._admin, group, topics, partition)

    def catch_up(self, owned: OwnedPartition, reason: str) -> None:
        """Disarm a partition that lags, until what stands in its topics now is folded."""
        self.disarm(owned, reason)
        self._begin(f"catch up {owned.number}", self._new_ends(owned))

    async def _new_ends(self, owned: OwnedPartition) -> None:
        topics = self._runtime.topics
        found = await read_sources(self._admin, topics.account_topics, [owned.number])
        owned.ends = {
            topics.bare(name): found.ends[(name, owned.number)]
            for name in topics.account_topics
            if owned.folded_here.get(topics.bare(name)) is not None
        }

    # -- readiness ----------------------------------------------------------------------------

    def is_armed(self, owned: OwnedPartition) -> bool:
        """Whether decisions on this partition's accounts go out."""
        engine = self._runtime.engine
        return engine is not None and owned.number in engine.armed

    def arm(self, owned: OwnedPartition) -> None:
        """H-9: everything that stood in the topics is folded; look at every account once.

        One whose box no price has left since it was looked at last need not be looked at again.
        """
        engine = self._runtime.engine
        if engine is None or owned.number in engine.armed or owned.writer is None:
            return
        engine.armed.add(owned.number)
        owned.writer.linger = QUIET_LINGER_SECONDS
        owned.span.reason = "examining"
        self.examining.soon(engine.unseen(owned.number))

    def disarm(self, owned: OwnedPartition, reason: str) -> None:
        """H-6: command nothing, and say why."""
        if self._runtime.engine is not None:
            self._runtime.engine.armed.discard(owned.number)
        if owned.writer is not None:
            owned.writer.linger = CATCH_UP_LINGER_SECONDS
        owned.span.ready, owned.span.reason = False, reason

    def tend(self) -> None:
        """Cover what is durable, and arm what has caught up without an event of its own."""
        self.cover()
        for owned in self.partitions.values():
            if owned.open.is_set() and owned.caught_up:
                self.arm(owned)
        if self.examining.to_show and not self.arming:
            self._begin("show", self.examining.show())

    def cover(self) -> None:
        """Note for each partition that all decisions up to this tick are durable, where they are."""
        for owned in self.partitions.values():
            owned.cover(self._runtime.tick)

    # -- decisions and examinations in bounded turns ----------------------------------------------

    def decided(
        self, engine: Engine, decisions: Sequence[Decision], *, appended: int | None = None
    ) -> None:
        """Hand each decision to its partition's writer.

        `appended`: epoch ms at which the broker took the tick that caused them, None for other causes.
        """
        for decision in decisions:
            owned = self.partitions.get(decision.partition)
            if owned is not None:
                if decision.commands:
                    self._runtime.meters.decided(decision, appended)
                owned.take(decision, None, engine.now)

    @property
    def arming(self) -> bool:
        """Whether a partition is on its way to ready: what can wait does, and leaves it the loop."""
        return bool(self._claiming) or self.examining.arming

    def examine_soon(self, account_ids: Sequence[str]) -> None:
        """Assess these accounts, a few at a turn."""
        self.examining.soon(account_ids)
