"""What the group has committed: where the intake will go on reading."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

__all__ = ["committed_offsets"]


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
