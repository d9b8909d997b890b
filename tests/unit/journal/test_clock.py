"""Pauses are noticed by whoever wakes first, and `now` never runs backwards."""

import asyncio
import time
from typing import Any

import pytest

import streams.journal
from tests.unit.journal.mutants import Mutation, must_fail, parametrize
from tests.unit.journal.pretend import eventually


class Seconds:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def a_pause_past_the_session_trips(package: Any) -> None:
    seconds = Seconds()
    guard = package.PauseGuard(6.0, seconds)
    seconds.now += 6.0
    guard.check()
    seconds.now += 0.1
    with pytest.raises(package.PausedTooLong, match=r"6\.1 s"):
        guard.check()


async def a_beat_keeps_it_from_tripping(package: Any) -> None:
    seconds = Seconds()
    guard = package.PauseGuard(6.0, seconds)
    for _ in range(5):
        seconds.now += 5.0
        assert guard.beat() is False
    guard.check()


async def it_stays_tripped_when_the_beat_wakes_first(package: Any) -> None:
    seconds = Seconds()
    guard = package.PauseGuard(6.0, seconds)
    seconds.now += 7.0
    assert guard.beat() is True
    seconds.now += 0.1
    assert guard.beat() is True
    with pytest.raises(package.PausedTooLong):
        guard.check()
    guard.reset()
    guard.check()


async def it_stays_tripped_when_a_writer_wakes_first(package: Any) -> None:
    seconds = Seconds()
    guard = package.PauseGuard(6.0, seconds)
    seconds.now += 7.0
    for _ in range(2):
        with pytest.raises(package.PausedTooLong):
            guard.check()
        guard.beat()
    with pytest.raises(package.PausedTooLong):
        guard.check()


async def now_never_falls(package: Any) -> None:
    readings = iter([5, 3, 9, 4])
    clock = package.FlooredClock(lambda: next(readings))
    assert [clock(), clock()] == [5, 5]
    clock.raise_to(7)
    assert [clock(), clock()] == [9, 9]
    clock.raise_to(20)
    readings = iter([6])
    assert clock() == 20


async def a_suspended_machine_counts_as_paused(package: Any) -> None:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        assert package.boot_seconds() <= time.monotonic()
        return
    saved = time.clock_gettime
    try:
        time.clock_gettime = lambda clock: 4242.0 if clock == time.CLOCK_BOOTTIME else 0.0
        assert package.boot_seconds() == 4242.0
    finally:
        time.clock_gettime = saved


async def test_the_worker_is_told_once_a_pause() -> None:
    seconds = Seconds()
    guard = streams.journal.PauseGuard(0.008, seconds)
    told: list[float] = []
    running = asyncio.create_task(guard.run(lambda: told.append(seconds.now)))
    try:
        await asyncio.sleep(0.01)
        assert told == []
        for pause in (1, 2):
            seconds.now += 50
            await eventually(lambda wanted=pause: len(told) == wanted)  # type: ignore[misc]
            guard.reset()
            await asyncio.sleep(0.01)
    finally:
        running.cancel()


_MUTATIONS = [
    Mutation(
        "a pause passes",
        "clock",
        "            if pause <= self.limit:",
        "            if True:",
        a_pause_past_the_session_trips,
    ),
    Mutation(
        "a beat is forgotten",
        "clock",
        "        self._last = now\n",
        "",
        a_beat_keeps_it_from_tripping,
    ),
    Mutation(
        "a beat hides the pause",
        "clock",
        "            self._paused = max(self._paused, pause)\n",
        "            pass\n",
        it_stays_tripped_when_the_beat_wakes_first,
    ),
    Mutation(
        "a check is not remembered",
        "clock",
        "            self._paused = pause\n",
        "            self._last = self._clock()\n            raise PausedTooLong('x')\n",
        it_stays_tripped_when_a_writer_wakes_first,
    ),
    Mutation(
        "now falls",
        "clock",
        "        self._floor = max(self._floor, self._source())\n",
        "        self._floor = self._source()\n",
        now_never_falls,
    ),
    Mutation(
        "the floor is not raised",
        "clock",
        "        self._floor = max(self._floor, now)\n",
        "",
        now_never_falls,
    ),
    Mutation(
        "the clock stops with the machine",
        "clock",
        "        return time.clock_gettime(time.CLOCK_BOOTTIME)\n",
        "        return time.clock_gettime(time.CLOCK_MONOTONIC)\n",
        a_suspended_machine_counts_as_paused,
    ),
]
_SCENARIOS = list(dict.fromkeys(mutation.scenario for mutation in _MUTATIONS))


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_clock(scenario: Any) -> None:
    await scenario(streams.journal)


@parametrize(_MUTATIONS)
async def test_fails_without_the_rule(mutation: Mutation) -> None:
    await must_fail(mutation)
