"""Pretended neighbours of the journal: accounts that count, a journal and an outlet in memory.

`journal` is always the package under test: `streams.journal`, or a mutant of it.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event: it adds 1 to its account, and makes the account command when asked to."""

    offset: int
    account: str
    command: bytes | None = None
    topic: str = "fills"
    partition: int = 0


@dataclass
class Counters:
    """An owner whose accounts count their events, and that notes what it is told.

    A counter's state holds the last offset applied, so that an event counts once (H-5).
    """

    journal: ModuleType | Any
    out: str = "out"
    counts: dict[str, int] = field(default_factory=dict)
    applied: dict[str, int] = field(default_factory=dict)
    decided: dict[str, list[Any]] = field(default_factory=dict)
    acknowledged: list[Event] = field(default_factory=list)
    gone: list[Exception] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    padding: dict[str, int] = field(default_factory=dict)

    @property
    def acknowledged_offsets(self) -> list[int]:
        return [event.offset for event in self.acknowledged]

    def fold(self, writer: Any, events: Iterable[Event]) -> None:
        """Do what an agent does with events."""
        for event in events:
            if event.offset <= self.applied.get(event.account, -1):
                writer.settle(event)
                continue
            self.applied[event.account] = event.offset
            self.counts[event.account] = self.counts.get(event.account, 0) + 1
            if event.command is not None:
                self.decide(event.account, event.command)
            writer.mark(event.account, event)

    def decide(self, account: str, value: bytes) -> None:
        """Decide on a command, which goes to the journal with the account's next snapshot."""
        self.decided.setdefault(account, []).append(self.command(account, value))

    def command(self, account: str, value: bytes) -> Any:
        return self.journal.CommandOut(self.out, account.encode(), value, (("command-id", value),))

    def restore(self, states: dict[str, bytes]) -> None:
        """Take the states that a claim found."""
        decoded = {account: json.loads(state) for account, state in states.items()}
        self.counts = {account: state["n"] for account, state in decoded.items()}
        self.applied = {account: state["applied"] for account, state in decoded.items()}

    def snapshot(self, account_id: str) -> tuple[bytes, Sequence[Any]]:
        if account_id in self.broken:
            raise LookupError(account_id)
        state = {
            "n": self.counts.get(account_id, 0),
            "applied": self.applied.get(account_id, -1),
            "padding": "x" * self.padding.get(account_id, 0),
        }
        return json.dumps(state).encode(), self.decided.pop(account_id, ())

    def out_of_sync(self, account_id: str, _: str) -> bytes:
        self.given_up.append(account_id)
        self.decided.pop(account_id, None)
        return json.dumps({"n": -1, "applied": self.applied[account_id]}).encode()

    def acknowledge(self, events: Sequence[Event]) -> None:
        self.acknowledged.extend(events)

    def lost(self, _: int, error: Exception) -> None:
        self.gone.append(error)


class Gate:
    """Lets through, holds, or breaks what waits at it."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.error: Exception | None = None
        self.waiting = 0

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def pass_through(self) -> None:
        self.waiting += 1
        await self._open.wait()
        self.waiting -= 1
        if self.error is not None:
            raise self.error


class MemoryJournal:
    """A partition's journal without a broker."""

    def __init__(self, journal: ModuleType | Any, max_record_bytes: int = 8_000_000) -> None:
        self.settings = SimpleNamespace(max_record_bytes=max_record_bytes)
        self.partition = 0
        self.name = "journal-0"
        self.epoch = journal.Epoch(0, "e0")
        self.last_offset = 0
        self.records: list[tuple[int, bytes, dict[str, Any]]] = []
        self.groups: list[list[bytes]] = []
        self.gate = Gate()
        self.renewals = 0
        self.aborted = False
        self.closed = False

    async def append(self, records: Sequence[tuple[bytes, bytes]]) -> list[int]:
        await self.gate.pass_through()
        offsets = list(range(self.last_offset + 1, self.last_offset + 1 + len(records)))
        for offset, (key, value) in zip(offsets, records, strict=True):
            self.records.append((offset, key, json.loads(value)))
        self.groups.append([key for key, _ in records])
        self.last_offset = offsets[-1]
        return offsets

    async def renew(self) -> "MemoryJournal":
        self.renewals += 1
        return self

    async def abort(self) -> None:
        self.aborted = True

    async def close(self) -> None:
        self.closed = True

    def of(self, key: bytes) -> list[dict[str, Any]]:
        """Return the records under a key, oldest first."""
        return [record for _, found, record in self.records if found == key]


class MemoryOutlet:
    """Topics without a broker."""

    def __init__(self) -> None:
        self.published: list[bytes] = []
        self.gate = Gate()

    async def publish(self, commands: Sequence[Any]) -> None:
        await self.gate.pass_through()
        self.published.extend(command.value for command in commands)


# How long to wait for what must come; a mutant, for which it may never come, gets less.
patience: ContextVar[float] = ContextVar("patience", default=10.0)


async def eventually(condition: Callable[[], object]) -> None:
    """Return once the condition holds; an assertion error if it does not come to that."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience.get()
    while not condition():
        assert loop.time() < end, "it did not come to that"
        await asyncio.sleep(0.002)


async def settle(turns: int = 50) -> None:
    """Let everything run that can run without waiting for anybody."""
    for _ in range(turns):
        await asyncio.sleep(0)
