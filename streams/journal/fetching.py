"""Record batches of one partition, as the broker keeps them: fetched ahead, no object made a record.

aiokafka's consumer makes each record a `ConsumerRecord`, which costs more than all that a start does with
the two records of three that newer ones supersede. This uses what that consumer is made of (client, requests and
batches), which is not public: aiokafka is pinned, and tests/integration/journal guards this.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import CorruptRecordException, KafkaError, LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from streams.journal.exceptions import JournalLost

__all__ = ["BatchFetcher", "RawRecord", "RecordBatch"]

# A batch has at most 1 MB (`JournalSettings.batch_bytes`), and one larger than this is fetched all the same.
_FETCH_BYTES = 4_194_304
_FETCH_WAIT_MS = 500
_RETRY_SECONDS = 0.1
_EARLIEST = -2
_ANY_REPLICA = -1
_READ_UNCOMMITTED = 0


class RawRecord(Protocol):
    """What is used of a record in a batch, which has no types."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class RecordBatch(Protocol):
    """What is used of a batch: an iterator of its records, in the order of their offsets."""

    @property
    def next_offset(self) -> int: ...
    @property
    def is_control_batch(self) -> bool: ...
    def validate_crc(self) -> bool: ...
    def __iter__(self) -> Iterator[RawRecord]: ...


class BatchFetcher:
    """Reads one partition with a connection of its own.

    `stall`: seconds without anything new after which it gives up. Raises KafkaError for what does not pass.
    """

    def __init__(
        self, client: Mapping[str, Any], place: TopicPartition, *, stall: float, timeout: float
    ) -> None:
        self._client = AIOKafkaClient(**client, request_timeout_ms=int(timeout * 1000))
        self._place = place
        self._stall = stall

    async def start(self) -> None:
        """Connect."""
        await self._client.bootstrap()
        await self._client.set_topics([self._place.topic])

    async def close(self) -> None:
        """Disconnect, however far it came."""
        await self._client.close()

    async def batches(self, last: int) -> AsyncIterator[RecordBatch]:
        """Give every batch from the partition's beginning up to that with offset `last`.

        The next batches are fetched while these are worked on. Raises JournalLost when nothing comes.
        """
        ahead = asyncio.ensure_future(self._fetch(None, last))
        try:
            while True:
                found = await ahead
                position = found[-1].next_offset
                if position <= last:
                    ahead = asyncio.ensure_future(self._fetch(position, last))
                for batch in found:
                    if not batch.validate_crc():
                        raise CorruptRecordException(f"{self._place}: before {batch.next_offset}")
                    if not batch.is_control_batch:
                        yield batch
                if position > last:
                    return
        finally:
            ahead.cancel()
            await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()

    async def _fetch(self, position: int | None, last: int) -> list[RecordBatch]:
        """Return the next batches from an offset on, one or more; None: from the first that there is."""
        try:
            async with asyncio.timeout(self._stall):
                while True:
                    try:
                        if position is None:
                            position = await self._begin()
                        if found := await self._ask(position):
                            return found
                    except KafkaError as error:
                        if not error.retriable:
                            raise
                        await asyncio.sleep(_RETRY_SECONDS)
                        await self._client.force_metadata_update()
        except TimeoutError:
            raise JournalLost(
                f"{self._place}: nothing to read for {self._stall:g} s before offset {last}"
            ) from None

    async def _begin(self) -> int:
        """Return the first offset of the partition."""
        asked = [(self._place.topic, [(self._place.partition, _EARLIEST)])]
        response = await self._send(OffsetRequest(_ANY_REPLICA, _READ_UNCOMMITTED, asked))
        code, *_, offset = _of_partition(response)
        _check(code)
        return int(offset)

    async def _ask(self, position: int) -> list[RecordBatch]:
        asked = [(self._place.topic, [(self._place.partition, position, _FETCH_BYTES)])]
        response = await self._send(
            FetchRequest(_FETCH_WAIT_MS, 1, _FETCH_BYTES, _READ_UNCOMMITTED, asked)
        )
        code, *_, content = _of_partition(response)
        _check(code)
        records, found = MemoryRecords(content), list[RecordBatch]()
        while records.has_next():
            found.append(records.next_batch())
        return found

    async def _send(self, request: Any) -> Any:
        node = self._client.cluster.leader_for_partition(self._place)
        if node is None or node == -1:
            raise LeaderNotAvailableError(f"{self._place} has no leader")
        return await self._client.send(node, request)


def _check(code: int) -> None:
    """Raise what an error code of a partition stands for."""
    if code:
        raise for_code(code)


def _of_partition(response: Any) -> tuple[Any, ...]:
    """Return what a response says of the one partition asked for, from its error code on."""
    ((_, ((_, *found),)),) = response.topics
    return tuple(found)
