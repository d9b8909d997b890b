"""The commands of a run: read, freed of exact copies, and put in the order of their episodes."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from monitor.schema import EpisodeNotice, OrderCancel, Reduction, WarningCommand
from streams.verify.records import COMMAND_TOPICS, History, Record
from streams.verify.report import Violation

__all__ = ["AnyCommand", "Decision", "Emissions", "read_commands"]

AnyCommand = WarningCommand | OrderCancel | Reduction | EpisodeNotice
_MODELS: dict[str, type[AnyCommand]] = {
    "warnings": WarningCommand,
    "order-cancels": OrderCancel,
    "reductions": Reduction,
    "episodes": EpisodeNotice,
}
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:liqmon:command")


@dataclass(slots=True)
class Decision:
    """One command and how often it was sent; `appended` is by attempt."""

    command: AnyCommand
    topic: str
    offset: int
    appended: dict[int, int] = field(default_factory=dict)

    @property
    def episode(self) -> int:
        """The number n of its episode."""
        number = self.command.episode_id.rpartition("#")[2]
        return int(number) if number.isdecimal() else -1

    @property
    def where(self) -> str:
        """Where to look it up."""
        command = self.command
        return f"{command.episode_id} sequence {command.sequence} ({self.topic} @{self.offset})"


@dataclass(slots=True)
class Emissions:
    """Every decision by account and position, in the order of episode and sequence."""

    by_account: dict[str, dict[str | None, list[Decision]]] = field(default_factory=dict)
    """Account → its own decisions under None, and those of each isolated position by its name."""
    duplicates: int = 0
    resends: int = 0
    violations: list[Violation] = field(default_factory=list)

    def all(self) -> Iterator[Decision]:
        """Yield every decision."""
        for own in self.by_account.values():
            for decisions in own.values():
                yield from decisions


def _same_but_attempt(first: bytes, other: bytes) -> bool:
    a, b = json.loads(first), json.loads(other)
    a.pop("attempt", None)
    b.pop("attempt", None)
    return bool(a == b)


class _Reader:
    def __init__(self) -> None:
        self.found = Emissions()
        self.bytes: dict[tuple[str, int], bytes] = {}
        self.decisions: dict[str, Decision] = {}

    def take(self, topic: str, record: Record) -> None:
        value = record.value or b""
        try:
            command = _MODELS[topic].model_validate_json(value)
        except ValidationError as error:
            key = (record.key or b"").decode(errors="replace")
            self._fault(
                key, "", f"{topic}-{record.partition}@{record.offset}", "a message", str(error)
            )
            return
        where = f"{command.episode_id} sequence {command.sequence} ({topic} @{record.offset})"
        if record.key != command.account_id.encode():
            self._fault(
                command.account_id,
                command.command_id,
                where,
                f"key {command.account_id}",
                f"key {record.key!r}",
            )
        known = self.bytes.get((command.command_id, command.attempt))
        if known is not None:
            if known == value:
                self.found.duplicates += 1
            else:
                self._fault(
                    command.account_id,
                    command.command_id,
                    where,
                    f"attempt {command.attempt} as first sent: {known.decode()}",
                    value.decode(),
                )
            return
        self.bytes[command.command_id, command.attempt] = value
        decision = self.decisions.get(command.command_id)
        if decision is None:
            decision = Decision(command, topic, record.offset)
            self.decisions[command.command_id] = decision
            own = self.found.by_account.setdefault(command.account_id, {})
            own.setdefault(command.position, []).append(decision)
        else:
            self.found.resends += 1
            first = self.bytes[command.command_id, min(decision.appended)]
            if decision.topic != topic or not _same_but_attempt(first, value):
                self._fault(
                    command.account_id,
                    command.command_id,
                    where,
                    f"the same as the first but for its attempt: {first.decode()}",
                    value.decode(),
                )
        decision.appended[command.attempt] = record.timestamp

    def _fault(self, account: str, command: str, where: str, expected: str, found: str) -> None:
        self.found.violations.append(Violation("message", account, expected, found, command, where))

    def finish(self) -> Emissions:
        for account, own in self.found.by_account.items():
            for position, decisions in own.items():
                decisions.sort(key=lambda d: (d.episode, d.command.sequence, d.topic, d.offset))
                subject = account if position is None else f"{account}/{position}"
                self._ids(account, subject, decisions)
                self._numbers(account, subject, decisions)
        return self.found

    def _ids(self, account: str, subject: str, decisions: list[Decision]) -> None:
        for decision in decisions:
            command = decision.command
            name = f"{command.episode_id}|{command.sequence}"
            expected = str(uuid.uuid5(NAMESPACE, name))
            if command.command_id != expected:
                self._fault(
                    account,
                    command.command_id,
                    decision.where,
                    f"command_id {expected}, made of {name}",
                    f"command_id {command.command_id}",
                )
            if command.episode_id != f"{subject}#{decision.episode}":
                self._fault(
                    account,
                    command.command_id,
                    decision.where,
                    f"an episode_id {subject}#n",
                    command.episode_id,
                )
            attempts = sorted(decision.appended)
            if attempts != list(range(1, len(attempts) + 1)):
                self._fault(
                    account,
                    command.command_id,
                    decision.where,
                    "attempts 1, 2, … without holes",
                    f"attempts {attempts}",
                )

    def _numbers(self, account: str, subject: str, decisions: list[Decision]) -> None:
        sequences: dict[int, Counter[int]] = {}
        for decision in decisions:
            sequences.setdefault(decision.episode, Counter())[decision.command.sequence] += 1
        if sorted(sequences) != list(range(1, len(sequences) + 1)):
            self._fault(
                account, "", subject, "episodes numbered 1, 2, …", f"episodes {sorted(sequences)}"
            )
        for episode, counted in sequences.items():
            missing = sorted(set(range(1, max(counted) + 1)) - set(counted))
            twice = sorted(number for number, count in counted.items() if count > 1)
            if missing or twice:
                self._fault(
                    account,
                    "",
                    f"{subject}#{episode}",
                    f"every sequence from 1 to {max(counted)} once",
                    f"missing {missing}, under several ids {twice}",
                )


def read_commands(history: History) -> Emissions:
    """Return the commands of all four topics, with what is wrong with them as messages (ES-2)."""
    reader = _Reader()
    for topic in COMMAND_TOPICS:
        for record in history.of(topic):
            reader.take(topic, record)
    return reader.finish()
