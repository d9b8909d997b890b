"""Decisions on their way: decided, durable, published; for their age and for traces."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from monitor.engine import Decision
from monitor.schema import Cause
from streams.journal import CommandOut

__all__ = ["OnItsWay", "Underway", "command_id"]

MOST_UNDERWAY = 20_000
"""Commands whose partition was lost on the way are never published by this worker."""


class OnItsWay:
    """One decision with commands; times in epoch nanoseconds, 0 while it is not there yet."""

    __slots__ = (
        "account_id",
        "appended",
        "cause",
        "command_ids",
        "decided",
        "durable",
        "episode_id",
        "kinds",
        "left",
        "partition",
        "published",
    )

    def __init__(self, decision: Decision, appended: int | None, now: int) -> None:
        first = decision.commands[0]
        self.account_id = decision.account_id
        self.partition = decision.partition
        self.episode_id = first.episode_id
        self.cause: Cause = first.cause
        self.command_ids = tuple(command.command_id for command in decision.commands)
        self.kinds = tuple(command.kind for command in decision.commands)
        self.appended = 0 if appended is None else appended * 1_000_000
        """When the broker appended the tick or the event; 0 for timers, sweeps and recoveries."""
        self.decided = now
        self.durable = 0
        self.published = 0
        self.left = len(self.command_ids)


class Underway:
    """By command id; what is published is handed to `arrived` and forgotten."""

    def __init__(
        self, arrived: Callable[[OnItsWay], None], clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._arrived = arrived
        self._clock = clock
        self._by_id: dict[str, OnItsWay] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def decided(self, decision: Decision, appended: int | None) -> None:
        """Follow a decision that has commands; `appended` is its cause's append time in epoch ms."""
        found = OnItsWay(decision, appended, self._clock())
        for name in found.command_ids:
            self._by_id[name] = found
        while len(self._by_id) > MOST_UNDERWAY:
            del self._by_id[next(iter(self._by_id))]

    def durable(self, commands: Iterable[CommandOut]) -> None:
        """Note that these are in the journal."""
        now = 0
        for command in commands:
            found = self._by_id.get(command_id(command))
            if found is not None:
                now = found.durable = now or self._clock()

    def published(self, commands: Iterable[CommandOut]) -> None:
        """Note that these are acknowledged by their topics."""
        if not self._by_id:
            return
        now = self._clock()
        for command in commands:
            found = self._by_id.pop(command_id(command), None)
            if found is None:
                continue
            found.left -= 1
            if found.left == 0:
                found.published = now
                self._arrived(found)

    def clear(self) -> None:
        """Forget all: what a lost partition left behind is published by its next owner."""
        self._by_id.clear()


def command_id(command: CommandOut) -> str:
    """Return the id in a message's headers, "" where it carries none."""
    for name, value in command.headers:
        if name == "command-id":
            return value.decode()
    return ""
