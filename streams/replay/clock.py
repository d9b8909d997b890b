"""Time of a replay: when a recorded time is due on the wall, and which `ts` a tick bears."""

import asyncio
import math
import time
from typing import Literal, Protocol

ClockName = Literal["event", "wall"]

_MS = 1_000_000


class WallClock(Protocol):
    """The clock that paces a replay; tests give their own."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never go back."""

    def epoch_ms(self) -> int:
        """Wall time, epoch milliseconds."""

    async def sleep(self, seconds: float) -> None:
        """Let others run for this long; zero lets them run once."""


class SystemClock:
    """The clock of this machine."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def epoch_ms(self) -> int:
        return time.time_ns() // _MS

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Timeline:
    """Recorded time against the wall, from one start, so that pauses and lateness never add up.

    `speed` is recorded seconds per wall second; zero or infinity: everything is due at once.
    """

    def __init__(self, speed: float, clock: WallClock) -> None:
        if speed < 0 or math.isnan(speed):
            raise ValueError(f"speed {speed}: a positive number, or 0 for as fast as possible")
        self._speed = speed if 0 < speed < math.inf else None
        self._clock = clock
        self._start_ns = 0
        self._first_ns = 0

    def start(self, first_ns: int) -> None:
        """Let the recorded time `first_ns` be due now."""
        self._start_ns = self._clock.monotonic_ns()
        self._first_ns = first_ns

    def reached_ns(self) -> int | None:
        """Return the recorded time that is due by now; None when all of it is."""
        if self._speed is None:
            return None
        elapsed = self._clock.monotonic_ns() - self._start_ns
        return self._first_ns + int(elapsed * self._speed)

    def wait_seconds(self, ts_ns: int) -> float:
        """Return the wall seconds until a recorded time is due, at least 0."""
        if self._speed is None:
            return 0.0
        due = self._start_ns + (ts_ns - self._first_ns) / self._speed
        return max(0.0, (due - self._clock.monotonic_ns()) / 1e9)

    def behind_seconds(self, ts_ns: int) -> float:
        """Return the wall seconds since a recorded time was due, at least 0."""
        reached = self.reached_ns()
        if self._speed is None or reached is None:
            return 0.0
        return max(0.0, (reached - ts_ns) / self._speed / 1e9)

    def go_on_from(self, ts_ns: int) -> None:
        """Go on past the end: at the same speed, or with the wall where it was unlimited."""
        if self._speed is None:
            self._speed = 1.0
            self.start(ts_ns)


class Stamps(Protocol):
    """Gives the `ts` of ticks, epoch milliseconds, never below the one before."""

    def of(self, recorded_ns: int) -> int:
        """Return the `ts` of a tick recorded at this time."""


class EventStamps:
    """Recorded time, moved forward as a whole when the topic already holds something newer."""

    def __init__(self, first_ns: int, newest_ms: int | None) -> None:
        first_ms = first_ns // _MS
        self.shift_ms = 0 if newest_ms is None else max(0, newest_ms + 1 - first_ms)
        self._latest = 0

    def of(self, recorded_ns: int) -> int:
        self._latest = max(self._latest, recorded_ns // _MS + self.shift_ms)
        return self._latest


class WallStamps:
    """Wall time, and past what the topic holds where that lies ahead of it (PX-5)."""

    shift_ms = 0

    def __init__(self, clock: WallClock, newest_ms: int | None) -> None:
        self._clock = clock
        self._latest = 0 if newest_ms is None else newest_ms + 1

    def of(self, recorded_ns: int) -> int:  # noqa: ARG002  (the wall does not ask what was recorded)
        self._latest = max(self._latest, self._clock.epoch_ms())
        return self._latest
