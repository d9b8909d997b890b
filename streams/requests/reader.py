"""Every request of all partitions from now on: no group, nothing acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.follow import Record

__all__ = ["RequestReader"]

_log = structlog.get_logger(__name__)

_POLL_MS = 500
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class RequestReader:
    """Follows a topic from its end; failures of the brokers are retried for ever.

    After a failure it goes on from the places reached, or at the end where they are gone.
    """

    def __init__(self, client: Mapping[str, Any], topic: str, *, max_records: int = 200) -> None:
        self._client, self._topic, self._max_records = client, topic, max_records
        self._consumer: AIOKafkaConsumer | None = None
        self._reached: dict[TopicPartition, int] = {}
        self.reading = asyncio.Event()
        """Set once whatever comes is read."""

    async def batches(self) -> AsyncIterator[list[Record]]:
        """Give records as they come, those of one partition in order; a batch may be empty."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                consumer = await self._connected()
                found = await consumer.getmany(timeout_ms=_POLL_MS, max_records=self._max_records)
            except (KafkaError, OSError) as error:
                _log.warning("topic_read_failed", topic=self._topic, error=repr(error), pause=pause)
                await self.close()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                continue
            pause = _FIRST_PAUSE_SECONDS
            for place, records in found.items():
                self._reached[place] = records[-1].offset + 1
            yield [record for records in found.values() for record in records]

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **self._client,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="latest",
                fetch_max_wait_ms=100,
            )
            try:
                consumer.subscribe([self._topic])  # without a group: all partitions
                await consumer.start()
                await self._seek(consumer)
            # Cancelled or failed, what it has opened must not stay open.
            except BaseException:
                await _stop(consumer)
                raise
            self._consumer = consumer
            self.reading.set()
        return self._consumer

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        """Go to the places reached, elsewhere to the end as of now."""
        places = consumer.assignment()
        if not places:
            raise KafkaError(f"no topic {self._topic}")
        self._reached = {**await consumer.end_offsets(list(places)), **self._reached}
        for place in places:
            consumer.seek(place, self._reached[place])

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _stop(consumer)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    with contextlib.suppress(KafkaError, OSError):
        task = asyncio.ensure_future(consumer.stop())
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
