"""One partition of the journal and its only writer: claim, recover, append."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from streams.journal.exceptions import JournalLost, OffsetGap, RecordTooLarge
from streams.journal.producer import FencedProducer, KeyValue
from streams.journal.reader import JournalScan, read_partition
from streams.journal.records import CLAIM_KEY, Claim, CommandOut, Epoch, encode_record
from streams.journal.settings import JournalSettings

__all__ = ["PartitionJournal", "Recovery"]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a claim found: the states of all accounts, and what is to be published again.

    With `memory_stands` the claim followed this worker's own last append: nothing was read, and
    the accounts in memory are the authority.
    """

    memory_stands: bool = False
    states: dict[str, bytes] = field(default_factory=dict)
    commands: list[CommandOut] = field(default_factory=list)
    # The newest `now` (epoch ms) of any record: the clock may not go below it.
    now: int = 0
    # Ids of the source topics, by topic, as the last owner noted them; empty if none did.
    sources: dict[str, str] = field(default_factory=dict)
    records_read: int = 0


class PartitionJournal:
    """The right to write one partition; dead for ever after the first failure."""

    producer_class: type[FencedProducer] = FencedProducer

    def __init__(self, settings: JournalSettings, partition: int) -> None:
        """Use `PartitionJournal.claim`."""
        self.settings = settings
        self.partition = partition
        self.epoch = Epoch(-1, "")
        # The offset of the last record that is known to be in the journal.
        self.last_offset = -1
        self.lost: JournalLost | None = None
        self._producer = self.producer_class(settings, partition)
        self._appending = False

    @classmethod
    async def claim(
        cls, settings: JournalSettings, partition: int, *, previous: int | None = None
    ) -> tuple[Self, Recovery]:
        """Take the partition over and read it up to the claim.

        `previous` is the offset of this worker's own last append, given only if nothing was dirty
        when it let the partition go. Raises JournalLost (try again with a new claim, after
        rejoining) or JournalRefused (do not arm, page).
        """
        journal = cls(settings, partition)
        try:
            await journal._producer.start()
            await journal._claim()
            if previous is not None and journal.epoch.offset == previous + 1:
                return journal, Recovery(memory_stands=True)
            scan = await read_partition(settings, partition, journal.epoch.offset)
            if scan.epoch != journal.epoch:
                raise JournalLost(f"{journal.name}: the claim reads as {scan.epoch}")
        except BaseException:
            await journal.abort()
            raise
        return journal, _recovery(scan)

    @property
    def name(self) -> str:
        """Return the partition's name, for messages."""
        return f"{self.settings.topic}-{self.partition}"

    @property
    def appending(self) -> bool:
        """Return whether an append is in flight."""
        return self._appending

    async def _claim(self) -> None:
        claim = Claim(uuid.uuid4().hex, self.settings.worker, time.time_ns() // 1_000_000)
        (offset,) = await self._producer.append([(CLAIM_KEY, encode_record(claim))])
        if offset < 0:
            raise JournalLost(f"{self.name}: the claim's offset is unknown")
        self.epoch = Epoch(offset, claim.epoch_id)
        self.last_offset = offset

    async def append(self, records: Sequence[KeyValue]) -> list[int]:
        """Append, await all acknowledgements and return the offsets.

        Raises RecordTooLarge (nothing was sent, the journal lives), JournalFenced, OffsetGap or
        JournalLost; after these three nothing may be acknowledged or published, and the journal
        is dead. So it is after a cancelled append: what became of it is not known.
        """
        if self.lost is not None:
            raise JournalLost(f"{self.name} was lost before: {self.lost}")
        if self._appending:
            raise RuntimeError(f"{self.name}: one append at a time")
        self._appending = True
        try:
            offsets = await self._producer.append(records)
            self._check_offsets(offsets)
        except RecordTooLarge:
            raise
        except JournalLost as error:
            self.lost = error
            raise
        except BaseException:
            self.lost = JournalLost(f"{self.name}: an append was broken off")
            raise
        finally:
            self._appending = False
        if offsets:
            self.last_offset = offsets[-1]
        return offsets

    def _check_offsets(self, offsets: Sequence[int]) -> None:
        expected = range(self.last_offset + 1, self.last_offset + 1 + len(offsets))
        if list(expected) != list(offsets):
            raise OffsetGap(
                f"{self.name}: appended at {offsets[0]} to {offsets[-1]}, "
                f"expected {expected.start} to {expected.stop - 1}"
            )

    async def renew(self) -> Self:
        """Claim again under a new producer, and return the journal to go on with.

        The broker forgets a producer that is silent for a day, and with it the fence. JournalLost
        if anybody else appended in between; call it with no append in flight.
        """
        await self.close()
        journal, recovery = await type(self).claim(
            self.settings, self.partition, previous=self.last_offset
        )
        if not recovery.memory_stands:
            await journal.abort()
            raise JournalLost(f"{self.name}: another owner came before the claim was renewed")
        return journal

    async def close(self) -> None:
        """Give the partition up after the last append was acknowledged."""
        if self.lost is not None:
            await self.abort()
            return
        self.lost = JournalLost(f"{self.name} is closed")
        await self._producer.close()

    async def abort(self) -> None:
        """Give the partition up without waiting for what is in flight."""
        if self.lost is None:
            self.lost = JournalLost(f"{self.name} was given up")
        await self._producer.abort()


def _recovery(scan: JournalScan) -> Recovery:
    return Recovery(
        states=scan.states,
        commands=scan.unpublished(),
        now=scan.now,
        sources=scan.sources,
        records_read=scan.records,
    )
