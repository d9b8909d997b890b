"""The redo log: the only durable state, one writer a partition, fenced by the broker.

It knows nothing of margin rules: an account's state is JSON that it does not look into, a command
is bytes with a topic, a key and headers. The life of a partition::

    journal, recovery = await PartitionJournal.claim(settings, partition)
    writer = PartitionWriter(journal, owner, outlet, now=clock, guard=guard)
    await writer.begin(recovery, sources)      # publishes again, starts the loops
    writer.mark(account_id, event)             # after folding it, any number of times
    await writer.flush(seconds)                # when the partition is revoked
    await writer.close()
"""

from streams.journal.acknowledge import AcknowledgeQueue, AcknowledgeQueues, SourceEvent
from streams.journal.clock import FlooredClock, PauseGuard, boot_seconds
from streams.journal.exceptions import (
    JournalError,
    JournalFenced,
    JournalLost,
    JournalRefused,
    OffsetGap,
    OutletLost,
    PausedTooLong,
    RecordTooLarge,
    SourceReplaced,
    UndecodableRecord,
)
from streams.journal.outlet import Outlet, Publisher
from streams.journal.owner import Owner, Snapshot, WriterSettings
from streams.journal.partition import PartitionJournal, Recovery
from streams.journal.reader import JournalScan, read_partition
from streams.journal.records import MAX_COMMAND_BYTES, TOPIC_CONFIG, CommandOut, Epoch
from streams.journal.settings import JournalSettings
from streams.journal.sources import SourceTopics, read_sources, verify_journal, verify_sources
from streams.journal.writer import PartitionWriter

__all__ = [
    "MAX_COMMAND_BYTES",
    "TOPIC_CONFIG",
    "AcknowledgeQueue",
    "AcknowledgeQueues",
    "CommandOut",
    "Epoch",
    "FlooredClock",
    "JournalError",
    "JournalFenced",
    "JournalLost",
    "JournalRefused",
    "JournalScan",
    "JournalSettings",
    "OffsetGap",
    "Outlet",
    "OutletLost",
    "Owner",
    "PartitionJournal",
    "PartitionWriter",
    "PauseGuard",
    "PausedTooLong",
    "Publisher",
    "RecordTooLarge",
    "Recovery",
    "Snapshot",
    "SourceEvent",
    "SourceReplaced",
    "SourceTopics",
    "UndecodableRecord",
    "WriterSettings",
    "boot_seconds",
    "read_partition",
    "read_sources",
    "verify_journal",
    "verify_sources",
]
