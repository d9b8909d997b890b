"""What a run left on its topics: plain records, in the order of their offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["ACCOUNT_TOPICS", "COMMAND_TOPICS", "TOPICS", "History", "Record"]

ACCOUNT_TOPICS = ("accounts", "transfers", "orders", "fills")
COMMAND_TOPICS = ("warnings", "order-cancels", "reductions", "episodes")
TOPICS = (
    *ACCOUNT_TOPICS,
    *COMMAND_TOPICS,
    "interest",
    "ticks",
    "reference",
    "heartbeats",
    "dead-letters",
)


class Record(NamedTuple):
    """One Kafka record; `timestamp` is the broker's append time in epoch milliseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class History:
    """Every record of every topic (names without prefix), by partition and offset."""

    topics: Mapping[str, Sequence[Record]] = field(default_factory=dict)

    def of(self, topic: str) -> Sequence[Record]:
        """Return the records of `topic`; none when it was empty."""
        return self.topics.get(topic, ())
