"""How long nobody commands while a second worker joins, and leaves, under load."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise

import msgspec
from confluent_kafka import Message

from streams.bench.accounts import states
from streams.bench.part import Teller
from streams.bench.pipeline.arrivals import Arrivals
from streams.bench.pipeline.load import Probed, Sent, drive
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
_BEFORE_SECONDS, _AFTER_SECONDS = 2.0, 5.0
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
    began = time.monotonic_ns()
    with second:
        sent = _until(stage, messages, probed, first, second.wait_ready)
        ended = time.monotonic_ns()
        stayed = beats.partitions.get(first.job.worker_id, frozenset())
        _note(joined, probed, beats, first, sent, stayed, (began, ended))
        began = time.monotonic_ns()
        sent = _until(stage, messages, probed, first, second.stop)
        _note(left, probed, beats, first, sent, stayed, (began, time.monotonic_ns()))


def _until(
    stage: Stage, messages: TickMessages, probed: Probed, first: Member, change: object
) -> Sent:
    """Drive load before, during and after a change; return all of it."""
    failures: list[BaseException] = []

    def changing() -> None:
        try:
            change()  # type: ignore[operator]
        # It is raised again below, where the load has come to its end.
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    parts = []
    thread = threading.Thread(target=changing, daemon=True)
    for seconds in (_BEFORE_SECONDS, None, _AFTER_SECONDS):
        if seconds is None:
            thread.start()
        while seconds is not None or thread.is_alive():
            parts.append(
                drive(
                    stage,
                    _PREFIX,
                    messages,
                    probed,
                    rate=_RATE,
                    seconds=seconds if seconds is not None else 0.5,
                    every=_EVERY,
                    check=first.check,
                )
            )
            if seconds is not None:
                break
    for failure in failures:
        raise failure
    return Sent(
        sum(part.ticks for part in parts),
        sum(part.seconds for part in parts),
        tuple(number for part in parts for number in part.probes),
    )


def _note(
    found: _Found,
    probed: Probed,
    beats: _Beats,
    first: Member,
    sent: Sent,
    stayed: frozenset[int],
    between: tuple[int, int],
) -> None:
    """Take the longest waits; a probe that nobody answers counts with all the time it was given."""
    probed.wait(sent.probes, _ANSWER_SECONDS, first.check)
    staying = [n for n in sent.probes if partition_of(probe_id(n), PARTITIONS) in stayed]
    found.stays.append(_longest(probed, staying))
    found.every.append(_longest(probed, sent.probes))
    found.beats.append(beats.longest_gap(first.job.worker_id, *between))


def _longest(probed: Probed, numbers: Sequence[int]) -> float:
    return max(probed.latencies(numbers), default=0.0) / 1e3
