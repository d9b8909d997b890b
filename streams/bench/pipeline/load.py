"""Ticks at a steady rate, probes among them, and how long each probe took to be commanded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from confluent_kafka import Message

from streams.bench.part import BenchError
from streams.bench.pipeline.messages import TickMessages
from streams.bench.pipeline.probes import MOST_PROBES, PROBE, probe_id, probe_price
from streams.bench.pipeline.stage import Stage

__all__ = ["Probed", "Sent", "drive", "percentiles"]

_TURN_SECONDS = 0.005


@dataclass
class Probed:
    """Probes by number: when they were sent and when their command came, monotonic ns."""

    sent: dict[int, int] = field(default_factory=dict)
    came: dict[int, int] = field(default_factory=dict)

    def take(self, message: Message, now: int) -> None:
        """Note a warning, or what a relay made of a probe's tick."""
        number = _number(message)
        if number is not None:
            self.came.setdefault(number, now)

    def latencies(self, numbers: Sequence[int]) -> list[float]:
        """Return the milliseconds of each; one unanswered counts with all the time until now."""
        now = time.monotonic_ns()
        return [(self.came.get(n, now) - self.sent[n]) / 1e6 for n in numbers]

    def unanswered(self, numbers: Sequence[int]) -> int:
        """Return of how many no command has come."""
        return sum(1 for number in numbers if number not in self.came)

    def wait(self, numbers: Sequence[int], seconds: float, check: Callable[[], None]) -> bool:
        """Return once all came; false when time is up."""
        until = time.monotonic() + seconds
        while not all(number in self.came for number in numbers):
            check()
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return True


_by_key = {probe_id(number).encode(): number for number in range(MOST_PROBES)}
_by_price = {probe_price(number): number for number in range(MOST_PROBES)}


def _number(message: Message) -> int | None:
    key = message.key()
    if key != PROBE.encode():
        return _by_key.get(key) if isinstance(key, bytes) else None
    value = message.value()  # a relay's: the tick itself
    price = value.partition(b'"price":"')[2].partition(b'"')[0] if isinstance(value, bytes) else b""
    return _by_price.get(price.decode())


@dataclass(frozen=True, slots=True)
class Sent:
    """What went out: ticks, seconds it took, and the probes among them."""

    ticks: int
    seconds: float
    probes: tuple[int, ...]

    @property
    def rate(self) -> float:
        return self.ticks / self.seconds


def drive(
    stage: Stage,
    prefix: str,
    messages: TickMessages,
    probed: Probed,
    *,
    rate: float,
    seconds: float,
    every: float,
    check: Callable[[], None],
) -> Sent:
    """Send calm ticks at `rate` for so long, with a probe `every` so many seconds.

    What is late is sent at once: the ticks are as many as the rate asks, or the producer is full.
    Raises `BenchError` when the probes are used up.
    """
    topic = f"{prefix}ticks"
    began = time.monotonic()
    due, sent = 0.0, 0
    numbers: list[int] = []
    while True:
        passed = time.monotonic() - began
        if passed >= seconds:
            break
        wanted = int(passed * rate) - sent
        if wanted > 0:
            stage.send(topic, messages.calm(wanted))
            sent += wanted
        if passed >= due:
            number, message = messages.probe()
            if number >= MOST_PROBES:
                raise BenchError(f"more than {MOST_PROBES:,} probes asked for")
            probed.sent[number] = time.monotonic_ns()
            stage.send(topic, [message])
            numbers.append(number)
            due += every
        check()
        left = _TURN_SECONDS - (time.monotonic() - began - passed)
        if left > 0:
            stage.producer.poll(0)
            time.sleep(left)
    return Sent(sent, time.monotonic() - began, tuple(numbers))


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Return p50 and p99 of one value or more."""
    found = np.percentile(values, [50, 99])
    return float(found[0]), float(found[1])
