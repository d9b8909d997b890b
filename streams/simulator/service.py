"""The simulated exchange on Kafka: accounts out, then commands and ticks in, answers out."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable
from decimal import Decimal

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.follow import PartitionFollower
from streams.simulator import wire
from streams.simulator.activity import Activity
from streams.simulator.catalogue import Catalogue
from streams.simulator.exchange import Counters, Exchange
from streams.simulator.execution import Executor
from streams.simulator.funding import Funding
from streams.simulator.generator import generate
from streams.simulator.interest import HourlyInterest
from streams.simulator.publishing import Sender, make_producer, publish_accounts
from streams.simulator.rebuild import INTEREST_TOPIC, open_reader, rebuild
from streams.simulator.reference import demo_reference
from streams.simulator.settings import Progress, SimulateSettings

__all__ = ["simulate"]

_log = structlog.get_logger(__name__)

_COMMAND_TOPICS = ("order-cancels", "reductions")
_RECENT_TICKS = 50_000
"""How far before the end of `ticks` reading begins: every symbol ticks well within it."""
_POLL_MS = 50
_PERIOD_SECONDS = 0.005
_IDLE_SECONDS = 1.0
"""After this long without a tick the event clock counts as standing still for good."""
_PRICES_SETTLE_SECONDS = 2.0
_PAUSE_SECONDS = 0.5
_TICKS_A_TURN = 500


async def simulate(
    settings: SimulateSettings,
    stop: asyncio.Event | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
    ready: asyncio.Event | None = None,
) -> Counters:
    """Publish the accounts, unless the topics hold some already, and be the exchange until `stop`.

    `ready` is set once the accounts are out and commands are read. Returns what was done. Raises
    `MissingTopic` when the topics have not been made, and what the broker refused.
    """
    service = _Service(settings, stop or asyncio.Event(), progress, ready)
    return await service.run()


class _Service:
    def __init__(
        self,
        settings: SimulateSettings,
        stop: asyncio.Event,
        progress: Callable[[Progress], None] | None,
        ready: asyncio.Event | None,
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._progress = progress
        self._ready = ready
        self._client = {"bootstrap_servers": settings.brokers, **settings.client}
        raw = settings.reference if settings.reference is not None else demo_reference()
        self._catalogue = Catalogue.of(raw)
        self._exchange = Exchange(self._catalogue, settings)
        self._executor = Executor(self._exchange)
        self._activity = Activity(self._exchange, self._executor)
        self._by_the_clock = (Funding(self._exchange), HourlyInterest(self._exchange))
        self._last_tick = time.monotonic()
        self._caught_up = asyncio.Event()

    async def run(self) -> Counters:
        """Run until stopped or until a part fails."""
        await rebuild(self._exchange, self._client, self._settings.prefix)
        producer = make_producer(self._settings)
        await producer.start()
        sender = Sender(self._exchange, producer, self._settings.prefix)
        follower = PartitionFollower(self._client, f"{self._settings.prefix}ticks")
        try:
            await self._until_stopped(producer, sender, follower)
            await sender.drain()
            await producer.flush()
        finally:
            await follower.close()
            await producer.stop()
        return self._exchange.counters

    async def _until_stopped(
        self, producer: AIOKafkaProducer, sender: Sender, follower: PartitionFollower
    ) -> None:
        parts = [
            asyncio.create_task(self._ticks(follower, sender), name="ticks"),
            asyncio.create_task(sender.run(), name="sender"),
            asyncio.create_task(self._trade(producer, sender), name="trade"),
        ]
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait({*parts, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
        finally:
            follower.stop()
            for task in (*parts, stopped):
                task.cancel()
            await asyncio.gather(*parts, stopped, return_exceptions=True)

    async def _trade(self, producer: AIOKafkaProducer, sender: Sender) -> None:
        await self._caught_up.wait()
        if not self._exchange.books.accounts:
            await self._open_accounts(producer)
        if self._settings.activity_rate > 0:
            self._activity.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._commands(sender))
            group.create_task(self._clockwork(sender))

    async def _open_accounts(self, producer: AIOKafkaProducer) -> None:
        settings = self._settings
        prices = settings.prices if settings.prices is not None else await self._start_prices()
        accounts = []
        made = generate(
            settings.accounts,
            settings.seed,
            prices,
            self._catalogue,
            ts=self._exchange.now(),
            shares=settings.shares,
        )
        # A million objects that stay: collecting among them costs a third of the time to make them,
        # and a pause again with every full collection afterwards.
        gc.disable()
        try:
            for account in made:
                self._exchange.books.apply(account)
                accounts.append(account)
                if len(accounts) % 200 == 0:
                    await asyncio.sleep(0)
        finally:
            gc.freeze()
            gc.enable()
        await publish_accounts(
            producer,
            accounts,
            prefix=settings.prefix,
            total=settings.accounts,
            progress=self._progress,
        )

    async def _start_prices(self) -> dict[str, Decimal]:
        """Wait until every currency and contract has a price, or no new symbol comes any more."""
        market, known, since = self._exchange.market, 0, time.monotonic()
        _log.info("waiting_for_prices")
        while True:
            found = market.symbols()
            if len(found) > known:
                known, since = len(found), time.monotonic()
            missing = [c for c in self._catalogue.currencies if market.index(c) is None] + [
                c.name
                for c in self._catalogue.contracts.values()
                if market.trading_price(c) is None
            ]
            settled = time.monotonic() - since > _PRICES_SETTLE_SECONDS
            if not missing or (settled and market.index("USDT") is not None):
                return found
            await asyncio.sleep(0.05)

    async def _ticks(self, follower: PartitionFollower, sender: Sender) -> None:
        first, _, end = await follower.bounds()
        start = max(first, end - _RECENT_TICKS)
        if start >= end:
            self._caught_up.set()
        async for batch in follower.records(start):
            for number, record in enumerate(batch, 1):
                self._take_tick(record.value)
                if number % _TICKS_A_TURN == 0:
                    self._exchange.run_due()
                    await asyncio.sleep(0)
            if batch:
                self._last_tick = time.monotonic()
            if (follower.position or 0) >= end:
                self._caught_up.set()
            self._exchange.run_due()
            sender.wake()

    def _take_tick(self, value: bytes | None) -> None:
        try:
            tick = wire.decode_tick(value or b"")
            sound = Decimal(tick.price) > 0
        except (msgspec.MsgspecError, ArithmeticError):
            sound = False
        if sound:
            self._exchange.on_tick(tick)
        else:
            self._exchange.counters.bad_messages += 1

    async def _commands(self, sender: Sender) -> None:
        """Follow commands and interest; after a failure read again from the start: copies are known."""
        latest = self._settings.commands_from == "latest"
        while True:
            try:
                await self._follow_commands(sender, latest=latest)
            except (KafkaError, OSError) as error:
                _log.warning("commands_read_failed", error=repr(error))
                await asyncio.sleep(_PAUSE_SECONDS)
            latest = False

    async def _follow_commands(self, sender: Sender, *, latest: bool) -> None:
        prefix = self._settings.prefix
        topics = [prefix + name for name in (*_COMMAND_TOPICS, INTEREST_TOPIC)]
        consumer, partitions = await open_reader(self._client, topics)
        try:
            if latest:
                # Interest is read whole: what the books hold already is passed over.
                commands = [tp for tp in partitions if tp.topic != prefix + INTEREST_TOPIC]
                for place, end in (await consumer.end_offsets(commands)).items():
                    consumer.seek(place, end)
            if self._ready is not None:
                self._ready.set()
            while True:
                batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=500)
                for place, records in batches.items():
                    for record in records:
                        self._take_command(place.topic.removeprefix(prefix), record.value)
                if batches:
                    self._exchange.run_due()
                    sender.wake()
                    await asyncio.sleep(0)
        finally:
            with contextlib.suppress(KafkaError, OSError):
                await consumer.stop()

    def _take_command(self, topic: str, value: bytes | None) -> None:
        try:
            if topic == INTEREST_TOPIC:
                booked = self._exchange.books.follow(wire.decode_interest(value or b""))
                self._exchange.counters.interest += booked
            else:
                self._executor.on_command(topic, wire.decode_command(value or b""))
        except (msgspec.MsgspecError, ArithmeticError):
            self._exchange.counters.bad_messages += 1

    async def _clockwork(self, sender: Sender) -> None:
        """Run what the clock makes due, and let accounts live."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            now = time.monotonic()
            self._activity.pass_time(now - last)
            last = now
            # An event clock without a tick yet would tell the time of this machine.
            if self._settings.clock == "wall" or self._exchange.market.latest_ts:
                for falling_due in self._by_the_clock:
                    falling_due.look()
            idle = now - self._last_tick - _IDLE_SECONDS
            ahead = 0
            if self._settings.clock == "event" and idle > 0:
                ahead = self._exchange.scaled(idle * 1000)
            self._exchange.run_due(ahead)
            sender.wake()
