"""What only an admin client can tell: committed offsets, and how many partitions there are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from confluent_kafka import ConsumerGroupTopicPartitions, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

__all__ = ["committed_offsets", "partition_count"]


async def committed_offsets(
    admin: AdminClient, group: str, topics: Sequence[str], partition: int, seconds: float = 10.0
) -> dict[str, int]:
    """Return topic → committed offset of one partition, 0 where nothing was committed.

    Raises confluent_kafka.KafkaException.
    """
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(t, partition) for t in topics])
    listed = admin.list_consumer_group_offsets([asked], request_timeout=seconds)
    found = await asyncio.wrap_future(listed[group])
    return {place.topic: max(0, place.offset) for place in found.topic_partitions or ()}


async def partition_count(admin: AdminClient, topic: str, seconds: float = 10.0) -> int:
    """Return how many partitions a topic has. Raises confluent_kafka.KafkaException."""
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=seconds)
    return len((await asyncio.wrap_future(described[topic])).partitions)
