"""Ticks into one worker: on a backlog beside a bare loop, and at the highest rate it keeps up with."""

from __future__ import annotations

import time
from itertools import chain

from streams.bench.accounts import states
from streams.bench.part import Teller
from streams.bench.pipeline.arrivals import Arrivals
from streams.bench.pipeline.load import Probed, drive, percentiles
from streams.bench.pipeline.member import Member
from streams.bench.pipeline.messages import TickMessages
from streams.bench.pipeline.probes import probes
from streams.bench.pipeline.stage import Stage, on_stage
from streams.bench.result import Figure, Sizes, figure

__all__ = ["measure"]

_PREFIX = "ticks-"
_CHUNK = 20_000
_CLEAR_SECONDS = 240.0
_FLAT_SECONDS = 0.25
"""A probe sent at the end of a step comes back within this, or the lag has grown."""
_KEPT_UP = 0.97
"""Share of the asked rate that the producer has to reach."""
_STEPS = (0.3, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0)
"""Of the backlog's rate."""


def measure(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Return the rates of a worker with so many accounts, and of a bare consume-and-decode loop."""
    with on_stage(sizes, teller) as stage:
        messages = TickMessages(sizes.seed)
        accounts = chain(states(sizes.accounts, sizes.seed), probes())
        stage.furnish(_PREFIX, accounts, messages, share=(0.05, 0.2))
        rounds = (sizes.ticks + 1,) * sizes.runs
        worker = stage.member(stage.job("worker", _PREFIX))
        loop = stage.member(stage.job("tick-loop", _PREFIX, rounds=rounds))
        probed = Probed()
        with Arrivals(stage.brokers, [f"{_PREFIX}warnings"], probed.take) as arrivals, worker, loop:
            teller.tell(0.2, "waiting until the worker is ready")
            worker.wait_ready()
            loop.wait_ready()
            teller.tell(0.22, "waiting until the work of the start is done")
            worker.wait_settled()
            found, rate = _backlog(stage, messages, probed, worker, loop, teller)
            loop.kill()
            found += _sustained(stage, messages, probed, worker, rate, teller)
            arrivals.check()
    return found


def _backlog(
    stage: Stage,
    messages: TickMessages,
    probed: Probed,
    worker: Member,
    loop: Member,
    teller: Teller,
) -> tuple[list[Figure], float]:
    """Write ticks while both stand still; then let one after the other read them."""
    sizes = stage.sizes
    by_worker, by_loop = [], []
    for run in range(sizes.runs):
        teller.tell(
            0.25 + 0.4 * run / sizes.runs, f"a backlog of {sizes.ticks:,} ticks, run {run + 1}"
        )
        worker.pause()
        loop.pause()
        for start in range(0, sizes.ticks, _CHUNK):
            stage.send(f"{_PREFIX}ticks", messages.calm(min(_CHUNK, sizes.ticks - start)))
        number, message = messages.probe()
        stage.send(f"{_PREFIX}ticks", [message])
        stage.flush()
        began = loop.resume()
        by_loop.append((sizes.ticks + 1) / (loop.wait_round(run).at_ns - began) * 1e9)
        loop.pause()
        probed.sent[number] = worker.resume()
        if not probed.wait([number], _CLEAR_SECONDS, worker.check):
            worker.check()
            break
        by_worker.append((sizes.ticks + 1) / probed.latencies([number])[0] * 1e3)
        loop.resume()
    words = f"{sizes.ticks:,} ticks at once; until the command that the last one causes"
    if not by_worker:
        note = f"not through the backlog within {_CLEAR_SECONDS:g} s"
        return [figure("loop", "bare aiokafka consume and decode", "ticks/s", by_loop, note)], 1e3
    rate = sorted(by_worker)[len(by_worker) // 2]
    return [
        figure("backlog", "worker, on a backlog", "ticks/s", by_worker, words),
        figure("loop", "bare aiokafka consume and decode, same backlog", "ticks/s", by_loop),
    ], rate


def _sustained(
    stage: Stage,
    messages: TickMessages,
    probed: Probed,
    worker: Member,
    most: float,
    teller: Teller,
) -> list[Figure]:
    """Step the rate up until a probe at the end of a step comes back late."""
    seconds = min(5.0, stage.sizes.seconds / 4)
    best, why = 0.0, "flat at every rate tried"
    latencies: list[float] = []
    for place, share in enumerate(_STEPS):
        rate = share * most
        teller.tell(0.65 + 0.35 * place / len(_STEPS), f"{rate:,.0f} ticks/s for {seconds:g} s")
        sent = drive(
            stage,
            _PREFIX,
            messages,
            probed,
            rate=rate,
            seconds=seconds,
            every=0.1,
            check=worker.check,
        )
        last = sent.probes[-3:]
        flat = probed.wait(last, _FLAT_SECONDS, worker.check)
        if sent.rate < _KEPT_UP * rate:
            why = f"the producer itself came to {sent.rate:,.0f} ticks/s, asked for {rate:,.0f}"
        elif not flat:
            why = f"the lag grew at {rate:,.0f} ticks/s"
        else:
            best, latencies = sent.rate, probed.latencies(sent.probes)
            time.sleep(0.5)
            continue
        break
    note = f"for {seconds:g} s; {why}; broker and producer on the same cores"
    found = [figure("sustained", "worker, sustained with the lag flat", "ticks/s", [best], note)]
    if latencies:
        p50, p99 = percentiles(latencies)
        found.append(figure("sustained.p50", "tick to command at that rate, p50", "ms", [p50]))
        found.append(figure("sustained.p99", "tick to command at that rate, p99", "ms", [p99]))
    return found
