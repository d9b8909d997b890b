"""Account events through a group consumer of aiokafka, in batches, in the worker's own loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Coroutine, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from streams.connection import kafka_client
from streams.intake.base import GROUP, Handler, Received, hand_over, owned_alike
from streams.intake.place import Place
from streams.settings import Settings
from streams.topics import Topics

__all__ = ["AiokafkaIntake"]

log = structlog.get_logger(__name__)

COMMIT_SECONDS = 0.5
COMMIT_SHARE = 0.3
"""Of the session: how long one commit may take; a flush before it has its own share."""
STOP_SECONDS = 10.0
POLL_MS = 500
RECORDS_A_POLL = 500
"""Decoded in one step (H-8); the rest of what was fetched stays in the consumer's buffer."""
FETCH_WAIT_MS = 50
"""How long the broker holds a fetch that finds nothing. The partitions that were being folded when it
was sent are not in it and wait for it to return, so it is short."""
UNACKNOWLEDGED = 4096
"""Records of one partition in the worker's hands, before it must make some of them durable."""
WAIT_SECONDS = 0.01
LONGEST_WAIT_MS = 24 * 3600 * 1000
"""Partitions may wait for as long as a reference set is missing; that is no reason to leave."""


class AiokafkaIntake:
    """One consumer; a partition that has to wait is left out of the reading until it is through."""

    def __init__(self, settings: Settings) -> None:
        self.generation = 0
        self._settings = settings
        self._topics = Topics(settings.topic_prefix).account_topics
        self._handler: Handler | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._places: dict[TopicPartition, Place] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._committing = asyncio.Lock()
        self._failure: BaseException | None = None

    async def start(self, handler: Handler) -> None:
        """Join the group. Raises ConnectionError where no broker answers."""
        self._handler = handler
        consumer = self._consumer = self._create_consumer()
        try:
            await consumer.start()
        except KafkaError as error:
            raise ConnectionError(f"the account topics cannot be read: {error}") from error
        # Subscribed before the start it would wait there until the group is joined.
        consumer.subscribe(self._topics, listener=_Listener(self))
        self._begin("read", self._read(consumer, handler))
        self._begin("commit", self._commit_loop())

    def _create_consumer(self) -> AIOKafkaConsumer:
        settings = self._settings
        rebalance = max(60.0, 2 * settings.session_timeout)
        return AIOKafkaConsumer(
            **kafka_client(settings),
            group_id=settings.topic_prefix + GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # Contiguous ranges, alike for topics of one partition count.
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=int(1000 * settings.session_timeout),
            heartbeat_interval_ms=int(1000 * settings.heartbeat_interval),
            rebalance_timeout_ms=int(1000 * rebalance),
            # The broker answers a join only when the last member has joined.
            request_timeout_ms=int(1000 * rebalance) + 5000,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_poll_interval_ms=LONGEST_WAIT_MS,
        )

    async def stop(self) -> None:
        """Leave the group."""
        self.generation += 1
        self._forget()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._consumer is not None:
            await self._close(self._consumer)

    async def _close(self, consumer: AIOKafkaConsumer) -> None:
        leaving = asyncio.create_task(consumer.stop())
        await asyncio.wait({leaving}, timeout=STOP_SECONDS)
        if not leaving.done():
            log.warning("group_not_left", seconds=STOP_SECONDS)
            leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        # It cancels its own fetches and awaits them bare, so it may have ended before this.
        with contextlib.suppress(KafkaError, OSError):
            await consumer._client.close()  # noqa: SLF001

    def acknowledge(self, events: Sequence[Received]) -> None:
        """Acknowledge records; committed is up to the first gap, every half second."""
        current = self.generation
        for event in events:
            if event.generation == current:
                event.token.acknowledge(event.offset)

    async def commit(self) -> None:
        """Commit what is acknowledged, now; what cannot be committed will come again."""
        async with self._committing:
            due = [
                (place, place.position)
                for place in self._places.values()
                if place.position is not None and place.position != place.committed
            ]
            if not due or self._consumer is None:
                return
            try:
                async with asyncio.timeout(COMMIT_SHARE * self._settings.session_timeout):
                    await self._consumer.commit({place.at: position for place, position in due})
            except (KafkaError, TimeoutError) as error:
                log.warning("commit_failed", error=repr(error))
                return
            for place, position in due:
                place.committed = position

    def behind(self, event: Received) -> int:
        """Return how many records are known to stand after this one in its partition."""
        if self._consumer is None or event.generation != self.generation:
            return 0
        known = self._consumer.highwater(event.token.at)
        return max(0, int(known or 0) - event.offset - 1)

    @property
    def failure(self) -> BaseException | None:
        """Why reading has ended, if it has."""
        return self._failure

    # -- reading ------------------------------------------------------------------------------

    async def _read(self, consumer: AIOKafkaConsumer, handler: Handler) -> None:
        while True:
            flowing, timeout = self._flowing()
            if flowing is not None and not flowing:
                await asyncio.sleep(WAIT_SECONDS)
                continue
            batches = await consumer.getmany(
                *(flowing or ()), timeout_ms=timeout, max_records=RECORDS_A_POLL
            )
            # Nothing awaits between the consumer's buffer and here: the batch is this generation's.
            generation = self.generation
            places, events = [], list[Received]()
            for at, records in batches.items():
                place = self._places[at]
                places.append(place)
                place.hand_over([r.offset for r in records])
                topic, number = at
                events += [
                    Received(
                        topic, number, r.offset, r.key, r.value, r.timestamp, generation, place
                    )
                    for r in records
                ]
            await self._take(handler, places, events)

    def _flowing(self) -> tuple[list[TopicPartition] | None, int]:
        """Return which partitions to read from (None: all), and for how long (ms) at the most."""
        places = self._places.values()
        if all(place.waiting is None for place in places):
            return None, POLL_MS
        # Whoever is through must not wait for the others to bring something.
        return [place.at for place in places if place.waiting is None], int(1000 * WAIT_SECONDS)

    async def _take(
        self, handler: Handler, places: Sequence[Place], events: Sequence[Received]
    ) -> None:
        """Hand over a batch; what cannot be taken at once waits without the other partitions."""
        before = len(events) + 1
        while events and len(events) < before:
            before = len(events)
            events = handler.take(events)
            await asyncio.sleep(0)  # H-8: a turn is over
        left: dict[Place, list[Received]] = {}
        for event in events:
            left.setdefault(event.token, []).append(event)
        for place in places:
            if self._places.get(place.at) is not place:
                continue  # let go of since the last turn
            if place in left or place.unacknowledged > UNACKNOWLEDGED:
                work = self._wait(handler, place, left.get(place, []))
                place.waiting = self._begin(f"wait {place.at.topic}-{place.at.partition}", work)

    async def _wait(self, handler: Handler, place: Place, events: Sequence[Received]) -> None:
        """Hand over what has to wait, and let the journal come after."""
        await hand_over(handler, events)
        while self._places.get(place.at) is place:
            if place.unacknowledged <= UNACKNOWLEDGED // 2:
                break
            await asyncio.sleep(WAIT_SECONDS)
        place.waiting = None

    async def _commit_loop(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self.commit()

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(work), name=f"intake {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except KafkaError as error:
            log.warning("intake_failed", error=repr(error))
            self._failure = self._failure or error
        # Nobody awaits these tasks, and the consumer would only log what escapes a listener: a member
        # of the group that reads nothing, or has not let go, would look alive.
        except Exception as error:
            log.exception("intake_failed")
            self._failure = self._failure or error

    # -- the group ----------------------------------------------------------------------------

    async def revoked(self, places: Collection[TopicPartition]) -> None:
        """Let go before the group is joined again; the consumer's heartbeats go on meanwhile."""
        log.info("partitions_revoked", partitions=len(places))
        if self._handler is not None:
            await self._guarded(self._handler.revoked())
        self.generation += 1
        self._forget()
        # A commit that is still under way would otherwise be sent as the next generation's.
        async with self._committing:
            return

    async def assigned(self, places: Collection[TopicPartition]) -> None:
        """Begin a generation with these partitions."""
        self.generation += 1
        self._places = {at: Place(at) for at in places}
        whole = owned_alike(places, self._topics)
        log.info("partitions_assigned", partitions=sorted(whole))
        if self._handler is not None:
            await self._guarded(self._handler.assigned(whole))

    def _forget(self) -> None:
        """Release every record: those of the past are never acknowledged."""
        for place in self._places.values():
            if place.waiting is not None:
                place.waiting.cancel()
        self._places = {}


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Aiokafka wants a class of its own for this."""

    def __init__(self, intake: AiokafkaIntake) -> None:
        self._intake = intake

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._intake.revoked(revoked)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        await self._intake.assigned(assigned)
