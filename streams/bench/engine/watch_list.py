"""The usual design: a watch list of near accounts, and all others looked at every so often."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from monitor.scenario.standing import BANDS
from streams.bench.accounts import states
from streams.bench.engine.adapter import Probe
from streams.bench.engine.recompute import NumpyRecompute
from streams.bench.engine.timing import time_ticks
from streams.bench.market import TICKS_PER_SECOND, Tape, reference
from streams.bench.part import Teller
from streams.bench.result import Figure, Sizes, figure
from streams.tick_messages import TickMessage

__all__ = ["NEAR", "SWEEP_SECONDS", "measure"]

NEAR = 4.0
"""Accounts below this ratio are on the list; the warning level is 3."""
SWEEP_SECONDS = 1.0
"""Of recorded time between two looks at everybody."""
_MOST_ACCOUNTS = 20_000
_FALL_TICKS = 16_000
_FALL = 0.2
_GAP = 0.15
_WARNING, _LIQUIDATION = BANDS.index("warning"), BANDS.index("liquidation")

Ticks = list[tuple[TickMessage, int]]


class _FirstSeen:
    """By level and account: the tick at which it was first seen at or below it; -1: never."""

    def __init__(self, count: int, bands: NDArray[np.int8]) -> None:
        self.ticks = np.full((2, count), -1, dtype=np.int64)
        self.before = bands.copy()

    def note(self, tick: int, accounts: NDArray[np.intp], bands: NDArray[np.int8]) -> None:
        for row, level in enumerate((_WARNING, _LIQUIDATION)):
            crossed = (bands >= level) & (bands <= _LIQUIDATION) & (self.before[accounts] < level)
            seen = self.ticks[row]
            fresh = accounts[crossed & (seen[accounts] < 0)]
            seen[fresh] = tick


def measure(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Play a fall and a gap to the engine and to a watch list; return what the list sees late."""
    count = min(sizes.accounts, _MOST_ACCOUNTS)
    teller.tell(0.0, f"making {count:,} accounts")
    tape = Tape(sizes.seed)
    engine = Probe(reference())
    engine.open_market(tape)
    engine.load(states(count, sizes.seed))
    length = max(100, min(_FALL_TICKS, sizes.ticks))
    ticks: Ticks = [*tape.fall(length, _FALL), *tape.gap(_GAP), *tape.calm(length // 16)]
    accounts = [engine.account(name) for name in engine.entries]
    numpy = NumpyRecompute.of(accounts, engine.reference)
    first = engine.worst_bands()
    twin = Probe(reference())  # its price book only: the list walks the same prices
    twin.open_market(Tape(sizes.seed))
    truth = _by_engine(engine, ticks, first, teller)
    tell = teller.within(0.4, 1.0, "the watch list walks the same ticks")
    seen = _by_list(numpy, twin, ticks, first, tell)
    return _compare(truth, seen, count, len(ticks), engine.worst_bands(), numpy.bands(twin.prices))


def _by_engine(
    engine: Probe, ticks: Ticks, first: NDArray[np.int8], teller: Teller
) -> NDArray[np.int64]:
    numbers = {name: number for number, name in enumerate(engine.entries)}
    seen = _FirstSeen(len(first), first)

    def heard(tick: int) -> None:
        names = engine.judged_anew()
        accounts = [numbers[name] for name in names]
        bands = [engine.worst_band(name) for name in names]
        seen.note(tick, np.array(accounts, dtype=np.intp), np.array(bands, dtype=np.int8))

    tell = teller.within(0.1, 0.4, "the engine walks a fall")
    time_ticks(engine, ticks, progress=tell, heard=heard)
    return seen.ticks


def _by_list(
    numpy: NumpyRecompute,
    book: Probe,
    ticks: Ticks,
    first: NDArray[np.int8],
    tell: Callable[[float], None],
) -> NDArray[np.int64]:
    seen = _FirstSeen(len(first), first)
    everybody = np.arange(len(first), dtype=np.intp)
    period = int(SWEEP_SECONDS * TICKS_PER_SECOND)
    near = everybody
    listed = numpy
    for number, (tick, offset) in enumerate(ticks):
        book.ticks([(tick, offset)], None)
        if number % period == 0:
            seen.note(number, everybody, numpy.bands(book.prices))
            near = np.flatnonzero(numpy.ratios(book.prices) < NEAR).astype(np.intp)
            listed = numpy.only(near)
        elif len(near):
            seen.note(number, near, listed.bands(book.prices))
        if number % 64 == 0:
            tell(number / len(ticks))
    seen.note(len(ticks), everybody, numpy.bands(book.prices))
    return seen.ticks


def _compare(
    truth: NDArray[np.int64],
    seen: NDArray[np.int64],
    count: int,
    ticks: int,
    last: NDArray[np.int8],
    last_numpy: NDArray[np.int8],
) -> list[Figure]:
    real = truth >= 0
    both = real & (seen >= 0)
    late = seen[both] - truth[both]
    after = late[late > 0]
    words = f"{count:,} accounts, {ticks:,} ticks of a fall of 20 % and a gap of 15 % in BTC"
    delay = np.percentile(after, [50, 99]) if len(after) else (0.0, 0.0)
    differ = int(np.count_nonzero(last != last_numpy))
    # Ahead of the engine nobody can be: the list's own exact bands say when a level was crossed.
    early = int(np.count_nonzero(late < 0)) + int(np.count_nonzero((seen >= 0) & ~real))
    return [
        figure(
            "crossings", "crossings, all seen by the engine in their tick", "", [real.sum()], words
        ),
        figure("late", "seen late by the watch list", "", [len(after)]),
        figure("never", "never seen by it (back before the next look)", "", [(real & ~both).sum()]),
        figure("late.p50", "how late, p50", "ticks", [delay[0]], "1,000 ticks are a second"),
        figure("late.p99", "how late, p99", "ticks", [delay[1]]),
        figure(
            "missed", "crossings seen by the list and not, or later, by the engine", "", [early]
        ),
        figure("differences", "accounts on which the two differ at the end", "", [differ]),
    ]
