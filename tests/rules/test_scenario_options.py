"""What-if on options and portfolio accounts: options are revalued, risk units follow (WI-1, PM-4)."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

import pytest

from monitor.account import Account, open_account
from monitor.options import implied_volatility, years_between
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.scenario import Bulk, WhatIfAnswer, WhatIfQuestion, what_if
from monitor.scenario.revalued import RevaluedPrices
from monitor.scenario.shock import moves_of
from monitor.schema import AccountSettings, Tick
from monitor.schema.events import TickKind
from streams.simulator import Catalogue, Shares, demo_reference, generate, wire

NOW = 1_760_130_245_000
CALL, PUT = "BTC-USD-261225-60000-C", "BTC-USD-261225-50000-P"
PRICES = {
    "USDT-USD": "0.9996",
    "BTC-USD": "52810.4",
    "ETH-USD": "2440.15",
    "BTC-USDT-SWAP": "52801.1",
    "ETH-USDT-SWAP": "2438.9",
    PUT: "0.236412",
    CALL: "0.231905",
    "ETH-USD-261225-2500-P": "0.27231",
}


@cache
def reference() -> Reference:
    return load_reference(demo_reference(PRICES))


@cache
def prices() -> PriceBook:
    book, known = PriceBook(), reference()
    for symbol, price in PRICES.items():
        kind: TickKind = "mark" if symbol in known.instruments else "index"
        tick = Tick(symbol=symbol, kind=kind, price=Decimal(price), ts=NOW, seq=1)
        book.take(tick, 0, known.policy, NOW)
    return book


def moved(**shocks: str) -> RevaluedPrices:
    asked = {name: Decimal(shock) for name, shock in shocks.items()}
    return RevaluedPrices(prices(), reference(), moves_of(asked, reference(), prices()))


def usd(book: PriceBook, option: str) -> Decimal:
    return book.mark(option) * book.index("BTC")


@pytest.mark.parametrize("shock", ["-0.5", "-0.1", "0.1", "0.9"])
def test_a_put_gains_when_the_price_falls_and_a_call_when_it_rises(shock: str) -> None:
    then = moved(BTC=shock)
    falls = shock.startswith("-")
    assert (usd(then, PUT) > usd(prices(), PUT)) == falls
    assert (usd(then, CALL) < usd(prices(), CALL)) == falls
    assert then.mark("BTC-USDT-SWAP") == prices().mark("BTC-USDT-SWAP") * (1 + Decimal(shock))


@pytest.mark.parametrize("option", [PUT, CALL])
@pytest.mark.parametrize("shock", ["-0.3", "0.25"])
def test_pm_4_its_volatility_stands(option: str, shock: str) -> None:
    entry = reference().instruments[option]
    assert entry.option_type is not None
    assert entry.strike is not None
    assert entry.expiry is not None

    def implied(book: PriceBook) -> float:
        forward = float(book.index("BTC"))
        worth = float(book.mark(option)) * forward
        years = years_between(NOW, entry.expiry or 0)
        kind = entry.option_type or "call"
        return implied_volatility(kind, worth, forward, float(entry.strike or 0), years)

    assert implied(moved(BTC=shock)) == pytest.approx(implied(prices()), rel=1e-8)


def test_other_options_and_single_symbols_move_as_asked() -> None:
    then = moved(ETH="-0.2")
    assert then.mark(PUT) == prices().mark(PUT)
    alone = RevaluedPrices(
        prices(), reference(), moves_of({PUT: Decimal("0.5")}, reference(), prices())
    )
    assert alone.mark(PUT) == prices().mark(PUT) * Decimal("1.5")
    both = RevaluedPrices(
        prices(),
        reference(),
        moves_of({"BTC": Decimal("-0.1"), PUT: Decimal("0.5")}, reference(), prices()),
    )
    assert both.mark(PUT) == moved(BTC="-0.1").mark(PUT) * Decimal("1.5")


def test_however_far_it_falls_a_mark_stays_above_0() -> None:
    assert moved(BTC="-0.9999").mark(CALL) > 0


@cache
def books() -> Bulk:
    start = {symbol: Decimal(price) for symbol, price in PRICES.items()}
    raw = demo_reference(PRICES)
    made = generate(40, 4, start, Catalogue.of(raw), ts=NOW, shares=Shares(portfolio=1))
    return Bulk.of(map(_opened, made), reference())


def _opened(message: wire.AccountEvent) -> Account:
    return open_account(AccountSettings.model_validate_json(wire.encode(message)), reference())


def asked(account_id: str | None = None, **shocks: str) -> WhatIfAnswer:
    moves = {name: Decimal(shock) for name, shock in shocks.items()}
    return what_if(books(), prices(), WhatIfQuestion(shocks=moves, account_id=account_id))


def test_wi_1_portfolio_accounts_are_looked_at_in_decimals_none_left_out() -> None:
    answer = asked(BTC="-0.3", ETH="-0.3")
    assert answer.before.unassessed == answer.after.unassessed == 0
    assert answer.after.unpriced == 0
    assert answer.after.liquidation > answer.before.liquidation == 0
    assert answer.falling >= answer.after.liquidation


def test_wi_1_the_grid_said_what_a_shock_of_its_size_costs() -> None:
    """A price point of MR1, volatility standing: equity changes by its PnL and by the coin's own."""
    checked, instruments = 0, reference().instruments
    for name in books():
        account = books().find(name)
        assert account is not None
        units = {instruments[held.instrument].underlying for held in account.positions.values()}
        if len(units) != 1:
            continue
        (unit,) = units
        answer = asked(name, **{unit: "-0.08"}).account
        assert answer is not None
        before, after = answer.before, answer.after
        if before.total_equity is None or after.total_equity is None:
            continue
        coin = before.currencies[unit]
        held = (coin.cash - coin.borrowed) * (coin.price or Decimal(0)) * Decimal("-0.08")
        scenario = before.risk_units[unit]
        spot = scenario.spot_in_use * (coin.price or Decimal(0)) * Decimal("-0.08")
        pnl = scenario.scenarios.same["-0.08"] - spot
        change = after.total_equity - before.total_equity - held
        assert float(change) == pytest.approx(float(pnl), rel=0.02, abs=25)
        checked += 1
    assert checked > 15


def test_wi_1_one_account_shows_its_risk_units_before_and_after() -> None:
    name = next(iter(books()))
    answer = asked(name, BTC="-0.1", ETH="-0.1").account
    assert answer is not None
    assert set(answer.before.risk_units) == set(answer.after.risk_units) != set()
    assert answer.before.risk_units != answer.after.risk_units
