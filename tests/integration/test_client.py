"""What alert consumers see, on the real broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import pytest
from aiokafka import AIOKafkaProducer
from pydantic import BaseModel

from monitor.schema import Reduction, WarningCommand
from streams.client import Output, subscribe
from streams.connection import kafka_client
from streams.embedded import Kafka
from streams.settings import Settings
from streams.topics import Topics, ensure
from tests.support.outputs import interest, reduction, warning

pytestmark = pytest.mark.integration

Publish = Callable[..., Awaitable[None]]


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> Settings:
    found = Settings(
        brokers=kafka,
        topic_prefix=topic_prefix,
        partitions=2,
        session_timeout=2,
        heartbeat_interval=0.5,
    )
    ensure(found)
    return found


@pytest.fixture
async def publish(settings: Settings) -> AsyncIterator[Publish]:
    producer = AIOKafkaProducer(**kafka_client(settings), acks="all")
    await producer.start()

    async def send(topic: str, *messages: BaseModel | bytes, partition: int = 0) -> None:
        name = Topics(settings.topic_prefix).name(topic)
        for message in messages:
            value = message if isinstance(message, bytes) else message.model_dump_json().encode()
            await producer.send_and_wait(name, value, key=b"acc-1", partition=partition)

    yield send
    await producer.stop()


async def _take(count: int, *topics: str, settings: Settings, group: str | None) -> list[Output]:
    """Take the next messages; the body of the last one does not end."""
    got: list[Output] = []
    async with asyncio.timeout(30):
        async with aclosing(
            subscribe(*topics, group=group, settings=settings, from_start=True)
        ) as messages:
            async for message in messages:
                got.append(message)
                if len(got) == count:
                    break
    return got


async def test_messages_come_as_their_models_in_order_without_copies(
    settings: Settings, publish: Publish
) -> None:
    again = warning(2, attempt=2)
    await publish("warnings", warning(1), warning(2), warning(1), again, b"{}", warning(3))
    await publish("reductions", reduction(4))
    got = await _take(5, "warnings", "reductions", settings=settings, group="desk")
    assert got == [warning(1), warning(2), again, warning(3), reduction(4)]
    assert isinstance(got[0], WarningCommand)
    assert isinstance(got[-1], Reduction)


async def test_an_offset_is_committed_only_after_the_body_ran(
    settings: Settings, publish: Publish
) -> None:
    await publish("warnings", *(warning(number) for number in range(1, 6)))
    first = await _take(3, "warnings", settings=settings, group="desk")
    assert first == [warning(1), warning(2), warning(3)]
    # The body of the third was left: it comes again.
    second = await _take(3, "warnings", settings=settings, group="desk")
    assert second == [warning(3), warning(4), warning(5)]
    other = await _take(1, "warnings", settings=settings, group="night")
    assert other == [warning(1)]


async def test_in_6_notices_of_interest_come_once_and_a_restart_goes_on_behind_them(
    settings: Settings, publish: Publish
) -> None:
    again = interest("i-1", ts=1_700_000_060_001)
    await publish("interest", interest("i-1"), again, interest("i-2"), interest("i-3"))
    first = await _take(2, "interest", settings=settings, group="ledger")
    assert first == [interest("i-1"), interest("i-2")]
    # The body of i-2 was left, so it comes again; i-1 does not.
    assert await _take(2, "interest", settings=settings, group="ledger") == [
        interest("i-2"),
        interest("i-3"),
    ]


async def test_members_of_a_group_share_the_work_and_take_over(
    settings: Settings, publish: Publish
) -> None:
    got: dict[str, list[Output]] = {"a": [], "b": []}

    async def work(name: str) -> None:
        async for message in subscribe("warnings", group="desk", settings=settings):
            got[name].append(message)

    async def until(done: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while True:
                if done():
                    return
                await asyncio.sleep(0.02)

    members = {name: asyncio.create_task(work(name)) for name in got}
    try:
        number = 0
        async with asyncio.timeout(40):
            while not (got["a"] and got["b"]):
                for partition in (0, 1):
                    number += 1
                    await publish("warnings", warning(number), partition=partition)
                await asyncio.sleep(0.2)
        members["a"].cancel()
        await asyncio.gather(members["a"], return_exceptions=True)
        last = warning(number + 1), warning(number + 2)
        await publish("warnings", last[0], partition=0)
        await publish("warnings", last[1], partition=1)
        await until(lambda: all(message in got["b"] for message in last))
        sent = {f"w-{n}" for n in range(1, number + 3)}
        assert {m.command_id for m in got["a"] + got["b"] if isinstance(m, WarningCommand)} == sent
    finally:
        for member in members.values():
            member.cancel()
        await asyncio.gather(*members.values(), return_exceptions=True)


async def test_without_a_group_everything_new_is_followed(
    settings: Settings, publish: Publish
) -> None:
    await publish("warnings", warning(1))
    async with aclosing(subscribe("warnings", settings=settings)) as messages:
        following = asyncio.ensure_future(anext(messages))
        number = 1
        async with asyncio.timeout(30):
            while not following.done():
                number += 1
                await publish("warnings", warning(number), partition=number % 2)
                await asyncio.wait([following], timeout=0.1)
        first = following.result()
        assert isinstance(first, WarningCommand)
        assert first.command_id != "w-1"
        await publish("warnings", warning(9000))
        async with asyncio.timeout(30):
            async for message in messages:
                if message == warning(9000):
                    break


async def test_a_consumer_goes_on_after_a_restart_of_the_broker(private_kafka: Kafka) -> None:
    settings = Settings(brokers=private_kafka.bootstrap, partitions=1)
    ensure(settings)
    producer = AIOKafkaProducer(**kafka_client(settings), acks="all", enable_idempotence=True)
    await producer.start()

    async def send(number: int) -> None:
        await producer.send_and_wait("warnings", warning(number).model_dump_json().encode())

    await send(1)
    async with (
        asyncio.timeout(60),
        aclosing(subscribe("warnings", settings=settings, from_start=True)) as messages,
    ):
        assert await anext(messages) == warning(1)
        await asyncio.to_thread(private_kafka.kill)
        following = asyncio.ensure_future(anext(messages))
        await asyncio.to_thread(private_kafka.start)
        await send(2)
        assert await following == warning(2)
    await producer.stop()
