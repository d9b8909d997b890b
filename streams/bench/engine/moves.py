"""Markets that move: a fall of everything in small steps, and a price that jumps at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from time import perf_counter_ns

import numpy as np

from streams.bench.accounts import states
from streams.bench.engine.adapter import Probe, warm
from streams.bench.engine.recompute import NumpyRecompute
from streams.bench.engine.timing import BATCH
from streams.bench.market import Tape, reference
from streams.bench.part import Teller
from streams.bench.result import Figure, Sizes, figure
from streams.tick_messages import TickMessage

__all__ = ["measure_fall", "measure_gap"]

_FALL_TICKS = 16_000
_FALL = 0.2
_GAP = Decimal("0.85")
_GAP_SYMBOLS = (("btc", "BTC-USDT-SWAP"), ("eth", "ETH-USDT-SWAP"))
_SWEEP = 1_000
_MOST_SWEPT = 20_000

Tell = Callable[[float, str], None]
"""(share of this run that is done, what is being done)."""
Values = dict[str, float]


@dataclass(frozen=True, slots=True)
class _Named:
    """How a figure is shown."""

    name: str
    unit: str = ""
    note: str = ""


def measure_fall(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Let everything fall by 20 % in 16,000 ticks; at the end compare with full recomputes."""
    length = max(100, min(_FALL_TICKS, sizes.ticks))
    names = {
        "screen.total": _Named(
            "engine without exact decisions, total", "s", f"{length:,} ticks in batches of {BATCH}"
        ),
        "screen.compiled": _Named("of that in compiled loops", "s"),
        "tick.mean": _Named("a tick, mean", "µs"),
        "hits": _Named("accounts hit by a tick"),
        "exact.total": _Named("exact decisions, total", "s"),
        "exact.count": _Named("exact decisions"),
        "changed": _Named("accounts in another band at the end"),
        "differences": _Named("differences from a NumPy full recompute at the end"),
        "missed": _Named(
            "crossings missed, by an exact look at each account at the end",
            note=f"{min(_MOST_SWEPT, sizes.accounts):,} accounts",
        ),
    }

    def once(engine: Probe, tape: Tape, tell: Tell) -> Values:
        return _fall(engine, tape, length, tell)

    return _measure(sizes, teller, once, names)


def measure_gap(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Let one price jump down by 15 % in one tick; every crossing must be found in that tick."""
    names: dict[str, _Named] = {}
    for key, symbol in _GAP_SYMBOLS:
        words = f"{symbol} falls by 15 % in one tick"
        names |= {
            f"{key}.screen": _Named("without exact decisions", "ms", words),
            f"{key}.hits": _Named("accounts hit"),
            f"{key}.exact": _Named("exact decisions, total", "ms"),
            f"{key}.exact.count": _Named("exact decisions"),
            f"{key}.crossings": _Named("accounts in another band afterwards"),
            f"{key}.differences": _Named("differences from a NumPy full recompute"),
            f"{key}.numpy": _Named("one NumPy full recompute", "ms"),
        }
    return _measure(sizes, teller, _gaps, names)


def _measure(
    sizes: Sizes,
    teller: Teller,
    once: Callable[[Probe, Tape, Tell], Values],
    names: dict[str, _Named],
) -> list[Figure]:
    """Do it so many times, each with an engine made anew."""
    warm()
    found: list[Values] = []
    for run in range(sizes.runs):

        def tell(share: float, doing: str, run: int = run) -> None:
            teller.tell((run + share) / sizes.runs, f"{doing}, run {run + 1}")

        tell(0.0, f"making {sizes.accounts:,} accounts")
        tape = Tape(sizes.seed)
        engine = Probe(reference())
        engine.open_market(tape)
        engine.load(states(sizes.accounts, sizes.seed))
        found.append(once(engine, tape, tell))
    return [
        figure(key, one.name, one.unit, [values[key] for values in found], one.note)
        for key, one in names.items()
    ]


def _numpy(engine: Probe) -> NumpyRecompute:
    return NumpyRecompute.of([engine.account(name) for name in engine.entries], engine.reference)


def _fall(engine: Probe, tape: Tape, length: int, tell: Tell) -> Values:
    before = engine.worst_bands()
    ticks = list(tape.fall(length, _FALL))
    engine.reset()
    spent = 0
    for start in range(0, length, BATCH):
        batch = ticks[start : start + BATCH]
        began = perf_counter_ns()
        engine.ticks(batch, None)
        spent += perf_counter_ns() - began
        tell(0.2 + 0.4 * start / length, "everything falls by 20 %")
    spent -= engine.exact_ns
    exact, exact_ns, bands = engine.exact, engine.exact_ns, engine.worst_bands()
    screen_ns, hits = engine.screen_ns, engine.hits
    tell(0.6, "NumPy full recompute")
    differ = np.count_nonzero(_numpy(engine).bands(engine.prices) != bands)
    _sweep(engine, tell)
    return {
        "screen.total": spent / 1e9,
        "screen.compiled": screen_ns / 1e9,
        "tick.mean": spent / length / 1e3,
        "hits": hits / length,
        "exact.total": exact_ns / 1e9,
        "exact.count": exact,
        "changed": int(np.count_nonzero(bands != before)),
        "differences": int(differ),
        "missed": engine.missed_crossings,
    }


def _sweep(engine: Probe, tell: Tell) -> None:
    """Let the engine's own scan assess accounts exactly; it counts those found elsewhere."""
    count = min(_MOST_SWEPT, len(engine.entries))
    engine.sweep(1, engine.now)  # the first call of a scan only begins it
    for done in range(0, count, _SWEEP):
        engine.sweep(min(_SWEEP, count - done), engine.now)
        tell(0.7 + 0.3 * done / count, "exact look at each account")


def _gaps(engine: Probe, tape: Tape, tell: Tell) -> Values:
    for tick, offset in tape.calm(1_000):
        engine.ticks([(tick, offset)], None)
    tell(0.5, "packing for NumPy")
    numpy = _numpy(engine)
    found: Values = {}
    for place, (key, symbol) in enumerate(_GAP_SYMBOLS):
        tell(0.8 + 0.1 * place, f"a gap in {symbol}")
        before = engine.worst_bands()
        last = engine.prices.prices[f"{symbol}/mark"]
        tick = TickMessage(symbol, "mark", f"{last.price * _GAP:f}", engine.now + 1, last.seq + 1)
        engine.reset()
        began = perf_counter_ns()
        engine.ticks([(tick, tape.written + place)], None)
        whole = perf_counter_ns() - began
        bands = engine.worst_bands()
        found |= {
            f"{key}.screen": (whole - engine.exact_ns) / 1e6,
            f"{key}.hits": engine.hits,
            f"{key}.exact": engine.exact_ns / 1e6,
            f"{key}.exact.count": engine.exact,
            f"{key}.crossings": int(np.count_nonzero(bands != before)),
            f"{key}.differences": int(np.count_nonzero(bands != numpy.bands(engine.prices))),
            f"{key}.numpy": numpy.time(engine.prices, 1)[0] * 1e3,
        }
    return found
