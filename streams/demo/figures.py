"""What is known of the run while it goes on: counted from the topics, in one place, under a lock."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from streams.demo.words import Line, Seen, say

__all__ = ["Ages", "Beat", "Figures", "Nearest", "Shown", "WorkerLine"]

_FEED = 200
_RATE_SECONDS = 3.0
_SILENT_SECONDS = 5.0
_LATEST_AGES = 1_000
_WAITING = 5_000


class _Span(msgspec.Struct):
    partition: int
    ready: bool
    tick: int = -1


class Beat(msgspec.Struct):
    """Of a worker's heartbeat, what is shown."""

    worker: str
    state: str
    partitions: tuple[int, ...]
    accounts: dict[str, int]
    ts: int
    spans: tuple[_Span, ...] = ()
    unpriced: int = 0
    out_of_sync: int = 0
    missed_crossings: int = 0
    lag: int = 0

    @property
    def ready_partitions(self) -> frozenset[int]:
        return frozenset(span.partition for span in self.spans if span.ready)


class Nearest(NamedTuple):
    """One account near liquidation; amounts in USD."""

    account_id: str
    ratio: float
    band: str
    adjusted_equity: float
    maintenance: float


class WorkerLine(NamedTuple):
    """One worker as it is shown; `lag` in ticks."""

    name: str
    state: str
    partitions: int
    ready: int
    lag: int

    @property
    def well(self) -> bool:
        """Whether it covers all that it owns."""
        return self.state == "ready" and self.ready == self.partitions


class Ages:
    """How old a tick was, in wall ms, when the command that it caused was on its topic.

    Both times are the broker's append times, so one clock measures both ends: waiting, decision,
    journal and publication are in it.
    """

    def __init__(self) -> None:
        self.latest: deque[int] = deque(maxlen=_LATEST_AGES)
        self.count = 0
        self._starts: deque[tuple[int, int]] = deque(maxlen=200_000)
        self.last = -1
        """Offset of the last tick seen."""
        self._waiting: deque[tuple[int, int]] = deque(maxlen=_WAITING)

    def tick(self, offset: int, appended: int) -> None:
        """Note a tick's append time; a batch shares one, so only changes are kept."""
        if not self._starts or self._starts[-1][1] != appended:
            self._starts.append((offset, appended))
        self.last = offset

    def command(self, tick: int, appended: int) -> None:
        """Note a command caused by the tick at an offset, which may still be on its way here."""
        self._waiting.append((tick, appended))

    def settle(self) -> None:
        """Work out the ages of all commands whose tick is known."""
        for _ in range(len(self._waiting)):
            tick, appended = self._waiting.popleft()
            if tick > self.last:
                self._waiting.append((tick, appended))
            elif (at := self._appended(tick)) is not None:
                self.latest.append(max(0, appended - at))
                self.count += 1

    def _appended(self, offset: int) -> int | None:
        starts = self._starts
        low, high = 0, len(starts)
        while low < high:
            middle = (low + high) // 2
            if starts[middle][0] <= offset:
                low = middle + 1
            else:
                high = middle
        return starts[low - 1][1] if low else None

    def quantiles(self) -> tuple[int, int] | None:
        """Return the middle age and the 99th of 100, None before the first."""
        if not self.latest:
            return None
        ordered = sorted(self.latest)
        return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


@dataclass(slots=True)
class Shown:
    """One look at the figures, for a screen or a line."""

    bands: dict[str, int] = field(default_factory=dict)
    workers: tuple[WorkerLine, ...] = ()
    ticks: int = 0
    tick_rate: float = 0.0
    lag: int = 0
    prices: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Symbol → price now and at the start."""
    commands: Counter[str] = field(default_factory=Counter)
    resends: int = 0
    open_episodes: int = 0
    closed_episodes: int = 0
    saved: int = 0
    stuck: int = 0
    bankrupt: int = 0
    shortfall: float = 0.0
    dead_letters: int = 0
    missed: int = 0
    ages: tuple[int, int] | None = None
    alerts: tuple[Line, ...] = ()
    """The latest commands that are no warnings, newest first."""
    warnings: tuple[Line, ...] = ()
    nearest: tuple[Nearest, ...] = ()


class Figures:
    """Fed by a follower's thread and looked at by the screen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._beats: dict[str, tuple[float, Beat]] = {}
        self._bands: dict[str, int] = {}
        """As last told: when all workers are silent nobody knows better."""
        self._commands: Counter[str] = Counter()
        self._resends = 0
        self._notices: Counter[str] = Counter()
        self._open: set[str] = set()
        self._shortfalls: dict[tuple[str, str | None], float] = {}
        """(account, isolated position) → USD."""
        self._dead_letters = 0
        self._ticks = 0
        self._samples: deque[tuple[float, int]] = deque()
        self._prices: dict[str, tuple[float, float]] = {}
        self._ages = Ages()
        self._alerts: deque[Line] = deque(maxlen=_FEED)
        self._warnings: deque[Line] = deque(maxlen=_FEED)
        self._nearest: tuple[Nearest, ...] = ()
        self._last_action = time.monotonic()

    # -- fed by the follower ------------------------------------------------------------------

    def beat(self, beat: Beat) -> None:
        """Take a heartbeat."""
        with self._lock:
            self._beats[beat.worker] = (time.monotonic(), beat)

    def ticks(self, batch: Sequence[tuple[int, int]]) -> None:
        """Take ticks as (offset, append time)."""
        with self._lock:
            for offset, appended in batch:
                self._ages.tick(offset, appended)
            self._ticks += len(batch)

    def price(self, symbol: str, price: float) -> None:
        """Take a symbol's newest price."""
        with self._lock:
            first = self._prices.get(symbol, (price, price))[1]
            self._prices[symbol] = (price, first)

    def command(self, command: Seen, appended: int) -> None:
        """Take a command with the time at which it was appended."""
        with self._lock:
            if command.kind in ("order_cancel", "reduction", "auto_exchange"):
                self._last_action = time.monotonic()
            if command.attempt > 1:
                self._resends += 1
            else:
                self._commands[command.kind] += 1
            if command.kind == "episode":
                self._notice(command)
            if command.cause.kind == "tick" and command.cause.symbol and command.attempt == 1:
                for kind in ("index", "mark"):
                    offset = command.inputs.ticks.get(f"{command.cause.symbol}/{kind}")
                    if offset is not None:
                        self._ages.command(offset, appended)
            line = say(command)
            if line is not None:
                (self._warnings if command.kind == "warning" else self._alerts).appendleft(line)

    def _notice(self, notice: Seen) -> None:
        state = notice.state or ""
        self._notices[state] += 1
        if state == "opened":
            self._open.add(notice.episode_id)
        elif state == "closed":
            self._open.discard(notice.episode_id)
        elif state == "bankrupt":
            self._shortfalls[notice.account_id, notice.position] = float(notice.shortfall or 0)

    def dead_letter(self) -> None:
        """Count a dead letter."""
        with self._lock:
            self._dead_letters += 1

    def near(self, accounts: Sequence[Nearest]) -> None:
        """Take the accounts nearest to liquidation, nearest first."""
        with self._lock:
            self._nearest = tuple(accounts)

    # -- looked at ----------------------------------------------------------------------------

    def quiet_seconds(self) -> float:
        """Return for how long no cancel and no reduction was commanded."""
        with self._lock:
            return time.monotonic() - self._last_action

    def ready_partitions(self) -> frozenset[int]:
        """Return the partitions that some worker covers."""
        with self._lock:
            return frozenset(p for beat in self._alive() for p in beat.ready_partitions)

    def covered_partitions(self) -> frozenset[int]:
        """Return the partitions whose decisions up to the last tick are told to be durable."""
        with self._lock:
            last = self._ages.last
            return frozenset(
                span.partition
                for beat in self._alive()
                for span in beat.spans
                if span.ready and span.tick >= last
            )

    def known_accounts(self) -> int:
        """Return how many accounts the workers have taken in, by their last heartbeats."""
        with self._lock:
            return sum(sum(beat.accounts.values()) for beat in self._alive())

    def lag(self) -> int:
        """Return how many ticks the slowest worker is behind."""
        with self._lock:
            return max((beat.lag for beat in self._alive()), default=0)

    def _alive(self) -> list[Beat]:
        now = time.monotonic()
        return [
            beat
            for heard, beat in self._beats.values()
            if now - heard < _SILENT_SECONDS and beat.state != "stopping"
        ]

    def look(self) -> Shown:
        """Return everything as it is now."""
        with self._lock:
            self._ages.settle()
            alive = self._alive()
            bands: Counter[str] = Counter()
            for beat in alive:
                bands.update(beat.accounts)
            if bands:
                self._bands = dict(bands)
            return Shown(
                bands=self._bands,
                workers=self._workers(),
                ticks=self._ticks,
                tick_rate=self._rate(),
                lag=max((beat.lag for beat in alive), default=0),
                prices=dict(self._prices),
                commands=Counter(self._commands),
                resends=self._resends,
                open_episodes=len(self._open),
                closed_episodes=self._notices["closed"],
                saved=self._notices["cancel_sufficient"],
                stuck=self._notices["stuck"],
                bankrupt=len(self._shortfalls),
                shortfall=sum(self._shortfalls.values()),
                dead_letters=self._dead_letters,
                missed=sum(beat.missed_crossings for beat in alive),
                ages=self._ages.quantiles(),
                alerts=tuple(self._alerts),
                warnings=tuple(self._warnings),
                nearest=self._nearest,
            )

    def _rate(self) -> float:
        """Return ticks per wall second over the last seconds."""
        now = time.monotonic()
        self._samples.append((now, self._ticks))
        while len(self._samples) > 2 and now - self._samples[0][0] > _RATE_SECONDS:
            self._samples.popleft()
        since, before = self._samples[0]
        return (self._ticks - before) / (now - since) if now > since else 0.0

    def _workers(self) -> tuple[WorkerLine, ...]:
        now = time.monotonic()
        lines = []
        for name, (heard, beat) in sorted(self._beats.items()):
            silent = now - heard > _SILENT_SECONDS and beat.state != "stopping"
            lines.append(
                WorkerLine(
                    name,
                    "silent" if silent else beat.state,
                    len(beat.partitions),
                    len(beat.ready_partitions),
                    beat.lag,
                )
            )
        return tuple(lines)
