"""The last commands, newest first, by account and by episode; bounded."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from streams.follow import Record

__all__ = ["Entry", "History", "Place", "entry_of"]

KEPT = 20_000
_MINUTE = 60
_LATE_MS = 5_000
"""Topics reach a reader at different times: so far before a lost place it starts again."""


class Place(NamedTuple):
    """Where a command stands; topic without prefix."""

    topic: str
    partition: int
    offset: int


class _Head(msgspec.Struct):
    kind: str
    command_id: str
    account_id: str
    episode_id: str
    sequence: int
    decided_at: int
    attempt: int = 1
    state: str | None = None
    position: str | None = None


_decode = msgspec.json.Decoder(_Head).decode


@dataclass(frozen=True, slots=True)
class Entry:
    """One command as it stands on its topic; times in epoch ms."""

    place: Place
    published_at: int
    """The broker's append time."""
    head: _Head
    body: bytes
    """The command's JSON, with `published_at` and `event_id` added."""

    @property
    def event_id(self) -> str:
        """What a reader of the stream goes on after."""
        return _event_id(self.place, self.published_at)


def _event_id(place: Place, published_at: int) -> str:
    return f"{published_at}.{place.topic}.{place.partition}.{place.offset}"


def entry_of(record: Record, topic: str) -> Entry | None:
    """Return a record of a command topic (its name without prefix); None for what is none."""
    value = (record.value or b"").strip()
    try:
        head = _decode(value)
    except msgspec.DecodeError:
        return None
    place = Place(topic, record.partition, record.offset)
    added = {
        "published_at": record.timestamp,
        "event_id": _event_id(place, record.timestamp),
        "topic": topic,
    }
    # Line ends stand only between the parts of a JSON text; in the stream each would be an event.
    joined = value[:-1].replace(b"\n", b" ").rstrip() + b"," + msgspec.json.encode(added)[1:]
    return Entry(place, record.timestamp, head, joined)


class History:
    """What was published lately. Repeats (`command_id`, `attempt`) count once."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._entries: deque[Entry] = deque()
        self._by_account: dict[str, deque[Entry]] = {}
        self._seen: set[tuple[str, int]] = set()
        self._open: dict[str, int] = {}
        self._seconds: deque[tuple[int, Counter[str]]] = deque()
        self.kept_from: dict[tuple[str, int], int] = {}
        """(topic, partition) → offset from which on everything is here."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def open_episodes(self) -> int:
        """How many episodes were opened and not closed, as far back as was read."""
        return len(self._open)

    def starts(self, topic: str, partition: int, offset: int) -> None:
        """Note from where a partition is read."""
        self.kept_from.setdefault((topic, partition), offset)

    def add(self, entry: Entry) -> bool:
        """Take the next command; False for a repeat."""
        key = (entry.head.command_id, entry.head.attempt)
        if key in self._seen:
            return False
        self._seen.add(key)
        self._entries.append(entry)
        self._by_account.setdefault(entry.head.account_id, deque()).append(entry)
        if entry.head.kind == "episode":
            self._note_episode(entry.head)
        while len(self._entries) > self._kept:
            self._forget()
        return True

    def count(self, entry: Entry) -> None:
        """Count a command that went out just now."""
        now = int(time.monotonic())
        if not self._seconds or self._seconds[-1][0] != now:
            self._seconds.append((now, Counter()))
        self._seconds[-1][1][entry.head.kind] += 1

    def last_minute(self) -> dict[str, int]:
        """Return how many commands went out in the last minute, by kind."""
        now, found = int(time.monotonic()), Counter[str]()
        while self._seconds and self._seconds[0][0] <= now - _MINUTE:
            self._seconds.popleft()
        for _, counts in self._seconds:
            found.update(counts)
        return dict(found)

    def page(
        self, *, kind: str | None, account: str | None, limit: int, before: str | None
    ) -> tuple[list[Entry], str | None]:
        """Return at most `limit` commands, newest first, and what to ask `before` next time.

        `before` is the `event_id` of the last one seen; one that is gone begins at its time.
        """
        found: list[Entry] = []
        source = self._entries if account is None else self._by_account.get(account, ())
        for entry in _older_than(reversed(source), before):
            if kind is not None and entry.head.kind != kind:
                continue
            if len(found) == limit:
                return found, found[-1].event_id
            found.append(entry)
        return found, None

    def after(self, event_id: str) -> list[Entry]:
        """Return what came after an event, oldest first; rather a few twice than one never."""
        found: list[Entry] = []
        at = _time_of(event_id)
        for entry in reversed(self._entries):
            if entry.event_id == event_id:
                break
            found.append(entry)
        else:
            found = [e for e in found if at is None or e.published_at >= at - _LATE_MS]
        found.reverse()
        return found

    def of_account(self, account_id: str) -> list[Entry]:
        """Return an account's commands, oldest first."""
        return list(self._by_account.get(account_id, ()))

    def _note_episode(self, head: _Head) -> None:
        if head.state == "opened":
            self._open[head.episode_id] = head.decided_at
        elif head.state == "closed":
            self._open.pop(head.episode_id, None)

    def _forget(self) -> None:
        old = self._entries.popleft()
        self._seen.discard((old.head.command_id, old.head.attempt))
        place = (old.place.topic, old.place.partition)
        self.kept_from[place] = max(self.kept_from.get(place, 0), old.place.offset + 1)
        own = self._by_account[old.head.account_id]
        own.popleft()
        if not own:
            del self._by_account[old.head.account_id]


def _older_than(newest_first: Iterable[Entry], before: str | None) -> Iterator[Entry]:
    if before is None:
        yield from newest_first
        return
    entries = list(newest_first)
    at = _time_of(before)
    for number, entry in enumerate(entries):
        if entry.event_id == before:
            yield from entries[number + 1 :]
            return
    yield from (entry for entry in entries if at is None or entry.published_at < at)


def _time_of(event_id: str) -> int | None:
    head = event_id.partition(".")[0]
    return int(head) if head.isdecimal() and len(head) < 16 else None
