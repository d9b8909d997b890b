"""A worker's topics from outside: reference set, accounts and ticks in, what comes out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streams import topics
from streams.reference import load_reference_file, publish
from streams.settings import Settings

__all__ = [
    "REFERENCE",
    "WITH_SPOT",
    "Bus",
    "about",
    "account_message",
    "now_ms",
    "opened",
    "publish_reference",
    "ready",
    "worker_environment",
    "worker_settings",
]

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
WITH_SPOT = {
    **REFERENCE,
    "instruments": {
        **REFERENCE["instruments"],
        "BTC-USDT": {
            "kind": "spot",
            "family": "BTC-USDT",
            "underlying": "BTC",
            "quote": "USDT",
            "lot": "0.00001",
            "tick": "0.1",
        },
    },
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

    async def all_of(self, topic: str) -> list[bytes]:
        """Return the values of all that stands in a topic now."""
        consumer = AIOKafkaConsumer(
            self.names.name(topic),
            bootstrap_servers=self.settings.brokers,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(list(consumer.assignment()))
            found: list[bytes] = []
            async with asyncio.timeout(WAIT_SECONDS):
                while len(found) < sum(ends.values()):
                    batches = await consumer.getmany(timeout_ms=300)
                    found += [record.value for batch in batches.values() for record in batch]
            return found
        finally:
            await consumer.stop()

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


def ready(message: dict[str, Any]) -> bool:
    return bool(message["kind"] == "heartbeat" and message["state"] == "ready")


def worker_settings(brokers: str, redis_url: str, prefix: str, folder: Path) -> Settings:
    """Return the settings of a worker whose partitions are taken over after 3 s."""
    return Settings(
        brokers=brokers,
        redis_url=redis_url,
        topic_prefix=prefix,
        partitions=2,
        session_timeout=3.0,
        heartbeat_interval=0.5,
        data_dir=folder / "data",
    )


@asynccontextmanager
async def opened(
    settings: Settings,
    folder: Path,
    reference: dict[str, Any] | None = REFERENCE,
    *,
    btc: str | None = None,
) -> AsyncIterator[Bus]:
    """Give the topics, newly made, with a reference set and a price in USDT of BTC on them."""
    await asyncio.to_thread(topics.ensure, settings)
    if reference is not None:
        await publish_reference(settings, folder, reference)
    bus = Bus(settings)
    await bus.start()
    try:
        if btc is not None:
            await bus.tick("USDT-USD", "index", "1")
            await bus.btc(btc)
        yield bus
    finally:
        await bus.stop()


async def publish_reference(settings: Settings, folder: Path, reference: dict[str, Any]) -> None:
    file = folder / "reference.json"
    file.write_text(json.dumps(reference))
    document, _ = load_reference_file(file)
    await publish(settings, document)


def worker_environment(settings: Settings) -> dict[str, str]:
    """Return the settings of a worker's process."""
    return {
        "LIQMON_BROKERS": settings.brokers,
        "LIQMON_REDIS_URL": settings.redis_url,
        "LIQMON_TOPIC_PREFIX": settings.topic_prefix,
        "LIQMON_PARTITIONS": str(settings.partitions),
        "LIQMON_CLOCK": settings.clock,
        "LIQMON_SESSION_TIMEOUT": str(settings.session_timeout),
        "LIQMON_HEARTBEAT_INTERVAL": str(settings.heartbeat_interval),
        "LIQMON_DATA_DIR": str(settings.data_dir),
    }


def about(account: str, kind: str, **fields: Any) -> Any:
    def wanted(message: dict[str, Any]) -> bool:
        return (
            message.get("account_id") == account
            and message["kind"] == kind
            and all(message.get(name) == value for name, value in fields.items())
        )

    return wanted
