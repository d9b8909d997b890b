"""Reference set, prices, hours and totals as the topics have them, and the time that counts."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import structlog
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from monitor.engine import TickBatch
from monitor.exact import ONE, plain
from monitor.interest.hours import HourBook
from monitor.limits import Totals
from monitor.prices import PriceBook
from monitor.reference import Reference
from streams.connection import confluent_config, kafka_client
from streams.dashboard.source.times import wall_ms
from streams.dead_letters import BadRecord
from streams.hours.reader import HourReader
from streams.journal import read_sources
from streams.reference import ReferenceFollower
from streams.settings import Settings
from streams.tick_messages import TickMessage
from streams.ticks import AHEAD_LIMIT_MS, TickReader
from streams.topics import Topics
from streams.totals import TotalsReader

__all__ = ["Market"]

_log = structlog.get_logger(__name__)

_DAY_MS = 24 * 3_600_000
_RATE_SECONDS = 5
_RETRY_SECONDS = 2.0
# A few large answers a second: broker and dashboard pay for each, and a page shows no more.
_GATHER = {"fetch_min_bytes": 256 * 1024}


class Market:
    """Follows `reference`, `ticks`, `hour-prices` and `partials` until stopped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = Topics(settings.topic_prefix)
        self._client = {**kafka_client(settings), **_GATHER}
        self.prices = PriceBook()
        self.hours = HourBook()
        self.reference: Reference | None = None
        self.ticks = 0
        """Ticks taken since the start."""
        self._reader: TickReader | None = None
        self._totals: TotalsReader | None = None
        self._has_reference = asyncio.Event()
        self._seconds: deque[tuple[int, int]] = deque(maxlen=_RATE_SECONDS + 1)
        self._first: dict[str, tuple[int, Decimal]] = {}
        self._on_event_clock = settings.clock == "event"

    # -- what others ask ----------------------------------------------------------------------

    def now(self) -> int:
        """Return the engine's time in epoch ms: this machine's, or the last tick's."""
        if self._on_event_clock:
            return self.last_tick or 0
        return wall_ms()

    @property
    def last_tick(self) -> int | None:
        """Return the highest `ts` of a tick; None before the first."""
        return self._reader.last_ts if self._reader is not None else None

    @property
    def caught_up(self) -> bool:
        """Whether a reference set is known and every tick of the start was read."""
        return self._reader is not None and self._reader.caught_up

    @property
    def totals(self) -> Totals | None:
        """H-10: what is borrowed in all; None: unknown."""
        return self._totals.totals() if self._totals is not None else None

    def age(self, ts: int) -> int:
        """Return how old `ts` is in milliseconds of the wall; a replay's time runs faster."""
        age = max(0, self.now() - ts)
        if not self._on_event_clock or self.reference is None:
            return age
        return int(age / self.reference.policy.time_scale)

    def frozen_prices(self) -> PriceBook:
        """Return the prices of this moment, which no later tick changes."""
        book = PriceBook()
        book.prices = dict(self.prices.prices)
        return book

    def ticks_per_second(self) -> float:
        """Return the mean of the last whole seconds."""
        now = int(time.monotonic())
        counts = [n for second, n in self._seconds if now - _RATE_SECONDS <= second < now]
        return round(sum(counts) / _RATE_SECONDS, 1)

    def price_rows(self) -> Iterator[dict[str, Any]]:
        """Yield each price with its age and its change since a day ago, or since it is known."""
        if self.reference is None:
            return
        policy, now = self.reference.policy, self.now()
        old = set(self.prices.stale(self.prices.prices, policy, now))  # PX-4
        before = self.hours.at(now - _DAY_MS) if self.hours.last else None
        for key, price in sorted(self.prices.prices.items()):
            symbol, _, kind = key.rpartition("/")
            since, base = self._first.get(key, (price.ts, price.price))
            if before is not None and (then := before.prices.prices.get(key)) is not None:
                since, base = then.ts, then.price
            yield {
                "symbol": symbol,
                "kind": kind,
                "price": plain(price.price),
                "ts": price.ts,
                "age_ms": self.age(price.ts),
                "change": plain(round(price.price / base - ONE, 6)) if base else None,
                "change_since": since,
                "stale": key in old,
            }

    # -- life ---------------------------------------------------------------------------------

    def loops(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return what has to run, by name."""
        return {
            "reference": self._follow_reference,
            "ticks": self._follow_ticks,
            "hours": self._follow_hours,
            "totals": self._follow_totals,
        }

    async def _follow_reference(self) -> None:
        follower = ReferenceFollower(
            self._client, self._topics.reference, on_reference=self._use, on_bad=_ignore
        )
        try:
            await follower.run()
        finally:
            await follower.close()

    def _use(self, reference: Reference) -> None:
        self.reference = reference
        self._has_reference.set()

    async def _follow_ticks(self) -> None:
        await self._has_reference.wait()
        reader = self._reader = self._make_reader()
        try:
            async for batch in reader.batches():
                self._take(batch)
        finally:
            await reader.close()

    def _make_reader(self) -> TickReader:
        """H-9: on the wall clock begin where ticks are young, as the workers do."""
        reference = self.reference
        since, needed = None, set()
        if reference is not None and not self._on_event_clock:
            since = wall_ms() - int(2000 * max(reference.policy.max_age_seconds.values()))
            needed = {f"{name}-USD" for name in reference.currencies}
            needed |= {name for name, i in reference.instruments.items() if i.kind != "spot"}
        return TickReader(
            self._client,
            self._topics.ticks,
            on_bad=_ignore,
            since_ms=since,
            needed=needed,
            ahead_limit_ms=None if self._on_event_clock else AHEAD_LIMIT_MS,
        )

    def _take(self, batch: TickBatch[TickMessage]) -> None:
        reference = self.reference
        if reference is None or not batch:
            return
        policy, take, first = reference.policy, self.prices.take, self._first
        for tick, offset in batch:
            take(tick, offset, policy, self.now())
            key = f"{tick.symbol}/{tick.kind}"
            if key not in first:
                first[key] = tick.ts, tick.price
        self.ticks += len(batch)
        now = int(time.monotonic())
        if self._seconds and self._seconds[-1][0] == now:
            self._seconds[-1] = (now, self._seconds[-1][1] + len(batch))
        else:
            self._seconds.append((now, len(batch)))

    async def _follow_hours(self) -> None:
        reader = HourReader(self._client, self._topics.hour_prices, self.hours, on_bad=_ignore)
        try:
            await reader.run()
        finally:
            await reader.close()

    async def _follow_totals(self) -> None:
        """The journal's id says which totals count; until a broker tells it, ask again."""
        while True:
            try:
                reader = await self._totals_reader()
                break
            except (KafkaException, TimeoutError, OSError) as error:
                _log.debug("totals_not_found", error=repr(error))
                await asyncio.sleep(_RETRY_SECONDS)
        self._totals = reader
        try:
            await reader.run()
        finally:
            await reader.close()

    async def _totals_reader(self) -> TotalsReader:
        admin = AdminClient({**confluent_config(self._settings), "log_level": 0})
        journal = self._topics.journal
        found = await read_sources(admin, [journal], [])
        described = admin.describe_topics(TopicCollection([journal]), request_timeout=10.0)
        partitions = len((await asyncio.wrap_future(described[journal])).partitions)
        return TotalsReader(
            self._client, self._topics.partials, partitions=partitions, journal=found.ids[journal]
        )


def _ignore(_: BadRecord) -> None:
    """The workers name what is no tick, no set and no hour."""
