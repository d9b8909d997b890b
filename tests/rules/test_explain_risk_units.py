"""The explanation of portfolio accounts: every figure is its formula over its children (PM-2, PM-3)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from monitor.account import Account, open_account
from monitor.explain import Node, explain, worked_out
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import AccountSettings, Tick
from streams.simulator import Shares, demo_reference, generate, wire

NOW = 1_760_130_245_000
PRICES = {
    "USDT-USD": "0.9996",
    "BTC-USD": "52810.4",
    "ETH-USD": "2440.15",
    "BTC-USDT-SWAP": "52801.1",
    "BTC-USD-SWAP": "52790.4",
    "ETH-USDT-SWAP": "2438.9",
    "BTC-USD-261225-50000-P": "0.236412",
    "BTC-USD-261225-60000-C": "0.231905",
    "BTC-USD-261225-80000-C": "0.140277",
    "ETH-USD-261225-2500-P": "0.27231",
    "ETH-USD-261225-3000-C": "0.21804",
}
ORDER = {
    "position_side": "net",
    "margin_mode": "cross",
    "status": "open",
    "filled_quantity": "0",
    "reduce_only": False,
    "auto_borrow": False,
    "version": 1,
    "created_ts": NOW,
    "ts": NOW,
}


@cache
def reference(derivative_fee: bool = False) -> Reference:
    return load_reference(demo_reference(PRICES, {"portfolio_derivative_fee": derivative_fee}))


@cache
def prices() -> PriceBook:
    book, known = PriceBook(), reference()
    for symbol, price in PRICES.items():
        kind: Any = "mark" if symbol in known.instruments else "index"
        tick = Tick(symbol=symbol, kind=kind, price=Decimal(price), ts=NOW, seq=1)
        book.take(tick, 0, known.policy, NOW)
    return book


def explained(account: Account, known: Reference) -> tuple[Node, Figures]:
    figures = assess(account, known, prices())
    assert figures.unpriced == ()
    return explain(account, figures, known, prices()), figures


@cache
def books() -> tuple[Account, ...]:
    start = {symbol: Decimal(price) for symbol, price in PRICES.items()}
    made = generate(
        60, 4, start, demo_reference(PRICES), ts=NOW, shares=Shares(options=0, portfolio=1)
    )
    return tuple(map(_opened, made))


def _opened(message: wire.AccountEvent, **more: Any) -> Account:
    read = AccountSettings.model_validate_json(wire.encode(message))
    return open_account(read.model_copy(update=more), reference())


def published(figures: Figures) -> Iterator[tuple[str, Decimal | None]]:
    yield "maintenance margin ratio", figures.ratio
    yield "maintenance margin", figures.maintenance_margin
    yield "initial margin", figures.initial_margin
    yield "liquidation fee", figures.liquidation_fee
    yield "available margin", figures.available_margin
    yield "position value", figures.position_value
    yield "account leverage", figures.leverage
    for name, unit in figures.risk_units.items():
        filled = {
            "none": "",
            "buys": ", with open buys filled",
            "sells": ", with open sells filled",
        }
        title = f"maintenance margin of risk unit {name}{filled[unit.filled]}"
        yield title, unit.maintenance_margin
        yield f"initial margin of risk unit {name}", unit.initial_margin
        yield f"MR1, price and volatility, of {name}", unit.charges.mr1
        yield f"MR6, extreme move, of {name}", unit.charges.mr6
        yield f"MR7, minimum charge of {name}", unit.charges.mr7


@pytest.mark.parametrize("derivative_fee", [False, True])
def test_pm_2_every_figure_is_its_formula_and_the_one_published(derivative_fee: bool) -> None:
    units = 0
    for account in books():
        tree, figures = explained(account, reference(derivative_fee))
        for node in tree.walk():
            if node.kind == "figure":
                values = [child.value for child in node.children if child.value is not None]
                assert worked_out(node.formula, values) == node.value, node.name
        for name, value in published(figures):
            if value is not None:
                assert tree[name].value == value, name
        units += len(figures.risk_units)
    assert units > len(books())


def test_pm_3_the_worst_scenario_is_named_and_the_least_of_all() -> None:
    account = books()[0]
    tree, figures = explained(account, reference())
    for name, unit in figures.risk_units.items():
        worst = next(n for n in tree.walk() if n.name.startswith(f"worst scenario of {name}:"))
        assert len(worst.children) == 21
        assert worst.value == unit.worst.pnl == min(n.value for n in worst.children if n.value)
        assert f"volatility {unit.worst.volatility}" in worst.name


def test_pm_1_orders_that_ask_for_more_are_said_to_be_filled() -> None:
    """A buy of 20 contracts beside a short perpetual of 5: long 15 asks for more than short 5."""
    snapshot = {
        "balances": [{"currency": "USDT", "cash": "50000"}],
        "positions": [
            {
                "instrument": "BTC-USDT-SWAP",
                "position_side": "net",
                "margin_mode": "cross",
                "quantity": "-5",
                "entry_price": "52000",
            }
        ],
        "orders": [
            ORDER
            | {
                "account_id": "a",
                "order_id": "o",
                "instrument": "BTC-USDT-SWAP",
                "side": "buy",
                "price": "51000",
                "quantity": "20",
            }
        ],
    }
    message = AccountSettings.model_validate(
        {
            "account_id": "a",
            "mode": "portfolio",
            "auto_borrow": True,
            "position_mode": "net",
            "ts": NOW,
            "snapshot": snapshot,
        }
    )
    tree, figures = explained(open_account(message, reference()), reference())
    assert figures.risk_units["BTC"].filled == "buys"
    found = tree["maintenance margin of risk unit BTC, with open buys filled"]
    assert found.value == figures.risk_units["BTC"].maintenance_margin
