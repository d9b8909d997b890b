"""One worker: ticks, account events and reference data in, durable decisions out.

Everything runs in one event loop. Nothing awaits between reading an account and forming its
decision; what a decision changed goes to its partition's writer in the same step.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Collection, Coroutine, Sequence
from typing import Any

import structlog
from confluent_kafka.admin import AdminClient

from monitor.account import Account
from monitor.engine import Engine
from monitor.margin import Figures
from monitor.reference import Reference
from monitor.watch import warm
from streams.connection import confluent_config, kafka_client
from streams.dead_letters import BadRecord
from streams.intake import Intake, Received
from streams.journal import (
    CommandOut,
    JournalError,
    JournalSettings,
    PausedTooLong,
    PauseGuard,
    read_sources,
)
from streams.metrics import Meters, Parts
from streams.reference import ReferenceFollower
from streams.settings import Settings
from streams.worker.answering import Answering
from streams.worker.collecting import keep_what_lives
from streams.worker.folding import Folding
from streams.worker.heartbeat import State, heartbeat, heartbeat_out
from streams.worker.houring import Houring
from streams.worker.messages import letter_out
from streams.worker.offsets import partition_count
from streams.worker.ownership import Ownership
from streams.worker.runtime import Runtime, wall
from streams.worker.ticking import Ticking
from streams.worker.totalling import Totalling
from streams.worker.view import RedisView, ShownOutlet

__all__ = ["Worker"]

log = structlog.get_logger(__name__)

TIMER_SECONDS = 0.02
HEARTBEAT_SECONDS = 1.0
NEAREST_FIRST = 10_000
"""Accounts that are looked at before all others when the rules change."""
SWEEPS_A_MINUTE = 1
LEAST_SWEPT, MOST_SWEPT = 10, 200
"""Accounts a second; each is assessed exactly, so that one is swept at a time (H-8)."""


class Worker:
    """Runs until stopped or until a partition is lost; then the caller makes a new one."""

    def __init__(self, settings: Settings, intake: Intake, meters: Meters | None = None) -> None:
        runtime = self._runtime = Runtime(settings, meters)
        client = kafka_client(settings)
        self.failed = runtime.failed
        """Raises what made the worker unable to go on."""
        self._intake = intake
        self._admin = AdminClient(confluent_config(settings))
        self._guard = PauseGuard(settings.session_timeout)
        self._reference = ReferenceFollower(
            client, runtime.topics.reference, on_reference=self._use, on_bad=self._bad_record
        )
        self._view = RedisView(settings, runtime, self._assessed, busy=lambda: self._ownership.busy)
        self._outlet = ShownOutlet(client, runtime.topics, self._published)
        self._client = client
        self._totalling = Totalling(runtime, self._outlet)
        self._ownership = Ownership(
            runtime,
            intake,
            journal=JournalSettings(
                topic=runtime.topics.journal, worker=settings.worker_id, client=client
            ),
            guard=self._guard,
            outlet=self._outlet,
            view=self._view,
            totalling=self._totalling,
            admin=self._admin,
            on_ready=self._ready,
        )
        self._ticking = Ticking(runtime, self._ownership, client, self._bad_record)
        self._houring = Houring(
            runtime, self._ownership, self._ticking, self._outlet, client, self._bad_record
        )
        self._folding = Folding(runtime, self._ownership, self._ticking, intake)
        self._answering = Answering(runtime, self._outlet, client, lambda: self._totalling.totals)
        self._letters: asyncio.Queue[BadRecord] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._state: State = "starting"
        self._warm = False
        """Whether compiled code is loaded."""
        self._parts = Parts(
            runtime,
            self._ownership.partitions,
            self._ticking,
            self._view,
            self._totalling,
            self._admin,
        )

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect, begin to read, and join the group."""
        warming = asyncio.create_task(asyncio.to_thread(warm))
        self._runtime.meters.attach(self._parts)
        await self._outlet.start()
        # Offsets of a journal made anew begin again; Redis must not take them for older ones.
        topic = self._runtime.topics.journal
        journal = await read_sources(self._admin, [topic], [])
        self._view.connect(generation=journal.ids[topic])
        partials = self._totalling.connect(
            self._client,
            journal=journal.ids[topic],
            partitions=await partition_count(self._admin, topic),
        )
        loops = {
            "reference": self._reference.run(),
            "hours": self._houring.run(),
            "ticks": self._ticking.run(),
            "timers": self._timer_loop(),
            "examine": self._ownership.examining.run(),
            "heartbeat": self._heartbeat_loop(),
            "sweep": self._sweep_loop(),
            "letters": self._letter_loop(),
            "partials": partials.run(),
            "count": self._totalling.count(self._ownership),
            "publish totals": self._totalling.publish(self._ownership),
            "use totals": self._totalling.use(self._ownership),
            "answer": self._answering.run(self._ownership.partitions),
        }
        for name, loop in loops.items():
            self._run(name, loop)
        self._view.start()
        # Only then join: compiling for the first time takes minutes, in which others can own the partitions.
        await warming
        self._warm = True
        self._begin_with_engine()
        self._guard.reset()
        self._run("guard", self._guard.run(self._paused))
        await self._intake.start(self)

    def _run(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(self._runtime.guarded(name, loop), name=name))

    async def stop(self) -> None:
        """Flush, leave the group, say so, and close."""
        self._state = "stopping"
        # Brokers that are away now must not keep the rest from being closed.
        with contextlib.suppress(JournalError):
            if not self.failed.done():
                await self.revoked()
        await self._intake.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ownership.close()
        await self._view.close()
        await self._totalling.close()
        await self._answering.close()
        await self._reference.close()
        await self._houring.close()
        await self._ticking.close()
        with contextlib.suppress(JournalError):
            if self._outlet.lost is None:
                await self._beat()
        await self._outlet.stop()
        self._runtime.meters.detach(self._parts)
        if self.failed.done() and not self.failed.cancelled():
            self.failed.exception()

    def _paused(self) -> None:
        """Drop everything first: while this process stood still, others may have taken over."""
        self._ownership.drop("this process stood still")
        self._runtime.fail(PausedTooLong("this process stood still for longer than its session"))

    def _use(self, reference: Reference) -> None:
        """Take a complete reference set; thresholds and tiers take effect without a restart."""
        log.info("reference_set", sha256=reference.sha256[:12])
        engine = self._runtime.engine
        if engine is None:
            self._runtime.engine = Engine(reference)
            self._begin_with_engine()
            return
        engine.use(reference)
        self._totalling.counting.count_again()
        self._ownership.examine_soon(engine.watch.nearest(NEAREST_FIRST))
        self._ownership.examine_soon(list(engine.entries))

    def _begin_with_engine(self) -> None:
        """Let ticks be taken once there is an engine, and nothing has to be compiled for them any more."""
        if self._warm and self._runtime.engine is not None:
            self._runtime.has_engine.set()

    def _assessed(self, partition: int, account: Account, figures: Figures) -> None:
        self._totalling.assessed(partition, account, figures)

    # -- the intake's handler -----------------------------------------------------------------

    async def assigned(self, partitions: frozenset[int]) -> None:
        """Claim these partitions in the background; their events wait until that is done."""
        self._ownership.assign(sorted(partitions))
        self._runtime.meters.assigned(partitions)

    async def revoked(self) -> None:
        """Make everything durable, acknowledge and commit it, and let go."""
        self._runtime.meters.revoked()
        if await self._ownership.flush() and self._outlet.lost is None:
            await self._intake.commit()
            await self._beat()
        self._ownership.release()

    def take(self, events: Sequence[Received]) -> list[Received]:
        """Fold events as far as none has to wait; return what is left."""
        return self._folding.take(events)

    async def received(self, event: Received) -> None:
        """Fold one event, in one step with its decision."""
        await self._folding.received(event)

    # -- timers and the sweep -----------------------------------------------------------------

    async def _timer_loop(self) -> None:
        while True:
            await asyncio.sleep(TIMER_SECONDS)
            engine = self._runtime.engine
            if engine is not None:
                self._ownership.decided(engine, engine.due(self._runtime.now()))
                self._ownership.tend()

    async def _sweep_loop(self) -> None:
        """H-3: a slow exact scan of all accounts behind the watch."""
        pause = 1 / MOST_SWEPT
        while True:
            await asyncio.sleep(pause)
            engine = self._runtime.engine
            busy = self._ownership.examining.under_way or self._ownership.arming
            if engine is not None and engine.armed and not busy:
                wanted = len(engine.entries) * SWEEPS_A_MINUTE / 60
                most = LEAST_SWEPT if self._runtime.late else MOST_SWEPT
                pause = 1 / min(most, max(LEAST_SWEPT, wanted))
                missed = engine.missed_crossings
                self._ownership.decided(engine, engine.sweep(1, self._runtime.now()))
                if engine.missed_crossings > missed:
                    log.error("missed_crossings", total=engine.missed_crossings)

    # -- dead letters and heartbeats ----------------------------------------------------------

    def _bad_record(self, bad: BadRecord) -> None:
        self._letters.put_nowait(bad)

    async def _letter_loop(self) -> None:
        """Publish what was no tick and no reference set; one worker does it, the one owning 0."""
        while True:
            bad = await self._letters.get()
            if 0 in self._ownership.partitions and self._runtime.inputs.is_set():
                await self._outlet.publish([letter_out(bad, self._runtime.topics, wall(), None)])

    def _published(self, commands: Sequence[CommandOut], topics: Collection[str]) -> None:
        self._view.published(commands, topics)
        self._runtime.meters.published(commands)

    def _ready(self) -> None:
        if self._state == "starting":
            self._tasks.append(asyncio.create_task(_load_what_comes_late()))
        self._state = "ready"
        keep_what_lives()
        self._runtime.meters.became_ready(self._ownership.partitions.values())

    async def _heartbeat_loop(self) -> None:
        while True:
            await self._beat()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _beat(self) -> None:
        partitions = self._ownership.partitions
        state = self._state
        if state == "ready" and not (partitions and all(o.span.ready for o in partitions.values())):
            state = "unready"
        message = heartbeat(
            self._runtime.settings.worker_id,
            state,
            self._runtime.engine,
            partitions.values(),
            lag=self._ticking.lag,
            last_tick=self._ticking.last_ts,
        )
        await self._outlet.publish([heartbeat_out(message, self._runtime.topics)])
        self._view.beat(message)
        self._parts.beat = message


async def _load_what_comes_late() -> None:
    """Import what the first option in liquidation needs, before it stands in the way of a command."""
    await asyncio.to_thread(importlib.import_module, "scipy.optimize")
