"""Reading the topics of a real broker, from beginning to end."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.verify import TOPICS, MissingTopicError, verify
from tests.verify.worked import spot_episode

pytestmark = pytest.mark.integration


async def _create(brokers: str, names: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1) for name in names])
    finally:
        await admin.close()


async def test_a_run_on_real_topics_is_read_whole_and_clean(kafka: str, topic_prefix: str) -> None:
    await _create(kafka, [topic_prefix + topic for topic in TOPICS])
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for topic, records in spot_episode().topics.items():
            for record in records:
                await producer.send(topic_prefix + topic, record.value, record.key, partition=0)
        await producer.flush()
    finally:
        await producer.stop()
    seen: list[str] = []

    def progress(what: str, _done: int, _total: int) -> None:
        seen.append(what)

    report = await verify(kafka, prefix=topic_prefix, progress=progress)

    assert report.clean, "\n".join(report.lines())
    assert report.ticks == 9
    assert report.commands["warning"] == 4
    assert {"reading topics", "commands and crossings"} <= set(seen)


async def test_a_missing_topic_is_named(kafka: str, topic_prefix: str) -> None:
    await _create(kafka, [topic_prefix + topic for topic in TOPICS if topic != "ticks"])

    with pytest.raises(MissingTopicError, match=f"{topic_prefix}ticks"):
        await verify(kafka, prefix=topic_prefix)
