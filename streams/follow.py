"""Follows one partition of one topic, without a group, through restarts of the brokers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

__all__ = ["FollowerStopped", "PartitionFollower", "Record"]

_log = structlog.get_logger(__name__)

_POLL_MS = 500
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class Record(Protocol):
    """What is used of aiokafka's `ConsumerRecord`, which has no types."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Append time, epoch ms."""
    key: bytes | None
    value: bytes | None


class FollowerStopped(Exception):
    """Raised when a follower is asked for offsets after, or while, it is stopped."""


class PartitionFollower:
    """Reads partition 0 of a topic from a chosen offset, in batches; one task iterates it.

    `client` is what aiokafka needs to connect. Failures of the brokers are logged and retried for
    ever, from the place reached: no record is left out or given twice.
    """

    def __init__(self, client: Mapping[str, Any], topic: str, *, max_records: int = 2000) -> None:
        self._client = client
        self._place = TopicPartition(topic, 0)
        self._max_records = max_records
        self._consumer: AIOKafkaConsumer | None = None
        self._stopping = asyncio.Event()
        self._fetch: asyncio.Future[dict[TopicPartition, list[Record]]] | None = None
        """What `records` waits for."""
        self.position: int | None = None
        """Offset of the next record to be given; None before the start."""

    @property
    def topic(self) -> str:
        """The topic's full name."""
        return str(self._place.topic)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    @property
    def end(self) -> int | None:
        """Offset after the last record known to be in the topic."""
        if self._consumer is None or self.position is None:
            return self.position
        known = self._consumer.highwater(self._place)
        return self.position if known is None else max(known, self.position)

    @property
    def lag(self) -> int:
        """How many offsets are known to lie ahead."""
        return (self.end or 0) - (self.position or 0)

    async def bounds(self, since_ms: int | None = None) -> tuple[int, int, int]:
        """Return (first offset, offset from `since_ms` on, end); retries until it is known.

        The time is the broker's append time. Raises `FollowerStopped`.
        """
        pause = _FIRST_PAUSE_SECONDS
        while not self.stopping:
            try:
                consumer = await self._connected()
                first = (await consumer.beginning_offsets([self._place]))[self._place]
                end = (await consumer.end_offsets([self._place]))[self._place]
                since = first
                if since_ms is not None:
                    found = await consumer.offsets_for_times({self._place: since_ms})
                    at = found.get(self._place)
                    since = end if at is None else max(first, at.offset)
            except (KafkaError, OSError) as error:
                await self._retry(error, pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                return first, since, end
        raise FollowerStopped(self.topic)

    async def records(self, start: int, stop_at: int | None = None) -> AsyncIterator[list[Record]]:
        """Give batches from offset `start` on, up to `stop_at` (exclusive) or until stopped.

        A batch may be empty: the place reached may pass offsets that compaction removed.
        """
        self.position = start
        pause = _FIRST_PAUSE_SECONDS
        while not self.stopping and (stop_at is None or self.position < stop_at):
            try:
                consumer = await self._positioned(self.position)
                batch = await self._poll(consumer)
            except OffsetOutOfRangeError:
                with contextlib.suppress(FollowerStopped):
                    await self._rewind()
            except (KafkaError, OSError) as error:
                await self._retry(error, pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                pause = _FIRST_PAUSE_SECONDS
                if batch is None:
                    return
                if stop_at is not None and batch and batch[-1].offset >= stop_at:
                    batch = [record for record in batch if record.offset < stop_at]
                    self.position = stop_at
                yield batch

    async def _poll(self, consumer: AIOKafkaConsumer) -> list[Record] | None:
        """Wait for the next batch and move the position past it; None when stopped."""
        # A task of its own, which `stop` can cancel.
        fetch = asyncio.ensure_future(
            consumer.getmany(self._place, timeout_ms=_POLL_MS, max_records=self._max_records)
        )
        self._fetch = fetch
        try:
            found = await fetch
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if not self.stopping or (this is not None and this.cancelling()):
                raise
            return None
        finally:
            self._fetch = None
        batch: list[Record] = found.get(self._place, [])
        self.position = await consumer.position(self._place)
        return batch

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **self._client,
                group_id=None,
                enable_auto_commit=False,
                # Never silently elsewhere than asked: an offset that is gone raises.
                auto_offset_reset="none",
                fetch_max_wait_ms=200,
                # A batch is decoded in one turn of the loop, a fetch is not.
                max_partition_fetch_bytes=4 * 1024 * 1024,
            )
            try:
                await consumer.start()
            # Cancelled or failed, what it has opened must not stay open.
            except BaseException:
                await _close(consumer)
                raise
            self._consumer = consumer
        return self._consumer

    async def _positioned(self, position: int) -> AIOKafkaConsumer:
        """Return the consumer, standing at `position`."""
        consumer = await self._connected()
        if self._place not in consumer.assignment():
            # No await between the two, so that no fetch can start anywhere else.
            consumer.assign([self._place])
            consumer.seek(self._place, position)
        elif await consumer.position(self._place) != position:
            consumer.seek(self._place, position)
        return consumer

    async def _rewind(self) -> None:
        """Go to the first record there is: the place reached was deleted, or the topic made anew."""
        first, _, end = await self.bounds()
        reached = self.position or 0
        _log.error("topic_lost_records", topic=self.topic, position=reached, first=first, end=end)
        self.position = first

    async def _retry(self, error: Exception, pause: float) -> None:
        """Drop the connection and wait, at most until stopped."""
        _log.warning("topic_read_failed", topic=self.topic, error=repr(error), pause=pause)
        await self._disconnect()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), pause)

    async def _disconnect(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _close(consumer)

    def stop(self) -> None:
        """End the iteration at once; `close` follows when it has ended."""
        self._stopping.set()
        if self._fetch is not None:
            self._fetch.cancel()

    async def close(self) -> None:
        """Stop and disconnect."""
        self.stop()
        await self._disconnect()


async def _close(consumer: AIOKafkaConsumer) -> None:
    # aiokafka cancels its own tasks and awaits them bare.
    with contextlib.suppress(KafkaError, OSError):
        task = asyncio.ensure_future(consumer.stop())
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
