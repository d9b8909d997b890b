"""The one interface between whatever reads account events and the worker.

An intake joins the group, hands over what it reads and acknowledges what it is told to. It decides
nothing: folding, durability and readiness are the worker's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

import msgspec
import structlog

__all__ = ["GROUP", "Handler", "Intake", "Received", "hand_over", "owned_alike"]

log = structlog.get_logger(__name__)

GROUP = "liqmon"
"""The consumer group's name after the topic prefix: the same for every intake."""


class Received(msgspec.Struct, frozen=True, eq=False):
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
    token: Any = None
    """What the intake needs to acknowledge it, beside its place."""


class Handler(Protocol):
    """What the worker does with what an intake brings."""

    async def assigned(self, partitions: frozenset[int]) -> None:
        """Own these partitions, of all account topics alike, from now on; returns soon."""

    async def revoked(self) -> None:
        """Own nothing any more: make durable, acknowledge and let go before this returns."""

    def take(self, events: Sequence[Received]) -> Sequence[Received]:
        """Take records in the order of each partition until a turn is over; return what is left.

        Of a partition with a record that must wait all that follow it are left; others go on.
        """

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


async def hand_over(handler: Handler, events: Sequence[Received]) -> None:
    """Hand over records in their order, and return when the last is taken."""
    left = handler.take(events)
    while left:
        await asyncio.sleep(0)  # H-8: a turn is over
        await handler.received(left[0])
        left = handler.take(left[1:])


def owned_alike(places: Iterable[tuple[str, int]], topics: Collection[str]) -> frozenset[int]:
    """Return the partitions owned of all `topics`; of others a part of the events would be missing.

    `places` are (topic, partition). The assignors of both intakes give topics of one partition count
    and the same subscribers alike.
    """
    owned: dict[int, set[str]] = {}
    for topic, partition in places:
        if topic in topics:
            owned.setdefault(partition, set()).add(topic)
    whole = frozenset(partition for partition, of in owned.items() if len(of) == len(topics))
    if len(whole) != len(owned):
        log.error("partitions_not_alike", partitions=sorted(set(owned) - whole))
    return whole
