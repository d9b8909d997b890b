"""What-if and liquidation map over HTTP, on accounts as Redis has them (WI-1, WI-2)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
from fastapi import APIRouter, FastAPI

from monitor.account import Account
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.scenario import liquidation_map
from streams.cache_scripts import RATIOS_KEY, account_key
from streams.dashboard import replica as replica_module
from streams.dashboard.api import scenario
from streams.dashboard.api.scenario import router
from streams.dashboard.errors import handle_errors
from streams.dashboard.source import Away, NotKnown
from tests.rules.reduction_market import (
    START,
    account,
    d,
    order,
    price_book,
    reference,
    with_orders,
)

REF = reference()


class FakePipeline:
    def __init__(self, states: dict[str, bytes]) -> None:
        self._states, self._keys = states, list[str]()

    def hget(self, key: str, field: str) -> None:
        assert field == "state"
        self._keys.append(key)

    async def execute(self) -> list[bytes | None]:
        return [self._states.get(key) for key in self._keys]


class FakeRedis:
    """Two of its commands, and hashes in a pipeline."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.ratios: dict[bytes, float] = {}
        self.reads = 0

    def put(self, held: Account, ratio: float) -> None:
        state = {"account": held, "episode": {"n": 1}, "isolated": {}}
        self.states[account_key(held.account_id)] = msgspec.json.encode(state)
        self.ratios[held.account_id.encode()] = ratio

    def drop(self, name: str) -> None:
        del self.states[account_key(name)]
        del self.ratios[name.encode()]

    async def zrange(self, key: str, start: int, end: int) -> list[bytes]:
        assert key == RATIOS_KEY
        return sorted(self.ratios, key=self.ratios.__getitem__)[start : end + 1]

    async def zscan(
        self, key: str, cursor: int, count: int
    ) -> tuple[int, list[tuple[bytes, float]]]:
        """Three at a time, whatever is asked for."""
        assert (key, count) == (RATIOS_KEY, 2000)
        names = sorted(self.ratios)[cursor : cursor + 3]
        following = cursor + 3 if cursor + 3 < len(self.ratios) else 0
        return following, [(name, self.ratios[name]) for name in names]

    def pipeline(self, *, transaction: bool) -> FakePipeline:
        assert not transaction
        self.reads += 1
        return FakePipeline(self.states)


class FakeState(msgspec.Struct):
    account: Account


class FakeBook(NamedTuple):
    account: Account
    reference: Reference = REF


class FakeSource:
    """The parts of `Source` that scenarios ask."""

    def __init__(self) -> None:
        self.redis = FakeRedis()
        self.gone = False
        self.cache = self.market = self.books = self
        self.reference: Reference | None = REF
        self.prices = price_book(REF)
        self.frozen = 0

    async def ask(self, call: Callable[[Any], Awaitable[Any]]) -> Any:
        if self.gone:
            raise Away("redis", "Redis is away")
        return await call(self.redis)

    def frozen_prices(self) -> PriceBook:
        self.frozen += 1
        return self.prices

    def now(self) -> int:
        return START

    async def of(self, account_id: str) -> Any:
        state = self.redis.states.get(account_key(account_id))
        if state is None:
            raise NotKnown(f"unknown account {account_id}")

        return FakeBook(msgspec.json.decode(state, type=FakeState).account)


def long(name: str, cash: str) -> Account:
    """1 BTC long at the mark; 270 USD are asked."""
    held = account({"USDT": cash}, [("BTC-USDT-SWAP", "100", "60000")])
    held.account_id = name
    return held


@pytest.fixture
def source() -> FakeSource:
    made = FakeSource()
    for name, cash in (("safe", "9000"), ("falls", "860"), ("warned", "1200"), ("far", "90000")):
        made.redis.put(long(name, cash), float(cash) / 270)
    return made


@pytest.fixture
async def client(
    source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(replica_module, "ROUND_SECONDS", 0.02)
    app = FastAPI()
    app.state.source = source
    api = APIRouter(prefix="/api/v1")
    api.include_router(router)
    app.include_router(api)
    handle_errors(app)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as made,
    ):
        yield made
    scenarios = getattr(app.state, "scenarios", None)
    if scenarios is not None and scenarios.replica._task is not None:
        assert scenarios.replica._task.done()


async def ask(client: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/what-if", json=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def read(client: httpx.AsyncClient, symbol: str = "BTC") -> dict[str, Any]:
    answer = await client.get("/api/v1/liquidation-map", params={"symbol": symbol})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_wi_1_bands_of_all_accounts_after_a_shock(client: httpx.AsyncClient) -> None:
    found = await ask(client, shocks={"BTC": "-0.01"})
    assert found["before"]["normal"] == 4
    assert found["after"] == {
        "normal": 2, "warning": 1, "liquidation": 1, "unpriced": 0, "unassessed": 0,
    }  # fmt: skip
    assert [one["account_id"] for one in found["moved"]] == ["falls", "warned"]
    assert found["moved"][0]["adjusted_equity_after"] == "260"
    assert found["notional_at_risk_usd"] == "59400"
    assert found["prices"] == {"BTC": "59400"}


async def test_wi_1_one_account_with_a_fill_and_cash(client: httpx.AsyncClient) -> None:
    fill = {"instrument": "BTC-USDT-SWAP", "side": "sell", "quantity": "100", "fee": "0"}
    found = await ask(client, account_id="falls", fills=[fill], cash={"USDT": "-60"})
    (moved,) = found["moved"]
    assert (moved["ratio_after"], moved["adjusted_equity_after"]) == (None, "800")
    assert found["before"]["normal"] == 1
    assert found["account"]["after"]["positions"] == []


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ({"shocks": {"XRP": "0.1"}}, 422, "shocks.XRP"),
        ({"shocks": {"BTC": 0.1}}, 422, "shocks.BTC"),
        ({"shock": {"BTC": "0.1"}}, 422, "shock"),
        ({"cash": {"USDT": "1"}}, 422, "account_id"),
        ({"account_id": "nobody"}, 404, "account_id"),
        ({"account_id": "falls", "fills": [{"order_id": "x"}]}, 422, "fills.0.order_id"),
        ({"account_id": "falls", "fills": [{"side": "buy"}]}, 422, "fills.0"),
    ],
)
async def test_a_wrong_question_names_its_field(
    client: httpx.AsyncClient, asked: dict[str, Any], status: int, field: str
) -> None:
    answer = await client.post("/api/v1/what-if", json=asked)
    assert answer.status_code == status, answer.text
    assert answer.json()["field"] == field


async def test_wi_2_the_map_of_an_underlying(client: httpx.AsyncClient) -> None:
    found = await read(client)
    assert (found["symbol"], found["price"], found["levels"]) == ("BTC", "60000", ["3", "1"])
    assert (found["accounts"], found["unassessed"]) == (4, 0)
    crossing = {b["move"]: b["level1"] for b in found["buckets"] if b["level1"]["accounts"]}
    # 860 − 60,000 m = 270 (1 − m): 0.988 %; 1,200: 1.557 %; 9,000: 14.616 %
    assert {move: level["accounts"] for move, level in crossing.items()} == {
        "-15": 1,
        "-1.75": 1,
        "-1": 1,
    }
    assert found["at_risk"]["-1"] == "59400"
    assert found["at_risk"]["1"] == "0"
    assert found["buckets"][0]["move"] == "-50"
    prices = [Decimal(b["price"]) for b in found["buckets"]]
    assert prices == sorted(prices)


async def test_wi_2_the_symbol_may_be_an_instrument_or_an_index(client: httpx.AsyncClient) -> None:
    for symbol in ("BTC-USDT-SWAP", "BTC-USD", "BTC"):
        assert (await read(client, symbol))["symbol"] == "BTC"


@pytest.mark.parametrize("symbol", ["XRP", "USD"])
async def test_wi_2_a_symbol_without_a_price_is_refused(
    client: httpx.AsyncClient, symbol: str
) -> None:
    answer = await client.get("/api/v1/liquidation-map", params={"symbol": symbol})
    assert answer.status_code == 422
    assert answer.json()["field"] == "symbol"


async def test_wi_2_a_map_is_made_at_most_once_a_second(
    client: httpx.AsyncClient, source: FakeSource
) -> None:
    answers = await asyncio.gather(*(read(client) for _ in range(5)))
    assert source.frozen == 1
    assert all(answer == answers[0] for answer in answers)


async def test_wi_2_a_changed_account_is_in_the_next_map(
    client: httpx.AsyncClient, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenario, "KEPT_SECONDS", 0.0)
    assert (await read(client))["now"]["level1"]["accounts"] == 0
    source.redis.put(long("safe", "200"), 0.74)
    source.redis.drop("far")
    source.redis.put(long("new", "100"), 0.37)
    for _ in range(200):
        await asyncio.sleep(0.02)
        found = await read(client)
        if found["now"]["level1"]["accounts"] == 2 and found["accounts"] == 4:
            return
    raise AssertionError(found["now"], found["accounts"])


async def test_wi_2_all_is_packed_again_under_a_new_reference_set(
    client: httpx.AsyncClient, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenario, "KEPT_SECONDS", 0.0)
    assert (await read(client))["levels"] == ["3", "1"]
    source.reference = reference({"warning": "4", "warning_exit": "4.2"})
    for _ in range(200):
        await asyncio.sleep(0.02)
        found = await read(client)
        if found["levels"] == ["4", "1"]:
            # 860 / 270 = 3.19
            assert found["now"]["level3"]["accounts"] == 1
            return
    raise AssertionError(found["levels"])


async def test_without_redis_or_a_reference_set_nothing_is_guessed(
    client: httpx.AsyncClient, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenario, "PATIENCE_SECONDS", 0.1)
    source.gone = True
    answer = await client.get("/api/v1/liquidation-map", params={"symbol": "BTC"})
    assert (answer.status_code, answer.json()["field"]) == (503, "redis")
    source.gone, source.reference = False, None
    answer = await client.post("/api/v1/what-if", json={"shocks": {"BTC": "0.1"}})
    assert (answer.status_code, answer.json()["field"]) == (503, "kafka")


async def test_accounts_that_are_not_read_yet_are_counted(
    client: httpx.AsyncClient, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones come at once, the rest never: the answer says how many it does not cover."""
    monkeypatch.setattr(scenario, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(replica_module, "NEAREST", 1)
    monkeypatch.setattr(replica_module, "_LEAST_READ", 1)
    monkeypatch.setattr(replica_module, "CYCLE_SECONDS", 1e9)
    monkeypatch.setattr(replica_module, "ROUND_SECONDS", 1e-9)
    inner, calls = source.ask, 0

    async def few(call: Callable[[Any], Awaitable[Any]]) -> Any:
        nonlocal calls
        calls += 1
        if calls > 6:
            raise Away("redis", "Redis is away")
        return await inner(call)

    monkeypatch.setattr(source, "ask", few)
    found = await ask(client, shocks={"BTC": "-0.01"})
    counted = sum(found["after"].values())
    assert counted == 4
    assert 0 < found["after"]["unassessed"] < 4


async def test_an_answer_leaves_the_event_loop_free(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is done in another thread, in the exact context."""
    threads: list[bool] = []
    made = liquidation_map

    def noted(*arguments: Any, **named: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        assert d(1) / d(3) == d("0." + "3" * 50)
        return made(*arguments, **named)

    monkeypatch.setattr(scenario, "liquidation_map", noted)
    await read(client)
    assert threads == [False]


async def test_wi_1_books_are_kept_without_what_no_figure_needs(source: FakeSource) -> None:
    held = with_orders(long("a", "5000"), order("o", "BTC-USDT", "buy", "0.1", "50000"))
    held.seen, held.offsets = {1: 2}, {"fills": 3}
    source.redis.put(held, 4.0)
    replica = replica_module.Replica(source, lambda: REF)
    try:
        bulk = await replica.bulk(5.0)
        kept = replica.find("a")
    finally:
        await replica.close()
    assert len(bulk) == 5
    assert kept is not None
    assert not kept.seen
    assert not kept.offsets
    first, second = (assess(one, REF, source.prices) for one in (held, kept))
    assert first.ratio == second.ratio


async def test_nothing_is_read_while_nobody_asks(
    source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_module, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(replica_module, "ROUND_SECONDS", 0.02)
    replica = replica_module.Replica(source, lambda: REF)
    await replica.bulk(5.0)
    assert replica._task is not None
    await asyncio.wait_for(replica._task, 5.0)
    reads = source.redis.reads
    await asyncio.sleep(0.1)
    assert source.redis.reads == reads
    assert len(await replica.bulk(5.0)) == 4
    await replica.close()
