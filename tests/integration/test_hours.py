"""The topic of hour prices on the real broker: written by one, read by all, each hour once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from monitor.account.interest import HOUR_MS, hour_of
from monitor.interest.hours import HourBook, HourPrices
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import Tick
from streams.connection import kafka_client
from streams.dead_letters import BadRecord
from streams.hours import HourReader, HourWriter, hour_out, missed_hours
from streams.journal import CommandOut, Outlet
from streams.settings import Settings
from streams.topics import Topics, ensure
from streams.worker.runtime import wall

pytestmark = pytest.mark.integration

H = hour_of(1_700_000_000_000)
REFERENCE: Reference = load_reference(
    {"currencies": {"BTC": {"yearly_rate": "0.05"}, "USDT": {"yearly_rate": "0.1"}}}
)


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> Settings:
    found = Settings(brokers=kafka, topic_prefix=topic_prefix, partitions=1)
    ensure(found)
    return found


@pytest.fixture
def topics(settings: Settings) -> Topics:
    return Topics(settings.topic_prefix)


@pytest.fixture
async def outlet(settings: Settings) -> AsyncIterator[Outlet]:
    found = Outlet(kafka_client(settings))
    await found.start()
    yield found
    await found.stop()


@asynccontextmanager
async def _reading(settings: Settings, **options: Any) -> AsyncIterator[HourReader]:
    """A worker's reader, once it has read what stood in the topic."""
    topic = Topics(settings.topic_prefix).hour_prices
    bad: list[BadRecord] = []
    options.setdefault("on_bad", bad.append)
    reader = HourReader(kafka_client(settings), topic, HourBook(), **options)
    task = asyncio.create_task(reader.run())
    try:
        async with asyncio.timeout(30):
            await reader.caught_up.wait()
        yield reader
        reader.stop()
        async with asyncio.timeout(5):
            await task
    finally:
        task.cancel()
        await reader.close()


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if done():
                return
            await asyncio.sleep(0.01)


def _writer(
    book: HourBook, topics: Topics, outlet: Outlet, may: Callable[[], bool] = lambda: True, **m: Any
) -> HourWriter:
    return HourWriter(book, topics.hour_prices, outlet, may_publish=may, **m)


class Ticks:
    """A worker's way through the ticks: each hour is cut before the tick that shows it has passed."""

    def __init__(self, writer: HourWriter) -> None:
        self.writer, self.prices = writer, PriceBook()

    def take(self, *ticks: tuple[int, str]) -> None:
        for ts, price in ticks:
            if ts > self.writer.boundary:
                self.writer.before_tick(ts, self.prices, REFERENCE, None)
            self.prices.take(_tick(ts, price), 0, REFERENCE.policy, ts)


def _tick(ts: int, price: str, symbol: str = "BTC-USD") -> Tick:
    return Tick.model_validate({"symbol": symbol, "kind": "index", "price": price, "ts": ts})


def _btc(book: HourBook, hour: int) -> tuple[str, bool]:
    found = book.at(hour)
    assert found is not None
    return str(found.prices.index("BTC")), found.exact


def _record(hour: int, price: str) -> HourPrices:
    return HourPrices(hour, {"BTC-USD/index": price}, {"USDT": "0.1"})


async def test_in_1_what_one_worker_cuts_every_worker_reads(
    settings: Settings, topics: Topics, outlet: Outlet
) -> None:
    async with _reading(settings) as owner, _reading(settings) as other:
        ticks = Ticks(_writer(owner.book, topics, outlet))
        ticks.take((H - 1000, "100"), (H, "101"), (H + 1, "102"))
        ticks.take((H + 2 * HOUR_MS + 5, "103"))
        await ticks.writer.publish()
        for reader in (owner, other):
            await _until(lambda: reader.book.last == H + 2 * HOUR_MS)  # noqa: B023
            assert _btc(reader.book, H) == ("101", True), "a tick of the very hour belongs to it"
            assert _btc(reader.book, H + HOUR_MS) == ("102", True)
            assert _btc(reader.book, H + 2 * HOUR_MS) == ("102", True)
            assert reader.repeats == 0
        assert owner.book.at(H).rates["USDT"] == REFERENCE.currencies["USDT"].yearly_rate  # type: ignore[union-attr]
    async with _reading(settings) as newcomer:
        assert newcomer.book.last == H + 2 * HOUR_MS, "read whole before it is caught up"


async def test_in_1_of_two_owners_in_turn_the_first_record_of_an_hour_stands(
    settings: Settings, topics: Topics, outlet: Outlet
) -> None:
    async with _reading(settings) as one, _reading(settings) as two:
        for price in ("101", "999"):  # neither has seen the other's
            ticks = Ticks(_writer(HourBook(), topics, outlet))
            ticks.take((H - 1, price), (H + 1, "5"))
            await ticks.writer.publish()
        await _until(lambda: one.repeats == two.repeats == 1)
        assert _btc(one.book, H) == _btc(two.book, H) == ("101", True)


async def test_in_1_published_once_however_often_it_is_asked_for(
    settings: Settings, topics: Topics, outlet: Outlet
) -> None:
    async with _reading(settings) as reader:
        ticks = Ticks(_writer(reader.book, topics, outlet))
        await ticks.writer.publish()  # before the first tick there is nothing
        ticks.take((H - 1, "7"), (H + 1, "8"))
        for _ in range(3):
            await ticks.writer.publish()
        await outlet.publish([hour_out(_record(H + HOUR_MS, "9"), topics.hour_prices)])
        await _until(lambda: reader.book.last == H + HOUR_MS)
        assert reader.repeats == 0


async def test_in_1_whoever_takes_over_publishes_what_the_last_owner_did_not(
    settings: Settings, topics: Topics, outlet: Outlet
) -> None:
    owns = False
    async with _reading(settings) as reader:
        ticks = Ticks(_writer(reader.book, topics, outlet, may=lambda: owns))
        running = asyncio.create_task(ticks.writer.run())
        try:
            ticks.take((H - 1, "100"), (H + 1, "200"), (H + HOUR_MS + 1, "300"))
            # the owner publishes the first hour, and dies
            await outlet.publish([hour_out(_record(H, "111"), topics.hour_prices)])
            await _until(lambda: reader.book.last == H)
            owns = True
            await _until(lambda: reader.book.last == H + HOUR_MS)
        finally:
            running.cancel()
        assert _btc(reader.book, H) == ("111", True)
        assert _btc(reader.book, H + HOUR_MS) == ("200", True)
        assert reader.repeats == 0


async def test_in_1_hours_that_nobody_lived_through_are_made_of_the_ticks_that_stand(
    settings: Settings, topics: Topics, outlet: Outlet
) -> None:
    """Down for three hours while ticks went on; each missed hour gets its own prices."""
    start = hour_of(wall()) - 10 * HOUR_MS
    await outlet.publish([hour_out(_record(start, "100"), topics.hour_prices)])
    for number in range(1, 5):
        at = start + number * HOUR_MS
        await _send(outlet, topics, (at - 5, f"{number}1"), (at, f"{number}2"), (at + 1, "5"))

    async def missed(hours: range) -> list[HourPrices]:
        # Ticks of a test are all appended now: read from the beginning.
        lookback = hours[0]
        client = kafka_client(settings)
        return await missed_hours(client, topics.ticks, hours, REFERENCE, lookback_ms=lookback)

    async with _reading(settings) as reader:
        assert reader.book.last == start
        ticks = Ticks(_writer(reader.book, topics, outlet, missed=missed))
        ticks.take((start + 3 * HOUR_MS + 1800, "77"))  # up again
        await ticks.writer.publish()
        ticks.take((start + 4 * HOUR_MS + 1, "78"))
        await ticks.writer.publish()
        await _until(lambda: reader.book.last == start + 4 * HOUR_MS)
        found = [_btc(reader.book, start + n * HOUR_MS) for n in range(5)]
        assert found == [
            ("100", True),
            ("12", True),
            ("22", True),
            ("32", True),
            ("77", True),
        ]


async def test_in_1_hours_without_ticks_around_them_are_not_invented(
    settings: Settings, topics: Topics, outlet: Outlet
) -> None:
    await _send(outlet, topics, (H + 2 * HOUR_MS - 5, "2"), (H + 2 * HOUR_MS + 1, "3"))
    hours = range(H, H + 5 * HOUR_MS, HOUR_MS)
    found = await missed_hours(
        kafka_client(settings), topics.ticks, hours, REFERENCE, lookback_ms=H
    )
    assert [(r.hour, r.prices) for r in found] == [(H + 2 * HOUR_MS, {"BTC-USD/index": "2"})]


async def _send(outlet: Outlet, topics: Topics, *ticks: tuple[int, str]) -> None:
    await outlet.publish(
        [
            CommandOut(topics.ticks, b"BTC-USD", _tick(ts, price).model_dump_json().encode(), ())
            for ts, price in ticks
        ]
    )


async def test_in_1_a_symbol_the_last_seconds_did_not_quote_is_left_to_a_later_hour(
    settings: Settings, topics: Topics, outlet: Outlet
) -> None:
    """What was missing counts as estimated (`HourBook.serving`), never as the hour's own price."""
    async with _reading(settings) as reader:
        prices = [{"BTC-USD/index": "1"}, {"BTC-USD/index": "2", "ETH-USD/index": "3"}]
        for number, given in enumerate(prices):
            record = HourPrices(H + number * HOUR_MS, given)
            await outlet.publish([hour_out(record, topics.hour_prices)])
        await _until(lambda: reader.book.last == H + HOUR_MS)
        own, filled = reader.book.serving(H)
        assert (own.exact, "ETH-USD/index" in own.prices.prices) == (True, False)
        assert (filled.exact, filled.prices.index("ETH"), filled.prices.index("BTC")) == (
            False,
            Decimal(3),
            Decimal(1),
        )


BAD: list[tuple[Any, str]] = [
    (None, "no value"),
    (b"{", "truncated"),
    ({"prices": {}}, "hour"),
    ({"hour": H + 1, "prices": {}}, "no full hour"),
    ({"hour": H, "prices": {"BTC-USD/index": "0"}}, "positive price"),
    ({"hour": H, "prices": {"BTC-USD/index": "Infinity"}}, "positive price"),
    ({"hour": H, "prices": {"BTC-USD": "1"}}, "symbol/kind"),
    ({"hour": H, "prices": {}, "rates": {"BTC": "-1"}}, "rate of at least 0"),
    ({"hour": H, "prices": {}, "rates": {"BTC": "x"}}, "rate of at least 0"),
    ({"hour": hour_of(4_000_000_000_000), "prices": {}}, "ms ahead"),
]


async def test_h_4_what_is_no_hour_goes_to_the_dead_letters_and_stops_nothing(
    settings: Settings, topics: Topics, outlet: Outlet
) -> None:
    values = [v if v is None or isinstance(v, bytes) else json.dumps(v).encode() for v, _ in BAD]
    await outlet.publish([_raw(topics, value) for value in values])
    await outlet.publish([hour_out(_record(H, "5"), topics.hour_prices)])
    bad: list[BadRecord] = []
    async with _reading(settings, on_bad=bad.append, ahead_limit_ms=5000) as reader:
        assert _btc(reader.book, H) == ("5", True)
    assert [b.offset for b in bad] == list(range(len(BAD)))
    for record, (_, reason) in zip(bad, BAD, strict=True):
        assert reason in record.reason
    assert [b.value for b in bad] == values


def _raw(topics: Topics, value: Any) -> CommandOut:
    return CommandOut(topics.hour_prices, b"x", value, ())


async def test_in_1_the_same_hour_and_prices_give_the_same_bytes(topics: Topics) -> None:
    def cut(order: Iterable[str]) -> bytes:
        class Caught:
            async def publish(self, commands: Any) -> None:
                raise NotImplementedError

        writer = HourWriter(HourBook(), "t", Caught(), may_publish=lambda: True)
        prices = PriceBook()
        for symbol in order:
            prices.take(_tick(H - 1, "5.10", symbol), 0, REFERENCE.policy, H)
        writer.before_tick(H - 1, prices, REFERENCE, None)
        writer.before_tick(H + 1, prices, REFERENCE, None)
        return hour_out(writer._pending[H], "t").value

    assert cut(["BTC-USD", "ETH-USD"]) == cut(["ETH-USD", "BTC-USD"])
