"""The tick service on the real broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from streams.connection import confluent_config, kafka_client
from streams.dead_letters import BadRecord
from streams.embedded import Kafka
from streams.settings import Settings
from streams.tick_messages import TickMessage
from streams.ticks import TickReader
from streams.topics import Topics, ensure

pytestmark = pytest.mark.integration

T0 = 1_700_000_000_000
Sender = Callable[..., Awaitable[int]]


def _tick(symbol: str, number: int, ts: int | None = None) -> bytes:
    return json.dumps(
        {
            "symbol": symbol,
            "kind": "index",
            "price": f"{number}.5",
            "ts": T0 + number if ts is None else ts,
            "seq": number,
        }
    ).encode()


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> Settings:
    found = Settings(brokers=kafka, topic_prefix=topic_prefix, partitions=1)
    ensure(found)
    return found


@pytest.fixture
async def send(settings: Settings) -> AsyncIterator[Sender]:
    """Appends one message to the tick topic and returns its append time."""
    async with _producer(settings) as producer:

        async def append(symbol: str, value: bytes) -> int:
            sent = await producer.send_and_wait(
                Topics(settings.topic_prefix).ticks, value, key=symbol.encode()
            )
            return int(sent.timestamp)

        yield append


@asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(**kafka_client(settings), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


class Reading:
    """A reader at work, and what it gave."""

    def __init__(self, reader: TickReader, bad: list[BadRecord]) -> None:
        self.reader = reader
        self.bad = bad
        self.got: list[tuple[TickMessage, int]] = []
        self.before_caught_up = 0
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for batch in self.reader.batches():
            self.got.extend(batch)
            if not self.reader.caught_up:
                self.before_caught_up = len(self.got)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not done():
                assert not self.task.done(), self.task
                await asyncio.sleep(0.01)

    @property
    def numbers(self) -> list[int]:
        return [tick.seq for tick, _ in self.got]


@asynccontextmanager
async def _reading(settings: Settings, **options: object) -> AsyncIterator[Reading]:
    bad: list[BadRecord] = []
    reader = TickReader(
        kafka_client(settings),
        Topics(settings.topic_prefix).ticks,
        on_bad=bad.append,
        **options,  # type: ignore[arg-type]
    )
    reading = Reading(reader, bad)
    try:
        yield reading
        reader.stop()
        async with asyncio.timeout(5):
            await reading.task
    finally:
        reading.task.cancel()
        await reader.close()


async def test_everything_from_the_beginning_then_what_comes(
    settings: Settings, send: Sender
) -> None:
    for number in range(5):
        await send("BTC-USD", _tick("BTC-USD", number))
    async with _reading(settings) as reading:
        await reading.until(lambda: reading.reader.caught_up)
        assert reading.numbers == [0, 1, 2, 3, 4]
        assert reading.before_caught_up == 5
        assert reading.reader.position == reading.reader.end == reading.reader.start_end == 5
        await send("BTC-USD", _tick("BTC-USD", 5))
        await reading.until(lambda: len(reading.got) == 6)
        assert [offset for _, offset in reading.got] == [0, 1, 2, 3, 4, 5]
        assert reading.reader.last_ts == T0 + 5
        assert reading.reader.lag == 0


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_that_producers_use_is_read(settings: Settings, codec: str) -> None:
    producer = Producer({**confluent_config(settings, producer=True), "compression.type": codec})
    for number in range(100):
        value = _tick("BTC-USD", number)
        producer.produce(Topics(settings.topic_prefix).ticks, value, key=b"BTC-USD")
    await asyncio.to_thread(producer.flush)
    async with _reading(settings) as reading:
        await reading.until(lambda: reading.reader.caught_up)
        assert reading.numbers == list(range(100))


async def test_an_empty_topic_is_caught_up_at_once(settings: Settings) -> None:
    async with _reading(settings) as reading:
        await reading.until(lambda: reading.reader.caught_up)
        assert reading.got == []


async def test_px_5_bad_ticks_are_reported_and_disturb_nothing(
    settings: Settings, send: Sender
) -> None:
    await send("BTC-USD", _tick("BTC-USD", 0))
    await send("BTC-USD", b'{"symbol":"BTC-USD","kind":"index","price":"-1","ts":1}')
    appended = await send("BTC-USD", _tick("BTC-USD", 1, ts=T0 * 10))
    await send("BTC-USD", _tick("BTC-USD", 2))
    async with _reading(settings) as reading:
        await reading.until(lambda: len(reading.got) == 2)
        assert reading.numbers == [0, 2]
        assert [(bad.offset, bad.key) for bad in reading.bad] == [(1, b"BTC-USD"), (2, b"BTC-USD")]
        assert reading.bad[0].reason.startswith("price:")
        assert reading.bad[1].reason == f"ts: {T0 * 10} is {T0 * 10 - appended} ms ahead"
        assert reading.reader.bad == 2


async def test_the_event_clock_knows_no_ahead(settings: Settings, send: Sender) -> None:
    await send("BTC-USD", _tick("BTC-USD", 1, ts=T0 * 10))
    async with _reading(settings, ahead_limit_ms=None) as reading:
        await reading.until(lambda: reading.reader.caught_up)
        assert reading.numbers == [1]
        assert reading.bad == []


async def test_a_start_by_time_reads_older_ticks_only_of_symbols_without_newer(
    settings: Settings, send: Sender
) -> None:
    await send("OLD-USD", _tick("OLD-USD", 1))
    await send("OLD-USD", _tick("OLD-USD", 2))
    for number in range(10, 60):
        last = await send("BTC-USD", _tick("BTC-USD", number))
    while (since := await send("BTC-USD", _tick("BTC-USD", 60))) == last:
        pass
    await send("ETH-USD", _tick("ETH-USD", 61))
    async with _reading(
        settings, since_ms=since, needed={"OLD-USD", "BTC-USD", "NEVER-USD"}, max_records=5
    ) as reading:
        await reading.until(lambda: reading.reader.caught_up)
        assert reading.numbers[-2:] == [61, 2]
        assert set(reading.numbers[:-2]) == {60}
        assert reading.got[-1][1] == 1
        assert reading.before_caught_up == len(reading.got)
        await send("OLD-USD", _tick("OLD-USD", 62))
        await reading.until(lambda: reading.numbers[-1] == 62)
        assert reading.reader.position == reading.got[-1][1] + 1


async def test_records_that_were_deleted_are_passed_over(settings: Settings, send: Sender) -> None:
    for number in range(4):
        await send("BTC-USD", _tick("BTC-USD", number))
    topic = Topics(settings.topic_prefix).ticks
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    _alter(admin, topic, {"cleanup.policy": "compact,delete"})
    await _delete_before(admin, topic, 3)
    async with _reading(settings) as reading:
        await reading.until(lambda: reading.reader.caught_up)
        assert reading.numbers == [3]


async def _delete_before(admin: AdminClient, topic: str, offset: int) -> None:
    """Delete records; the broker refuses until it has taken over the topic's changed policy."""
    async with asyncio.timeout(20):
        while True:
            (answer,) = admin.delete_records([TopicPartition(topic, 0, offset)]).values()
            try:
                answer.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.POLICY_VIOLATION:
                    raise
                await asyncio.sleep(0.2)
            else:
                return


def _alter(admin: AdminClient, topic: str, config: dict[str, str]) -> None:
    resource = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in config.items()
        ],
    )
    for answer in admin.incremental_alter_configs([resource]).values():
        answer.result()


async def test_a_topic_made_anew_is_read_from_its_beginning(
    settings: Settings, send: Sender
) -> None:
    for number in range(5):
        await send("BTC-USD", _tick("BTC-USD", number))
    topic = Topics(settings.topic_prefix).ticks
    async with _reading(settings) as reading:
        await reading.until(lambda: len(reading.got) == 5)
        admin = AdminClient({"bootstrap.servers": settings.brokers})
        for answer in admin.delete_topics([topic]).values():
            answer.result()
        # The brokers still show it for a moment, and it would not be made anew.
        await reading.until(lambda: topic not in admin.list_topics(timeout=10).topics)
        ensure(settings)
        await send("BTC-USD", _tick("BTC-USD", 5))
        await reading.until(lambda: len(reading.got) > 5)
        assert reading.got[5:] == [(reading.got[5][0], 0)]
        assert reading.numbers[5] == 5


async def test_no_tick_is_lost_or_doubled_over_a_restart_of_the_broker(
    private_kafka: Kafka,
) -> None:
    settings = Settings(brokers=private_kafka.bootstrap, partitions=1)
    ensure(settings)
    ticks = Topics().ticks
    async with _producer(settings) as producer:
        for number in range(3):
            await producer.send_and_wait(ticks, _tick("BTC-USD", number), key=b"BTC-USD")
        async with _reading(settings) as reading:
            await reading.until(lambda: len(reading.got) == 3)
            await asyncio.to_thread(private_kafka.kill)
            await asyncio.sleep(1)
            await asyncio.to_thread(private_kafka.start)
            for number in range(3, 6):
                await producer.send_and_wait(ticks, _tick("BTC-USD", number), key=b"BTC-USD")
            await reading.until(lambda: len(reading.got) >= 6)
            assert reading.numbers == [0, 1, 2, 3, 4, 5]


async def test_a_reader_waits_for_a_broker_that_is_not_there_and_stops_at_once() -> None:
    async with _reading(Settings(brokers="127.0.0.1:1")) as reading:
        await asyncio.sleep(0.3)
        assert not reading.task.done()
