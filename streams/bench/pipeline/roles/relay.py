"""The floor of a decision's latency: two hops through Kafka with nothing decided in between."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.bench.pipeline.job import MemberJob
from streams.bench.pipeline.probes import PROBE
from streams.bench.pipeline.roles.report import Report

__all__ = ["run"]

_POLL_MS = 200


def run(job: MemberJob, report: Report) -> None:
    """For each tick of the probes: append to a topic with acks=all, await it, publish."""
    asyncio.run(_relay(job, report))


async def _relay(job: MemberJob, report: Report) -> None:
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=job.brokers, group_id=None, auto_offset_reset="latest"
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=job.brokers, acks="all", enable_idempotence=True, linger_ms=0
    )
    await consumer.start()
    await producer.start()
    place = TopicPartition(f"{job.prefix}ticks", 0)
    consumer.assign([place])
    consumer.seek(place, (await consumer.end_offsets([place]))[place])
    await consumer.position(place)
    journal, out, wanted = f"{job.prefix}journal", f"{job.prefix}warnings", PROBE.encode()
    report.ready()
    while True:
        batches = await consumer.getmany(timeout_ms=_POLL_MS)
        for records in batches.values():
            for record in records:
                if record.key == wanted:
                    await producer.send_and_wait(journal, record.value, record.key)
                    await producer.send(out, record.value, record.key)
