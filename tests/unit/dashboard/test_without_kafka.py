"""What Redis alone can tell, while no broker has answered yet."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from monitor.account import Account, Balance
from monitor.escalation import Episode
from streams.cache_scripts import (
    BANDS_KEY,
    COMMANDS_KEY,
    RATIOS_KEY,
    WORKERS_KEY,
    account_key,
)
from streams.dashboard import create_app
from streams.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Any]:
    found = Redis.from_url(redis_url)
    yield found
    await found.aclose()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(brokers="127.0.0.1:9", redis_url=redis_url))
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as found,
    ):
        yield found


async def test_commands_come_from_the_stream_of_redis(redis: Any, client: Any) -> None:
    for number in range(6):
        kind, account = ("warning", "alice") if number % 2 else ("episode", "bob")
        body = json.dumps({"command_id": f"c{number}", "kind": kind, "account_id": account})
        await redis.xadd(COMMANDS_KEY, {"kind": kind, "account_id": account, "command": body})

    async def ids(query: str) -> list[str]:
        found = (await client.get(f"/api/v1/commands?{query}")).json()
        assert (found["source"], found["next"]) == ("cache", None)
        return [command["command_id"] for command in found["commands"]]

    assert await ids("limit=2") == ["c5", "c4"]
    assert await ids("kind=warning") == ["c5", "c3", "c1"]
    assert await ids("account=bob&limit=1") == ["c4"]


async def test_an_account_is_shown_as_its_worker_wrote_it(redis: Any, client: Any) -> None:
    account = Account("alice", known=True)
    account.balances["USDT"] = Balance(Decimal(100))
    fields = {
        "state": msgspec.json.encode({"account": account, "episode": Episode(n=2), "isolated": {}}),
        "assessment": b'{"account_id":"alice","ratio":"2.5"}',
        "updated_at": "7",
        "ratio": "2.5",
        "band": "warning",
    }
    await redis.hset(account_key("alice"), mapping=fields)
    await redis.zadd(RATIOS_KEY, {"alice": 2.5})
    found = (await client.get("/api/v1/accounts/alice")).json()
    assert found["assessment"] == {"account_id": "alice", "ratio": "2.5"}
    assert found["explanation"] is None
    assert (found["source"], found["updated_at"]) == ("cache", 7)
    assert found["episode"]["n"] == 2
    # Nobody could tell whether it had any.
    assert (found["episodes"], found["episodes_complete"]) == ([], False)
    (row,) = (await client.get("/api/v1/accounts")).json()["accounts"]
    assert (row["ratio"], row["distance"]) == ("2.5", None)
    for path in ("liquidation-prices", "borrowing", "interest"):
        answer = await client.get(f"/api/v1/accounts/alice/{path}")
        assert (answer.status_code, answer.json()["field"]) == (503, "kafka")


async def test_bands_and_workers_are_as_redis_has_them(redis: Any, client: Any) -> None:
    await redis.hset(BANDS_KEY, mapping={"normal": 40, "warning": 2})
    beat = {"worker": "w", "state": "ready", "partitions": [0], "accounts": {"normal": 42}}
    now = int((await redis.time())[0]) * 1000
    await redis.hset(WORKERS_KEY, "w", json.dumps({**beat, "ts": now}))
    await redis.hset(WORKERS_KEY, "starting", "{}")
    await redis.hset(WORKERS_KEY, "long gone", json.dumps({**beat, "worker": "old", "ts": 1}))
    app = client._transport.app
    await app.state.source.standing.look()
    found = (await client.get("/api/v1/overview")).json()
    assert found["bands"]["normal"] == 40
    assert found["accounts"] == 42
    assert [worker["worker"] for worker in found["workers"]] == ["w"]
