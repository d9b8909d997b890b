"""One source partition of the second intake: what is handed over, and what may be committed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from aiokafka import TopicPartition

__all__ = ["Place"]


class Place:
    """Offsets handed over and not yet acknowledged, in the order of the partition."""

    def __init__(self, at: TopicPartition) -> None:
        self.at = at
        self.position: int | None = None
        """Offset after the last record before which all are acknowledged; None before the first."""
        self.committed: int | None = None
        """The position last committed under this assignment."""
        self.waiting: asyncio.Task[None] | None = None
        """Hands over what could not be taken at once; nothing is read from here meanwhile."""
        self._open: deque[int] = deque()
        self._early: set[int] = set()
        self._last = -1

    @property
    def unacknowledged(self) -> int:
        """How many records are handed over and not acknowledged, or wait for one that is not."""
        return len(self._open)

    def hand_over(self, offsets: Iterable[int]) -> None:
        """Note offsets before their records are handed over.

        A position that was reset brings records again that the handler passes over: they are not
        waited for, what stands after them covers them.
        """
        fresh = [offset for offset in offsets if offset > self._last]
        if fresh:
            self._last = fresh[-1]
            self._open.extend(fresh)

    def acknowledge(self, offset: int) -> None:
        """Note that the record's effects are durable."""
        waiting = self._open
        if not waiting or offset != waiting[0]:
            self._early.add(offset)
            return
        waiting.popleft()
        self.position = offset + 1
        early = self._early
        while early and waiting and waiting[0] in early:
            self.position = waiting.popleft() + 1
            early.remove(self.position - 1)
