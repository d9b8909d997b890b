"""What Redis shows of this worker: accounts, bands, commands, heartbeats; written behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from monitor.account import Account
from monitor.engine import Decision, Engine, Entry
from monitor.margin import Figures, assess
from monitor.report import shown
from monitor.schema import Heartbeat
from streams.cache import AccountView, BandCounts, Cache
from streams.connection import redis_client
from streams.journal import CommandOut, Outlet
from streams.settings import Settings
from streams.topics import Topics

__all__ = ["RedisView", "ShownOutlet"]

NEAREST_SHOWN = 1000
"""Accounts kept at most a second behind, besides all that are not normal."""
NEAREST_SECONDS = 0.9
NEAREST_A_TURN = 20
WRITTEN_A_SECOND = 250
"""Of the nearest, lowest ratios first: in a replay at many times speed all of them move at once."""
FEWER_A_SECOND = 50
"""The same while the worker is late with its ticks."""
MOVED = 0.02
"""Relative change of the ratio of a normal account that is worth showing between two sweeps."""


class Shown(Protocol):
    """What the view needs of the runtime."""

    @property
    def engine(self) -> Engine | None: ...

    @property
    def late(self) -> bool: ...


class RedisView:
    """The cache's source, and what the worker tells it."""

    def __init__(
        self,
        settings: Settings,
        runtime: Shown,
        assessed: Callable[[int, Account, Figures], None] = lambda *_: None,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """`assessed` is told of the figures that are made for showing; `busy`: see `Cache`."""
        self._runtime = runtime
        self._assessed, self._busy = assessed, busy
        self._epochs: dict[int, int] = {}
        self._settings = settings
        self._cache = Cache(None, self, worker=settings.worker_id)
        self._tasks: list[asyncio.Task[None]] = []
        self._ratios: dict[str, float] = {}
        """What was last shown of the nearest accounts, by the watch's floats."""

    def connect(self, *, generation: str) -> None:
        """Write to Redis; `generation` names the journal whose offsets the epochs are."""
        self._cache = Cache(
            redis_client(self._settings),
            self,
            worker=self._settings.worker_id,
            generation=generation,
            busy=self._busy,
        )

    def start(self) -> None:
        """Begin to write."""
        self._tasks = [
            asyncio.create_task(self._cache.run(), name="cache"),
            asyncio.create_task(self._mark_nearest(), name="cache nearest"),
        ]

    async def close(self) -> None:
        """Write what is urgent once more, and disconnect."""
        self._cache.stop()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._cache.close()

    @property
    def available(self) -> bool:
        """Whether Redis takes what is written."""
        return self._cache.available

    @property
    def staleness(self) -> float:
        """Seconds since all that is urgent was last written to Redis."""
        return time.monotonic() - self._cache.written_at

    @property
    def waiting(self) -> int:
        """How many accounts are to be written."""
        return self._cache.pending

    def claimed(self, partition: int, epoch: int) -> None:
        """Show the accounts of a partition under this claim; older ones lose."""
        self._epochs[partition] = epoch

    def released(self, partition: int) -> None:
        """Show a partition no longer."""
        self._epochs.pop(partition, None)

    def changed(self, decision: Decision) -> None:
        """Show an account anew."""
        engine = self._runtime.engine
        entry = engine.entries.get(decision.account_id) if engine is not None else None
        # Before its partition is armed an account only catches up; all are marked when it is.
        if engine is not None and entry is not None and entry.partition in engine.armed:
            self._cache.mark(decision.account_id, urgent=_urgent(engine, entry))

    def published(self, commands: Iterable[CommandOut], topics: Collection[str]) -> None:
        """Show what is on one of these topics now."""
        for command in commands:
            if command.topic in topics:
                kind = dict(command.headers)["kind"].decode()
                self._cache.command(kind, command.key.decode(), command.value)

    def armed(self, account_ids: Iterable[str]) -> None:
        """Show all accounts of a partition that has become ready."""
        engine = self._runtime.engine
        for name in account_ids:
            entry = engine.entries.get(name) if engine is not None else None
            if engine is not None and entry is not None:
                self._cache.mark(name, urgent=_urgent(engine, entry))

    def beat(self, message: Heartbeat) -> None:
        """Show the last heartbeat."""
        self._cache.worker_heartbeat(message.model_dump_json().encode())

    # -- the cache's source -------------------------------------------------------------------

    def accounts(self) -> Iterable[tuple[str, bool]]:
        """Give every owned account and whether it is urgent."""
        engine = self._runtime.engine
        if engine is None:
            return []
        return [(name, _urgent(engine, entry)) for name, entry in engine.entries.items()]

    def view(self, account_id: str, /) -> AccountView | None:
        """Return the account as it is now; None when it is not owned."""
        engine = self._runtime.engine
        entry = engine.entries.get(account_id) if engine is not None else None
        if engine is None or entry is None or not entry.known:
            return None
        epoch = self._epochs.get(entry.partition)
        if epoch is None:
            return None
        policy = engine.reference.policy
        account = entry.peek()
        figures = assess(account, engine.reference, engine.prices)
        self._assessed(entry.partition, account, figures)
        stale = engine.prices.stale(figures.symbols, policy, engine.now)
        body = shown(account, figures, policy, stale)
        fields = {
            "ratio": body["ratio"] or "",
            "band": body["band"] or "",
            "adjusted_equity": body["adjusted_equity"] or "",
            "maintenance_margin": body["maintenance_margin"] or "",
            "updated_at": str(engine.now),
            "assessment": msgspec.json.encode(body).decode(),
            "state": entry.record().decode(),
        }
        return AccountView(entry.partition, epoch, figures.ratio, fields)

    def bands(self) -> Mapping[int, BandCounts]:
        """Return the counts of every owned partition."""
        engine = self._runtime.engine
        if engine is None:
            return {}
        counts = engine.watch.census.counts_by_group()
        return {
            partition: BandCounts(epoch, counts.get(partition, {}))
            for partition, epoch in self._epochs.items()
        }

    async def _mark_nearest(self) -> None:
        """Keep what is not normal and what is nearest to it at most a second behind."""
        while True:
            await asyncio.sleep(NEAREST_SECONDS)
            engine = self._runtime.engine
            if engine is None or not engine.armed or not self._cache.available:
                continue
            moved = 0
            for number, name in enumerate(engine.watch.nearest(NEAREST_SHOWN)):
                if number % NEAREST_A_TURN == NEAREST_A_TURN - 1:
                    await asyncio.sleep(0)
                entry = engine.entries.get(name)
                if entry is None:
                    continue
                shown = self._ratios.get(name)
                ratio = engine.ratio(entry)
                if shown is None or abs(ratio - shown) > MOVED * abs(shown):
                    self._ratios[name] = ratio
                    self._cache.mark(name, urgent=True)
                    moved += 1
                if moved >= (FEWER_A_SECOND if self._runtime.late else WRITTEN_A_SECOND):
                    break


class ShownOutlet(Outlet):
    """The outlet, and the view told of what went out."""

    def __init__(
        self, client: Mapping[str, object], topics: Topics, shown: Callable[..., None]
    ) -> None:
        super().__init__(client)
        self._topics = frozenset(topics.command_topics)
        self._shown = shown

    async def publish(self, commands: Sequence[CommandOut]) -> None:
        """Publish in order; show what was acknowledged."""
        await super().publish(commands)
        self._shown(commands, self._topics)


def _urgent(engine: Engine, entry: Entry) -> bool:
    return entry.open or engine.is_marked(entry)
