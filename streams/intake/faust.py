"""Account events through Faust agents (one a topic), acknowledged by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import faust
import structlog
from faust.tables.manager import TableManager
from faust.types import TP

from streams.connection import faust_broker
from streams.intake.base import GROUP, Handler, Received, hand_over, owned_alike
from streams.intake.faust_transport import App
from streams.settings import Settings
from streams.topics import Topics

__all__ = ["FaustIntake", "create_app"]

log = structlog.get_logger(__name__)

COMMIT_SECONDS = 0.5
BUFFERED_EVENTS = 4096
POLL_RECORDS = 1000
RECORDS_A_TURN = 200
"""Records that one agent takes along at the most; the handler ends its turn by time (H-8)."""
BACKLOG_RECORDS = 8
GATHER_SECONDS = 0.004
"""So far behind, an agent with nothing in its queue lets records gather for a moment: a turn of Faust's
stream costs as much for one record as for many."""


def create_app(settings: Settings) -> faust.App:
    """Return a Faust app that keeps no tables and declares no topics of its own."""
    url, credentials = faust_broker(settings)
    datadir = settings.data_dir / "faust"
    datadir.mkdir(parents=True, exist_ok=True)  # Faust insists on one, and makes only its last part
    return App(
        settings.topic_prefix + GROUP,
        broker=url,
        broker_credentials=credentials,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.heartbeat_interval,
        broker_rebalance_timeout=max(60.0, 2 * settings.session_timeout),
        broker_commit_interval=COMMIT_SECONDS,
        broker_max_poll_records=POLL_RECORDS,
        consumer_auto_offset_reset="earliest",
        datadir=datadir,
        store="memory://",
        stream_buffer_maxsize=BUFFERED_EVENTS,
        stream_wait_empty=False,  # the revoke handler flushes; waiting for agents would not end
        topic_allow_declare=False,
        topic_disable_leader=True,
        autodiscover=False,
        web_enabled=False,
        worker_redirect_stdouts=False,
        TableManager=_NoTables,
    )


class _NoTables(TableManager):
    """What Faust's own does, but for the second that it lets pass so that tables register before it subscribes."""

    async def on_start(self) -> None:
        """Begin without any."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class FaustIntake:
    """One agent a topic, `concurrency` 1: Faust could otherwise commit past an event in flight."""

    def __init__(
        self, settings: Settings, app: faust.App | None = None, *, started_by_faust: bool = False
    ) -> None:
        self.app = app if app is not None else create_app(settings)
        self._started_by_faust = started_by_faust
        self.generation = 0
        self._topics = Topics(settings.topic_prefix)
        self._handler: Handler | None = None
        self._declare(settings)

    def _declare(self, settings: Settings) -> None:
        """Declare everything before the app starts: topics that come late wait 45 s."""
        for name in self._topics.account_topics:
            channel = self.app.topic(
                name,
                key_type=bytes,
                value_type=bytes,
                key_serializer="raw",
                value_serializer="raw",
                partitions=settings.partitions,
            )
            self._add_agent(f"take_{self._topics.bare(name)}", channel)
        # Faust's stubs ask for a `signal` parameter that it does not pass to bound methods
        self.app.on_partitions_revoked.connect(self._on_revoked, weak=False)  # type: ignore[arg-type]
        self.app.on_partitions_assigned.connect(self._on_assigned, weak=False)  # type: ignore[arg-type]

    def _add_agent(self, name: str, channel: Any) -> None:
        """Do what the decorator `app.agent` does, but for naming the agent's module to Faust's autodiscovery.

        That is off, and searching every loaded module for it takes a tenth of a second and more.
        """
        app = self.app
        make: Any = app.conf.Agent
        agent = app.agents[name] = make(
            self._take,
            name=name,
            app=app,
            channel=channel,
            concurrency=1,
            on_error=app._on_agent_error,  # noqa: SLF001
        )
        app.topics.beacon.add(agent)

    async def start(self, handler: Handler) -> None:
        """Join the group."""
        self._handler = handler
        if not self._started_by_faust:
            self.app.finalize()
            await self.app.start()

    async def stop(self) -> None:
        """Leave the group."""
        self.generation += 1
        if not self._started_by_faust:
            await self.app.stop()

    def acknowledge(self, events: Sequence[Received]) -> None:
        """Acknowledge records; Faust commits up to the first gap, every half second."""
        current = self.generation
        for event in events:
            if event.generation == current:
                event.token.ack()

    async def commit(self) -> None:
        """Commit what is acknowledged, now."""
        await self.app.consumer.commit()

    def behind(self, event: Received) -> int:
        """Return how many records are known to stand after this one in its partition."""
        if event.generation != self.generation:
            return 0
        known = self.app.consumer.highwater(TP(event.topic, event.partition))
        return max(0, int(known or 0) - event.offset - 1)

    @property
    def failure(self) -> BaseException | None:
        """Why Faust has died, if it has."""
        reason: BaseException | None = self.app.crash_reason
        return reason

    async def _take(self, stream: Any) -> None:
        """Hand over each record; nothing may escape the body, an exception would skip a record."""
        handler = self._handler
        if handler is None:
            raise RuntimeError("the intake was started without a handler")
        unacknowledged = stream.noack()
        queue = unacknowledged.channel.queue
        async for event in unacknowledged.events():
            events = [self._received(event)]
            # Faust gives the loop a turn before each record; under load that is one record a turn.
            # What waits in the agent's queue is taken along, as Faust itself would take it.
            for _ in range(RECORDS_A_TURN):
                if queue.empty() or not self.app.flow_control.is_active():
                    break
                waiting = queue.get_nowait()
                if waiting.message.generation_id == self.app.consumer_generation_id:
                    events.append(self._received(waiting))
            await hand_over(handler, events)
            if queue.empty() and self.behind(events[-1]) > BACKLOG_RECORDS:
                await asyncio.sleep(GATHER_SECONDS)

    def _received(self, event: Any) -> Received:
        message = event.message
        return Received(
            message.topic,
            message.partition,
            message.offset,
            message.key,
            message.value,
            int(message.timestamp * 1000),
            self.generation,
            event,
        )

    async def _on_revoked(self, _app: Any, revoked: Iterable[TP], **_kwargs: Any) -> None:
        log.info("partitions_revoked", partitions=len(set(revoked)))
        if self._handler is not None:
            await self._handler.revoked()
        self.generation += 1

    async def _on_assigned(self, _app: Any, assigned: Iterable[TP], **_kwargs: Any) -> None:
        self.generation += 1
        whole = owned_alike(assigned, self._topics.account_topics)
        log.info("partitions_assigned", partitions=sorted(whole))
        if self._handler is not None:
            await self._handler.assigned(whole)
        await asyncio.sleep(0)
