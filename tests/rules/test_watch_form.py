"""Forms: compiled from tables they say what decimals say, and what they clear asks for nothing (H-2)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance
from monitor.conversion import excesses
from monitor.engine import Engine
from monitor.escalation import Context
from monitor.escalation.cancels import due_cancels
from monitor.limits import Totals
from monitor.margin import assess
from monitor.prices import Price, PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import Cause
from monitor.watch.exposures import Form
from monitor.watch.form import FormCompiler, compile_form
from tests.rules.reduction_world import account, order, price_book, raw_reference, with_orders
from tests.support.accounts import any_account, any_prices, full_reference
from tests.support.markets import Market, arm, reference, wild_account
from tests.support.slow_form import slow_form

FULL, WILD = full_reference(), reference()
MORE = [
    full_reference({"anticipate_funding": True}),
    full_reference({"quota_covers": "all", "spot_cancel_scope": "all"}),
]


def columns() -> Callable[[str], int]:
    """Return what gives each price key the next place."""
    places: dict[str, int] = {}
    return lambda key: places.setdefault(key, len(places))


def near(found: Any, expected: Any) -> bool:
    """Say whether two forms are alike: floats but for rounding, everything else equal."""
    if isinstance(expected, float):
        return isinstance(found, float) and found == pytest.approx(expected, rel=1e-12, abs=1e-15)
    if isinstance(expected, tuple):
        same = isinstance(found, tuple) and len(found) == len(expected)
        return same and all(near(*pair) for pair in zip(found, expected, strict=True))
    return bool(found == expected)


def assert_compiled_alike(held: Account, ref: Reference, book: PriceBook) -> None:
    column = columns()
    expected = slow_form(held, ref, book, column)
    found = compile_form(held, ref, book, column)
    for name in Form._fields:
        if name != "asked":
            assert near(getattr(found, name), getattr(expected, name)), name


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**9))
def test_h_2_a_form_says_in_floats_what_decimals_say(seed: int) -> None:
    rng = Random(seed)
    ref = rng.choice([FULL, *MORE])
    book = any_prices(rng)
    assert_compiled_alike(any_account(rng, ref, book), ref, book)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**9))
def test_h_2_debts_at_tier_bounds_find_their_tier_in_decimals(seed: int) -> None:
    rng = Random(seed)
    book = Market(rng, WILD).book()
    assert_compiled_alike(wild_account(rng, "a", WILD, book), WILD, book)


def test_px_2_one_compiler_follows_a_route_that_changes() -> None:
    """SOL is priced through BTC until it has an index of its own."""
    book = any_prices(Random(1))
    book.prices["SOL-BTC/index"] = Price(Decimal("0.0000021"), 1, 0, 0)
    book.prices.pop("SOL-USD/index", None)
    book.prices.pop("SOL-USDT/index", None)
    book._routes.clear()
    columns: dict[str, int] = {}
    compiler = FormCompiler(FULL, book, lambda key: columns.setdefault(key, len(columns)))
    held = Account("a", known=True, balances={"SOL": Balance(Decimal(5))})
    before = compiler.compile(held).holdings[0]
    assert (before.column, before.bridge) == (columns["SOL-BTC/index"], columns["BTC-USD/index"])
    book.prices["SOL-USD/index"] = Price(Decimal("0.1"), 1, 0, 0)
    book._routes.clear()
    after = compiler.compile(held).holdings[0]
    assert (after.column, after.bridge) == (columns["SOL-USD/index"], -1)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**9))
def test_h_2_what_floats_clear_asks_for_nothing(seed: int) -> None:
    """OC-2, OC-3, IN-4: an account with orders or debts is cleared only if decimals agree."""
    rng = Random(seed)
    ref = rng.choice([WILD, WILD, FULL])
    book = Market(rng, WILD).book() if ref is WILD else any_prices(rng)
    held = wild_account(rng, "a", WILD, book) if ref is WILD else any_account(rng, ref, book)
    held.orders = {n: o for n, o in held.orders.items() if o.price is not None}
    engine = Engine(ref)
    engine.prices = book
    for key, price in book.prices.items():
        engine.watch.first(key, float(price.price))
    if rng.random() < 0.5:
        coins = list(ref.currencies)
        engine.totals = Totals(0, {"a": {rng.choice(coins): Decimal(10) ** 9}}, complete=False)
    arm(engine, [held])
    entry = engine.entries["a"]
    if not engine.clear(entry):
        return
    figures = assess(held, ref, book)
    context = Context(ref, book, 0, Cause(kind="sweep", ts=0), engine.totals)
    assert due_cancels(held, figures, context) == []
    assert excesses(held, figures, ref) == []


@pytest.mark.parametrize(
    ("cash", "borrows", "asks"),
    [
        ("600", False, False),  # all that the order freezes
        ("599.99", False, True),  # OC-2
        ("-1000", True, False),
        ("-2000000000", True, True),  # OC-3: beyond the last tier
    ],
)
def test_h_2_a_coin_that_no_mark_moves_is_told_exactly(
    cash: str, borrows: bool, asks: bool
) -> None:
    ref = load_reference(raw_reference())
    held = account({"USDT": cash, "BTC": "90"})
    with_orders(held, order("o", "BTC-USDT", "buy", "0.01", "60000"))
    held.auto_borrow = borrows
    assert compile_form(held, ref, price_book(ref), columns()).asked is asks


@pytest.mark.parametrize(("cash", "asks"), [("-1", False), ("-1.01", True)])
def test_in_4_a_debt_above_the_least_quota_asks(cash: str, asks: bool) -> None:
    held = Account("a", known=True, balances={"USDT": Balance(Decimal(cash))})
    assert compile_form(held, FULL, any_prices(Random(1)), columns()).asked is asks
