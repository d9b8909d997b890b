"""Portfolio accounts over HTTP: risk units are typed, and a what-if shows them before and after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from functools import cache
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from monitor.account import Account, open_account
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import AccountSettings, Assessment, Tick
from monitor.schema.events import TickKind
from streams.dashboard.api.models import AccountDetail
from streams.dashboard.api.scenario import router
from streams.dashboard.errors import handle_errors
from streams.simulator import Catalogue, Shares, demo_reference, generate, wire
from tests.unit.dashboard.test_scenario_api import FakeBook, FakeSource

NOW = 1_760_130_245_000
PRICES = {
    "USDT-USD": "0.9996",
    "BTC-USD": "52810.4",
    "BTC-USDT-SWAP": "52801.1",
    "BTC-USD-261225-50000-P": "0.236412",
    "BTC-USD-261225-60000-C": "0.231905",
}


@cache
def reference() -> Reference:
    return load_reference(demo_reference(PRICES))


def prices() -> PriceBook:
    book, known = PriceBook(), reference()
    for symbol, price in PRICES.items():
        kind: TickKind = "mark" if symbol in known.instruments else "index"
        tick = Tick(symbol=symbol, kind=kind, price=Decimal(price), ts=NOW, seq=1)
        book.take(tick, 0, known.policy, NOW)
    return book


@cache
def books() -> tuple[Account, ...]:
    start = {symbol: Decimal(price) for symbol, price in PRICES.items()}
    catalogue = Catalogue.of(demo_reference(PRICES))
    made = generate(12, 4, start, catalogue, ts=NOW, shares=Shares(portfolio=1))
    return tuple(map(_opened, made))


def _opened(message: wire.AccountEvent) -> Account:
    return open_account(AccountSettings.model_validate_json(wire.encode(message)), reference())


class BookSource(FakeSource):
    """The accounts above at the prices above."""

    def __init__(self) -> None:
        super().__init__()
        self.reference, self.prices = reference(), prices()
        for number, held in enumerate(books()):
            self.redis.put(held, 2.0 + number)

    async def of(self, account_id: str) -> Any:
        found: FakeBook = await super().of(account_id)
        return found._replace(reference=reference())

    def now(self) -> int:
        return NOW


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.source = BookSource()
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


async def _asked(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/what-if", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_wi_1_a_book_is_shown_before_and_after_with_its_risk_units(
    client: httpx.AsyncClient,
) -> None:
    held = books()[0]
    found = (await _asked(client, account_id=held.account_id, shocks={"BTC": "-0.1"}))["account"]
    before, after = (Assessment.model_validate(found[part]) for part in ("before", "after"))
    assert set(before.risk_units) == set(after.risk_units) == {"BTC"}
    assert before.risk_units["BTC"].scenarios.same["-0.12"] != Decimal(0)
    assert before.risk_units["BTC"].worst != after.risk_units["BTC"].worst
    assert before.maintenance_margin == before.risk_units["BTC"].maintenance_margin


async def test_wi_1_all_books_are_looked_at(client: httpx.AsyncClient) -> None:
    found = await _asked(client, shocks={"BTC": "-0.35"})
    assert sum(found["before"].values()) == len(books())
    assert found["after"]["unassessed"] == found["after"]["unpriced"] == 0
    assert found["after"]["liquidation"] > found["before"]["liquidation"] == 0
    assert {one["account_id"] for one in found["moved"]} <= {one.account_id for one in books()}


def test_the_schema_says_what_a_risk_unit_is() -> None:
    schema = AccountDetail.model_json_schema()["$defs"]
    unit = schema["RiskUnitAssessment"]
    wanted = {"maintenance_margin", "initial_margin", "delta", "gamma", "vega", "theta"}
    wanted |= {"spot_in_use", "charges", "scenarios", "worst", "extreme", "positions"}
    assert wanted <= set(unit["properties"])
    assert set(schema["UnitCharges"]["properties"]) == {f"mr{n}" for n in (1, 2, 3, 4, 5, 6, 7, 9)}
    assert schema["WorstScenario"]["properties"]["volatility"]["enum"] == ["down", "same", "up"]
    assert "implied_volatility" in schema["UnitPositionAssessment"]["properties"]
