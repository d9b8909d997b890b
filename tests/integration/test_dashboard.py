"""The dashboard beside a real worker: what people see is what the worker decided."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from streams.dashboard import create_app
from streams.dashboard.api import models
from streams.dashboard.source import source as module
from streams.embedded import Kafka, Redis
from streams.settings import Settings
from tests.support.bus import (
    WITH_SPOT,
    Bus,
    about,
    account_message,
    opened,
    ready,
    worker_environment,
    worker_settings,
)
from tests.support.processes import Command

pytestmark = pytest.mark.integration

TOKEN = "a-token-of-the-tests"


@pytest.fixture
async def bus(settings: Settings, tmp_path: Path) -> AsyncIterator[Bus]:
    async with opened(settings, tmp_path, WITH_SPOT, btc="50000") as found:
        yield found


@asynccontextmanager
async def _client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The app itself, without a socket."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield client


@asynccontextmanager
async def _served(
    settings: Settings, folder: Path, **more: str
) -> AsyncIterator[tuple[str, Command]]:
    """`liqmon dashboard` as its own process: its address, and the process."""
    env = {**worker_environment(settings), "LIQMON_LOG_FORMAT": "json", **more}
    with Command("dashboard", folder, env, "dashboard", "--port", "0") as running:
        async with asyncio.timeout(60):
            while "dashboard_listening" not in running.tail:
                assert running.alive, running.tail
                await asyncio.sleep(0.1)
        lines = [json.loads(line) for line in running.tail.splitlines() if "listening" in line]
        yield lines[0]["url"], running
        if running.alive:
            assert await asyncio.to_thread(running.end, 15) == 0, running.tail


async def _until(ask: Callable[[], Any], wanted: Callable[[Any], Any]) -> Any:
    found = None
    try:
        async with asyncio.timeout(40):
            while True:
                found = await ask()
                if wanted(found):
                    return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"did not come: {found}")


async def _accounts(bus: Bus, count: int = 5) -> None:
    """1 BTC long each, on 2,000, 3,000, … USDT; the first is the nearest."""
    for number in range(count):
        name = f"acc-{number}"
        await bus.send("accounts", name, account_message(name, str(2000 + 1000 * number), "100"))


async def test_what_is_shown_is_what_the_worker_decided(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 49,400 acc-0 has 1,400 of 519 USD (2.69…), at 48,500 500 of 509 (0.98…)."""
    settings = bus.settings
    with Command("worker", tmp_path, worker_environment(settings), "worker"):
        await bus.until(ready)
        await _accounts(bus)
        async with _client(settings) as client:

            async def get(path: str, **query: Any) -> dict[str, Any]:
                answer = await client.get(f"/api/v1/{path}", params=query)
                assert answer.status_code == 200, answer.text
                found: dict[str, Any] = answer.json()
                return found

            await _until(lambda: client.get("/readyz"), lambda a: a.status_code == 200)
            overview = await _until(
                lambda: get("overview"), lambda o: o["bands"]["normal"] == 5 and o["nearest"]
            )
            assert overview["accounts"] == 5
            assert overview["nearest"]["account_id"] == "acc-0"
            assert (overview["redis"], overview["kafka"]) == ("ok", "ok")
            assert {p["symbol"] for p in overview["prices"]} == {
                "BTC-USD",
                "BTC-USDT-SWAP",
                "USDT-USD",
            }
            (worker,) = overview["workers"]
            assert worker["state"] == "ready"
            assert worker["partitions"] == [0, 1]
            models.Overview.model_validate(overview)

            await bus.btc("49400")
            await bus.until(about("acc-0", "warning", state="entered"))
            page = await _until(
                lambda: get("accounts", band="warning"), lambda p: len(p["accounts"]) == 1
            )
            (row,) = page["accounts"]
            assert row["account_id"] == "acc-0"
            assert row["ratio"].startswith("2.69")
            models.AccountsPage.model_validate(page)

            # 1400 + 49400 m = 3 × 0.0105 × 49400 (1 + m), and with 1 instead of 3; a maintenance
            # rate of 0.01 and a fee of 0.0005.
            page = await _until(
                lambda: get("accounts"),
                lambda p: p["accounts"][0]["distance"]["to_3"] == "0.33",
            )
            nearest = page["accounts"][0]
            assert nearest["account_id"] == "acc-0"
            assert nearest["distance"]["to_1"] == "-1.80"
            assert len(nearest["trend"]) >= 1

            detail = await get("accounts/acc-0")
            models.AccountDetail.model_validate(detail)
            figures = detail["assessment"]
            assert figures["ratio"] == row["ratio"]
            assert detail["explanation"]["children"][0]["value"] == figures["ratio"]
            assert (detail["source"], detail["behind"]) == ("owner", False)
            (position,) = figures["positions"]
            # 2000 + q − 50000 = 0.0105 q
            assert position["liquidation_price"].startswith("48509.3")
            assert figures["currencies"]["USDT"]["limits"] is not None
            (episode,) = detail["episodes"]
            assert episode["episode_id"] == "acc-0#1"
            assert [c["kind"] for c in episode["commands"]] == ["episode", "warning"]
            assert detail["settings"]["leverage"] == {"BTC-USDT-SWAP": "20"}

            prices = await get("accounts/acc-0/liquidation-prices")
            assert prices["positions"][0]["price"] == position["liquidation_price"]
            borrowing = await get("accounts/acc-0/borrowing")
            assert {c["currency"] for c in borrowing["currencies"]} == {"USDT"}
            models.BorrowingAnswer.model_validate(borrowing)
            interest = await get("accounts/acc-0/interest")
            assert interest == {"account_id": "acc-0", "records": [], "complete": True, "due": []}
            rates = await get("borrowing")
            assert [c["currency"] for c in rates["currencies"]] == ["BTC", "USDT"]
            models.RatesAnswer.model_validate(rates)

            commands = await get("commands", account="acc-0")
            assert [c["kind"] for c in commands["commands"]] == ["warning", "episode"]
            models.CommandsPage.model_validate(commands)
            assert (await get("overview"))["episodes_open"] == 1
            assert (await get("overview"))["commands"] == {"warning": 1, "episode": 1}

        # A dashboard that remembers nothing reads an account's past when it is asked for it.
        monkeypatch.setattr(module, "_MOST_A_PARTITION", 0)
        async with _client(settings) as client:
            await _until(lambda: client.get("/readyz"), lambda a: a.status_code == 200)
            assert (await client.get("/api/v1/commands")).json()["commands"] == []
            late = (await client.get("/api/v1/accounts/acc-0")).json()
            assert late["episodes"] == detail["episodes"]
            assert late["episodes_complete"] is True
            assert (await client.get("/api/v1/accounts/acc-1")).json()["episodes"] == []


async def test_checks_are_answered_by_the_owner_and_without_it_by_the_cache(
    bus: Bus, tmp_path: Path
) -> None:
    settings = bus.settings
    body = {"instrument": "BTC-USDT-SWAP", "side": "buy", "price": "49000", "quantity": "1"}
    async with _client(settings) as client:

        async def post(path: str, question: dict[str, Any]) -> httpx.Response:
            return await client.post(f"/api/v1/accounts/acc-0/{path}", json=question)

        with Command("worker", tmp_path, worker_environment(settings), "worker"):
            await bus.until(ready)
            await bus.send("accounts", "acc-0", account_message("acc-0", "6000", "100"))
            found = await _until(
                lambda: post("check-order", body), lambda a: a.json().get("source") == "owner"
            )
            models.Answer.model_validate(found.json())
            assert found.json()["accepted"] is True
            withdrawal = await post("check-withdrawal", {"currency": "USDT", "amount": "6001"})
            assert withdrawal.json()["accepted"] is False
            borrow = await post("check-borrow", {"currency": "USDT", "amount": "1"})
            assert borrow.json()["check"] == "borrow"
            plan = await post("repay-plan", {"currency": "USDT"})
            assert plan.json()["check"] == "repay"
            await _until(
                lambda: client.get("/api/v1/accounts/acc-0"), lambda a: a.status_code == 200
            )
        # Its owner is gone; what Redis had of the account still answers, and says so.
        found = await post("check-order", body)
        assert found.json()["source"] == "cache"
        assert found.json()["accepted"] is True, found.text
        wrong = await post("check-order", {**body, "instrument": "NOPE"})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "instrument")
        assert wrong.json()["error"] == "unknown instrument NOPE"
        mistyped = await post("check-order", {**body, "quanitty": "2"})
        assert (mistyped.status_code, mistyped.json()["field"]) == (422, "quanitty")
        negative = await post("check-order", {**body, "quantity": "-1"})
        assert (negative.status_code, negative.json()["field"]) == (422, "quantity")
        nobody = await client.get("/api/v1/accounts/nobody")
        assert nobody.status_code == 404
        assert nobody.json() == {"error": "unknown account nobody", "field": "account_id"}


async def _events(
    lines: AsyncIterator[str], count: int, name: str, account: str = ""
) -> list[dict[str, str]]:
    """Return the next `count` events of a name, of this account only."""
    found: list[dict[str, str]] = []
    event: dict[str, str] = {}
    async with asyncio.timeout(40):
        async for line in lines:
            if not line:
                if event.get("event") == name and account in event["data"]:
                    found.append(event)
                event = {}
                if len(found) == count:
                    return found
                continue
            field, _, value = line.partition(": ")
            event[field] = value
    pytest.fail(f"the stream ended after {found}")


async def test_the_stream_goes_on_where_it_was_left(bus: Bus, tmp_path: Path) -> None:
    settings = bus.settings
    with Command("worker", tmp_path, worker_environment(settings), "worker"):
        await bus.until(ready)
        await _accounts(bus, 3)
        async with (
            _served(settings, tmp_path) as (url, _),
            httpx.AsyncClient(base_url=url, timeout=30) as client,
        ):
            await _until(lambda: client.get("/readyz"), lambda a: a.status_code == 200)
            async with client.stream("GET", "/api/v1/stream") as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                lines = answer.aiter_lines()
                await _events(lines, 1, "overview")
                (nearest,) = await _events(lines, 1, "accounts")
                assert json.loads(nearest["data"])["accounts"][0]["account_id"] == "acc-0"
                await bus.btc("49400")
                opened, warned = await _events(lines, 2, "command", "acc-0")
            assert json.loads(warned["data"])["kind"] == "warning"
            # Nobody listens while acc-0 gets worse.
            await bus.btc("48500")
            await bus.until(about("acc-0", "reduction"))
            headers = {"Last-Event-ID": warned["id"]}
            async with client.stream("GET", "/api/v1/stream", headers=headers) as answer:
                after = await _events(answer.aiter_lines(), 2, "command", "acc-0")
            kinds = [json.loads(event["data"])["kind"] for event in after]
            assert kinds == ["warning", "reduction"]
            assert opened["id"] not in [event["id"] for event in after]
            assert warned["id"] not in [event["id"] for event in after]
            all_of_it = (await client.get("/api/v1/commands?account=acc-0")).json()["commands"]
            assert all_of_it[-2]["event_id"] == warned["id"]


async def test_a_token_is_needed_where_one_is_set(bus: Bus, tmp_path: Path) -> None:
    async with (
        _served(bus.settings, tmp_path, LIQMON_API_TOKEN=TOKEN) as (url, running),
        httpx.AsyncClient(base_url=url, timeout=30) as client,
    ):
        refused = await client.get("/api/v1/overview")
        assert refused.status_code == 401
        assert refused.json() == {"error": "a bearer token is needed", "field": "authorization"}
        wrong = {"Authorization": f"Bearer {TOKEN}x"}
        assert (await client.get("/api/v1/overview", headers=wrong)).status_code == 401
        assert (await client.get("/api/v1/overview?token=no")).status_code == 401
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.get("/api/v1/overview", headers=right)).status_code == 200
        assert (await client.get(f"/api/v1/overview?token={TOKEN}")).status_code == 200
        for path in ("/healthz", "/metrics", "/openapi.json"):
            assert (await client.get(path)).status_code == 200
        assert TOKEN not in (tmp_path / "dashboard.log").read_text()
        # Readers of the stream do not hold up its end.
        query = {"token": TOKEN}
        async with client.stream("GET", "/api/v1/stream", params=query) as answer:
            lines = answer.aiter_lines()
            await _events(lines, 1, "overview")
            assert await asyncio.to_thread(running.end, 15) == 0, running.tail
            assert "Traceback" not in running.tail


async def test_without_a_token_others_are_not_served(bus: Bus, tmp_path: Path) -> None:
    env = worker_environment(bus.settings)
    with Command("open", tmp_path, env, "dashboard", "--host", "0.0.0.0") as running:  # noqa: S104
        assert await asyncio.to_thread(running.wait, 30) == 2
        assert "LIQMON_API_TOKEN" in running.tail
        assert "Traceback" not in running.tail
    with Command("far", tmp_path, env, "dashboard", "--host", "203.0.113.9") as running:
        assert await asyncio.to_thread(running.wait, 30) == 2


async def test_redis_may_go_and_come_back(kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    with Redis(tmp_path / "redis") as redis:
        settings = worker_settings(kafka, redis.url, topic_prefix, tmp_path)
        async with opened(settings, tmp_path, WITH_SPOT, btc="50000") as bus:
            with Command("worker", tmp_path, worker_environment(settings), "worker"):
                await bus.until(ready)
                await _accounts(bus, 2)
                async with _client(settings) as client:

                    async def overview() -> dict[str, Any]:
                        found: dict[str, Any] = (await client.get("/api/v1/overview")).json()
                        return found

                    await _until(lambda: client.get("/readyz"), lambda a: a.status_code == 200)
                    await _until(overview, lambda o: o["bands"]["normal"] == 2)
                    redis.kill()
                    away = await _until(overview, lambda o: o["redis"].startswith("away since"))
                    # The workers' own heartbeats still say how many there are.
                    assert away["bands"]["normal"] == 2
                    assert away["kafka"] == "ok"
                    unready = await client.get("/readyz")
                    assert unready.status_code == 503
                    assert unready.json()["missing"][0].startswith("redis: away since")
                    nothing = await client.get("/api/v1/accounts")
                    assert nothing.status_code == 503
                    assert nothing.json()["field"] == "redis"
                    assert (await client.get("/healthz")).status_code == 200
                    # Commands come from the topics, so they go on.
                    await bus.btc("49400")
                    await _until(
                        lambda: client.get("/api/v1/commands"),
                        lambda a: any(c["kind"] == "warning" for c in a.json()["commands"]),
                    )
                    redis.start()
                    back = await _until(overview, lambda o: o["redis"] == "ok" and o["nearest"])
                    assert back["bands"]["warning"] == 1
                    assert (await client.get("/api/v1/accounts")).status_code == 200


async def test_kafka_may_go_and_come_back(
    private_kafka: Kafka, redis_url: str, tmp_path: Path
) -> None:
    settings = worker_settings(private_kafka.bootstrap, redis_url, "", tmp_path)
    async with _client(settings) as client:

        async def overview() -> dict[str, Any]:
            found: dict[str, Any] = (await client.get("/api/v1/overview")).json()
            return found

        async def sent() -> list[str]:
            found = (await client.get("/api/v1/commands")).json()["commands"]
            return [command["command_id"] for command in found]

        # It was there before its topics were.
        assert (await overview())["kafka"].startswith("away since")
        async with opened(settings, tmp_path, WITH_SPOT, btc="50000") as bus:
            await _until(lambda: client.get("/readyz"), lambda a: a.status_code == 200)
            await bus.send("episodes", "alice", _opened("one"))
            await _until(sent, lambda ids: ids == ["one"])
        private_kafka.kill()
        await _until(overview, lambda o: o["kafka"].startswith("away since"))
        assert (await client.get("/readyz")).status_code == 503
        assert await sent() == ["one"]
        private_kafka.start()
        bus = Bus(settings)
        await bus.start()
        await bus.send("episodes", "alice", _opened("two"))
        await _until(sent, lambda ids: ids == ["two", "one"])
        await _until(overview, lambda o: o["kafka"] == "ok" and o["episodes_open"] == 2)
        await bus.stop()


def _opened(name: str) -> dict[str, Any]:
    return {
        "command_id": name,
        "kind": "episode",
        "account_id": "alice",
        "episode_id": f"alice#{name}",
        "sequence": 1,
        "decided_at": 1,
        "state": "opened",
    }
