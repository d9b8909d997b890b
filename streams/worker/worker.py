"""One worker: ticks, account events and reference data in, durable decisions out.

Everything runs in one event loop. Nothing awaits between reading an account and forming its
decision; what a decision changed goes to its partition's writer in the same step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog
from confluent_kafka.admin import AdminClient

from monitor.account import EventSource, Rejected, decode
from monitor.engine import Decision, Engine
from monitor.reference import Reference
from monitor.schema import Cause
from streams.connection import confluent_config, kafka_client
from streams.dead_letters import BadRecord
from streams.intake import GROUP, Intake, Received
from streams.journal import (
    JournalError,
    JournalSettings,
    PartitionJournal,
    PartitionWriter,
    PausedTooLong,
    PauseGuard,
    read_sources,
    verify_journal,
    verify_sources,
)
from streams.reference import ReferenceFollower
from streams.settings import Settings
from streams.ticks import TickMessage, TickReader
from streams.topics import Topics
from streams.worker.heartbeat import State, heartbeat, heartbeat_out
from streams.worker.messages import letter_out
from streams.worker.offsets import committed_offsets
from streams.worker.partition import OwnedPartition
from streams.worker.view import RedisView, ShownOutlet

__all__ = ["Worker"]

log = structlog.get_logger(__name__)

AHEAD_LIMIT_MS = 5_000
"""A `ts` further ahead of the clock is a dead letter (INTERFACE); `time_scale` multiplies it."""
TICKS_PER_TURN = 64
CATCH_UP_LINGER_SECONDS = 0.1
TURNS_APART = 4
"""Turns taken tick by tick after one in which a batch concerned somebody."""
ACCOUNTS_PER_TURN = 20
TURN_SECONDS = 0.004
"""H-8: what one turn of the loop takes at the most."""
TIMER_SECONDS = 0.02
HEARTBEAT_SECONDS = 1.0
SWEEP_SECONDS = 0.1
SWEEPS_A_MINUTE = 1
FRESH_MS = 1_000
"""A record that came so late, and has others behind it, is part of a backlog."""
LAG_LIMIT_MS = 10_000
"""H-6: a partition whose records come so late, by the broker's clock, is not ready."""
FLUSH_SHARE = 0.6
"""Of the session: how long a revocation may take to flush."""


class Worker:
    """Runs until stopped or until a partition is lost; then the caller makes a new one."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self.settings = settings
        self.topics = Topics(settings.topic_prefix)
        self.engine: Engine | None = None
        self.partitions: dict[int, OwnedPartition] = {}
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises what made the worker unable to go on."""
        self._intake = intake
        self._client = kafka_client(settings)
        self._admin = AdminClient(confluent_config(settings))
        self._guard = PauseGuard(settings.session_timeout)
        self._journal = JournalSettings(
            topic=self.topics.journal, worker=settings.worker_id, client=self._client
        )
        self._reference = ReferenceFollower(
            self._client, self.topics.reference, on_reference=self._use, on_bad=self._bad_record
        )
        self._ticks: TickReader | None = None
        """Reads once a reference set says which symbols are needed."""
        self._tick = -1
        self._ticks_until = 0
        """Append time up to which all ticks are taken."""
        self._idle_polls = 0
        """How often the tick topic was found to hold nothing new."""
        self._received = 0
        self._turns_apart = 0
        self._has_engine = asyncio.Event()
        """Set once a reference set is known."""
        self._inputs = asyncio.Event()
        """Set while ticks and reference set are complete: events may be folded."""
        self._to_examine: dict[str, None] = {}
        self._examine_wake = asyncio.Event()
        self._letters: asyncio.Queue[BadRecord] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._claims: set[asyncio.Task[None]] = set()
        self._view = RedisView(settings, self)
        self._outlet = ShownOutlet(self._client, self.topics, self._view.published)
        self._state: State = "starting"

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect, begin to read, and join the group."""
        await self._outlet.start()
        # Offsets of a journal made anew begin again; Redis must not take them for older ones.
        journal = await read_sources(self._admin, [self.topics.journal], [])
        self._view.connect(generation=journal.ids[self.topics.journal])
        loops = {
            "reference": self._reference.run(),
            "ticks": self._tick_loop(),
            "timers": self._timer_loop(),
            "examine": self._examine_loop(),
            "heartbeat": self._heartbeat_loop(),
            "sweep": self._sweep_loop(),
            "letters": self._letter_loop(),
            "guard": self._guard.run(self._paused),
        }
        self._tasks = [
            asyncio.create_task(self._guarded(name, loop), name=name)
            for name, loop in loops.items()
        ]
        self._view.start()
        await self._intake.start(self)

    async def stop(self) -> None:
        """Flush, leave the group, say so, and close."""
        self._state = "stopping"
        if not self.failed.done():
            await self.revoked()
        await self._intake.stop()
        for task in (*self._tasks, *self._claims):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._claims, return_exceptions=True)
        for owned in self.partitions.values():
            if owned.writer is not None:
                await owned.writer.close()
        await self._view.close()
        await self._reference.close()
        if self._ticks is not None:
            await self._ticks.close()
        if self._outlet.lost is None:
            await self._beat()
        await self._outlet.stop()
        if self.failed.done() and not self.failed.cancelled():
            self.failed.exception()

    async def _guarded(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        """Run one of the loops; whatever ends it ends the worker, which then starts anew."""
        try:
            await loop
        except asyncio.CancelledError:
            raise
        # A loop that died silently would leave a worker that looks alive and sees nothing.
        except Exception as error:
            if not isinstance(error, JournalError):
                log.exception("worker_loop_failed", loop=name)
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    def _paused(self) -> None:
        """Drop everything first: while this process stood still, others may have taken over."""
        for owned in self.partitions.values():
            owned.open.clear()
            owned.span.ready, owned.span.reason = False, "this process stood still"
        if self.engine is not None:
            self.engine.armed.clear()
        self._fail(PausedTooLong("this process stood still for longer than its session"))

    # -- reference and ticks ------------------------------------------------------------------

    def _use(self, reference: Reference) -> None:
        """Take a complete reference set; thresholds and tiers take effect without a restart."""
        log.info("reference_set", sha256=reference.sha256[:12])
        if self.engine is None:
            self.engine = Engine(reference)
            self._has_engine.set()
            return
        self.engine.use(reference)
        self._examine_soon(list(self.engine.entries))

    def _make_ticks(self, reference: Reference) -> TickReader:
        """H-9: on the wall clock, begin where ticks are young; older ones only for symbols without."""
        since = None
        needed = {f"{name}-USD" for name in reference.currencies}
        needed |= {name for name, i in reference.instruments.items() if i.kind != "spot"}
        if self.settings.clock == "wall":
            ages = reference.policy.max_age_seconds.values()
            since = self._wall() - int(2000 * max(ages, default=10))
        return TickReader(
            self._client,
            self.topics.ticks,
            on_bad=self._bad_record,
            since_ms=since,
            needed=needed,
            ahead_limit_ms=None if self.settings.clock == "event" else AHEAD_LIMIT_MS,
        )

    async def _tick_loop(self) -> None:
        await self._has_engine.wait()
        engine = self._present_engine()
        ticks = self._ticks = self._make_ticks(engine.reference)
        async for batch in ticks.batches():
            if ticks.caught_up:
                self._inputs.set()
            taken = 0
            while taken < len(batch):
                taken += self._take_ticks(engine, batch[taken : taken + TICKS_PER_TURN])
                await self._let_others_work()
            self._ticks_until = ticks.appended
            self._idle_polls += not batch

    def _take_ticks(self, engine: Engine, part: Sequence[tuple[TickMessage, int]]) -> int:
        """Take ticks for at most a turn (H-8); return how many."""
        wall = None if self.settings.clock == "event" else self._wall()
        taken = 0
        if self._turns_apart == 0 and engine.pass_over(part, wall):
            taken = len(part)
        else:
            # In a moving market asking for a whole batch costs more than it saves.
            self._turns_apart = self._turns_apart - 1 if self._turns_apart else TURNS_APART
            until = time.perf_counter() + TURN_SECONDS
            for tick, offset in part:
                self._decided(engine, engine.tick(tick, offset, wall))
                taken += 1
                if time.perf_counter() > until:
                    break
        self._tick = max(self._tick, part[taken - 1][1])
        for owned in self.partitions.values():
            owned.cover(self._tick)
        return taken

    async def _let_others_work(self) -> None:
        """H-8: between two turns of ticks account events get as long, while there are any."""
        until = time.perf_counter() + TURN_SECONDS
        while True:
            before = self._received
            await asyncio.sleep(0)
            if self._received == before or time.perf_counter() > until:
                return

    @staticmethod
    def _wall() -> int:
        return time.time_ns() // 1_000_000

    def _now(self) -> int:
        """Return the engine's time: this machine's clock, or the highest tick's (event clock)."""
        engine = self.engine
        if engine is None:
            return 0
        if self.settings.clock == "wall":
            engine.now = max(engine.now, self._wall())
        return engine.now

    async def _timer_loop(self) -> None:
        while True:
            await asyncio.sleep(TIMER_SECONDS)
            if self.engine is not None:
                self._decided(self.engine, self.engine.due(self._now()))
                for owned in self.partitions.values():
                    owned.cover(self._tick)
                    if owned.open.is_set() and owned.caught_up:
                        self._arm(owned)

    async def _sweep_loop(self) -> None:
        """H-3: a slow exact scan of all accounts behind the watch."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            engine = self.engine
            if engine is not None and engine.armed:
                turns = 60 / SWEEPS_A_MINUTE / SWEEP_SECONDS
                count = min(ACCOUNTS_PER_TURN, 1 + int(len(engine.entries) / turns))
                missed = engine.missed_crossings
                self._decided(engine, engine.sweep(count, self._now()))
                if engine.missed_crossings > missed:
                    log.error("missed_crossings", total=engine.missed_crossings)

    def _decided(self, engine: Engine, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            owned = self.partitions.get(decision.partition)
            if owned is not None:
                owned.take(decision, None, engine.now)

    # -- examining accounts in bounded turns --------------------------------------------------

    def _examine_soon(self, account_ids: Sequence[str]) -> None:
        self._to_examine.update(dict.fromkeys(account_ids))
        self._examine_wake.set()

    async def _examine_loop(self) -> None:
        while True:
            await self._examine_wake.wait()
            engine = self.engine
            if engine is None or not self._to_examine:
                self._examine_wake.clear()
                self._finish_arming()
                continue
            turn = [
                name for name, _ in zip(self._to_examine, range(ACCOUNTS_PER_TURN), strict=False)
            ]
            for name in turn:
                del self._to_examine[name]
            cause = Cause(kind="recovery", ts=self._now())
            self._decided(engine, engine.examine(turn, cause))
            await asyncio.sleep(0)

    def _arm(self, owned: OwnedPartition) -> None:
        """H-9: everything that stood in the topics is folded; look at every account once."""
        engine = self.engine
        if engine is None or owned.number in engine.armed or owned.writer is None:
            return
        engine.armed.add(owned.number)
        owned.writer.linger = 0.0
        owned.span.reason = "examining"
        self._examine_soon(list(engine.partitions.get(owned.number, ())))

    def _finish_arming(self) -> None:
        """All accounts are examined: the armed partitions are ready from the present tick on."""
        engine = self.engine
        if engine is None:
            return
        fresh = [
            o for o in self.partitions.values() if o.number in engine.armed and not o.span.ready
        ]
        for owned in fresh:
            span = owned.span
            span.ready, span.reason = True, ""
            span.since, span.since_tick = self._wall(), self._tick
            span.tick, span.book = self._tick, dict(owned.folded)
            self._view.armed(list(engine.partitions.get(owned.number, ())))
            log.info(
                "partition_ready",
                partition=owned.number,
                accounts=len(engine.partitions.get(owned.number, ())),
            )
        if fresh:
            self._state = "ready"

    def _disarm(self, owned: OwnedPartition, reason: str) -> None:
        if self.engine is not None:
            self.engine.armed.discard(owned.number)
        if owned.writer is not None:
            owned.writer.linger = CATCH_UP_LINGER_SECONDS
        owned.span.ready, owned.span.reason = False, reason

    # -- the intake's handler -----------------------------------------------------------------

    async def assigned(self, partitions: frozenset[int]) -> None:
        """Claim these partitions in the background; their events wait until that is done."""
        for number in sorted(partitions):
            owned = OwnedPartition(
                number,
                self.topics,
                engine=self._present_engine,
                acknowledge=self._intake.acknowledge,
                lost=self._partition_lost,
                changed=self._view.changed,
            )
            self.partitions[number] = owned
            self._start_claim(f"claim {number}", self._claim(owned))

    def _start_claim(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(name, work), name=name)
        self._claims.add(task)
        task.add_done_callback(self._claims.discard)

    async def revoked(self) -> None:
        """Make everything durable, acknowledge and commit it, and let go."""
        for task in self._claims:
            task.cancel()
        owned = list(self.partitions.values())
        for one in owned:
            self._disarm(one, "revoked")
            one.open.clear()
        seconds = self.settings.session_timeout * FLUSH_SHARE
        writers = [o.writer for o in owned if o.writer is not None]
        outcomes = await asyncio.gather(
            *(w.flush(seconds) for w in writers), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                log.warning("flush_failed", error=str(outcome))
        for one in owned:
            one.cover(self._tick)
        await asyncio.gather(*(w.close() for w in writers), return_exceptions=True)
        if writers and self._outlet.lost is None:
            await self._intake.commit()
            await self._beat()
        for one in owned:
            if self.engine is not None:
                self.engine.release(one.number)
            self._view.released(one.number)
            self.partitions.pop(one.number, None)

    async def received(self, event: Received) -> None:
        """Fold one event, in one step with its decision."""
        self._received += 1
        owned = await self._opened(event)
        engine = self.engine
        if owned is None or owned.writer is None or engine is None:
            return
        topic = self.topics.bare(event.topic)
        if event.offset <= owned.folded_here.get(topic, -1):
            return
        decoded = await self._decoded(event, topic, owned)
        if event.generation != self._intake.generation or not owned.open.is_set():
            return
        owned.folded_here[topic] = event.offset
        if decoded is not None:
            source = EventSource(topic, event.partition, event.offset)
            decision = engine.event(decoded[0], source, decoded[1], self._now())
            owned.take(decision, event, engine.now)
        owned.folded[topic] = max(owned.folded.get(topic, -1), event.offset)
        self._follow_lag(owned, event)

    async def _opened(self, event: Received) -> OwnedPartition | None:
        """Wait until the event's partition may be folded; None if it belongs to the past."""
        while event.generation == self._intake.generation:
            owned = self.partitions.get(event.partition)
            if owned is not None and owned.open.is_set():
                return owned
            await asyncio.sleep(0.01)
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
        """Refuse a `ts` too far ahead of the clock.

        On the event clock a worker may be behind the ticks itself. So it waits for ticks that
        were appended after the event; where none come any more, for two polls without any.
        """
        engine = self._present_engine()
        limit = int(AHEAD_LIMIT_MS * engine.reference.policy.time_scale)
        ticks = self._ticks
        if self.settings.clock == "event" and (ticks is None or ticks.last_ts is None):
            return  # the event clock has not begun
        idle = self._idle_polls
        while ts > self._now() + limit:
            read = self._ticks_until >= event.timestamp or self._idle_polls >= idle + 2
            if self.settings.clock == "wall" or read:
                raise Rejected(f"ts: {ts} is {ts - self._now()} ms ahead of the clock")
            await asyncio.sleep(0.01)

    def _refuse(self, owned: OwnedPartition, event: Received, reason: str) -> None:
        if owned.writer is None:
            return
        bad = BadRecord(event.topic, event.partition, event.offset, event.key, event.value, reason)
        owned.dead_letters += 1
        owned.writer.dead_letter(event, letter_out(bad, self.topics, self._now(), None))

    def _follow_lag(self, owned: OwnedPartition, event: Received) -> None:
        """H-6: arm when caught up; not ready while records come late by wall time."""
        late = self._wall() - event.timestamp
        topic = self.topics.bare(event.topic)
        owned.fresh[topic] = late < FRESH_MS or not self._intake.behind(event)
        if self._is_armed(owned):
            if late > LAG_LIMIT_MS and not owned.fresh[topic]:
                self._disarm(owned, f"account topics lag by {late} ms")
                self._start_claim(f"catch up {owned.number}", self._catch_up(owned))
        elif owned.caught_up:
            self._arm(owned)

    async def _catch_up(self, owned: OwnedPartition) -> None:
        """Let a partition that lagged be armed again once what stands in its topics now is folded."""
        found = await read_sources(self._admin, self.topics.account_topics, [owned.number])
        owned.ends = {
            self.topics.bare(name): found.ends[(name, owned.number)]
            for name in self.topics.account_topics
            if owned.folded_here.get(self.topics.bare(name)) is not None
        }

    def _is_armed(self, owned: OwnedPartition) -> bool:
        return self.engine is not None and owned.number in self.engine.armed

    def _present_engine(self) -> Engine:
        if self.engine is None:
            raise RuntimeError("no reference set yet")
        return self.engine

    # -- claims -------------------------------------------------------------------------------

    async def _claim(self, owned: OwnedPartition) -> None:
        """Claim the journal's partition, read it, and open the partition to events."""
        await self._inputs.wait()
        journal, recovery = await PartitionJournal.claim(self._journal, owned.number)
        names = self.topics.account_topics
        try:
            found = await read_sources(self._admin, names, [owned.number])
            for count, state in enumerate(recovery.states.values()):
                owned.adopt(state)
                if count % ACCOUNTS_PER_TURN == 0:
                    await asyncio.sleep(0)
            applied = {(self.topics.name(t), owned.number): o for t, o in owned.folded.items()}
            verify_sources(recovery.sources, applied, found)
            committed = await self._committed(owned.number)
            verify_journal(recovery.sources, committed)
        except BaseException:
            await journal.abort()
            raise
        for name in names:
            topic = self.topics.bare(name)
            end = found.ends[(name, owned.number)]
            owned.ends[topic] = 0 if committed.get(name, 0) >= end else end
        engine = self._present_engine()
        engine.now = max(engine.now, recovery.now)
        writer: PartitionWriter[Received] = PartitionWriter(
            journal, owned, self._outlet, now=self._now, guard=self._guard
        )
        writer.linger = CATCH_UP_LINGER_SECONDS
        await writer.begin(recovery, found.ids)
        owned.writer = writer
        self._view.claimed(owned.number, writer.epoch.offset)
        owned.span.reason = "catching up"
        owned.open.set()
        if owned.caught_up:
            self._arm(owned)

    async def _committed(self, partition: int) -> dict[str, int]:
        """Return the group's committed offsets of one partition, by full topic name."""
        group = self.settings.topic_prefix + GROUP
        return await committed_offsets(self._admin, group, self.topics.account_topics, partition)

    def _partition_lost(self, partition: int, error: JournalError) -> None:
        log.error("partition_lost", partition=partition, error=str(error))
        self._fail(error)

    # -- dead letters and heartbeats ----------------------------------------------------------

    def _bad_record(self, bad: BadRecord) -> None:
        self._letters.put_nowait(bad)

    async def _letter_loop(self) -> None:
        """Publish what was no tick and no reference set; one worker does it, the one owning 0."""
        while True:
            bad = await self._letters.get()
            if 0 in self.partitions and self._inputs.is_set():
                await self._outlet.publish([letter_out(bad, self.topics, self._wall(), None)])

    async def _heartbeat_loop(self) -> None:
        while True:
            await self._beat()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _beat(self) -> None:
        ready = all(o.span.ready for o in self.partitions.values())
        state = self._state
        if state == "ready" and not (ready and self.partitions):
            state = "unready"
        message = heartbeat(
            self.settings.worker_id,
            state,
            self.engine,
            self.partitions.values(),
            lag=self._ticks.lag if self._ticks is not None else 0,
            last_tick=self._ticks.last_ts if self._ticks is not None else None,
        )
        await self._outlet.publish([heartbeat_out(message, self.topics)])
        self._view.beat(message)
