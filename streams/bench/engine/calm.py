"""A calm market: what a tick costs at one number of accounts, and what it would cost otherwise."""

from __future__ import annotations

import gc
from itertools import chain
from time import perf_counter, perf_counter_ns

import numpy as np

from monitor.account import Account
from streams.bench.accounts import states
from streams.bench.engine.adapter import Probe, warm
from streams.bench.engine.per_tick import PerTick
from streams.bench.engine.recompute import NumpyRecompute, python_scan
from streams.bench.engine.timing import BATCH, Timed, time_ticks
from streams.bench.engine.watch_list import NEAR, SWEEP_SECONDS
from streams.bench.machine import resident_bytes
from streams.bench.market import TICKS_PER_SECOND, Tape, reference
from streams.bench.part import Teller
from streams.bench.result import Figure, Sizes, figure

__all__ = ["measure"]

_WARM = 30_000
"""Ticks before anything is measured: half a minute of the market, in which boxes settle down."""
_MOST_NUMPY = 200_000
_MOST_PYTHON = 2_000


def measure(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Return the costs of a tick with so many accounts, and those of the baselines."""
    tape = Tape(sizes.seed)
    engine, found = _build(tape, sizes, teller)
    teller.tell(0.25, "half a minute of a calm market")
    for _ in range(0, _WARM, BATCH):
        engine.ticks(list(tape.calm(BATCH)), None)
    found += _one_by_one(engine, tape, sizes, teller)
    found += _in_batches(engine, tape, sizes, teller)
    found += _baselines(engine, sizes, teller)
    return found


def _build(tape: Tape, sizes: Sizes, teller: Teller) -> tuple[Probe, list[Figure]]:
    """Build the engine as a worker does after it has read its journal."""
    count = sizes.accounts
    teller.tell(0.0, f"making {count:,} accounts")
    warm()
    engine = Probe(reference())
    engine.open_market(tape)
    made = states(count, sizes.seed)
    first = next(made)  # what the states are made from is memory of the benchmark
    gc.collect()
    before = resident_bytes()
    books = list(chain((first,), made))
    gc.collect()
    with_books = resident_bytes()
    teller.tell(0.1, f"indexing {count:,} accounts")
    began = perf_counter()
    engine.load(books)
    loaded = perf_counter() - began
    gc.collect()
    with_index = resident_bytes()
    found = [figure("build.index", "adopt all and look at each once", "s", [loaded])]
    if before:
        book, index = (with_books - before) / count, (with_index - with_books) / count
        note = "resident memory of the process, before and after"
        found.append(figure("memory.book", "memory of an account's book", "B", [book], note))
        found.append(
            figure("memory.index", "memory of an account in the index", "B", [index], note)
        )
    return engine, found


def _one_by_one(engine: Probe, tape: Tape, sizes: Sizes, teller: Teller) -> list[Figure]:
    """Measure each tick by itself."""
    runs: list[Timed] = []
    for run in range(sizes.runs):
        start = 0.3 + 0.3 * run / sizes.runs
        tell = teller.within(start, start + 0.3 / sizes.runs, f"calm market, run {run + 1}")
        ticks = list(tape.calm(max(1, sizes.ticks // sizes.runs)))
        limit = sizes.seconds / sizes.runs
        runs.append(time_ticks(engine, ticks, seconds=limit, progress=tell))
    ticked = sum(run.count for run in runs)
    exact = sum(int(run.exact.sum()) for run in runs)
    exact_ns = sum(run.exact_ns for run in runs)
    note = f"{ticked:,} ticks; without exact decisions"
    found = [
        figure("tick.mean", "a tick, mean", "µs", [r.mean_us for r in runs], note),
        figure("tick.p99", "a tick, p99", "µs", [r.p99_us for r in runs], note),
        figure("hits", "accounts hit by a tick", "", [r.hits.mean() for r in runs]),
        figure("exact", "exact decisions by a tick", "", [r.exact.mean() for r in runs]),
    ]
    empty = [r.empty_us for r in runs if not r.hits.all()]
    if empty:
        found.append(figure("tick.empty", "a tick that leaves no box, median", "µs", empty))
    per_hit = [r.hit_us for r in runs if r.hits.any() and not r.hits.all()]
    if per_hit:
        found.append(figure("hit", "an account hit, screened again", "µs", per_hit))
    if exact:
        found.append(figure("exact.each", "an exact decision", "µs", [exact_ns / exact / 1e3]))
    return found


def _in_batches(engine: Probe, tape: Tape, sizes: Sizes, teller: Teller) -> list[Figure]:
    """Measure ticks as a worker takes them, many at a time."""
    teller.tell(0.6, "calm market in batches")
    runs, each = [], []
    for _ in range(sizes.runs):
        engine.reset()
        ticks = list(tape.calm(max(BATCH, sizes.ticks // sizes.runs // 2)))
        until = perf_counter() + sizes.seconds / sizes.runs / 2
        spent = taken = 0
        for start in range(0, len(ticks), BATCH):
            batch = ticks[start : start + BATCH]
            began = perf_counter_ns()
            engine.ticks(batch, None)
            spent += perf_counter_ns() - began
            taken += len(batch)
            if perf_counter() > until:
                break
        runs.append((spent - engine.exact_ns) / taken / 1e3)
    name = f"a tick in batches of {BATCH}, mean"
    found = [figure("tick.batched", name, "µs", runs, "without exact decisions")]
    per_tick = PerTick()
    for _ in range(sizes.runs):
        ticks = list(tape.calm(max(BATCH, sizes.ticks // sizes.runs // 2)))
        with per_tick.noting(engine.watch.screen):
            for start in range(0, len(ticks), BATCH):
                engine.ticks(ticks[start : start + BATCH], None)
        spent_by, hits = per_tick.taken()
        each.append(Timed(spent_by, hits, np.zeros_like(hits), 0))
    note = "by a clock inside the compiled loop, which is part of it"
    screen = "of that the screen: edges, accounts looked at again"
    found += [
        figure("screen", f"{screen}, mean", "µs", [one.mean_us for one in each], note),
        figure("screen.p99", "the same, p99", "µs", [one.p99_us for one in each]),
    ]
    empty = [one.empty_us for one in each if not one.hits.all()]
    if empty:
        words = "the screen, a tick that concerns nobody, median"
        found.append(figure("screen.empty", words, "µs", empty))
    hit = [one.hit_us for one in each if one.hits.any() and not one.hits.all()]
    if hit:
        found.append(figure("screen.hit", "the screen, an account hit", "µs", hit))
    return found


def _baselines(engine: Probe, sizes: Sizes, teller: Teller) -> list[Figure]:
    """Measure what every tick would cost without an index, and whether all agree."""
    accounts: list[Account] = [engine.account(name) for name in engine.entries]
    count = len(accounts)
    kept = accounts[:_MOST_NUMPY]
    teller.tell(0.65, f"packing {len(kept):,} accounts for NumPy")
    numpy = NumpyRecompute.of(kept, engine.reference)
    teller.tell(0.85, "NumPy full recompute")
    scale = count / len(kept)
    full = [s * scale * 1e6 for s in numpy.time(engine.prices, max(3, sizes.runs))]
    note = "" if scale == 1 else f"measured with {len(kept):,} accounts, scaled"
    near = np.flatnonzero(numpy.ratios(engine.prices) < NEAR).astype(np.intp)
    listed = [s * scale * 1e6 for s in numpy.only(near).time(engine.prices, max(3, sizes.runs))]
    period = SWEEP_SECONDS * TICKS_PER_SECOND
    with_sweep = [a + b / period for a, b in zip(listed, full, strict=True)]
    teller.tell(0.9, "Python scan")
    sample = accounts[:_MOST_PYTHON]
    seconds, bands = python_scan(sample, engine.reference, engine.prices)
    each = seconds / len(sample) * 1e6
    by_numpy = numpy.bands(engine.prices)
    by_engine = engine.worst_bands()[: len(kept)]
    differ = int(np.count_nonzero(by_numpy != by_engine))
    differ += int(np.count_nonzero(np.array(bands) != by_engine[: len(bands)]))
    said = "measured" if len(sample) == count else f"extrapolated from {len(sample):,} accounts"
    return [
        figure("numpy", "NumPy full recompute by a tick", "µs", full, note),
        figure("python", "Python scan by a tick", "µs", [each * count], f"decimals; {said}"),
        figure(
            "watch_list",
            "watch list by a tick",
            "µs",
            with_sweep,
            f"{len(near) * scale:,.0f} accounts below {NEAR:g}, all every {SWEEP_SECONDS:g} s; "
            "sees crossings late",
        ),
        figure("differences", "accounts on which these and the engine differ", "", [differ]),
    ]
