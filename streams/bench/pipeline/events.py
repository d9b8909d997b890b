"""Account events a second: through both intakes with the journal, and through simpler programs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import Consumer, Message, TopicPartition

from streams.bench.accounts import states
from streams.bench.part import BenchError, Teller
from streams.bench.pipeline.arrivals import Arrivals
from streams.bench.pipeline.member import Member
from streams.bench.pipeline.messages import EventMessages, TickMessages
from streams.bench.pipeline.stage import PARTITIONS, Stage, on_stage
from streams.bench.result import Figure, Sizes, figure
from streams.intake import GROUP
from streams.journal.records import RESERVED_PREFIX

__all__ = ["measure_baseline", "measure_intake"]

_WARM = 2_000
_LOOK_SECONDS = 0.1
_SEEN_SECONDS = 0.3
"""By then the last journal record has reached this process too."""
_MOST_SECONDS = 240.0


def measure_baseline(role: str, name: str) -> Callable[[Sizes, Teller], list[Figure]]:
    """Return what measures one of the simpler programs."""

    def measure(sizes: Sizes, teller: Teller) -> list[Figure]:
        with on_stage(sizes, teller) as stage:
            rates = _rounds(stage, teller, role)
        return [figure("events", name, "events/s", rates, _words(sizes))]

    return measure


def measure_intake(intake: Literal["faust", "aiokafka"]) -> Callable[[Sizes, Teller], list[Figure]]:
    """Return what measures a worker behind one of the intakes."""

    def measure(sizes: Sizes, teller: Teller) -> list[Figure]:
        with on_stage(sizes, teller) as stage:
            rates = _through_worker(stage, teller, intake)
        name = f"worker through {intake}, until durable in the journal"
        return [figure("events", name, "events/s", rates, _words(sizes))]

    return measure


def _words(sizes: Sizes) -> str:
    return f"{_count(sizes):,} deposits over {sizes.accounts:,} accounts, broker on the same cores"


def _count(sizes: Sizes) -> int:
    return max(1_000, sizes.ticks // 10)


def _rounds(stage: Stage, teller: Teller, role: str) -> list[float]:
    """Write events while the program stands still; time it from then to the last one."""
    sizes, prefix = stage.sizes, f"{role}-"
    count = _count(sizes)
    stage.make_topics(prefix)
    if role == "faust-table":
        stage.make_changelog(f"{prefix}faust-counts-changelog")
    messages = EventMessages(sizes.accounts)
    job = stage.job(role, prefix, warm=_WARM, rounds=(count,) * sizes.runs)
    rates = []
    with stage.member(job) as member:
        stage.send(f"{prefix}transfers", messages.take(_WARM))
        stage.flush()
        teller.tell(0.1, "waiting until it reads")
        member.wait_ready()
        time.sleep(1.0)
        for run in range(sizes.runs):
            teller.tell(0.2 + 0.8 * run / sizes.runs, f"{count:,} events, run {run + 1}")
            member.pause()
            stage.send(f"{prefix}transfers", messages.take(count))
            stage.flush()
            began = member.resume()
            rates.append(count / (member.wait_round(run).at_ns - began) * 1e9)
    return rates


@dataclass
class _Written:
    """When the journal last took a record of an account."""

    at_ns: int = 0

    def take(self, message: Message, now: int) -> None:
        key = message.key()
        if isinstance(key, bytes) and not key.startswith(RESERVED_PREFIX.encode()):
            self.at_ns = now


def _through_worker(
    stage: Stage, teller: Teller, intake: Literal["faust", "aiokafka"]
) -> list[float]:
    sizes, prefix = stage.sizes, f"{intake}-"
    count = _count(sizes)
    accounts = states(sizes.accounts, sizes.seed)
    stage.furnish(prefix, accounts, TickMessages(sizes.seed), share=(0.05, 0.2))
    messages, written, rates = EventMessages(sizes.accounts), _Written(), []
    worker = stage.member(stage.job("worker", prefix, intake=intake))
    topic = f"{prefix}transfers"
    with Arrivals(stage.brokers, [f"{prefix}journal"], written.take) as arrivals, worker:
        teller.tell(0.2, "waiting until the worker is ready")
        worker.wait_ready()
        committed = _Committed(stage.brokers, prefix, topic)
        stage.send(topic, messages.take(_WARM))
        stage.flush()
        committed.wait(worker)
        for run in range(sizes.runs):
            teller.tell(0.3 + 0.7 * run / sizes.runs, f"{count:,} events, run {run + 1}")
            worker.pause()
            stage.send(topic, messages.take(count))
            stage.flush()
            began = worker.resume()
            committed.wait(worker)
            time.sleep(_SEEN_SECONDS)
            arrivals.check()
            rates.append(count / (written.at_ns - began) * 1e9)
    return rates


class _Committed:
    """Waits until the worker has acknowledged, and committed, all that stands in a topic.

    Commits come twice a second; what they tell is only that the last journal record has been seen.
    """

    def __init__(self, brokers: str, prefix: str, topic: str) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": brokers, "group.id": prefix + GROUP, "enable.auto.commit": False}
        )
        self._places = [TopicPartition(topic, number) for number in range(PARTITIONS)]

    def wait(self, worker: Member) -> None:
        ends = {
            place.partition: self._consumer.get_watermark_offsets(place, timeout=10.0)[1]
            for place in self._places
        }
        until = time.monotonic() + _MOST_SECONDS
        while True:
            places = self._consumer.committed(self._places, timeout=10.0)
            if all(
                place.offset >= ends[place.partition] for place in places if ends[place.partition]
            ):
                return
            worker.check()
            if time.monotonic() > until:
                raise BenchError(f"{worker.name}: events not acknowledged in {_MOST_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)


measure_faust_intake = measure_intake("faust")
measure_aiokafka_intake = measure_intake("aiokafka")
measure_faust = measure_baseline("faust", "bare Faust agent, no state")
measure_faust_table = measure_baseline("faust-table", "Faust agent with a table of bytes")
measure_quix = measure_baseline("quixstreams", "quixstreams dataframe, no state")
measure_quix_state = measure_baseline(
    "quixstreams-state", "quixstreams dataframe, state and changelog"
)
measure_plain = measure_baseline("aiokafka", "bare aiokafka and msgspec, a commit a batch")
measure_plain_produced = measure_baseline(
    "aiokafka-produce", "the same, a record written per touched account and batch"
)
