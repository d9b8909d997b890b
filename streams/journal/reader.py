"""Read a partition of the journal, and believe only what a valid owner can have written."""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.journal.exceptions import JournalLost, JournalRefused
from streams.journal.records import (
    AccountRecord,
    Claim,
    CommandOut,
    Epoch,
    Published,
    Sources,
    account_id,
    decode_record,
)
from streams.journal.settings import JournalSettings

__all__ = ["JournalScan", "RecoveredAccount", "read_partition"]

# Decoding 2,000 records takes some 5 ms; other partitions' writers get their turn in between (H-8).
_RECORDS_A_TURN = 2_000
_NO_EPOCH = Epoch(-1, "")


class RecoveredAccount(NamedTuple):
    """The newest record of an account: where it stood, and what it said."""

    offset: int
    record: AccountRecord


@dataclass(slots=True)
class JournalScan:
    """Folds records in offset order into the newest of each account."""

    accounts: dict[str, RecoveredAccount] = field(default_factory=dict)
    epoch: Epoch = _NO_EPOCH
    claim: Claim | None = None
    published_up_to: int = -1
    sources: dict[str, str] = field(default_factory=dict)
    now: int = 0
    records: int = 0

    def feed(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Take the next record; JournalRefused if no valid owner can have written it there."""
        record = decode_record(offset, key, value)
        self.records += 1
        if isinstance(record, Claim):
            self.epoch = Epoch(offset, record.epoch_id)
            self.claim = record
            return
        self._follow(offset, record.epoch)
        if isinstance(record, AccountRecord):
            self.accounts[account_id(key)] = RecoveredAccount(offset, record)
            self.now = max(self.now, record.now)
        elif isinstance(record, Published):
            self.published_up_to = max(self.published_up_to, record.up_to)
        elif isinstance(record, Sources):
            self.sources = record.topics

    def _follow(self, offset: int, epoch: Epoch) -> None:
        # Compaction drops old claims, so an epoch may be newer than any claim seen, never older.
        newest = self.epoch
        if epoch.offset < newest.offset or (epoch.offset == newest.offset and epoch != newest):
            raise JournalRefused(
                f"journal offset {offset} is of epoch {epoch.offset} {epoch.id}, written after "
                f"epoch {newest.offset} {newest.id} began: its writer was not fenced"
            )
        if epoch.offset >= offset:
            raise JournalRefused(f"journal offset {offset} is of a later epoch {epoch.offset}")
        self.epoch = epoch

    def unpublished(self) -> list[CommandOut]:
        """Return the commands past `published_up_to`, in the order of their records."""
        late = [a for a in self.accounts.values() if a.offset > self.published_up_to]
        late.sort(key=lambda account: account.offset)
        return [command for account in late for command in account.record.commands]


async def read_partition(settings: JournalSettings, partition: int, last: int) -> JournalScan:
    """Read a partition from its beginning to the offset `last`, which must hold a record.

    Raises JournalRefused for what no valid owner can have written, JournalLost if the broker
    stops answering or the record at `last` has been superseded.
    """
    place = TopicPartition(settings.topic, partition)
    consumer = AIOKafkaConsumer(
        **settings.client,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=16_000_000,
        max_partition_fetch_bytes=8_388_608,
        request_timeout_ms=int(settings.request_timeout * 1000),
    )
    try:
        async with asyncio.timeout(settings.claim_timeout):
            await consumer.start()
            consumer.assign([place])
            begin = (await consumer.beginning_offsets([place]))[place]
            # An explicit seek: seek_to_beginning races with the reset after assign, and a read
            # that began at the end would look like an empty journal.
            consumer.seek(place, begin)
            position = await consumer.position(place)
        if position != begin:
            raise JournalLost(f"{place} is read from {position}, and begins at {begin}")
        return await _scan(consumer, place, last, settings.read_stall)
    except (KafkaError, TimeoutError) as error:
        raise JournalLost(f"reading {place} failed: {error!r}") from error
    finally:
        await consumer.stop()


async def _scan(
    consumer: AIOKafkaConsumer, place: TopicPartition, last: int, stall: float
) -> JournalScan:
    scan = JournalScan()
    while True:
        batches = await consumer.getmany(
            place, timeout_ms=int(stall * 1000), max_records=_RECORDS_A_TURN
        )
        messages = batches.get(place, [])
        if not messages:
            raise JournalLost(f"{place}: nothing to read for {stall:g} s before offset {last}")
        for message in messages:
            if message.offset > last:
                raise JournalLost(f"{place}: the record at {last} has been superseded")
            scan.feed(message.offset, message.key, message.value)
            if message.offset == last:
                return scan
