"""Ticks in turns: when the worker is late."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streams.settings import Settings
from streams.worker.runtime import Runtime, wall
from streams.worker.ticking import LATE_MS, Ticking
from tests.rules.test_engine import MARK, Desk, long


class Reader:
    """Where ticks come from, as far as being late goes by it."""

    def __init__(self) -> None:
        self.appended, self.lag = wall(), 0

    def appended_at(self, offset: int) -> int:
        assert offset >= 0
        return self.appended


class Room:
    """A worker's ticks on their way into its engine."""

    def __init__(self) -> None:
        self.desk = Desk({"a": long("90000")})
        self.runtime = Runtime(Settings(clock="event"))
        self.runtime.engine = self.desk.engine
        self.reader = Reader()
        ownership: Any = SimpleNamespace(cover=lambda: None, decided=lambda *_, **__: None)
        self._ticking = Ticking(self.runtime, ownership, {}, lambda _: None)
        self._ticking._reader = self.reader  # type: ignore[assignment]

    def take(self, *prices: str) -> int:
        """Take marks; return how many were taken in one turn."""
        batch: Any = self.desk.batch(*((MARK, price) for price in prices))
        return self._ticking._take(self.desk.engine, batch, 0)


@pytest.mark.parametrize(
    ("age", "lag", "late"),
    [(0, 500, False), (LATE_MS + 1_000, 500, True), (LATE_MS + 1_000, 0, False)],
)
async def test_a_worker_is_late_while_ticks_that_waited_long_have_more_behind_them(
    age: int, lag: int, late: bool
) -> None:
    room = Room()
    room.reader.appended, room.reader.lag = wall() - age, lag
    assert room.take("59990", "59980") == 2
    assert room.runtime.late is late


async def test_a_worker_is_late_no_more_with_the_last_tick_in_line() -> None:
    room = Room()
    room.reader.appended, room.reader.lag = wall() - 10 * LATE_MS, 1
    room.take("59990")
    assert room.runtime.late
    room.reader.lag = 0
    room.take("59980")
    assert not room.runtime.late
