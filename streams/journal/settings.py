"""What a partition's journal is configured with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.journal.records import MAX_RECORD_BYTES

__all__ = ["JournalSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """Settings of the journal topic's writers and readers; times in seconds.

    `client` is what aiokafka needs to connect: `bootstrap_servers` and the security settings.
    """

    topic: str
    worker: str
    client: Mapping[str, Any] = field(repr=False)
    claim_timeout: float = 30.0
    append_timeout: float = 10.0
    request_timeout: float = 5.0
    # How long a reader waits for the next record before it gives up.
    read_stall: float = 20.0
    # One produce request; larger batches gain nothing and block the loop for longer (H-8).
    batch_bytes: int = 1_000_000
    max_record_bytes: int = MAX_RECORD_BYTES

    def transactional_id(self, partition: int) -> str:
        """Return the id by which the broker knows all owners of the partition."""
        return f"{self.topic}-{partition}"
