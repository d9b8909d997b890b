"""A real worker on a real Kafka: what it makes of good and bad input, as its users see it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streams import topics
from streams.reference import load_reference_file, publish
from streams.settings import Settings
from tests.support.processes import Command

pytestmark = pytest.mark.integration

ACCOUNT = "alice"
WAIT_SECONDS = 60.0

REFERENCE: dict[str, Any] = {
    "currencies": {
        "BTC": {
            "discount_tiers": [{"up_to": "20", "rate": "0.98"}],
            "borrow_tiers": [
                {"up_to": "100", "initial": "0.1", "maintenance": "0.02", "max_leverage": "10"}
            ],
        },
        "USDT": {
            "discount_tiers": [{"up_to": "1000000", "rate": "1"}],
            "borrow_tiers": [
                {"up_to": "1000000", "initial": "0.1", "maintenance": "0.02", "max_leverage": "10"}
            ],
        },
    },
    "instruments": {
        "BTC-USDT-SWAP": {
            "kind": "swap",
            "family": "BTC-USDT",
            "underlying": "BTC",
            "quote": "USDT",
            "settle": "USDT",
            "contract_value": "0.01",
            "lot": "1",
            "tick": "0.1",
            "position_tiers": [
                {"up_to": "100000", "initial": "0.01", "maintenance": "0.01", "max_leverage": "100"}
            ],
        }
    },
    "policy": {"max_age_seconds": {"*": 3600}},
}


class Bus:
    """The topics, from outside."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.names = topics.Topics(settings.topic_prefix)
        self._producer = AIOKafkaProducer(bootstrap_servers=settings.brokers)
        self._consumer = AIOKafkaConsumer(
            *self.names.command_topics,
            self.names.dead_letters,
            self.names.heartbeats,
            bootstrap_servers=settings.brokers,
            auto_offset_reset="earliest",
        )
        self.seen: list[dict[str, Any]] = []
        self._ticks = 0

    async def start(self) -> None:
        await self._producer.start()
        await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()
        await self._producer.stop()

    async def send(self, topic: str, key: str, message: dict[str, Any] | bytes) -> None:
        value = message if isinstance(message, bytes) else json.dumps(message).encode()
        await self._producer.send_and_wait(self.names.name(topic), value, key=key.encode())

    async def tick(self, symbol: str, kind: str, price: str) -> None:
        self._ticks += 1
        message = {
            "symbol": symbol,
            "kind": kind,
            "price": price,
            "ts": now_ms(),
            "seq": self._ticks,
        }
        await self.send("ticks", symbol, message)

    async def btc(self, price: str) -> None:
        await self.tick("BTC-USD", "index", price)
        await self.tick("BTC-USDT-SWAP", "mark", price)

    async def until(self, wanted: Any, count: int = 1) -> list[dict[str, Any]]:
        """Return the messages for which `wanted` holds, once there are `count`."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                found = [message for message in self.seen if wanted(message)]
                if len(found) >= count:
                    return found
                batches = await self._consumer.getmany(timeout_ms=300)
                for records in batches.values():
                    self.seen.extend(json.loads(record.value) for record in records)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def account_message(account: str, cash: str, contracts: str, **more: Any) -> dict[str, Any]:
    return {
        "account_id": account,
        "mode": "multi_currency",
        "auto_borrow": True,
        "position_mode": "net",
        "leverage": {"BTC-USDT-SWAP": "20"},
        "account_seq": 1,
        "ts": now_ms(),
        "snapshot": {
            "balances": [{"currency": "USDT", "cash": cash}],
            "positions": [
                {
                    "instrument": "BTC-USDT-SWAP",
                    "position_side": "net",
                    "margin_mode": "cross",
                    "quantity": contracts,
                    "entry_price": "50000",
                }
            ],
            "orders": [],
        },
        **more,
    }


def order_message(order_id: str, version: int, status: str, seq: int) -> dict[str, Any]:
    return {
        "account_id": ACCOUNT,
        "account_seq": seq,
        "order_id": order_id,
        "version": version,
        "instrument": "BTC-USDT-SWAP",
        "side": "buy",
        "position_side": "net",
        "margin_mode": "cross",
        "price": "40000",
        "quantity": "1",
        "filled_quantity": "0",
        "status": status,
        "reduce_only": False,
        "auto_borrow": True,
        "ts": now_ms(),
    }


def ready(message: dict[str, Any]) -> bool:
    return bool(message["kind"] == "heartbeat" and message["state"] == "ready")


@pytest.fixture
async def bus(kafka: str, redis_url: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Bus]:
    settings = Settings(
        brokers=kafka,
        redis_url=redis_url,
        topic_prefix=topic_prefix,
        partitions=2,
        session_timeout=3.0,
        heartbeat_interval=0.5,
        data_dir=tmp_path / "data",
    )
    await asyncio.to_thread(topics.ensure, settings)
    await publish_reference(settings, tmp_path, REFERENCE)
    found = Bus(settings)
    await found.start()
    yield found
    await found.stop()


async def publish_reference(settings: Settings, folder: Path, reference: dict[str, Any]) -> None:
    file = folder / "reference.json"
    file.write_text(json.dumps(reference))
    document, _ = load_reference_file(file)
    await publish(settings, document)


@pytest.fixture
async def worker(bus: Bus, tmp_path: Path) -> AsyncIterator[Command]:
    settings = bus.settings
    env = {
        "LIQMON_BROKERS": settings.brokers,
        "LIQMON_REDIS_URL": settings.redis_url,
        "LIQMON_TOPIC_PREFIX": settings.topic_prefix,
        "LIQMON_PARTITIONS": str(settings.partitions),
        "LIQMON_SESSION_TIMEOUT": str(settings.session_timeout),
        "LIQMON_HEARTBEAT_INTERVAL": str(settings.heartbeat_interval),
        "LIQMON_DATA_DIR": str(settings.data_dir),
    }
    await bus.tick("USDT-USD", "index", "1")
    await bus.btc("50000")
    with Command("worker", tmp_path, env, "worker") as running:
        await bus.until(ready)
        yield running


def about(account: str, kind: str, **fields: Any) -> Any:
    def wanted(message: dict[str, Any]) -> bool:
        return (
            message.get("account_id") == account
            and message["kind"] == kind
            and all(message.get(name) == value for name, value in fields.items())
        )

    return wanted


async def test_the_whole_chain_warning_cancel_reduction_and_close(
    bus: Bus, worker: Command
) -> None:
    """1 BTC long on 2,000 USDT: ratio 380 %, then 3 at 49,532, then 1 at 48,511 (0.0105 a USD)."""
    await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2000", "100"))
    await bus.send("orders", ACCOUNT, order_message("o-1", 1, "open", 2))
    await bus.btc("49400")
    (warning,) = await bus.until(about(ACCOUNT, "warning", state="entered"))
    assert warning["band"] == "warning"
    assert warning["prices"]["BTC-USDT-SWAP/mark"] == "49400"
    await bus.btc("48500")
    (cancel,) = await bus.until(about(ACCOUNT, "order_cancel", reason="ES-4"))
    assert cancel["order_ids"] == ["o-1"]
    await bus.send("orders", ACCOUNT, order_message("o-1", 2, "cancelled", 3))
    (reduction,) = await bus.until(about(ACCOUNT, "reduction"))
    (action,) = reduction["actions"]
    assert (action["action"], action["instrument"]) == ("close", "BTC-USDT-SWAP")
    fill = {
        "account_id": ACCOUNT,
        "account_seq": 4,
        "fill_id": "f-1",
        "order_id": "x-1",
        "instrument": "BTC-USDT-SWAP",
        "side": "sell",
        "position_side": "net",
        "margin_mode": "cross",
        "price": "48500",
        "quantity": action["quantity"],
        "fee": "0",
        "fee_currency": "USDT",
        "command_id": reduction["command_id"],
        "ts": now_ms(),
    }
    await bus.send("fills", ACCOUNT, fill)
    await bus.send("fills", ACCOUNT, fill)  # a repeat changes nothing
    await bus.btc("52000")
    await bus.until(about(ACCOUNT, "warning", state="cleared"))
    await bus.until(about(ACCOUNT, "episode", state="closed"))
    episode = [m for m in bus.seen if m.get("account_id") == ACCOUNT and "sequence" in m]
    assert len({m["episode_id"] for m in episode}) == 1
    numbers = sorted(m["sequence"] for m in episode)
    assert numbers == list(range(1, len(numbers) + 1))
    assert worker.alive


async def test_bad_input_becomes_a_dead_letter_and_disturbs_nobody(
    bus: Bus, worker: Command
) -> None:
    await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2000", "100"))
    fill = {
        "account_id": ACCOUNT,
        "account_seq": 2,
        "fill_id": "f-1",
        "order_id": "o-9",
        "instrument": "BTC-USDT-SWAP",
        "side": "buy",
        "price": "50000",
        "quantity": "1",
        "fee": "0",
        "fee_currency": "USDT",
        "ts": now_ms(),
    }
    bad: dict[str, tuple[str, str, Any]] = {
        "Invalid JSON": ("fills", ACCOUNT, b"{not json"),
        "price": ("fills", ACCOUNT, {**fill, "price": "-1"}),
        "quantity": ("fills", ACCOUNT, {k: v for k, v in fill.items() if k != "quantity"}),
        "unknown instrument": ("fills", ACCOUNT, {**fill, "instrument": "NO-SUCH-SWAP"}),
        "unknown account": ("fills", "bob", {**fill, "account_id": "bob"}),
        "not the account_id": ("fills", "carol", {**fill, "account_seq": 3}),
        "ahead of the clock": ("fills", ACCOUNT, {**fill, "ts": now_ms() + 3_600_000}),
        "portfolio": ("accounts", "dave", account_message("dave", "1", "1", mode="portfolio")),
        "NaN": (
            "ticks",
            "BTC-USD",
            {"symbol": "BTC-USD", "kind": "index", "price": "NaN", "ts": now_ms()},
        ),
    }
    for topic, key, message in bad.values():
        await bus.send(topic, key, message)
    letters = await bus.until(lambda m: m["kind"] == "dead_letter", len(bad))
    reasons = [letter["reason"] for letter in letters]
    for expected in bad:
        assert any(expected in reason for reason in reasons), (expected, reasons)
    assert all(letter["value"] is not None and letter["topic"] for letter in letters)
    await bus.btc("49400")
    await bus.until(about(ACCOUNT, "warning", state="entered"))
    assert worker.alive


async def test_changed_thresholds_take_effect_without_a_restart(
    bus: Bus, worker: Command, tmp_path: Path
) -> None:
    await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2500", "100"))
    await bus.until(
        lambda m: m["kind"] == "heartbeat" and sum(m["accounts"].values()) == 1 and ready(m)
    )
    changed = {**REFERENCE, "policy": {**REFERENCE["policy"], "warning": "5", "warning_exit": "6"}}
    await publish_reference(bus.settings, tmp_path, changed)
    (warning,) = await bus.until(about(ACCOUNT, "warning", state="entered"))
    assert warning["level"] == "5"
    assert worker.alive


async def test_h7_a_killed_worker_loses_and_repeats_nothing(bus: Bus, worker: Command) -> None:
    await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2000", "100"))
    await bus.btc("49400")
    await bus.until(about(ACCOUNT, "warning", state="entered"))
    worker.kill()
    await bus.btc("48500")
    worker.start()
    (reduction,) = await bus.until(about(ACCOUNT, "reduction"))
    warnings = [m for m in bus.seen if about(ACCOUNT, "warning", state="entered")(m)]
    assert len({m["command_id"] for m in warnings}) == 1
    assert reduction["episode_id"] == warnings[0]["episode_id"]


async def test_sigterm_ends_a_worker_in_time(bus: Bus, worker: Command) -> None:
    await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2000", "100"))
    assert worker.end(20.0) == 0, worker.tail
    await bus.until(lambda m: m["kind"] == "heartbeat" and m["state"] == "stopping")
