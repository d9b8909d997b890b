"""Ticks through an engine one by one, each measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from streams.bench.engine.adapter import Probe
from streams.tick_messages import TickMessage

__all__ = ["BATCH", "Timed", "time_ticks"]

BATCH = 256
"""As many ticks as a worker under load hands to its engine at once."""
_LOOK_EVERY = 256


@dataclass(frozen=True, slots=True)
class Timed:
    """By tick: nanoseconds without exact decisions, accounts hit, exact decisions."""

    screen: NDArray[np.int64]
    hits: NDArray[np.int64]
    exact: NDArray[np.int64]
    exact_ns: int
    """Of all exact decisions together."""

    @property
    def count(self) -> int:
        return len(self.screen)

    @property
    def mean_us(self) -> float:
        return float(self.screen.mean()) / 1e3

    @property
    def p99_us(self) -> float:
        return float(np.percentile(self.screen, 99)) / 1e3

    @property
    def empty_us(self) -> float:
        """Median of the ticks that hit no account; there must be one."""
        return float(np.median(self.screen[self.hits == 0])) / 1e3

    @property
    def hit_us(self) -> float:
        """What an account that was hit adds, without its exact decision; there must be one."""
        hit = self.hits > 0
        more = float(self.screen[hit].sum()) / 1e3 - self.empty_us * int(hit.sum())
        return max(0.0, more) / int(self.hits.sum())


def time_ticks(
    engine: Probe,
    ticks: Sequence[tuple[TickMessage, int]],
    *,
    seconds: float = float("inf"),
    progress: Callable[[float], None] | None = None,
    heard: Callable[[int], None] | None = None,
) -> Timed:
    """Give the engine one tick after another, for at most so many seconds.

    `progress` is told the share that is done; `heard` is told of each tick that concerned somebody by its
    number, outside of what is measured.
    """
    engine.reset()
    screen: list[int] = []
    hits: list[int] = []
    exact: list[int] = []
    until = perf_counter_ns() + int(min(seconds, 1e6) * 1e9)
    for number, (tick, offset) in enumerate(ticks):
        spent, hit, decisions = engine.exact_ns, engine.hits, engine.exact
        began = perf_counter_ns()
        engine.ticks([(tick, offset)], None)
        ended = perf_counter_ns()
        screen.append(ended - began - (engine.exact_ns - spent))
        hits.append(engine.hits - hit)
        exact.append(engine.exact - decisions)
        if heard is not None and engine.hits + engine.exact > hit + decisions:
            heard(number)
        if number % _LOOK_EVERY == 0:
            if progress is not None:
                progress(number / len(ticks))
            if ended > until:
                break
    return Timed(
        np.array(screen, dtype=np.int64),
        np.array(hits, dtype=np.int64),
        np.array(exact, dtype=np.int64),
        engine.exact_ns,
    )
