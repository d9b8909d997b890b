"""What the tick topic already holds: its newest time and each symbol's last sequence number."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.replay.exceptions import TopicError

# A compacted topic of a day's ticks is read in seconds; without a record for this long something
# is wrong with the broker.
_SILENCE_SECONDS = 20.0


class _Stamp(msgspec.Struct):
    symbol: str
    ts: int
    seq: int = 0


@dataclass(slots=True)
class Tail:
    """Newest `ts` in epoch milliseconds (None: no tick), and the highest `seq` per symbol."""

    newest_ms: int | None = None
    seqs: dict[str, int] = field(default_factory=dict)

    def add(self, stamp: _Stamp) -> None:
        """Take one tick into account."""
        if self.newest_ms is None or stamp.ts > self.newest_ms:
            self.newest_ms = stamp.ts
        if stamp.seq > self.seqs.get(stamp.symbol, -1):
            self.seqs[stamp.symbol] = stamp.seq


async def read_tail(brokers: str, topic: str, security: Mapping[str, Any]) -> Tail:
    """Read the tick topic to its end; raise TopicError when it cannot be replayed into.

    All of it is read: a symbol's last tick may lie anywhere, and the newest `ts` need not be
    last. Messages that are no ticks are passed over.
    """
    await _check(brokers, topic, security)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=32 << 20,
        max_partition_fetch_bytes=16 << 20,
        **security,
    )
    try:
        await consumer.start()
        return await _read(consumer, TopicPartition(topic, 0))
    except KafkaError as error:
        raise TopicError(f"{topic}: {error}") from error
    finally:
        await consumer.stop()


async def _check(brokers: str, topic: str, security: Mapping[str, Any]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, **security)
    try:
        await admin.start()
        described = await admin.describe_topics([topic])
    except KafkaError as error:
        raise TopicError(f"no answer from {brokers}: {error}") from error
    finally:
        await admin.close()
    partitions = [part for found in described for part in found["partitions"]]
    if not partitions:
        raise TopicError(f"topic {topic} does not exist; `liqmon topics` creates it")
    if len(partitions) > 1:
        raise TopicError(f"topic {topic} has {len(partitions)} partitions; ticks need one: order")


async def _read(consumer: AIOKafkaConsumer, partition: TopicPartition) -> Tail:
    tail = Tail()
    decoder = msgspec.json.Decoder(_Stamp)
    consumer.assign([partition])
    end = (await consumer.end_offsets([partition]))[partition]
    first = (await consumer.beginning_offsets([partition]))[partition]
    if first >= end:
        return tail
    consumer.seek(partition, first)
    position = first
    quiet_since = asyncio.get_running_loop().time()
    while position < end:
        batches = await consumer.getmany(partition, timeout_ms=500, max_records=50_000)
        for message in batches.get(partition, ()):
            try:
                tail.add(decoder.decode(message.value or b""))
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        before, position = position, await consumer.position(partition)
        now = asyncio.get_running_loop().time()
        if position > before:
            quiet_since = now
        elif now - quiet_since > _SILENCE_SECONDS:
            raise TopicError(f"{partition.topic}: no record from offset {position} of {end}")
    return tail
