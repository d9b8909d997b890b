"""Bare aiokafka loops: what reading and decoding alone cost, and with records written."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.bench.pipeline.job import MemberJob
from streams.bench.pipeline.roles.report import Report

__all__ = ["run_events", "run_events_produced", "run_ticks"]

_POLL_MS = 200
_RECORDS = 2_000


class _Tick(msgspec.Struct):
    symbol: str
    kind: str
    price: Decimal
    ts: int
    seq: int


class _Event(msgspec.Struct):
    account_id: str
    amount: Decimal


def run_ticks(job: MemberJob, report: Report) -> None:
    """Consume and decode every tick, as a worker's reader does, and do nothing with it."""
    asyncio.run(_ticks(job, report))


def run_events(job: MemberJob, report: Report) -> None:
    """Add up per account in memory, in batches, with a commit a batch."""
    asyncio.run(_events(job, report, produces=False))


def run_events_produced(job: MemberJob, report: Report) -> None:
    """Do the same, with one record written and awaited per touched account and batch."""
    asyncio.run(_events(job, report, produces=True))


async def _ticks(job: MemberJob, report: Report) -> None:
    decode = msgspec.json.Decoder(_Tick).decode
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=job.brokers, group_id=None, auto_offset_reset="latest"
    )
    await consumer.start()
    place = TopicPartition(f"{job.prefix}ticks", 0)
    consumer.assign([place])
    consumer.seek(place, (await consumer.end_offsets([place]))[place])
    await consumer.position(place)
    report.ready()
    while True:
        batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_RECORDS)
        for records in batches.values():
            for record in records:
                decode(record.value)
            report.took(len(records))


async def _events(job: MemberJob, report: Report, *, produces: bool) -> None:
    decode = msgspec.json.Decoder(_Event).decode
    topic = f"{job.prefix}transfers"
    consumer: Any = AIOKafkaConsumer(
        topic,
        bootstrap_servers=job.brokers,
        group_id=f"{job.prefix}plain",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=int(job.session_timeout * 1000),
        max_poll_interval_ms=int(job.session_timeout * 1000),
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=job.brokers, acks="all", enable_idempotence=True, linger_ms=0
    )
    await consumer.start()
    await producer.start()
    sums: dict[str, Decimal] = {}
    nothing = Decimal(0)
    while True:
        batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_RECORDS)
        taken = 0
        touched: set[str] = set()
        for records in batches.values():
            for record in records:
                event = decode(record.value)
                sums[event.account_id] = sums.get(event.account_id, nothing) + event.amount
                touched.add(event.account_id)
            taken += len(records)
        if not taken:
            continue
        if produces:
            sent = [
                await producer.send(f"{job.prefix}journal", str(sums[name]).encode(), name.encode())
                for name in touched
            ]
            await asyncio.gather(*sent)
        await consumer.commit()
        report.took(taken)
