"""Two workers through a crash, while processes and services die: the topics must still add up.

One worker is killed and started again, the other stopped for longer than its session and resumed,
Redis is gone for 20 seconds and Kafka is restarted; the check over the topics then finds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from monitor.schema import Heartbeat
from streams import topics
from streams.embedded import Services
from streams.replay import Beats, Pace, SyntheticMarket, Target, opening_prices, play
from streams.settings import Settings
from streams.simulator import demo_reference
from streams.verify import verify
from tests.support.bus import publish_reference, worker_environment, worker_settings
from tests.support.processes import Command

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.intake]

ACCOUNTS = 400
MARKET = SyntheticMarket(seed=3, seconds=60)
READY_SECONDS = 120.0


@pytest.fixture
def own_services(tmp_path: Path) -> Iterator[Services]:
    with Services(tmp_path / "services") as running:
        yield running


@pytest.fixture
def settings(own_services: Services, tmp_path: Path) -> Settings:
    own = worker_settings(own_services.kafka.bootstrap, own_services.redis.url, "faults.", tmp_path)
    return own.model_copy(update={"partitions": 8, "clock": "event"})


async def _all_ready(settings: Settings) -> None:
    """Return when the workers together have every partition ready with all accounts."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.brokers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        name = topics.Topics(settings.topic_prefix).heartbeats
        places = [TopicPartition(name, p) for p in range(settings.partitions)]
        consumer.assign(places)
        latest: dict[str, Heartbeat] = {}
        async with asyncio.timeout(READY_SECONDS):
            while True:
                found = await consumer.getmany(timeout_ms=500)
                for record in (r for records in found.values() for r in records):
                    beat = Heartbeat.model_validate_json(record.value)
                    latest[beat.worker] = beat
                ready = {s.partition for b in latest.values() for s in b.spans if s.ready}
                known = sum(sum(b.accounts.values()) for b in latest.values())
                if len(ready) == settings.partitions and known >= ACCOUNTS:
                    return
    finally:
        await consumer.stop()


async def _play(settings: Settings, hold: float) -> None:
    pace = Pace(speed=1.0, clock="event", beats=Beats(hold=hold))
    await play(MARKET, Target(settings.brokers, settings.topic_prefix), pace)


async def _at(seconds: float, fault: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(seconds)
    await fault()


@pytest.mark.timeout(300)
async def test_h7_two_workers_survive_kill_stop_redis_and_kafka(
    own_services: Services, settings: Settings, tmp_path: Path
) -> None:
    await asyncio.to_thread(topics.ensure, settings)
    prices = opening_prices(MARKET)
    await publish_reference(settings, tmp_path, demo_reference(prices))
    env = worker_environment(settings)
    simulate = ("simulate", "--accounts", str(ACCOUNTS), "--seed", "5")
    async with asyncio.TaskGroup() as group:
        replay = group.create_task(_play(settings, hold=25.0))
        with (
            Command("exchange", tmp_path, env, *simulate) as exchange,
            Command("first", tmp_path, env, "worker") as first,
            Command("second", tmp_path, env, "worker") as second,
        ):
            await _all_ready(settings)

            async def kill_first() -> None:
                first.kill()
                await asyncio.sleep(2.0)
                first.start()

            async def stop_second() -> None:
                second.pause()
                await asyncio.sleep(2 * settings.session_timeout)
                second.resume()

            async def redis_gone() -> None:
                await asyncio.to_thread(own_services.redis.kill)
                await asyncio.sleep(20.0)
                await asyncio.to_thread(own_services.redis.start)

            async def kafka_restarts() -> None:
                await asyncio.to_thread(own_services.kafka.stop)
                await asyncio.to_thread(own_services.kafka.start)

            await asyncio.gather(
                _at(0.0, redis_gone),
                _at(5.0, kill_first),
                _at(22.0, stop_second),
                _at(40.0, kafka_restarts),
            )
            await replay
            for command in (first, second, exchange):
                assert command.alive, command.tail
            for command in (exchange, first, second):
                assert command.end(20.0) == 0, command.tail
    report = await verify(settings.brokers, prefix=settings.topic_prefix)
    assert report.clean, report.violations[:10]
    assert report.commands["warning"] > 0
    assert report.commands["reduction"] > 0
    assert report.episodes_opened > 0
