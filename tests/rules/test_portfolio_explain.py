"""The explanation of a portfolio account: every figure is its formula over its children (PM-2)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.explain import Node, explain, holds, worked_out
from monitor.margin import Figures, assess
from tests.support.portfolio import (
    any_portfolio_account,
    market,
    portfolio_reference,
    price_book_at,
)

REFERENCE = portfolio_reference()
WITH_FEE = portfolio_reference({"portfolio_derivative_fee": True})
PRICES = market(REFERENCE)


def published(figures: Figures) -> Iterator[tuple[str, Decimal | None]]:
    yield "maintenance margin ratio", figures.ratio
    yield "maintenance margin", figures.maintenance_margin
    yield "liquidation fee", figures.liquidation_fee
    yield "initial margin", figures.initial_margin
    yield "available margin", figures.available_margin
    yield "position value", figures.position_value
    yield "account leverage", figures.leverage
    for name, unit in figures.risk_units.items():
        yield f"maintenance margin of unit {name}", unit.maintenance_margin
        yield f"initial margin of unit {name}", unit.initial_margin
        for label, value in unit.charges._asdict().items():
            yield f"{label.upper()} of {name}", value
    for name, coin in figures.currencies.items():
        if coin.potential_borrowing:
            yield f"margin for borrowing {name}", coin.borrow_margin_usd


def near(one: Decimal | None, other: Decimal) -> bool:
    """Sums in another order differ in the 50th digit."""
    assert one is not None
    return abs(one - other) <= Decimal("1e-40") * max(abs(one), abs(other), Decimal(1))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_every_figure_is_its_formula_and_the_published_one(seed: int) -> None:
    rng = Random(seed)
    reference = rng.choice((REFERENCE, WITH_FEE))
    held = any_portfolio_account(rng, reference)
    book = price_book_at(PRICES, reference)
    figures = assess(held, reference, book)
    assert figures.unpriced == ()
    tree = explain(held, figures, reference, book)
    for node in tree.walk():
        _check(node)
    found = {node.name: node.value for node in tree.walk()}
    for name, value in published(figures):
        if value is not None:
            assert near(found[name], value), name


def _check(node: Node) -> None:
    values = [child.value for child in node.children if child.value is not None]
    if node.kind == "figure":
        assert worked_out(node.formula, values) == node.value, node.name
    elif node.kind == "lookup":
        assert holds(node.formula, values), node.name
