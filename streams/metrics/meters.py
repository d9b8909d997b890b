"""What a worker's process counts of itself: plain numbers, read only when somebody scrapes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from streams.journal import (
    CommandOut,
    JournalFenced,
    JournalLost,
    JournalRefused,
    OutletLost,
    PausedTooLong,
)
from streams.metrics.histogram import AGE_BOUNDS, RECOVERY_BOUNDS, Histogram
from streams.metrics.underway import OnItsWay, Underway

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from monitor.engine import Decision, Engine
    from monitor.schema import Heartbeat
    from streams.metrics.tracing import DecisionTracer
    from streams.worker.partition import OwnedPartition
    from streams.worker.runtime import Runtime
    from streams.worker.ticking import Ticking
    from streams.worker.totalling import Totalling
    from streams.worker.view import RedisView

__all__ = ["COMMAND_KINDS", "EPISODE_STATES", "RESTART_REASONS", "EngineCounts", "Meters", "Parts"]

COMMAND_KINDS = ("warning", "order_cancel", "reduction", "auto_exchange", "episode", "interest")
EPISODE_STATES = ("opened", "cancel_sufficient", "stuck", "bankrupt", "closed")
RESTART_REASONS = ("fenced", "paused", "journal_lost", "refused", "outlet_lost", "other")
LAG_SECONDS = 15.0
"""How long the longest delay of the loop is remembered."""


@dataclass(slots=True)
class Parts:
    """What of a running worker is read at a scrape."""

    runtime: Runtime
    partitions: dict[int, OwnedPartition]
    ticking: Ticking
    view: RedisView
    totalling: Totalling
    admin: AdminClient
    beat: Heartbeat | None = None
    """The last heartbeat: what it had to count over all accounts is not counted again."""


@dataclass(slots=True)
class EngineCounts:
    """What engines have counted."""

    missed_crossings: int = 0
    assessed: int = 0
    dropped: int = 0
    held: int = 0

    def plus(self, engine: Engine | None) -> EngineCounts:
        """Return the sum with what an engine has counted by now."""
        if engine is None:
            return self
        return EngineCounts(
            self.missed_crossings + engine.missed_crossings,
            self.assessed + engine.assessed,
            self.dropped + engine.prices.dropped,
            self.held + engine.prices.held,
        )


class _State(msgspec.Struct):
    state: str = ""


_state_of = msgspec.json.Decoder(_State).decode


class Meters:
    """Lives as long as the process, over every worker that it starts anew."""

    def __init__(self, tracer: DecisionTracer | None = None) -> None:
        self.commands = dict.fromkeys(COMMAND_KINDS, 0)
        self.episodes = dict.fromkeys(EPISODE_STATES, 0)
        self.restarts = dict.fromkeys(RESTART_REASONS, 0)
        self.dead_letters = 0
        self.ages = {"tick": Histogram(AGE_BOUNDS), "account": Histogram(AGE_BOUNDS)}
        self.recoveries = Histogram(RECOVERY_BOUNDS)
        self.unready_seconds = 0.0
        self.parts: Parts | None = None
        """None while no worker runs."""
        self.is_member = False
        """Whether the group has assigned partitions, none perhaps, and not taken them back."""
        self.tracer = tracer
        self._underway = Underway(self._arrived)
        self._engines = EngineCounts()
        self._held = 0
        self._assigned_at: dict[int, float] = {}
        self._lags: deque[tuple[float, float]] = deque()

    # -- a worker's life ----------------------------------------------------------------------

    def attach(self, parts: Parts) -> None:
        """Read this worker from now on."""
        if self.parts is not None:
            self.detach(self.parts)
        self.parts = parts

    def detach(self, parts: Parts) -> None:
        """Read it no more, and keep what its engine has counted."""
        if self.parts is parts:
            self._engines = self._engines.plus(parts.runtime.engine)
            self.parts = None
        self.is_member = False
        self._underway.clear()

    def assigned(self, numbers: Collection[int]) -> None:
        """Note which partitions the group has given."""
        now = time.monotonic()
        self.is_member, self._held = True, len(numbers)
        self._assigned_at = dict.fromkeys(numbers, now)

    def revoked(self) -> None:
        """Note that the group has taken all partitions back; they are blind until given again."""
        self.is_member = False
        self._assigned_at.clear()

    def became_ready(self, partitions: Iterable[OwnedPartition]) -> None:
        """Note how long those took that are ready for the first time since they were assigned."""
        now = time.monotonic()
        for owned in partitions:
            if owned.span.ready and owned.number in self._assigned_at:
                self.recoveries.observe(now - self._assigned_at.pop(owned.number))

    def restarted(self, error: BaseException | None) -> None:
        """Note a loss by its reason."""
        self.restarts[_reason(error)] += 1

    # -- commands -----------------------------------------------------------------------------

    def decided(self, decision: Decision, appended: int | None) -> None:
        """Follow a decision that has commands; `appended` is its cause's append time in epoch ms."""
        self._underway.decided(decision, appended)

    def durable(self, commands: Sequence[tuple[str, CommandOut]]) -> None:
        """Note that these, by account, are in the journal."""
        if self.tracer is not None:
            self._underway.durable(command for _, command in commands)

    def published(self, commands: Sequence[CommandOut]) -> None:
        """Count what is acknowledged by its topic."""
        for command in commands:
            kind = _kind(command)
            if kind in self.commands:
                self.commands[kind] += 1
                if kind == "episode":
                    self._count_episode(command)
            elif kind == "dead_letter":
                self.dead_letters += 1
        self._underway.published(commands)

    def _count_episode(self, command: CommandOut) -> None:
        try:
            state = _state_of(command.value).state
        except msgspec.DecodeError:
            return
        self.episodes[state] = self.episodes.get(state, 0) + 1

    def _arrived(self, found: OnItsWay) -> None:
        if found.appended:
            cause = "tick" if found.cause.kind == "tick" else "account"
            self.ages[cause].observe((found.published - found.appended) / 1e9)
        if self.tracer is not None:
            self.tracer.record(found)

    # -- what the watching loop notes ---------------------------------------------------------

    def sample(self, seconds: float, lag: float) -> None:
        """Note a turn of the watching loop: how long it was, and by how much it came late."""
        now = time.monotonic()
        self._lags.append((now, lag))
        while self._lags[0][0] < now - LAG_SECONDS:
            self._lags.popleft()
        self.unready_seconds += seconds * self.unready

    @property
    def unready(self) -> int:
        """How many partitions are blind now: not ready, or taken back and not given again."""
        if not self.is_member or self.parts is None:
            return self._held
        return sum(not owned.span.ready for owned in self.parts.partitions.values())

    @property
    def last_turn(self) -> float | None:
        """When the watching loop last came round, in monotonic seconds; None before it began."""
        return self._lags[-1][0] if self._lags else None

    @property
    def loop_lag(self) -> float:
        """The longest delay of the event loop in the last 15 seconds, in seconds."""
        return max((lag for _, lag in self._lags), default=0.0)

    @property
    def engine_counts(self) -> EngineCounts:
        """What all engines of this process have counted."""
        return self._engines.plus(self.parts.runtime.engine if self.parts is not None else None)


def _kind(command: CommandOut) -> str:
    for name, value in command.headers:
        if name == "kind":
            return value.decode()
    return ""


def _reason(error: BaseException | None) -> str:
    if isinstance(error, JournalFenced):
        return "fenced"
    if isinstance(error, PausedTooLong):
        return "paused"
    if isinstance(error, JournalRefused):
        return "refused"
    if isinstance(error, OutletLost):
        return "outlet_lost"
    return "journal_lost" if isinstance(error, JournalLost) else "other"
