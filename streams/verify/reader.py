"""Reading every topic from its beginning to its end, without a group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.verify.check import Progress, check
from streams.verify.records import TOPICS, History, Record
from streams.verify.report import VerifyReport

__all__ = ["MissingTopicError", "read_history", "verify"]


class MissingTopicError(Exception):
    """A topic that the check reads does not exist."""


async def read_history(
    brokers: str,
    *,
    prefix: str = "",
    client: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> History:
    """Return every record between the first and the present end offset of every topic.

    `client` holds further arguments of the consumer (security). Raises `MissingTopicError`.
    """
    every = await _places(brokers, prefix, client or {})
    # assign() followed by a seek races with the reset, so the reset itself is the beginning.
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 * 1024 * 1024,
        **(client or {}),
    )
    await consumer.start()
    try:
        records = await _read(consumer, every, prefix, progress)
    finally:
        await consumer.stop()
    return History(records)


async def _places(brokers: str, prefix: str, client: Mapping[str, Any]) -> list[TopicPartition]:
    """Return every partition, topic by topic; a consumer knows only those of its own topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, **client)
    try:
        await admin.start()
        found = await admin.describe_topics([prefix + topic for topic in TOPICS])
    finally:
        await admin.close()
    there = {one["topic"]: one["partitions"] for one in found if one["partitions"]}
    missing = sorted(prefix + topic for topic in TOPICS if prefix + topic not in there)
    if missing:
        raise MissingTopicError(f"topics {missing} do not exist at {brokers}")
    return [
        TopicPartition(prefix + topic, number)
        for topic in TOPICS
        for number in sorted(part["partition"] for part in there[prefix + topic])
    ]


async def _read(
    consumer: AIOKafkaConsumer,
    every: list[TopicPartition],
    prefix: str,
    progress: Progress | None,
) -> dict[str, list[Record]]:
    consumer.assign(every)
    ends = await consumer.end_offsets(every)
    begins = await consumer.beginning_offsets(every)
    open_ones = {place for place in every if ends[place] > begins[place]}
    total = sum(ends[place] - begins[place] for place in open_ones)
    consumer.pause(*[place for place in every if place not in open_ones])
    found: dict[TopicPartition, list[Record]] = {place: [] for place in every}
    done = 0
    while open_ones:
        batches = await consumer.getmany(timeout_ms=1000)
        for place, messages in batches.items():
            kept = [
                Record(m.partition, m.offset, m.timestamp, m.key, m.value)
                for m in messages
                if m.offset < ends[place]
            ]
            found[place] += kept
            done += len(kept)
        for place in list(open_ones):
            if await consumer.position(place) >= ends[place]:
                open_ones.discard(place)
                consumer.pause(place)
        if progress is not None:
            progress("reading topics", done, total)
    topics: dict[str, list[Record]] = {topic: [] for topic in TOPICS}
    for place in every:
        topics[place.topic.removeprefix(prefix)] += found[place]
    return topics


async def verify(
    brokers: str,
    *,
    prefix: str = "",
    client: Mapping[str, Any] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> VerifyReport:
    """Read the topics and check them; see `check` for what is checked."""
    history = await read_history(brokers, prefix=prefix, client=client, progress=progress)
    return await asyncio.to_thread(check, history, prefix=prefix, progress=progress)
