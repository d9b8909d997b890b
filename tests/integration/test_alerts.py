"""Alerts from the topics to a real HTTP channel, on the real broker."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from redis.asyncio import Redis

from streams.alerts import AlertService, AlertSettings, Rulebook, load_rules_file, publish_rules
from streams.connection import kafka_client
from streams.embedded import Kafka
from streams.settings import Settings
from streams.topics import Topics, ensure
from tests.support.alerting import (
    QUICK,
    Desk,
    Publish,
    committed,
    count,
    publisher,
    rules,
    running,
    settings_for,
    until,
)
from tests.support.alerts import cancel, episode, reduced, warned

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> Settings:
    found = settings_for(kafka, topic_prefix)
    ensure(found)
    return found


@pytest.fixture
async def publish(settings: Settings) -> AsyncIterator[Publish]:
    producer, send = await publisher(settings)
    yield send
    await producer.stop()


async def test_people_are_told_by_the_rules(
    settings: Settings, publish: Publish, desk: Desk, tmp_path: Path
) -> None:
    await rules(settings, tmp_path, vip={"channels": ["desk"], "accounts": {"globs": ["vip-*"]}})
    await publish(warned("vip-0"))  # before the first start: nobody asked
    async with running(settings, desk=desk.url) as service:
        await publish(
            warned("vip-1"),
            warned("other"),
            b"{}",
            warned("vip-1"),
            cancel("vip-1", 2),
            reduced("vip-1", 3),
            episode("bankrupt", "vip-1", 4, ratio="-0.1", shortfall="12"),
        )
        await desk.until(4)
        assert sorted(desk.titles) == [
            "vip-1 at -10.00 %: BANKRUPT, shortfall 12.00 USD",
            "vip-1 at 250.00 %: 2 orders to be cancelled",
            "vip-1 at 250.00 %: entered the warning band (at or below 300 %)",
            "vip-1 at 98.00 %: reduction, step 1",
        ]
        assert {message["type"] for message in desk.taken} == {"warning", "failure"}
        assert all("/#/account/vip-1" in message["message"] for message in desk.taken)
        await until(lambda: count(service, "told_total", channel="desk") == 4)
        assert count(service, "delivered_total", channel="desk", form="single") == 4
        assert count(service, "suppressed_total", channel="desk", reason="copy") == 1
        assert count(service, "undecodable_total", channel="desk") == 1
        assert count(service, "delay_seconds_count", channel="desk") == 4


async def test_a_rule_published_meanwhile_applies_at_once(
    settings: Settings, publish: Publish, desk: Desk, tmp_path: Path
) -> None:
    async with running(settings, desk=desk.url) as service:
        await publish(warned("a"))
        await rules(settings, tmp_path, all={"channels": ["desk"]})
        await until(lambda: "all" in service._book.rules)
        await publish(warned("b"))
        assert await desk.until(1) == ["b"]
        await rules(settings, tmp_path, all={"channels": ["elsewhere"]})
        await until(lambda: service._book.channels == {"elsewhere"})
        await publish(warned("c"))
        await rules(settings, tmp_path)
        await until(lambda: not service._book.rules)
        await publish(warned("d"))
        await rules(settings, tmp_path, all={"channels": ["desk"]})
        await until(lambda: "all" in service._book.rules)
        await publish(warned("e"))
        assert await desk.until(2) == ["b", "e"]


async def test_a_bad_record_leaves_the_last_good_rule(settings: Settings, tmp_path: Path) -> None:
    await rules(settings, tmp_path, a={"channels": ["desk"]}, b={"channels": ["desk"]})
    producer = AIOKafkaProducer(**kafka_client(settings))
    await producer.start()
    topic = Topics(settings.topic_prefix).alert_rules
    for key, value in ((b"a", b'{"channels":[]}'), (b"c", b"nonsense"), (b"b", None)):
        await producer.send_and_wait(topic, value, key=key)
    await producer.stop()
    book = Rulebook(settings)
    await book.read()
    await book.close()
    assert list(book.rules) == ["a"]
    # publishing the same file again: a stands, b is back, nothing else
    file = tmp_path / "rules.json"
    done = await publish_rules(settings, load_rules_file(file), keep_others=False)
    assert (done.changed, done.unchanged, done.removed) == (("b",), ("a",), ())
    file.write_text(json.dumps({"rules": {"b": {"deleted": True}}}))
    done = await publish_rules(settings, load_rules_file(file), keep_others=True)
    assert (done.changed, done.removed) == ((), ("b",))
    done = await publish_rules(settings, load_rules_file(file), keep_others=False)
    assert done.removed == ("a",)


async def test_a_channel_that_refuses_and_recovers_gets_each_message_once(
    settings: Settings, publish: Publish, desk: Desk, tmp_path: Path
) -> None:
    await rules(settings, tmp_path, all={"channels": ["desk"]})
    desk.status = 503
    async with running(settings, desk=desk.url) as service:
        await publish(warned("a"))
        await until(lambda: desk.refused >= 3)
        assert count(service, "failed_attempts_total", channel="desk") >= 2
        assert service.metrics.registry.get_sample_value(
            "liqmon_alerts_channel_up", {"channel": "desk"}
        ) == (0)
        # nothing is told, so nothing is committed either
        assert await committed(settings, "desk", "warnings") == 0
        await publish(warned("b"))
        desk.status = 200
        assert await desk.until(2) == ["a", "b"]
        assert count(service, "given_up_total", channel="desk") == 0
    assert await committed(settings, "desk", "warnings") == 2
    assert desk.accounts == ["a", "b"]


async def test_a_channel_that_stays_down_holds_up_no_other_and_is_given_up(
    settings: Settings, publish: Publish, desks: Callable[[], Desk], tmp_path: Path
) -> None:
    up, down = desks(), desks()
    down.status = 500
    await rules(settings, tmp_path, all={"channels": ["up", "down"]})
    slow = AlertSettings(alert_attempts=3, alert_first_pause=1, alert_longest_pause=1)
    async with running(settings, slow, up=up.url, down=down.url) as service:
        began = time.monotonic()
        await publish(*(warned(f"a{number}") for number in range(4)))
        await up.until(4)
        assert time.monotonic() - began < 2
        assert down.refused <= 2
        await until(lambda: count(service, "given_up_total", channel="down") >= 1)
        down.status = 200
        await down.until(3)
        assert down.accounts == [f"a{number}" for number in range(4)][-len(down.accounts) :]
        assert up.accounts == [f"a{number}" for number in range(4)]


async def test_after_a_restart_nothing_is_told_twice_and_nothing_is_left_out(
    settings: Settings, publish: Publish, desk: Desk, tmp_path: Path
) -> None:
    await rules(settings, tmp_path, all={"channels": ["desk"], "digest": {"more_than": 100}})
    async with running(settings, desk=desk.url):
        await publish(warned("a"), reduced("b", ratio="0.9"))
        await desk.until(2)
    await publish(
        warned("c"),
        reduced("b", 2, ratio="0.89"),  # no worse than was told before the restart
        warned("a"),  # a copy
        reduced("d"),
    )
    async with running(settings, desk=desk.url) as service:
        await publish(reduced("b", 3, ratio="0.7"), reduced("d", 2))
        assert sorted(await desk.until(5)) == ["a", "b", "b", "c", "d"]
        await until(
            lambda: count(service, "suppressed_total", channel="desk", reason="repeat") == 2
        )
    async with running(settings, desk=desk.url):
        await publish(warned("e"))
        await desk.until(6)
    assert sorted(desk.accounts) == ["a", "b", "b", "c", "d", "e"]


async def test_what_could_not_be_told_before_a_stop_is_told_after_it(
    settings: Settings, publish: Publish, desk: Desk, tmp_path: Path
) -> None:
    await rules(settings, tmp_path, all={"channels": ["desk"]})
    desk.status = 503
    async with running(settings, desk=desk.url):
        await publish(warned("a"), warned("b"))
        await until(lambda: desk.refused >= 1)
    desk.status = 200
    async with running(settings, desk=desk.url):
        assert sorted(await desk.until(2)) == ["a", "b"]


async def test_what_quiet_hours_hold_outlives_a_restart(
    settings: Settings, publish: Publish, desk: Desk, tmp_path: Path
) -> None:
    always = {"timezone": "UTC", "start": "00:00", "end": "00:00"}
    await rules(settings, tmp_path, all={"channels": ["desk"], "quiet": [always]})
    # nothing but the quiet hours themselves is read back
    short = QUICK.model_copy(update={"alert_history": 0})
    async with running(settings, short, desk=desk.url) as service:
        await publish(warned("a"), warned("b"), warned("b", 2, state="cleared"))
        await until(lambda: count(service, "commands_total", channel="desk", kind="warning") == 3)
    assert await committed(settings, "desk", "warnings") == 3
    async with running(settings, short, desk=desk.url):
        assert desk.taken == []
        await rules(settings, tmp_path, all={"channels": ["desk"]})
        assert await desk.until(1) == ["a"]
        assert "(held over quiet hours)" in desk.taken[0]["message"]
    assert desk.accounts == ["a"]


async def test_a_crowd_comes_as_a_few_and_one_digest(
    settings: Settings, publish: Publish, desk: Desk, tmp_path: Path
) -> None:
    digest = {"more_than": 3, "within_seconds": 2}
    await rules(settings, tmp_path, all={"channels": ["desk"], "digest": digest})
    async with running(settings, desk=desk.url) as service:
        await publish(*(warned(f"a{number}") for number in range(40)))
        await publish(
            *(episode("bankrupt", f"z{n}", ratio=f"-0.{n}", shortfall="100.5") for n in (1, 2))
        )
        await desk.until(4)
        assert desk.titles[3].startswith("39 accounts within ")
        assert "2 bankrupt, 37 entered the warning band" in desk.titles[3]
        assert "Total shortfall: 201.00 USD" in desk.taken[3]["message"]
        assert "– z2 -20.00 %" in desk.taken[3]["message"]
        await until(lambda: count(service, "told_total", channel="desk") == 42)
        assert count(service, "delivered_total", channel="desk", form="digest") == 1
    assert await committed(settings, "desk", "warnings") == 40


async def test_stopped_while_it_gathers_it_tells_what_it_has(
    settings: Settings, publish: Publish, desk: Desk, tmp_path: Path
) -> None:
    digest = {"more_than": 2, "within_seconds": 600}
    await rules(settings, tmp_path, all={"channels": ["desk"], "digest": digest})
    async with running(settings, desk=desk.url) as service:
        await publish(*(warned(f"a{number}") for number in range(10)))
        await until(lambda: count(service, "commands_total", channel="desk", kind="warning") == 10)
        await until(lambda: len(desk.taken) == 2)
        # gathered is not told: its places are not committed, however long it takes
        await asyncio.sleep(1.5)
        assert await committed(settings, "desk", "warnings") < 10
    assert len(desk.taken) == 3
    assert desk.titles[2].startswith("8 accounts within ")
    assert await committed(settings, "desk", "warnings") == 10
    async with running(settings, desk=desk.url):
        await publish(warned("b"))
        await desk.until(4)
    assert desk.accounts[3] == "b"


async def test_two_members_share_a_channel_and_one_takes_over(
    settings: Settings, publish: Publish, desk: Desk, tmp_path: Path
) -> None:
    await rules(settings, tmp_path, all={"channels": ["desk"], "digest": {"more_than": 1000}})
    names = [f"a{number}" for number in range(20)]
    async with running(settings, desk=desk.url) as first:
        async with running(settings, desk=desk.url) as second:
            await until(lambda: all(len(_assigned(one)) == 4 for one in (first, second)))
            await publish(*(reduced(name, 1, ratio="0.9") for name in names))
            assert sorted(await desk.until(20)) == sorted(names)

            def shares() -> list[float]:
                return [count(one, "told_total", channel="desk") for one in (first, second)]

            await until(lambda: sum(shares()) == 20)
            assert min(shares()) > 0
        await until(lambda: len(_assigned(first)) == 8)
        # what the other told is known: only what is worse is told
        await publish(*(reduced(name, 2, ratio="0.89") for name in names))
        await publish(*(reduced(name, 3, ratio="0.5") for name in names))
        await desk.until(40)
    assert len(desk.taken) == 40


def _assigned(service: AlertService) -> frozenset[TopicPartition]:
    return service.pipelines["desk"]._reader.assignment


async def test_too_old_commands_are_counted_and_not_told(
    kafka: str, topic_prefix: str, publish: Publish, settings: Settings, desk: Desk, tmp_path: Path
) -> None:
    await rules(settings, tmp_path, all={"channels": ["desk"]})
    wall = settings.model_copy(update={"clock": "wall"})
    now = int(time.time() * 1000)
    async with running(wall, desk=desk.url) as service:
        await publish(
            warned("old", decided_at=now - 11 * 60_000),
            # past its `expires_at`, and news all the same
            warned("late", decided_at=now - 9 * 60_000, expires_at=now - 8 * 60_000),
        )
        assert await desk.until(1) == ["late"]
        await until(
            lambda: count(service, "suppressed_total", channel="desk", reason="too_old") == 1
        )


async def test_main_accounts_and_position_values_come_from_redis(
    kafka: str,
    topic_prefix: str,
    redis_url: str,
    publish: Publish,
    settings: Settings,
    desk: Desk,
    tmp_path: Path,
) -> None:
    redis = Redis.from_url(redis_url)
    for name, main, value in (("a", "fund", "900"), ("b", "fund", "50"), ("c", None, "900")):
        state = {"account": {"account_id": name, "main_account_id": main}}
        shown = {"position_value": value}
        await redis.hset(
            f"liqmon:account:{name}",
            mapping={
                "state": msgspec.json.encode(state),
                "assessment": msgspec.json.encode(shown),
            },
        )
    await redis.aclose()
    fund = {"channels": ["desk"], "accounts": {"main_accounts": ["fund"]}}
    await rules(settings, tmp_path, fund={**fund, "minimum_notional_usd": "100"})
    with_redis = settings.model_copy(update={"redis_url": redis_url})
    async with running(with_redis, desk=desk.url) as service:
        await publish(*(warned(name) for name in ("b", "c", "unknown", "a", "fund")))
        # of `fund` itself no size is known, and it is told
        assert sorted(await desk.until(2)) == ["a", "fund"]
        await until(
            lambda: (
                count(service, "suppressed_total", channel="desk", reason="unknown_main_account")
                == 1
            )
        )
    assert len(desk.taken) == 2


async def test_it_goes_on_after_a_restart_of_the_broker(
    private_kafka: Kafka, desk: Desk, tmp_path: Path
) -> None:
    settings = settings_for(private_kafka.bootstrap, "")
    ensure(settings)
    await rules(settings, tmp_path, all={"channels": ["desk"]})
    async with running(settings, desk=desk.url):
        producer, send = await publisher(settings)
        await send(warned("a"))
        await desk.until(1)
        await asyncio.to_thread(private_kafka.kill)
        await asyncio.to_thread(private_kafka.start)
        await send(warned("b"))
        await desk.until(2)
        await producer.stop()
    assert desk.accounts == ["a", "b"]
