"""The explanation of an account: every figure is its formula over its children (issue 8, point 6)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance
from monitor.explain import Node, explain, holds, plain_tree, worked_out
from monitor.explain.formula import BadFormula
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from tests.support.accounts import any_account, any_prices, full_reference, price_book

REFERENCE = full_reference()
ANTICIPATING = full_reference({"anticipate_funding": True})
seeds = st.integers(0, 10**9)


def d(value: str | int) -> Decimal:
    return Decimal(value)


def explained(
    held: Account, prices: PriceBook, reference: Reference = REFERENCE
) -> tuple[Node, Figures]:
    figures = assess(held, reference, prices)
    assert figures.unpriced == ()
    return explain(held, figures, reference, prices), figures


def published(figures: Figures) -> Iterator[tuple[str, Decimal | None]]:
    """What the tree must agree with: name of the node → the figure."""
    yield "maintenance margin ratio", figures.ratio
    yield "adjusted equity", figures.adjusted_equity
    yield "maintenance margin", figures.maintenance_margin
    yield "liquidation fee", figures.liquidation_fee
    yield "initial margin", figures.initial_margin
    yield "available margin", figures.available_margin
    yield "total equity", figures.total_equity
    yield "spot order loss", figures.spot_order_loss
    yield "estimated fees", figures.estimated_fees
    yield "position value", figures.position_value
    yield "account leverage", figures.leverage
    for name, coin in figures.currencies.items():
        yield f"equity {name}", coin.equity
        if coin.potential_borrowing:
            yield f"potential borrowing {name}", coin.potential_borrowing
            yield f"margin for borrowing {name}", coin.borrow_margin_usd
    for key, position in figures.positions.items():
        if position.notional_usd:
            yield f"notional of {key}", position.notional_usd
            yield f"maintenance margin of {key}", position.maintenance_margin
            yield f"initial margin of {key}", position.initial_margin
        else:
            yield f"value of {key}", position.options_value
    for key, own in figures.isolated.items():
        yield f"ratio of {key}", own.ratio
        yield f"equity of {key}", own.equity
        yield f"unrealised PnL of {key}", own.unrealised_pnl
        yield f"maintenance margin of {key}", own.maintenance_margin
        yield f"liquidation fee of {key}", own.liquidation_fee


def check_tree(tree: Node) -> None:
    """Every formula, to the last digit; every repeat stands in full before it."""
    full: dict[str, Decimal | None] = {}
    for node in tree.walk():
        values = [child.value for child in node.children if child.value is not None]
        if node.kind == "figure":
            assert worked_out(node.formula, values) == node.value, node.name
        elif node.kind == "lookup":
            assert holds(node.formula, values), node.name
        elif node.kind == "repeat":
            assert full[node.name] == node.value
            continue
        else:
            assert node.kind in ("input", "group")
            assert not node.children or node.kind == "group"
        assert node.rule or node.kind in ("input", "group"), node.name
        assert (node.value is None) == (node.kind == "group")
        full.setdefault(node.name, node.value)


def check_inputs(tree: Node, held: Account, prices: PriceBook) -> None:
    """The leaves are what the book and the price book say."""
    for node in tree.walk():
        if node.kind != "input":
            continue
        if node.formula.startswith("tick "):
            assert node.value == prices.prices[node.formula.removeprefix("tick ")].price
        elif node.name.startswith("cash "):
            balance = held.balances.get(node.unit, Balance())
            assert node.value == balance.cash
        elif node.name.startswith("contracts of ") and node.formula == "book":
            key = node.name.removeprefix("contracts of ")
            cross, own = held.positions.get(key), held.isolated.get(key)
            assert node.value in (cross.quantity if cross else None, own.quantity if own else None)


@settings(max_examples=150, deadline=None)
@given(seeds, st.booleans())
def test_every_figure_of_any_account_is_explained_to_the_last_digit(
    seed: int, anticipates: bool
) -> None:
    rng = Random(seed)
    reference = ANTICIPATING if anticipates else REFERENCE
    prices = any_prices(rng)
    held = any_account(rng, reference, prices)
    twin = held.copy()
    tree, figures = explained(held, prices, reference)
    assert held == twin
    check_tree(tree)
    check_inputs(tree, held, prices)
    for name, value in published(figures):
        if value is None:
            with pytest.raises(KeyError):
                tree[name]
        else:
            assert tree[name].value == value, name


def simple() -> Account:
    """OV-1's account after the first sale: 0.1 BTC and 1 ETH, 6,000 USDT owed."""
    held = Account("a", known=True, auto_borrow=True)
    held.mode = "spot"
    held.balances = {"BTC": Balance(d("0.2")), "USDT": Balance(d(-6000))}
    held.borrow_leverage = {"*": d(2)}
    return held


def test_mr_1_the_ratio_down_to_cash_and_price() -> None:
    tree, figures = explained(simple(), price_book({"USDT-USD/index": "1"}))
    ratio = tree["maintenance margin ratio"]
    assert ratio.formula == "{0} / ({1} + {2})"
    assert [child.name for child in ratio.children] == [
        "adjusted equity",
        "maintenance margin",
        "liquidation fee",
    ]
    assert ratio.value == figures.ratio == d(5760) / (120 + d("6.12"))
    assert tree["discounted equity BTC"].value == d("0.2") * 60_000 * d("0.98")
    assert tree["discounted equity USDT"].value == -6000
    rate = next(n for n in tree.walk() if n.name == "maintenance rate of borrow tier 2, USDT")
    assert (rate.formula, rate.value) == ("{1} < {0} ≤ {2}", d("0.02"))
    assert [child.value for child in rate.children] == [6000, 1000, 20_000]


def test_no_ratio_is_said() -> None:
    held = simple()
    held.balances = {"BTC": Balance(d(1))}
    tree, figures = explained(held, price_book())
    assert figures.ratio is None
    none = tree["maintenance margin ratio: none, nothing is asked"]
    assert (none.value, none.rule) == (None, "MR-1")


def test_px_3_an_unpriced_account_names_what_it_misses() -> None:
    prices = price_book()
    del prices.prices["BTC-USD/index"]
    held = simple()
    tree = explain(held, assess(held, REFERENCE, prices), REFERENCE, prices)
    assert [child.name for child in tree.children] == ["no price of BTC-USD/index"]


def test_a_missing_price_that_only_total_equity_needs_is_explained_as_such() -> None:
    prices = price_book()
    del prices.prices["DOGE-USD/index"]
    held = simple()
    held.balances["DOGE"] = Balance(d(5))
    tree, figures = explained(held, prices)
    assert figures.total_equity is None
    check_tree(tree)
    with pytest.raises(KeyError):
        tree["total equity"]


def test_plain_data_names_the_children_in_the_formula() -> None:
    tree, _ = explained(simple(), price_book({"USDT-USD/index": "1"}))
    data = plain_tree(tree)
    ratio = data["children"][0]
    assert ratio["formula"] == "adjusted equity / (maintenance margin + liquidation fee)"
    assert ratio["rule"] == "MR-1"
    assert ratio["kind"] == "figure"
    assert ratio["children"][0]["value"] == "5760"
    assert data["value"] is None


# -- formulas ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values", "result"),
    [
        ("{0} + {1} − {2}", "1 2 4", "-1"),
        ("{0} × ({1} − {0}) / {2}", "3 5 4", "1.5"),
        ("max(0, −{0})", "5", "0"),
        ("max({0}, min({1}, 7))", "1 9", "7"),
        ("abs({0})", "-2.50", "2.50"),
        ("0", "", "0"),
        ("1 / {0}", "8", "0.125"),
    ],
)
def test_a_formula_is_worked_out_exactly(text: str, values: str, result: str) -> None:
    assert str(worked_out(text, [d(value) for value in values.split()])) == result


@pytest.mark.parametrize(
    "text", ["{1}", "{0} ** 2", "print({0})", "{0} +", "x", "1.5", "{0}.real", "max({0}, key=0)"]
)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(BadFormula):
        worked_out(text, [d(1)])


@pytest.mark.parametrize(
    ("text", "true"),
    [("{0} ≤ {1}", True), ("{1} < {0}", False), ("{0} < {0}", False), ("{0} ≤ {1} ≤ {2}", True)],
)
def test_a_lookup_says_where_it_holds(text: str, true: bool) -> None:
    assert holds(text, [d(1), d(2), d(2)]) is true


def test_a_sum_may_be_long() -> None:
    text = " + ".join(f"{{{number}}}" for number in range(2000))
    assert worked_out(text, [d(1)] * 2000) == 2000
