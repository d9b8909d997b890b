"""One owned account as the engine keeps it, and what one look at it brings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from monitor.account import Account, Refusal
from monitor.escalation import Episode, next_deadline
from monitor.schema import Command
from monitor.schema.interest import InterestNotice
from monitor.watch import Watched

__all__ = ["Decision", "Entry"]


class Entry:
    """One owned account."""

    __slots__ = ("account", "deadline", "episode", "isolated", "partition", "watched")

    def __init__(
        self,
        account: Account,
        episode: Episode,
        isolated: dict[str, Episode],
        partition: int,
        watched: Watched,
    ) -> None:
        self.account = account
        self.episode = episode
        """The account's own (ES-2)."""
        self.isolated = isolated
        """Key of an isolated position → its episode, where it ever had one (MR-3)."""
        self.partition = partition
        self.watched = watched
        self.deadline: int | None = None

    @property
    def episodes(self) -> Iterator[Episode]:
        """All episodes, the account's own first, the rest in order of their keys."""
        yield self.episode
        for key in sorted(self.isolated):
            yield self.isolated[key]

    @property
    def open(self) -> bool:
        """Whether any episode is open."""
        return self.episode.open or any(e.open for e in self.isolated.values())

    @property
    def waits_for_price(self) -> bool:
        """Whether a liquidation stage stands still without anything to be confirmed."""
        return any(
            e.open and e.liquidation and not e.pending and not e.capped for e in self.episodes
        )

    def next_deadline(self) -> int | None:
        """Return the epoch ms at which some episode asks for a decision."""
        due = [d for d in map(next_deadline, self.episodes) if d is not None]
        return min(due, default=None)

    def remembered(self) -> bytes:
        """Return the bytes of all episodes, to see whether a decision changed them."""
        return msgspec.json.encode([self.episode, self.isolated])


@dataclass(slots=True)
class Decision:
    """What came of one look at one account; `dirty`: its record must be written."""

    account_id: str
    partition: int
    commands: list[Command] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notices: list[InterestNotice] = field(default_factory=list)
    """IN-6: accruals and deductions, in order; they go out with the record."""
    dirty: bool = False
