"""How long nobody commands while a second worker joins, and leaves, under load."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, pairwise

import msgspec
from confluent_kafka import Message

from streams.bench.accounts import states
from streams.bench.part import Teller
from streams.bench.pipeline.arrivals import Arrivals
from streams.bench.pipeline.load import Probed, drive
from streams.bench.pipeline.member import Member
from streams.bench.pipeline.messages import TickMessages
from streams.bench.pipeline.probes import probe_id, probes
from streams.bench.pipeline.seeding import partition_of
from streams.bench.pipeline.stage import PARTITIONS, Stage, on_stage
from streams.bench.result import Figure, Sizes, figure

__all__ = ["measure"]

_PREFIX = "join-"
_RATE = 2_000
_EVERY = 0.05
_SESSION_SECONDS = 6.0
_BEFORE_SECONDS, _WHILE_SECONDS, _AFTER_SECONDS = 2.0, 0.5, 5.0
_ANSWER_SECONDS = 30.0
_CYCLES = 2
"""More would use up the probes."""


class _Beat(msgspec.Struct):
    worker: str
    partitions: tuple[int, ...]


@dataclass
class _Beats:
    """Arrivals of heartbeats by worker, and the partitions that each named last."""

    at: dict[str, list[int]] = field(default_factory=dict)
    partitions: dict[str, frozenset[int]] = field(default_factory=dict)

    def take(self, message: Message, now: int) -> None:
        beat = msgspec.json.decode(message.value() or b"", type=_Beat)
        self.at.setdefault(beat.worker, []).append(now)
        self.partitions[beat.worker] = frozenset(beat.partitions)

    def longest_gap(self, worker: str, began: int, ended: int) -> float:
        """Return the seconds of the longest gap between two heartbeats in that time."""
        inside = [at for at in self.at.get(worker, []) if began <= at <= ended]
        return max((b - a for a, b in pairwise([began, *inside, ended])), default=0) / 1e9


@dataclass
class _Found:
    """Seconds, by cycle."""

    stays: list[float] = field(default_factory=list)
    every: list[float] = field(default_factory=list)
    beats: list[float] = field(default_factory=list)


def measure(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Let a second worker come and go beside one with all accounts, ticks and probes flowing."""
    with on_stage(sizes, teller) as stage:
        messages = TickMessages(sizes.seed)
        accounts = chain(states(sizes.accounts, sizes.seed), probes())
        stage.furnish(_PREFIX, accounts, messages, share=(0.05, 0.2))
        first = stage.member(stage.job("worker", _PREFIX, name="first", session=_SESSION_SECONDS))
        probed, beats = Probed(), _Beats()
        joined, left = _Found(), _Found()
        with (
            Arrivals(stage.brokers, [f"{_PREFIX}warnings"], probed.take) as arrivals,
            Arrivals(stage.brokers, [f"{_PREFIX}heartbeats"], beats.take) as beating,
            first,
        ):
            teller.tell(0.2, "waiting until the first worker is ready")
            first.wait_ready()
            teller.tell(0.25, "waiting until the work of the start is done")
            first.wait_settled()
            cycles = min(_CYCLES, sizes.runs)
            for cycle in range(cycles):
                teller.tell(
                    0.3 + 0.7 * cycle / cycles, f"a worker joins and leaves, run {cycle + 1}"
                )
                job = stage.job("worker", _PREFIX, name=f"second-{cycle}", session=_SESSION_SECONDS)
                _cycle(stage, messages, probed, beats, first, stage.member(job), joined, left)
            arrivals.check()
            beating.check()
    return [*_figures("join", "joins", joined, sizes), *_figures("leave", "leaves", left, sizes)]


def _figures(key: str, verb: str, found: _Found, sizes: Sizes) -> list[Figure]:
    words = f"{sizes.accounts:,} accounts, {_RATE:,} ticks/s, a probe each {_EVERY * 1000:g} ms"
    return [
        figure(
            f"{key}.stays",
            f"a worker {verb}: longest wait for a command, partitions that stay",
            "s",
            found.stays,
            words,
        ),
        figure(f"{key}.every", f"a worker {verb}: the same, of every partition", "s", found.every),
        figure(
            f"{key}.beats",
            f"a worker {verb}: longest gap between the other's heartbeats",
            "s",
            found.beats,
        ),
    ]


def _cycle(
    stage: Stage,
    messages: TickMessages,
    probed: Probed,
    beats: _Beats,
    first: Member,
    second: Member,
    joined: _Found,
    left: _Found,
) -> None:
    name = first.job.worker_id

    def note(found: _Found, change: Callable[[], object]) -> None:
        """Change something under load and take the longest waits meanwhile."""
        began = time.monotonic_ns()
        sent = _under_load(stage, messages, probed, first, change)
        ended = time.monotonic_ns()
        probed.wait(sent, _ANSWER_SECONDS, first.check)
        if found is joined:
            stayed.update(beats.partitions.get(name, ()))
        staying = [n for n in sent if partition_of(probe_id(n), PARTITIONS) in stayed]
        found.stays.append(_longest(probed, staying))
        found.every.append(_longest(probed, sent))
        found.beats.append(beats.longest_gap(name, began, ended))

    stayed: set[int] = set()
    with second:
        note(joined, second.wait_ready)
        note(left, second.stop)


def _under_load(
    stage: Stage,
    messages: TickMessages,
    probed: Probed,
    first: Member,
    change: Callable[[], object],
) -> list[int]:
    """Drive load before, during and after a change; return the probes."""
    sent: list[int] = []

    def load(seconds: float) -> None:
        part = drive(
            stage,
            _PREFIX,
            messages,
            probed,
            rate=_RATE,
            seconds=seconds,
            every=_EVERY,
            check=first.check,
        )
        sent.extend(part.probes)

    load(_BEFORE_SECONDS)
    with ThreadPoolExecutor(max_workers=1) as pool:
        changing = pool.submit(change)
        while not changing.done():
            load(_WHILE_SECONDS)
        changing.result()
    load(_AFTER_SECONDS)
    return sent


def _longest(probed: Probed, numbers: Sequence[int]) -> float:
    return max(probed.latencies(numbers), default=0.0) / 1e3
