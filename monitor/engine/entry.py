"""One owned account as the engine keeps it, and what one look at it brings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from monitor.account import Account, Refusal
from monitor.account.glance import Glance
from monitor.engine.resting import (
    Awake,
    Seen,
    Stored,
    decode_seen,
    decode_stored,
    encode_stored,
)
from monitor.escalation import Episode, next_deadline
from monitor.reference import Reference
from monitor.schema import Command
from monitor.schema.events import Mode
from monitor.schema.interest import InterestNotice
from monitor.watch import Watched

__all__ = ["NOT_KNOWN", "Decision", "Entry"]

NOT_KNOWN = -1
"""Interest may be due at any time: the account was changed since that was looked at."""

_NONE_APART: dict[str, Episode] = {}


class Entry:
    """One owned account: decoded, or at rest as the bytes of its record."""

    __slots__ = (
        "_account",
        "_awake",
        "_episode",
        "_isolated",
        "_kept",
        "_known",
        "_mode",
        "_open",
        "_out_of_sync",
        "account_id",
        "deadline",
        "interest_at",
        "partition",
        "reference",
        "watched",
    )

    def __init__(
        self,
        read: Stored | Seen,
        partition: int,
        watched: Watched,
        awake: Awake,
        kept: bytes | None = None,
    ) -> None:
        """`kept`: the bytes that `read` was decoded from; at a calm one's glance the entry begins at rest."""
        account = read.account
        self.account_id = account.account_id
        self.partition = partition
        self.watched = watched
        self.reference: Reference | None = None
        """By which the watch has it."""
        self.deadline: int | None = None
        self.interest_at: int | None = NOT_KNOWN
        """IN-1: as `Interest.scheduled` says."""
        self._awake = awake
        self._account: Account | None = None
        self._episode, self._isolated = _FRESH, _NONE_APART
        self._kept = kept
        """The record's bytes, while nobody can have changed what is decoded."""
        self._mode: Mode = account.mode
        self._known, self._open = account.known, False
        self._out_of_sync = account.out_of_sync
        if isinstance(read, Stored):
            self._account, self._episode, self._isolated = read.account, read.episode, read.isolated
            awake.add(self)

    # -- decoded or at rest -----------------------------------------------------------------------

    @property
    def account(self) -> Account:
        """The account, which the caller may change."""
        account = self._account
        if account is None:
            account = self._wake()
        self._kept = None
        self.interest_at = NOT_KNOWN
        return account

    def read(self) -> Account:
        """Return the account, which the caller must not change."""
        account = self._account
        return self._wake() if account is None else account

    def peek(self) -> Account:
        """Return the account as `read` does, decoded for this once where it rests: for who looks at all in turn."""
        account = self._account
        return decode_stored(self._kept or b"").account if account is None else account

    def glance(self) -> Account | Glance:
        """Return the account, or what a glance at its record tells; the caller must not change it."""
        account = self._account
        return decode_seen(self._kept or b"").account if account is None else account

    @property
    def episode(self) -> Episode:
        """The account's own episode (ES-2), which the caller may change."""
        if self._account is None:
            self._wake()
        self._kept = None
        return self._episode

    @property
    def isolated(self) -> dict[str, Episode]:
        """Key of an isolated position → its episode, where it ever had one (MR-3)."""
        if self._account is None:
            self._wake()
        self._kept = None
        return self._isolated

    def begin_anew(self) -> None:
        """Forget all that the episodes wait for; their counters go on (ES-2)."""
        self._episode = Episode(n=self.episode.n + 1)
        self._isolated = {key: Episode(n=one.n + 1) for key, one in self._isolated.items()}

    def record(self) -> bytes:
        """Return the bytes that keep the account in the journal."""
        kept = self._kept
        if kept is None:
            stored = Stored(self.read(), self._episode, self._isolated)
            kept = self._kept = encode_stored(stored)
        return kept

    def rest(self) -> None:
        """Keep nothing but the record's bytes."""
        account = self._account
        if account is None:
            return
        self.record()
        self._open, self._out_of_sync = self.open, account.out_of_sync
        self._mode, self._known = account.mode, account.known
        self._account = None
        self._episode, self._isolated = _FRESH, _NONE_APART

    def _wake(self) -> Account:
        stored = decode_stored(self._kept or b"")
        self._account, self._episode = stored.account, stored.episode
        self._isolated = stored.isolated
        self._awake.add(self)
        return stored.account

    # -- what is told without decoding ------------------------------------------------------------

    @property
    def known(self) -> bool:
        """Whether more than events that wait has been seen of the account."""
        return self._known if self._account is None else self._account.known

    @property
    def mode(self) -> Mode:
        """The account's mode."""
        return self._mode if self._account is None else self._account.mode

    @property
    def out_of_sync(self) -> bool:
        """Whether events of the account are missing."""
        return self._out_of_sync if self._account is None else self._account.out_of_sync

    @property
    def open(self) -> bool:
        """Whether any episode is open."""
        if self._account is None:
            return self._open
        if self._episode.open:
            return True
        return bool(self._isolated) and any(e.open for e in self._isolated.values())

    @property
    def asks_by_ratio(self) -> bool:
        """Whether nothing but a ratio can have an episode say anything: none is open, or it has only warned."""
        if not self.open:
            return True
        account = self.read()
        if self._episode.open and not self._episode.only_warned:
            return False
        return all(
            one.only_warned and key in account.isolated
            for key, one in self._isolated.items()
            if one.open
        )

    # -- episodes ---------------------------------------------------------------------------------

    @property
    def episodes(self) -> Iterator[Episode]:
        """All episodes, the account's own first, the rest in order of their keys."""
        yield self.episode
        for key in sorted(self._isolated):
            yield self._isolated[key]

    @property
    def waits_for_price(self) -> bool:
        """Whether a liquidation stage stands still without anything to be confirmed."""
        return self.open and any(
            e.open and e.liquidation and not e.pending and not e.capped for e in self.episodes
        )

    def next_deadline(self) -> int | None:
        """Return the epoch ms at which some episode asks for a decision."""
        if not self.open:
            return None
        due = [d for d in map(next_deadline, self.episodes) if d is not None]
        return min(due, default=None)

    def remembered(self) -> bytes:
        """Return the bytes of all episodes, to see whether a decision changed them."""
        return _encode([self.episode, self._isolated])


_FRESH = Episode()
_encode = msgspec.json.Encoder().encode


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
    defect: Exception | None = None
    """H-4: what kept the account from being looked at; it is out of sync then."""
