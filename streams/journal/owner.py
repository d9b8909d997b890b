"""What a partition's writer asks of the one that owns the accounts, and its bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from streams.journal.acknowledge import SourceEvent
from streams.journal.exceptions import JournalError
from streams.journal.records import CommandOut

__all__ = ["Owner", "Snapshot", "WriterSettings"]

EventT_contra = TypeVar("EventT_contra", bound=SourceEvent, contravariant=True)

# An account's state as JSON, and the commands decided since the account's last snapshot.
Snapshot = tuple[bytes, Sequence[CommandOut]]


class Owner(Protocol[EventT_contra]):
    """What the writer asks of the partition's owner; none of these may await."""

    def snapshot(self, account_id: str, /) -> Snapshot:
        """Return the account's state (JSON) and the commands decided since its last snapshot."""

    def out_of_sync(self, account_id: str, reason: str, /) -> bytes:
        """Give the account up and return a small state (JSON); its last commands are dropped."""

    def acknowledge(self, events: Sequence[EventT_contra], /) -> None:
        """Acknowledge exactly these to their source; their effects are durable."""

    def lost(self, partition: int, error: JournalError, /) -> None:
        """Drop the partition's state, leave the group and rejoin; called once, then nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterSettings:
    """Bounds of a group, and intervals in seconds."""

    # A group's snapshots are taken in one step without await, so they are bounded (H-8).
    group_accounts: int = 5_000
    group_bytes: int = 4_000_000
    group_seconds: float = 0.02
    # Groups appended but not yet published, before the next append waits for the outlet.
    publish_backlog: int = 4
    published_every: float = 1.0
    # The broker forgets a silent producer after a day, and with it the fence.
    renew_every: float = 6 * 3600.0
