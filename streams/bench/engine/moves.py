"""Markets that move: a fall of everything in small steps, and a price that jumps at once."""

from __future__ import annotations

from decimal import Decimal
from time import perf_counter_ns

import numpy as np

from streams.bench.accounts import states
from streams.bench.engine.adapter import Probe, read_books
from streams.bench.engine.recompute import NumpyRecompute
from streams.bench.engine.timing import time_ticks
from streams.bench.market import Tape, reference
from streams.bench.part import Teller
from streams.bench.result import Figure, Sizes, figure
from streams.ticks import TickMessage

__all__ = ["measure_fall", "measure_gap"]

_FALL_TICKS = 16_000
_FALL = 0.2
_GAP = Decimal("0.85")
_GAP_SYMBOLS = (("btc", "BTC-USDT-SWAP"), ("eth", "ETH-USDT-SWAP"))
_SWEEP = 1_000
_SAMPLE = 20_000


def _engine(sizes: Sizes, teller: Teller) -> tuple[Probe, Tape]:
    teller.tell(0.0, f"making {sizes.accounts:,} accounts")
    tape = Tape(sizes.seed)
    engine = Probe(reference())
    engine.open_market(tape)
    engine.load(read_books(states(sizes.accounts, sizes.seed)))
    return engine, tape


def measure_fall(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Let everything fall by 20 % in 16,000 ticks; at the end compare with full recomputes."""
    engine, tape = _engine(sizes, teller)
    before = engine.worst_bands()
    ticks = list(tape.fall(max(100, min(_FALL_TICKS, sizes.ticks)), _FALL))
    tell = teller.within(0.2, 0.6, "everything falls by 20 %")
    found = time_ticks(engine, ticks, progress=tell)
    exact = engine.exact
    bands = engine.worst_bands()
    teller.tell(0.6, "NumPy full recompute")
    numpy = NumpyRecompute.of([engine.account(name) for name in engine.entries], engine.reference)
    differ = int(np.count_nonzero(numpy.bands(engine.prices) != bands))
    swept = _sweep(engine, teller)
    return [
        figure(
            "screen.total",
            "engine without exact decisions, total",
            "s",
            [found.screen.sum() / 1e9],
            f"{len(ticks):,} ticks",
        ),
        figure("tick.mean", "a tick, mean", "µs", [found.mean_us]),
        figure("tick.p99", "a tick, p99", "µs", [found.p99_us]),
        figure("hits", "accounts hit by a tick", "", [found.hits.mean()]),
        figure("exact.total", "exact decisions, total", "s", [found.exact_ns / 1e9]),
        figure("exact.count", "exact decisions", "", [exact]),
        figure("changed", "accounts in another band at the end", "", [(bands != before).sum()]),
        figure("differences", "differences from a NumPy full recompute at the end", "", [differ]),
        figure(
            "missed",
            "crossings missed, by an exact look at each account at the end",
            "",
            [engine.missed_crossings],
            f"{swept:,} accounts",
        ),
    ]


def _sweep(engine: Probe, teller: Teller) -> int:
    """Let the engine's own scan assess accounts exactly; return how many."""
    count = min(_SAMPLE, len(engine.entries))
    tell = teller.within(0.7, 1.0, "exact look at each account")
    # The first call of a scan only begins it.
    engine.sweep(1, engine.now)
    for done in range(0, count, _SWEEP):
        engine.sweep(min(_SWEEP, count - done), engine.now)
        tell(done / count)
    return count


def measure_gap(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Let one price jump down by 15 % in one tick; every crossing must be found in that tick."""
    engine, tape = _engine(sizes, teller)
    for tick, offset in tape.calm(1_000):
        engine.tick(tick, offset, None)
    numpy = NumpyRecompute.of([engine.account(name) for name in engine.entries], engine.reference)
    found: list[Figure] = []
    for place, (key, symbol) in enumerate(_GAP_SYMBOLS):
        teller.tell(0.5 + 0.25 * place, f"a gap in {symbol}")
        before = engine.worst_bands()
        last = engine.prices.prices[f"{symbol}/mark"]
        tick = TickMessage(symbol, "mark", last.price * _GAP, engine.now + 1, last.seq + 1)
        engine.reset()
        began = perf_counter_ns()
        engine.tick(tick, tape.written + place, None)
        whole = perf_counter_ns() - began
        bands = engine.worst_bands()
        by_numpy = numpy.bands(engine.prices)
        recompute = numpy.time(engine.prices, max(3, sizes.runs))
        words = f"{symbol} falls by 15 % in one tick"
        found += [
            figure(
                f"{key}.screen",
                "without exact decisions",
                "ms",
                [(whole - engine.exact_ns) / 1e6],
                words,
            ),
            figure(f"{key}.hits", "accounts hit", "", [engine.hits]),
            figure(
                f"{key}.exact",
                "exact decisions",
                "ms",
                [engine.exact_ns / 1e6],
                f"{engine.exact:,} of them",
            ),
            figure(
                f"{key}.crossings",
                "accounts in another band afterwards",
                "",
                [(bands != before).sum()],
            ),
            figure(
                f"{key}.differences",
                "differences from a NumPy full recompute",
                "",
                [(bands != by_numpy).sum()],
            ),
            figure(f"{key}.numpy", "one NumPy full recompute", "ms", [s * 1e3 for s in recompute]),
        ]
    return found
