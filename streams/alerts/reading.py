"""The command topics as one channel reads them: its own group, and what lies before its place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from streams.connection import kafka_client
from streams.follow import Record
from streams.settings import Settings
from streams.topics import Topics

__all__ = ["CommandReader", "group_of", "history"]

_log = structlog.get_logger(__name__)


def group_of(channel: str) -> str:
    """Return the consumer group of a channel, without prefix."""
    return f"liqmon-alerts-{channel}"


class CommandReader(ConsumerRebalanceListener):  # type: ignore[misc]
    """One member of a channel's group. Its first start begins at the end of the topics.

    Each assignment is a new `generation`: what was made of records of an older one, and not
    committed, comes again to whoever has the partition then.
    """

    def __init__(self, settings: Settings, channel: str) -> None:
        names = Topics(settings.topic_prefix)
        self._topics = list(names.command_topics)
        self.generation = 0
        self.settled = False
        """Whether the partitions are dealt; false while the members come to terms."""
        self._consumer = AIOKafkaConsumer(
            **kafka_client(settings),
            group_id=settings.topic_prefix + group_of(channel),
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=int(settings.session_timeout * 1000),
            heartbeat_interval_ms=int(settings.heartbeat_interval * 1000),
            # One member gets the same partition of all four topics: an account stays together.
            partition_assignment_strategy=(RangePartitionAssignor,),
            # A delivery may take minutes; the heartbeat goes on meanwhile.
            max_poll_interval_ms=24 * 3600 * 1000,
        )

    async def start(self) -> None:
        """Join the group."""
        self._consumer.subscribe(self._topics, listener=self)
        await self._consumer.start()

    async def stop(self) -> None:
        """Leave the group; nothing is committed."""
        await _stop(self._consumer)

    @property
    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions that are this member's now."""
        return frozenset(self._consumer.assignment())

    async def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        """Return the next records by partition."""
        found: dict[TopicPartition, list[Record]] = await self._consumer.getmany(
            timeout_ms=timeout_ms, max_records=500
        )
        return found

    async def begin(self) -> dict[TopicPartition, int]:
        """Go, in each partition, to where the group left it, else to its end; return the places.

        They are committed at once: after a crash the first start must not begin later again.
        """
        mine = sorted(self.assignment)
        first = await self._consumer.beginning_offsets(mine)
        starts: dict[TopicPartition, int] = {}
        for place in mine:
            committed = await self._consumer.committed(place)
            at = await self._consumer.position(place) if committed is None else committed
            starts[place] = max(at, first[place])
        for place, start in starts.items():
            if place in self.assignment:
                self._consumer.seek(place, start)
        await self.commit(starts)
        return starts

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit what is still this member's; a refusal is logged, and the records come again."""
        mine = {place: at for place, at in offsets.items() if place in self.assignment}
        if not mine:
            return
        try:
            await self._consumer.commit(mine)
        except (CommitFailedError, IllegalStateError) as error:
            _log.warning("alert_commit_failed", error=repr(error))

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Begin anew: the next owner goes on where it was committed."""
        self.generation += 1
        self.settled = False
        _log.debug("alert_partitions_revoked", count=len(revoked))

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Begin anew. Kept short: no heartbeat goes out meanwhile."""
        self.generation += 1
        self.settled = True
        _log.debug("alert_partitions_assigned", count=len(assigned))


async def history(
    settings: Settings, ends: Mapping[TopicPartition, int], since_ms: int
) -> AsyncIterator[list[Record]]:
    """Give what was appended from `since_ms` on (epoch ms) and lies before `ends`, in batches.

    The order holds within a partition only.
    """
    consumer = AIOKafkaConsumer(
        **kafka_client(settings), group_id=None, enable_auto_commit=False, auto_offset_reset="none"
    )
    try:
        await consumer.start()
        starts = await _starts(consumer, ends, since_ms)
        left = {place for place, start in starts.items() if start < ends[place]}
        # No await between the two, so that no fetch can start anywhere else.
        consumer.assign(sorted(left))
        for place in left:
            consumer.seek(place, starts[place])
        while left:
            batches = await consumer.getmany(*left, timeout_ms=200, max_records=2000)
            found = [record for records in batches.values() for record in records]
            yield [r for r in found if r.offset < ends[TopicPartition(r.topic, r.partition)]]
            for place in list(left):
                if await consumer.position(place) >= ends[place]:
                    left.discard(place)
                    consumer.pause(place)
    finally:
        await _stop(consumer)


async def _starts(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], since_ms: int
) -> dict[TopicPartition, int]:
    """Return where the history begins, by partition."""
    places: Iterable[TopicPartition] = list(ends)
    found = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
    first = await consumer.beginning_offsets(places)
    starts = {}
    for place in places:
        at = found.get(place)
        starts[place] = (
            ends[place] if at is None else min(max(first[place], at.offset), ends[place])
        )
    return starts


async def _stop(consumer: AIOKafkaConsumer) -> None:
    # aiokafka cancels its own tasks and awaits them bare.
    with contextlib.suppress(KafkaError, OSError):
        task = asyncio.ensure_future(consumer.stop())
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
