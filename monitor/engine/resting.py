"""Accounts at rest: kept as the bytes of their record, decoded when somebody asks for one.

A decoded account costs some five kilobytes, its bytes less than one. Nothing is forgotten: whatever
may have been changed is encoded again before it rests, to the bytes that its record would have.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import msgspec

from monitor.account import Account
from monitor.account.glance import Glance
from monitor.escalation import Episode

__all__ = [
    "AWAKE_AT_MOST",
    "Awake",
    "Seen",
    "Stored",
    "decode_seen",
    "decode_stored",
    "encode_stored",
]

AWAKE_AT_MOST = 16_384
"""Accounts that stay decoded: 80 MB, and enough that an account is not decoded again for each event
of a burst, nor for each of the readers that follow an event (totals, Redis)."""


class Stored(msgspec.Struct, omit_defaults=True):
    """An account's record in the journal: its book and its episodes."""

    account: Account
    episode: Episode
    isolated: dict[str, Episode] = {}
    """MR-3: key of an isolated position → its episode, where it ever had one."""


class EpisodeSeen(msgspec.Struct, gc=False):
    """What a glance tells of an episode."""

    open: bool = False


class Seen(msgspec.Struct):
    """A record read at a glance."""

    account: Glance
    episode: EpisodeSeen
    isolated: dict[str, EpisodeSeen] = {}

    @property
    def calm(self) -> bool:
        """No episode is open and no event waits: of its deadlines only interest can be one."""
        if self.episode.open or self.account.gap_since is not None:
            return False
        return not self.isolated or not any(one.open for one in self.isolated.values())


encode_stored = msgspec.json.Encoder().encode
decode_stored = msgspec.json.Decoder(Stored).decode
decode_seen = msgspec.json.Decoder(Seen, strict=False).decode


class Sleeper(Protocol):
    """What can be laid to rest."""

    def rest(self) -> None: ...


class Awake:
    """The entries that are decoded, in the order in which they woke."""

    def __init__(self, at_most: int = AWAKE_AT_MOST) -> None:
        self._at_most = at_most
        self._entries: deque[Sleeper] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Sleeper) -> None:
        """Note that an entry was decoded."""
        self._entries.append(entry)

    def trim(self) -> None:
        """Lay those to rest that woke first, beyond what may stay awake.

        To be called where nobody holds the account of any entry in hand: a change made to it
        afterwards would be lost.
        """
        entries = self._entries
        while len(entries) > self._at_most:
            entries.popleft().rest()
