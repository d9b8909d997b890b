"""Accounts straight into the journal, as an earlier owner would have left them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from aiokafka.partitioner import murmur2
from confluent_kafka.admin import AdminClient

from streams.bench.pipeline.messages import wall_ms
from streams.connection import confluent_config, kafka_client
from streams.journal import JournalSettings, PartitionJournal, read_sources
from streams.journal.records import (
    SOURCES_KEY,
    AccountRecord,
    Sources,
    account_key,
    encode_record,
)
from streams.settings import Settings
from streams.topics import Topics

__all__ = ["partition_of", "seed"]

_CHUNK = 2_000


def partition_of(name: str, partitions: int) -> int:
    """Return the partition that every producer puts an account's events on."""
    return int(murmur2(name.encode()) & 0x7FFFFFFF) % partitions


async def seed(
    settings: Settings,
    states: Iterable[tuple[str, bytes]],
    *,
    copies: int = 1,
    progress: Callable[[float], None],
) -> None:
    """Write each account's record so many times, as it would be after as many groups."""
    topics = Topics(settings.topic_prefix)
    by_partition: list[list[tuple[str, bytes]]] = [[] for _ in range(settings.partitions)]
    for name, state in states:
        by_partition[partition_of(name, settings.partitions)].append((name, state))
    admin = AdminClient(confluent_config(settings))
    found = await read_sources(admin, topics.account_topics, [])
    journal_settings = JournalSettings(
        topic=topics.journal, worker="seed", client=kafka_client(settings)
    )
    for number, held in enumerate(by_partition):
        journal, _ = await PartitionJournal.claim(journal_settings, number)
        try:
            sources = encode_record(Sources(journal.epoch, found.ids))
            await journal.append([(SOURCES_KEY, sources)])
            for _ in range(copies):
                for start in range(0, len(held), _CHUNK):
                    await journal.append(
                        [
                            (account_key(name), _record(journal, state))
                            for name, state in held[start : start + _CHUNK]
                        ]
                    )
        finally:
            await journal.close()
        progress((number + 1) / len(by_partition))


def _record(journal: PartitionJournal, state: bytes) -> bytes:
    return encode_record(AccountRecord(journal.epoch, wall_ms(), msgspec.Raw(state)))
