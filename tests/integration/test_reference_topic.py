"""Publishing the reference set, and following it, on the real broker."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from monitor.reference import Reference, load_reference, set_hash
from streams.connection import kafka_client
from streams.dead_letters import BadRecord
from streams.documents import Document
from streams.reference import Publication, ReferenceFollower, publish
from streams.settings import Settings
from streams.topics import Topics, TopicsError, ensure

pytestmark = pytest.mark.integration

FILE: dict[str, Any] = {
    "currencies": {"BTC": {"discount_tiers": [{"up_to": "20", "rate": "0.98"}]}, "USDT": {}},
    "instruments": {
        "BTC-USDT": {
            "kind": "spot",
            "family": "BTC-USDT",
            "underlying": "BTC",
            "quote": "USDT",
            "lot": "0.001",
            "tick": "0.1",
        }
    },
    "fees": {"default": {"spot_taker": "0.001"}},
    "policy": {"warning": "3"},
}


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> Settings:
    found = Settings(brokers=kafka, topic_prefix=topic_prefix, partitions=1)
    ensure(found)
    return found


async def _publish(settings: Settings, raw: dict[str, Any]) -> Publication:
    return await publish(settings, Document(Path("reference.yaml"), "", raw), now_ms=1)


async def _append(settings: Settings, *records: tuple[str, Any]) -> None:
    producer = AIOKafkaProducer(**kafka_client(settings), acks="all", enable_idempotence=True)
    await producer.start()
    topic = Topics(settings.topic_prefix).reference
    for key, value in records:
        data = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        await producer.send_and_wait(topic, data, key=key.encode())
    await producer.stop()


class Following:
    """A follower at work, and what it handed over."""

    def __init__(self, settings: Settings) -> None:
        self.sets: list[Reference] = []
        self.bad: list[BadRecord] = []
        self.follower = ReferenceFollower(
            kafka_client(settings),
            Topics(settings.topic_prefix).reference,
            on_reference=self.sets.append,
            on_bad=self.bad.append,
        )
        self.task = asyncio.create_task(self.follower.run())

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not done():
                assert not self.task.done(), self.task
                await asyncio.sleep(0.01)


@asynccontextmanager
async def _following(settings: Settings) -> AsyncIterator[Following]:
    following = Following(settings)
    try:
        await following.until(lambda: following.follower.caught_up)
        yield following
        following.follower.stop()
        async with asyncio.timeout(5):
            await following.task
    finally:
        following.task.cancel()
        await following.follower.close()


async def test_a_published_set_is_handed_over_whole_with_the_hash_of_the_file(
    settings: Settings,
) -> None:
    published = await _publish(settings, FILE)
    async with _following(settings) as following:
        (found,) = following.sets
        assert found == load_reference(FILE)
        assert found.sha256 == published.sha256 == load_reference(FILE).sha256
        assert following.bad == []
        assert (published.entries, published.changed, published.removed) == (5, 5, ())


async def test_a_change_is_handed_over_while_running_and_a_repeat_is_not(
    settings: Settings,
) -> None:
    async with _following(settings) as following:
        assert following.sets == []
        await _publish(settings, FILE)
        await following.until(lambda: len(following.sets) == 1)
        await _publish(settings, FILE)
        changed = {**FILE, "policy": {"warning": "4", "warning_exit": "4.2"}}
        published = await _publish(settings, changed)
        await following.until(lambda: len(following.sets) > 1)
        assert [found.sha256 for found in following.sets[1:]] == [published.sha256]
        assert published.changed == 1
        assert following.sets[1].policy.level("warning", "spot") == 4


async def test_entries_that_are_gone_get_tombstones(settings: Settings) -> None:
    await _publish(settings, FILE)
    smaller = {**FILE, "instruments": {}, "fees": {}}
    published = await _publish(settings, smaller)
    assert published.removed == ("fees:default", "instrument:BTC-USDT")
    assert published.changed == 0
    async with _following(settings) as following:
        (found,) = following.sets
        assert dict(found.instruments) == {}
        assert found.sha256 == load_reference(smaller).sha256


async def test_workers_switch_only_on_a_complete_set(settings: Settings) -> None:
    await _publish(settings, FILE)
    async with _following(settings) as following:
        await _append(settings, ("currency:ETH", {}), ("policy", {"warning": "5"}))
        closing = {"entries": {"currency:ETH": "0" * 64}, "sha256": "0" * 64, "ts": 1}
        await _append(settings, ("set", closing))
        await following.until(lambda: len(following.bad) == 1)
        assert len(following.sets) == 1
        reason = following.bad[0].reason
        assert following.bad[0].key == b"set"
        for expected in ("currency:ETH: its bytes", "policy: not named", "sha256: 000"):
            assert expected in reason
        assert following.follower.reference == following.sets[0]


async def test_a_complete_set_that_contradicts_itself_is_refused_by_name(
    settings: Settings,
) -> None:
    await _publish(settings, FILE)
    async with _following(settings) as following:
        policy = b'{"liquidation":"0.5"}'
        currency = b'{"yearly_rate":"-1"}'
        hashes = {
            "policy": hashlib.sha256(policy).hexdigest(),
            "currency:BTC": hashlib.sha256(currency).hexdigest(),
        }
        await _append(
            settings,
            ("policy", policy),
            ("currency:BTC", currency),
            *((key, None) for key in ("currency:USDT", "instrument:BTC-USDT", "fees:default")),
            ("set", {"entries": hashes, "sha256": set_hash(hashes), "ts": 1}),
            ("set", b"{}"),
        )
        await following.until(lambda: len(following.bad) == 2)
        assert "currencies.BTC.yearly_rate" in following.bad[0].reason
        assert "liquidation 0.5" in following.bad[0].reason
        assert following.bad[1].reason.startswith("set: ")
        assert len(following.sets) == 1
    async with _following(settings) as again:
        # A worker that starts now keeps the last good one as well.
        assert [found.sha256 for found in again.sets] == [following.sets[0].sha256]
        assert again.follower.refused >= 1


async def test_an_old_set_without_its_compacted_entries_is_no_error(settings: Settings) -> None:
    await _append(settings, ("set", {"entries": {"policy": "0" * 64}, "sha256": "", "ts": 1}))
    await _publish(settings, FILE)
    async with _following(settings) as following:
        assert len(following.sets) == 1
        assert following.bad == []


async def test_publishing_needs_the_topic(kafka: str, topic_prefix: str) -> None:
    with pytest.raises(TopicsError, match=f"no topic {topic_prefix}reference"):
        await _publish(Settings(brokers=kafka, topic_prefix=topic_prefix), FILE)


async def test_publishing_to_nobody_fails_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.topics._TIMEOUT_SECONDS", 0.5)
    with pytest.raises(TopicsError, match=r"127\.0\.0\.1:1"):
        await _publish(Settings(brokers="127.0.0.1:1"), FILE)
