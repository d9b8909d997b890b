"""Publishes a reference file: its entries, tombstones for what is gone, then the `set` record."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from monitor.reference import file_of
from streams.connection import kafka_client
from streams.documents import Document
from streams.exceptions import CommandError
from streams.follow import PartitionFollower
from streams.reference.records import (
    SET_KEY,
    SetRecord,
    encode_entries,
    encode_set,
    mismatches,
)
from streams.settings import Settings
from streams.topics import Topics, require

__all__ = ["Publication", "PublishError", "publish", "published_file"]

_TIMEOUT_SECONDS = 60.0


class PublishError(CommandError):
    """Raised when the brokers do not answer or refuse; nobody switches to a set without its end."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published."""

    topic: str
    entries: int
    changed: int
    removed: tuple[str, ...]
    sha256: str


async def publish(
    settings: Settings, document: Document, *, now_ms: int | None = None
) -> Publication:
    """Publish a checked file as one set; raises `PublishError`, `TopicsError`."""
    await asyncio.to_thread(require, settings, [Topics(settings.topic_prefix).reference])
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            return await _publish(settings, document, now_ms)
    except TimeoutError:
        reason = f"brokers {settings.brokers} did not take it within {_TIMEOUT_SECONDS:g} s"
        raise PublishError(reason) from None
    except KafkaError as error:
        raise PublishError(f"brokers {settings.brokers}: {error!r}") from error


async def published_file(settings: Settings) -> dict[str, Any] | None:
    """Return the reference file that is on the topic now, None when there is none whole.

    Raises `PublishError`, and `TopicsError` when there is no such topic.
    """
    topic = Topics(settings.topic_prefix).reference
    await asyncio.to_thread(require, settings, [topic])
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            entries, closing = await _current(settings, topic)
    except TimeoutError:
        raise PublishError(f"brokers {settings.brokers}: topic {topic} does not answer") from None
    if closing is None or mismatches(entries, closing):
        return None
    return file_of({key: msgspec.json.decode(value) for key, value in entries.items()})


async def _publish(settings: Settings, document: Document, now_ms: int | None) -> Publication:
    topic = Topics(settings.topic_prefix).reference
    entries = encode_entries(document.value)
    before, _ = await _current(settings, topic)
    removed = tuple(sorted(before.keys() - entries.keys()))
    closing = encode_set(entries, int(time.time() * 1000) if now_ms is None else now_ms)
    producer = AIOKafkaProducer(**kafka_client(settings), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        # The order in the partition is the order of sending.
        for key, value in entries.items():
            await producer.send(topic, value, key=key.encode(), partition=0)
        for key in removed:
            await producer.send(topic, None, key=key.encode(), partition=0)
        await producer.send_and_wait(topic, msgspec.json.encode(closing), key=SET_KEY, partition=0)
    finally:
        await producer.stop()
    return Publication(
        topic=topic,
        entries=len(entries),
        changed=sum(before.get(key) != value for key, value in entries.items()),
        removed=removed,
        sha256=closing.sha256,
    )


async def _current(settings: Settings, topic: str) -> tuple[dict[str, bytes], SetRecord | None]:
    """Return the entries that are on the topic, and the last record that closes a set."""
    follower = PartitionFollower(kafka_client(settings), topic)
    found: dict[str, bytes] = {}
    closing: SetRecord | None = None
    try:
        first, _, end = await follower.bounds()
        async for records in follower.records(first, end):
            for record in records:
                if record.key is None:
                    continue
                if record.key == SET_KEY:
                    with contextlib.suppress(msgspec.DecodeError):
                        closing = msgspec.json.decode(record.value or b"", type=SetRecord)
                    continue
                key = record.key.decode(errors="replace")
                if record.value is None:
                    found.pop(key, None)
                else:
                    found[key] = record.value
    finally:
        await follower.close()
    return found, closing
