"""Everything the API answers from, kept up to date by a handful of loops in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiokafka import TopicPartition

from streams.connection import kafka_client
from streams.dashboard.source.book import Books
from streams.dashboard.source.cache import CacheReader
from streams.dashboard.source.distance import Distances
from streams.dashboard.source.exceptions import Away
from streams.dashboard.source.following import TopicsFollower
from streams.dashboard.source.history import Entry, History, entry_of
from streams.dashboard.source.hub import Hub
from streams.dashboard.source.listing import Listing
from streams.dashboard.source.market import Market
from streams.dashboard.source.overview import Standing, keep_looking
from streams.dashboard.source.questions import Questions
from streams.dashboard.source.tasks import end_tasks
from streams.dashboard.source.timeline import Timelines
from streams.dashboard.source.times import wall_ms
from streams.dashboard.source.words import encode
from streams.follow import Record
from streams.settings import Settings
from streams.topics import COMMAND_TOPICS, Topics

__all__ = ["Source"]

_log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
NEAREST_SENT = 50
_HOUR_MS = 3_600_000
_MOST_A_PARTITION = 2_000
_AGAIN_SECONDS = 2.0

Loop = Callable[[], Awaitable[None]]


class Source:
    """Starts at once, with Kafka and Redis there or not; `overview` says what is away."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topics = Topics(settings.topic_prefix)
        self.cache = CacheReader(settings)
        self.market = Market(settings)
        self.history = History()
        self.hub = Hub()
        self.questions = Questions(settings)
        self.standing = Standing(self.cache)
        self.distances = Distances()
        self.listing = Listing(self.cache, self.market, self.standing, self.distances)
        self.books = Books(self.cache, self.market)
        self.timelines = Timelines(settings, self.history)
        self.follower = TopicsFollower(
            kafka_client(settings),
            {
                **dict.fromkeys(self.topics.command_topics, _HOUR_MS),
                # What is open now may have been opened long ago.
                self.topics.episodes: 24 * _HOUR_MS,
                self.topics.heartbeats: 10_000,
            },
            take=self._take,
            begins=self._begins,
            most=_MOST_A_PARTITION,
        )
        self.commands_seen = 0
        """Commands that went out since the start, repeats left out."""
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: dict[str, str] = {}
        """Loops that failed, with their last error."""

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to read."""
        loops: dict[str, Loop] = {
            **self.market.loops(),
            "commands": self.follower.run,
            "probe": self.follower.probe,
            "asker": self.questions.run,
            "redis": lambda: keep_looking(self.standing, LOOK_SECONDS),
            "stream": self._send_pictures,
        }
        self._tasks = [
            asyncio.create_task(self._guarded(name, loop), name=f"dashboard {name}")
            for name, loop in loops.items()
        ]

    async def close(self) -> None:
        """Let all readers go, stop reading and disconnect."""
        self.hub.close()
        await end_tasks(self._tasks)
        await self.follower.close()
        await self.cache.close()

    # -- what is asked of it ------------------------------------------------------------------

    def overview(self) -> dict[str, Any]:
        """Return how everything stands (INTERFACE, `overview`)."""
        market, standing, bands = self.market, self.standing, self.standing.bands()
        nearest = standing.picture.nearest
        return {
            "bands": bands,
            "accounts": sum(bands.values()),
            "now": market.now(),
            "wall": wall_ms(),
            "clock": self.settings.clock,
            "nearest": None if nearest is None else nearest._asdict(),
            "prices": list(market.price_rows()),
            "workers": standing.workers(),
            "commands": self.history.last_minute(),
            "episodes_open": self.history.open_episodes,
            "last_tick": market.last_tick,
            "last_tick_age_ms": None if market.last_tick is None else market.age(market.last_tick),
            "ticks_per_second": market.ticks_per_second(),
            "redis": self.cache.state,
            "kafka": self.follower.state,
        }

    def missing(self) -> list[str]:
        """Return what is not there of what answers are made of; nothing: ready."""
        found = []
        if self.cache.state != "ok":
            found.append(f"redis: {self.cache.state}")
        if self.follower.state != "ok":
            found.append(f"kafka: {self.follower.state}")
        if self.market.reference is None:
            found.append("reference: no set is known")
        elif not self.market.caught_up:
            found.append("ticks: not read to the end yet")
        if not self.follower.caught_up:
            found.append("commands: not read to the end yet")
        found += [f"{name}: {error}" for name, error in self._failing.items()]
        return found

    # -- inside -------------------------------------------------------------------------------

    def _begins(self, place: TopicPartition, offset: int) -> None:
        topic = self.topics.bare(place.topic)
        if topic in COMMAND_TOPICS:
            self.history.starts(topic, place.partition, offset)

    def _take(self, records: list[Record]) -> None:
        """Take commands and heartbeats; what was there before the start is not news."""
        live = self.follower.caught_up
        for record in records:
            topic = self.topics.bare(record.topic)
            if topic == "heartbeats":
                self.standing.beat(record.value or b"")
                continue
            entry = entry_of(record, topic)
            if entry is not None and self.history.add(entry) and live:
                self._send(entry)

    def _send(self, entry: Entry) -> None:
        self.commands_seen += 1
        self.history.count(entry)
        self.hub.command(entry)

    async def _send_pictures(self) -> None:
        """Send the overview and the nearest accounts each second, while somebody looks."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not len(self.hub):
                continue
            self.hub.latest("overview", encode(self.overview()))
            nearest = [name.encode() for name in self.standing.picture.lowest[:NEAREST_SENT]]
            try:
                rows = await self.listing.rows(nearest)
            except Away:
                continue
            self.hub.latest("accounts", encode({"accounts": rows}))

    async def _guarded(self, name: str, loop: Loop) -> None:
        """Begin again after a failure: one loop must not take the page with it."""
        while True:
            try:
                await loop()
            except Exception as error:  # noqa: BLE001 - whatever it is, all else is still shown
                self._failing[name] = repr(error)
                _log.exception("dashboard_loop_failed", loop=name)
            else:
                return
            await asyncio.sleep(_AGAIN_SECONDS)
