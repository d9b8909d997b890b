"""From tick to command, beside a relay that decides nothing; both in turns."""

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

__all__ = ["RATE", "measure"]

RATE = 5_000
_WORKER, _RELAY = "latency-", "relay-"
_EVERY = 0.02
_REST_SECONDS = 1.0
_ANSWER_SECONDS = 60.0


def measure(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Return p50 and p99 of both at 5,000 ticks/s; the one that does not run stands still."""
    with on_stage(sizes, teller) as stage:
        for_worker, for_relay = TickMessages(sizes.seed), TickMessages(sizes.seed)
        accounts = chain(states(sizes.accounts, sizes.seed), probes())
        stage.furnish(_WORKER, accounts, for_worker, share=(0.05, 0.2))
        stage.make_topics(_RELAY)
        worker = stage.member(stage.job("worker", _WORKER))
        relay = stage.member(stage.job("relay", _RELAY))
        probed, relayed = Probed(), Probed()
        with (
            Arrivals(stage.brokers, [f"{_WORKER}warnings"], probed.take) as arrivals,
            Arrivals(stage.brokers, [f"{_RELAY}warnings"], relayed.take),
            worker,
            relay,
        ):
            teller.tell(0.2, "waiting until the worker is ready")
            worker.wait_ready()
            relay.wait_ready()
            teller.tell(0.25, "waiting until the work of the start is done")
            worker.wait_settled()
            worker.pause()
            relay.pause()
            floor: list[tuple[float, float]] = []
            found: list[tuple[float, float]] = []
            for run in range(sizes.runs):
                share = 0.3 + 0.7 * run / sizes.runs
                teller.tell(share, f"the relay, run {run + 1}")
                floor.append(_turn(stage, _RELAY, for_relay, relayed, relay))
                teller.tell(share + 0.35 / sizes.runs, f"the worker, run {run + 1}")
                found.append(_turn(stage, _WORKER, for_worker, probed, worker))
            arrivals.check()
    missing = probed.unanswered(list(probed.sent)) + relayed.unanswered(list(relayed.sent))
    words = f"at {RATE:,} ticks/s, producer and broker on the same cores"
    return [
        figure("worker.p50", "tick to command, p50", "ms", [p for p, _ in found], words),
        figure("worker.p99", "tick to command, p99", "ms", [p for _, p in found]),
        figure(
            "relay.p50", "empty relay of two hops, p50", "ms", [p for p, _ in floor], "in turns"
        ),
        figure("relay.p99", "empty relay of two hops, p99", "ms", [p for _, p in floor]),
        figure("unanswered", "probes that neither answered", "", [missing]),
    ]


def _turn(
    stage: Stage, prefix: str, messages: TickMessages, probed: Probed, member: Member
) -> tuple[float, float]:
    """Let one of them run under load; return p50 and p99 in ms."""
    member.resume()
    time.sleep(_REST_SECONDS)
    seconds = min(5.0, stage.sizes.seconds / 4)
    sent = drive(
        stage,
        prefix,
        messages,
        probed,
        rate=RATE,
        seconds=seconds,
        every=_EVERY,
        check=member.check,
    )
    probed.wait(sent.probes, _ANSWER_SECONDS, member.check)
    member.pause()
    return percentiles(probed.latencies(sent.probes))
