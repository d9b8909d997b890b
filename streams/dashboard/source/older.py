"""What stands further back on an account's own partition: read when asked for, and bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from streams.follow import Record

__all__ = ["Found", "OlderRecords"]

_SECONDS = 3.0
_MOST_SCANNED = 200_000
_MOST_FOUND = 500
_POLL_MS = 100


class Found(NamedTuple):
    """Records of one account, oldest first; `complete`: nothing in the range asked was left out."""

    records: list[Record]
    complete: bool


class OlderRecords:
    """Reads backwards in time what others wrote under an account's key; a few readers at once."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        self._client = client
        self._readers = asyncio.Semaphore(2)

    async def of_account(
        self,
        account_id: str,
        topics: Sequence[str],
        *,
        partitions: int,
        since_ms: int,
        until: Mapping[tuple[str, int], int] | None = None,
    ) -> Found:
        """Return the account's records appended since `since_ms` (epoch ms).

        `partitions`: how many each of the topics has. `until`: (topic, partition) → first offset
        that is known already. Raises aiokafka's `KafkaError` and TimeoutError.
        """
        # All producers partition by murmur2 of the account id (INTERFACE).
        number = (murmur2(account_id.encode()) & 0x7FFFFFFF) % partitions
        places = [TopicPartition(topic, number) for topic in topics]
        async with self._readers:
            consumer = AIOKafkaConsumer(
                **self._client,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=4 * 1024 * 1024,
            )
            try:
                async with asyncio.timeout(_SECONDS):
                    await consumer.start()
                    ranges = await _ranges(consumer, places, since_ms, until or {})
                return await _read(consumer, account_id.encode(), ranges)
            finally:
                with contextlib.suppress(KafkaError, OSError):
                    await consumer.stop()


_Ranges = dict[TopicPartition, tuple[int, int]]


async def _ranges(
    consumer: AIOKafkaConsumer,
    places: Sequence[TopicPartition],
    since_ms: int,
    until: Mapping[tuple[str, int], int],
) -> _Ranges:
    """Return where to read, from offset to offset."""
    ends = await consumer.end_offsets(places)
    young = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
    ranges: _Ranges = {}
    for place in places:
        end = min(ends[place], until.get((place.topic, place.partition), ends[place]))
        at = young.get(place)
        if at is not None and at.offset < end:
            ranges[place] = at.offset, end
    return ranges


async def _read(consumer: AIOKafkaConsumer, key: bytes, ranges: _Ranges) -> Found:
    """Read the ranges; what is too much for one question is left out at the old end."""
    complete = True
    found: list[Record] = []
    reached: dict[TopicPartition, int] = {}
    share = _MOST_SCANNED // max(1, len(ranges))
    for place, (start, end) in ranges.items():
        reached[place] = max(start, end - share)
        complete = complete and reached[place] == start
    if not ranges:
        return Found(found, complete)
    consumer.assign(list(ranges))
    for place, start in reached.items():
        consumer.seek(place, start)
    try:
        async with asyncio.timeout(_SECONDS):
            while any(reached[place] < end for place, (_, end) in ranges.items()):
                batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=5_000)
                for place, records in batches.items():
                    end = ranges[place][1]
                    found += [r for r in records if r.key == key and r.offset < end]
                for place in ranges:
                    reached[place] = max(reached[place], await consumer.position(place))
    except TimeoutError:
        complete = False
    found.sort(key=lambda record: record.timestamp)
    return Found(found[-_MOST_FOUND:], complete and len(found) <= _MOST_FOUND)
