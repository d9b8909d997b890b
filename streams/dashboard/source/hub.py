"""What goes out live, to any number of readers; one that is too slow is let go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from streams.dashboard.source.history import Entry

__all__ = ["Full", "Hub", "Reader"]

MOST_READERS = 200
MOST_WAITING = 1_000
"""Commands that a reader may be behind; it comes back and goes on where it was (Last-Event-ID)."""


class Full(Exception):
    """Raised when there are as many readers as there may be."""


class Reader:
    """One reader's share: every command, and of everything else the newest only."""

    def __init__(self, backlog: Iterable[Entry] = ()) -> None:
        self._commands: deque[Entry] = deque(backlog)
        self._latest: dict[str, bytes] = {}
        self._news = asyncio.Event()
        self.closed = False
        """No more comes; a reader that was too slow is closed."""
        if self._commands:
            self._news.set()

    async def news(self) -> list[bytes]:
        """Return the next events as they go out; an empty list when it is closed."""
        await self._news.wait()
        self._news.clear()
        if self.closed:
            return []
        latest, self._latest = self._latest, {}
        commands, self._commands = self._commands, deque()
        return [*latest.values(), *(_command_event(entry) for entry in commands)]

    def put(self, entry: Entry) -> bool:
        """Take a command; False when the reader is too far behind and is closed."""
        self._commands.append(entry)
        if len(self._commands) > MOST_WAITING:
            self.close()
            return False
        self._news.set()
        return True

    def put_latest(self, name: str, data: bytes) -> None:
        """Take a picture of how things are; it takes the place of the one before."""
        self._latest[name] = b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
        self._news.set()

    def close(self) -> None:
        """Give nothing more."""
        self.closed = True
        self._commands.clear()
        self._latest.clear()
        self._news.set()


class Hub:
    """All readers."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()
        self.dropped = 0
        """Readers let go for being too slow."""

    def __len__(self) -> int:
        return len(self._readers)

    def open(self, backlog: Iterable[Entry] = ()) -> Reader:
        """Return a new reader. Raises `Full`."""
        if len(self._readers) >= MOST_READERS:
            raise Full(f"{MOST_READERS} readers follow already")
        reader = Reader(backlog)
        self._readers.add(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        """Forget a reader."""
        self._readers.discard(reader)

    def command(self, entry: Entry) -> None:
        """Give a command to all."""
        for reader in list(self._readers):
            if not reader.put(entry):
                self.dropped += 1
                self._readers.discard(reader)

    def latest(self, name: str, data: bytes) -> None:
        """Give a picture to all."""
        for reader in self._readers:
            reader.put_latest(name, data)

    def close(self) -> None:
        """Let all readers go."""
        for reader in self._readers:
            reader.close()
        self._readers.clear()


def _command_event(entry: Entry) -> bytes:
    return b"id: %b\nevent: command\ndata: %b\n\n" % (entry.event_id.encode(), entry.body)
