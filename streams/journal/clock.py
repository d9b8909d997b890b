"""Pauses of this process, and a `now` that never runs backwards."""

import asyncio
import time
from collections.abc import Callable

from streams.journal.exceptions import PausedTooLong

__all__ = ["FlooredClock", "PauseGuard", "boot_seconds"]


def boot_seconds() -> float:
    """Return seconds since boot, including the time the machine was suspended where known."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class PauseGuard:
    """Notices that the event loop stood still for longer than the group session.

    One guard serves all partitions of a worker. It stays tripped until `reset`, which the worker
    calls once it has dropped its partitions: whoever wakes first, nobody appends or publishes.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = boot_seconds) -> None:
        """Take the group's session timeout in seconds as the limit."""
        self.limit = limit
        self._clock = clock
        self._last = clock()
        self._paused = 0.0

    def beat(self) -> bool:
        """Record that the loop is alive; return whether the guard is tripped."""
        now = self._clock()
        pause = now - self._last
        self._last = now
        if pause > self.limit:
            self._paused = max(self._paused, pause)
        return self._paused > 0.0

    def check(self) -> None:
        """Raise PausedTooLong if the loop stood still past the limit since the last beats."""
        if self._paused == 0.0:
            pause = self._clock() - self._last
            if pause <= self.limit:
                return
            self._paused = pause
        raise PausedTooLong(
            f"this process stood still for {self._paused:.1f} s, its session is {self.limit:g} s"
        )

    def reset(self) -> None:
        """Forget a pause; only after every partition owned during it was dropped."""
        self._paused = 0.0
        self._last = self._clock()

    async def run(self, tripped: Callable[[], None]) -> None:
        """Beat for ever, and call `tripped` at the first beat after each pause."""
        was_tripped = False
        while True:
            is_tripped = self.beat()
            if is_tripped and not was_tripped:
                tripped()
            was_tripped = is_tripped
            await asyncio.sleep(self.limit / 8)


class FlooredClock:
    """A source of `now` (epoch ms) that never goes below what it or the journal has said."""

    def __init__(self, source: Callable[[], int]) -> None:
        self._source = source
        self._floor = 0

    def raise_to(self, now: int) -> None:
        """Never say less than `now` again: the newest `now` of a recovered partition."""
        self._floor = max(self._floor, now)

    def __call__(self) -> int:
        """Return `now` in epoch ms."""
        self._floor = max(self._floor, self._source())
        return self._floor
