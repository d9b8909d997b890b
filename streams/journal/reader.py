"""Read a partition of the journal, and believe only what a valid owner can have written."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.journal.exceptions import JournalLost, JournalRefused
from streams.journal.fetching import BatchFetcher, RawRecord
from streams.journal.records import (
    AccountRecord,
    Claim,
    CommandOut,
    Epoch,
    Published,
    Sources,
    account_id,
    decode_record,
    opening_of,
)
from streams.journal.settings import JournalSettings

__all__ = ["JournalScan", "read_partition"]

# Each takes one to two milliseconds, and many partitions are read at once (H-8).
_RECORDS_A_TURN = 1_000
_DECODED_A_TURN = 500
_NO_EPOCH = Epoch(-1, "")


@dataclass(slots=True)
class JournalScan:
    """Folds records in offset order into the newest of each account, and then decodes these.

    A record that a newer one supersedes is held to the epoch that it begins with and decoded no further: the
    broker may remove it at any time. What decides is refused unless all of it can be read.
    """

    states: dict[str, bytes] = field(default_factory=dict)
    epoch: Epoch = _NO_EPOCH
    claim: Claim | None = None
    published_up_to: int = -1
    sources: dict[str, str] = field(default_factory=dict)
    now: int = 0
    records: int = 0
    _newest: dict[bytes, RawRecord] = field(default_factory=dict)
    _opening: bytes | None = None
    """What accounts' records of the present epoch begin with, once one was met."""
    _late: list[tuple[int, tuple[CommandOut, ...]]] = field(default_factory=list)

    def feed(self, records: Iterable[RawRecord]) -> int:
        """Take the next records and count them; JournalRefused if no valid owner can have written one there."""
        newest, opening, count = self._newest, self._opening, 0
        for record in records:
            count += 1
            key, value = record.key, record.value
            if key and value and opening and value.startswith(opening):
                newest[key] = record
            else:
                self._take(record)
                opening = self._opening
        self.records += count
        return count

    def _take(self, raw: RawRecord) -> None:
        offset, key = raw.offset, raw.key
        record = decode_record(offset, key, raw.value)
        if isinstance(record, Claim):
            self.epoch, self._opening = Epoch(offset, record.epoch_id), None
            self.claim = record
            return
        self._follow(offset, record.epoch)
        if isinstance(record, Published):
            self.published_up_to = max(self.published_up_to, record.up_to)
        elif isinstance(record, Sources):
            self.sources = record.topics
        elif key:
            self._newest[key] = raw
            self._opening = opening_of(record)

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

    def decode(self, most: int) -> bool:
        """Decode up to `most` of the accounts that are not yet, once all is read; say whether any are left.

        Raises UndecodableRecord.
        """
        newest = self._newest
        for _ in range(min(most, len(newest))):
            key, raw = newest.popitem()
            record = decode_record(raw.offset, key, raw.value)
            if isinstance(record, AccountRecord):
                self.states[account_id(key)] = bytes(record.state)
                self.now = max(self.now, record.now)
                if record.commands and raw.offset > self.published_up_to:
                    self._late.append((raw.offset, record.commands))
        return bool(newest)

    def unpublished(self) -> list[CommandOut]:
        """Return the commands past `published_up_to`, in the order of their records, once all is decoded."""
        late = sorted(self._late, key=lambda found: found[0])
        return [command for _, commands in late for command in commands]


async def read_partition(settings: JournalSettings, partition: int, last: int) -> JournalScan:
    """Read a partition from its beginning to the offset `last`, which must hold a record, and decode it.

    Raises JournalRefused for what no valid owner can have written, JournalLost if the broker
    stops answering or the record at `last` has been superseded.
    """
    place = TopicPartition(settings.topic, partition)
    fetcher = BatchFetcher(
        settings.client, place, stall=settings.read_stall, timeout=settings.request_timeout
    )
    scan = JournalScan()
    try:
        async with asyncio.timeout(settings.claim_timeout):
            await fetcher.start()
        async for batch in fetcher.batches(last):
            records: Iterator[RawRecord] = chain(batch)  # a batch that is used up begins anew
            if batch.next_offset > last:
                records = _up_to(records, place, last)
            await _in_turns(partial(_feed, scan, records))
    except (KafkaError, TimeoutError) as error:
        raise JournalLost(f"reading {place} failed: {error!r}") from error
    finally:
        await fetcher.close()
    await _in_turns(partial(scan.decode, _DECODED_A_TURN))
    return scan


def _feed(scan: JournalScan, records: Iterator[RawRecord]) -> int:
    return scan.feed(islice(records, _RECORDS_A_TURN))


async def _in_turns(step: Callable[[], object]) -> None:
    """Repeat a step until it says that nothing is left (H-8)."""
    while True:
        if not step():
            return
        await asyncio.sleep(0)


def _up_to(records: Iterator[RawRecord], place: TopicPartition, last: int) -> Iterator[RawRecord]:
    """Give the records up to `last`; JournalLost when there is none at it."""
    for record in records:
        if record.offset > last:
            break
        yield record
        if record.offset == last:
            return
    raise JournalLost(f"{place}: the record at {last} has been superseded")
