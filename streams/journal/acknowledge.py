"""Acknowledge events in offset order although they become durable in any order."""

from collections import deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

__all__ = ["AcknowledgeQueue", "AcknowledgeQueues", "SourceEvent"]


class SourceEvent(Protocol):
    """What the journal needs to know of an event: where in its source partition it stood."""

    @property
    def topic(self) -> str:
        """Return the source topic."""

    @property
    def partition(self) -> int:
        """Return the source partition."""

    @property
    def offset(self) -> int:
        """Return the offset in the source partition."""


EventT = TypeVar("EventT", bound=SourceEvent)


class AcknowledgeQueue(Generic[EventT]):
    """The events of one source partition, in offset order, until they may be acknowledged."""

    def __init__(self) -> None:
        self._waiting: deque[EventT] = deque()
        self._durable: set[int] = set()
        self._last = -1

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: EventT) -> None:
        """Queue an event as it arrives; ValueError if its offset is not above the last."""
        if event.offset <= self._last:
            raise ValueError(
                f"{event.topic}-{event.partition}: offset {event.offset} came after {self._last}"
            )
        self._last = event.offset
        self._waiting.append(event)

    def done(self, event: EventT) -> None:
        """Say that all the event's effects are durable."""
        self._durable.add(event.offset)

    def take(self) -> list[EventT]:
        """Remove and return the events at the front with nothing before them still in flight."""
        ready: list[EventT] = []
        while self._waiting and self._waiting[0].offset in self._durable:
            event = self._waiting.popleft()
            self._durable.remove(event.offset)
            ready.append(event)
        return ready


class AcknowledgeQueues(Generic[EventT]):
    """One queue a source partition."""

    def __init__(self) -> None:
        self._queues: dict[tuple[str, int], AcknowledgeQueue[EventT]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def add(self, event: EventT) -> None:
        """Queue an event as it arrives."""
        place = (event.topic, event.partition)
        queue = self._queues.get(place)
        if queue is None:
            queue = self._queues[place] = AcknowledgeQueue()
        queue.add(event)

    def done(self, events: Sequence[EventT]) -> list[EventT]:
        """Mark events as durable and return those that may now be acknowledged, in order."""
        touched: dict[tuple[str, int], None] = {}
        for event in events:
            place = (event.topic, event.partition)
            self._queues[place].done(event)
            touched[place] = None
        return [event for place in touched for event in self._queues[place].take()]

    def clear(self) -> None:
        """Release every reference: after a drop none of these is ever acknowledged."""
        self._queues.clear()
