"""The one interface between whatever reads account events and the worker.

An intake joins the group, hands over what it reads and acknowledges what it is told to. It decides
nothing: folding, durability and readiness are the worker's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["GROUP", "Handler", "Intake", "Received"]

GROUP = "liqmon"
"""The consumer group's name after the topic prefix: the same for every intake."""


@dataclass(slots=True, frozen=True, eq=False)
class Received:
    """One record of an account topic; `topic` is its full name, `timestamp` its append time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    """Epoch milliseconds."""
    generation: int
    """The intake's generation when the record was handed over; an older one must not be folded."""
    token: Any
    """What the intake needs to acknowledge it."""


class Handler(Protocol):
    """What the worker does with what an intake brings."""

    async def assigned(self, partitions: frozenset[int]) -> None:
        """Own these partitions, of all account topics alike, from now on; returns soon."""

    async def revoked(self) -> None:
        """Own nothing any more: make durable, acknowledge and let go before this returns."""

    async def received(self, event: Received) -> None:
        """Take one record, in the order of its partition. May wait until it can be folded."""


class Intake(Protocol):
    """Reads account events for one worker."""

    generation: int
    """Rises at each assignment and each revocation."""

    async def start(self, handler: Handler) -> None:
        """Join the group."""

    async def stop(self) -> None:
        """Leave the group."""

    def acknowledge(self, events: Sequence[Received]) -> None:
        """Acknowledge records whose effects are durable, given in the order of each partition."""

    async def commit(self) -> None:
        """Commit what is acknowledged, now."""

    def behind(self, event: Received) -> int:
        """Return how many records are known to stand after this one in its partition."""

    @property
    def failure(self) -> BaseException | None:
        """Why the intake has died, if it has."""
