"""The box: inside it nothing changes (H-2). Each case recomputes in decimals at the box's very rim."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance
from monitor.margin import Figures, assess
from monitor.reference import Reference, load_reference
from monitor.watch.floors import equity_floor, frozen_by_orders
from tests.rules.reduction_world import account, d, order, price_book, raw_reference, with_orders
from tests.support.boxes import (
    RIM,
    WILD,
    Boxed,
    asked,
    corner,
    corners,
    nothing_changes_as_it_moves,
    wild_box,
    wild_limit_holder,
)
from tests.support.markets import Market


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9))
def test_h_2_inside_the_box_nothing_changes(seed: int) -> None:
    rng = Random(seed)
    boxed = wild_box(rng)
    if not boxed.sure:
        return
    centre = boxed.exact()
    assert boxed.believed == centre, boxed.story()
    for _ in range(12):
        prices = corner(rng, boxed)
        assert boxed.exact(prices) == centre, (prices, boxed.story())


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9))
def test_h_2_inside_a_box_that_was_moved_nothing_changes(seed: int) -> None:
    rng = Random(seed)
    boxed = wild_box(rng)
    centre = boxed.exact()
    if not boxed.sure or centre is None or not boxed.keys:
        return
    boxed.stand(centre)
    nothing_changes_as_it_moves(rng, boxed)


def near_a_floor(rng: Random, held: Account, figures: Figures) -> None:
    """Give or take cash until the equity of some coin that marks move is a little above its floor."""
    settling = {WILD.instruments[p.instrument].settle or "" for p in held.positions.values()}
    for name in sorted(settling):
        frozen = figures.currencies[name].frozen
        may_go = name in frozen_by_orders(held, WILD)
        floor = equity_floor(held, WILD, name, frozen, cancellable=may_go)
        if floor is not None:
            above = Decimal(repr(round(10 ** rng.uniform(-3, 2), 4)))
            held.balance(name).cash += floor + above - figures.currencies[name].equity


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.booleans())
def test_h_2_inside_the_box_no_coin_comes_to_ask_for_anything(seed: int, borrows: bool) -> None:
    rng = Random(seed)
    held, book = wild_limit_holder(rng)
    held.mode, held.auto_borrow = "multi_currency", borrows
    near_a_floor(rng, held, assess(held, WILD, book))
    boxed = Boxed(held, WILD, book)
    if not boxed.sure or asked(boxed):
        return
    for _ in range(12):
        prices = corner(rng, boxed)
        assert not asked(boxed, prices), (prices, boxed.story())


@pytest.mark.parametrize(
    ("cash", "sure"), [("1000", True), ("100.06", True), ("100", False), ("99", False)]
)
def test_h_2_below_a_coins_floor_only_decimals_can_tell(cash: str, sure: bool) -> None:
    """100 USDT are frozen by an order without auto-borrow; the position neither gains nor loses."""
    held = account({"USDT": cash, "ETH": "10"}, [("BTC-USDT-SWAP", "1", "60000")])
    with_orders(held, order("o", "BTC-USDT", "buy", "0.01", "10000"))
    held.auto_borrow = False
    ref = load_reference(raw_reference())
    boxed = Boxed(held, ref, price_book(ref))
    assert boxed.sure is sure
    assert asked(boxed) is (cash == "99")
    if sure:
        assert not asked(boxed, boxed.at_the_rim({"BTC-USDT-SWAP/mark": -RIM}))


LINEAR, INVERSE = ("BTC-USDT-SWAP", "100", "60000"), ("BTC-USD-SWAP", "-300", "58000")
CASES: dict[str, Account] = {
    "a long near the warning": account({"USDT": "900"}, [LINEAR]),
    "an inverse short": account({"BTC": "0.05"}, [INVERSE]),
    "losses in a coin that may grow dearer": account(
        {"BTC": "0.5"}, [("BTC-USDT-SWAP", "200", "60000")]
    ),
    "a debt that a rising mark repays": account(  # ratio 3.09, the exit above it
        {"USDT": "-999000", "BTC": "18.68"}, [("BTC-USDT-SWAP", "100", "60000")]
    ),
    "two positions on one mark": account(
        {"USDT": "900"},
        [("BTC-USDT-SWAP/long", "150", "60000"), ("BTC-USDT-SWAP/short", "-40", "61000")],
    ),
    "a hedge over two contracts": account({"BTC": "0.4"}, [LINEAR, INVERSE]),
    "equity about to change sign": account({"USDT": "-3", "BTC": "0.02"}, [LINEAR]),
    "a debt just below a tier's bound": account(  # ratio 3.5; beyond the bound it would be 2.4
        {"USDT": "-999999", "BTC": "18.834"}, [("BTC-USDT-SWAP", "1", "60000")]
    ),
    "a debt just above a tier's bound": account(
        {"USDT": "-1000001", "BTC": "18.834"}, [("BTC-USDT-SWAP", "1", "60000")]
    ),
    "borrowing with an order just below a tier's bound": with_orders(
        account({"USDT": "-900000", "BTC": "17.16"}, [("BTC-USDT-SWAP", "1", "60000")]),
        order("o", "BTC-USDT", "buy", "1.66665", "60000"),  # 99,999: 1 is left
    ),
    "a liability's own tier, its orders beyond it": with_orders(  # OC-1 asks 30,000, beyond 40,000
        account({"USDT": "-999999", "BTC": "18.15"}, [("BTC-USDT-SWAP", "1", "60000")]),
        order("o", "BTC-USDT", "buy", "0.1667", "60000"),
    ),
    "an inverse long far from its level": account(
        {"BTC": "0.1296"}, [("BTC-USD-SWAP", "300", "60000")]
    ),
    "an order margin in a coin that is not held": with_orders(  # OC-1: 30,500 against 29,740
        account({"BTC": "0.536"}, [LINEAR]), order("o", "BTC-USDT-SWAP", "buy", "50", "59000")
    ),
    "borrowing that an order would bring": with_orders(
        account({"USDT": "40", "BTC": "0.1"}, [LINEAR]),
        order("o", "BTC-USDT", "buy", "0.1", "59000"),
    ),
    "a sale below the market": with_orders(
        account({"BTC": "0.1"}, mode="spot", borrowed={"USDT": "3000"}),
        order("o", "BTC-USDT", "sell", "0.1", "40000"),
    ),
    "a derivative order": with_orders(
        account({"USDT": "900"}, [LINEAR]),
        order("o", "BTC-USDT-SWAP", "buy", "50", "59000", leverage=d(9)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_h_2_inside_the_box_of(name: str) -> None:
    ref = load_reference(raw_reference())
    boxed = Boxed(CASES[name], ref, price_book(ref))
    centre = boxed.exact()
    assert boxed.sure
    assert boxed.believed == centre
    for shares in corners(boxed):
        assert boxed.exact(boxed.at_the_rim(shares)) == centre, shares


def test_h_2_inside_the_box_of_a_sale_far_above_the_market() -> None:
    """6 BTC of which only 5 count, 5.5 of them for sale at twice the index for what does not count.

    The last coin adds nothing to the discounted equity, but it lowers the loss of the order by 0.98 at
    the order's price: the slope is almost 2 at the index.
    """
    book = Market(Random(1), WILD).book()
    held = account({"BTC": "6", "ETH": "223.855"}, [("BTC-USD-SWAP", "300", "60000")])
    held.collateral_off = ("USDT",)
    with_orders(held, order("o", "BTC-USDT", "sell", "5.5", "120000"))
    figures = assess(held, WILD, book)
    assert figures.spot_order_loss > 0
    assert 6 < (figures.ratio or 0) < 7
    boxed = Boxed(held, WILD, book)
    for sign in (RIM, -RIM):
        assert boxed.exact(boxed.at_the_rim({"BTC-USD-SWAP/mark": sign})) == boxed.exact()


def test_h_2_a_box_is_not_needlessly_small() -> None:
    """A box of no size would be right too.

    900 of equity against 3.15 × 270: 900 − 60,000 x = 850.5 (1 − x) at x = 0.0837 %.
    """
    ref = load_reference(raw_reference())
    boxed = Boxed(CASES["a long near the warning"], ref, price_book(ref))
    mark, at = "BTC-USDT-SWAP/mark", 60_000.0
    assert boxed.exact({mark: at * (1 - 0.00084)}) != boxed.exact()
    assert boxed.exact({mark: at * (1 - 0.00083)}) == boxed.exact()
    low, high = boxed.edges[mark]
    assert 0.0006 < 1 - low / at < 0.00083
    assert high / at > 1.04  # a long gains of what rises: no level lies above


def spot_debt(borrowed: str, interest: str, *tiers: tuple[str, str]) -> Boxed:
    raw = raw_reference()
    raw["currencies"]["USDT"]["borrow_tiers"] = [
        {"up_to": up_to, "initial": "0.1", "maintenance": rate} for up_to, rate in tiers
    ]
    ref = load_reference(raw)
    held = account({"BTC": "1"}, mode="spot")
    held.balances["USDT"] = Balance(d("0"), d(borrowed), d(interest))
    return Boxed(held, ref, price_book(ref))


def test_mm_2_a_debt_at_a_tiers_bound_is_judged_in_decimals() -> None:
    """In floats 0.1 + 0.2 lies above 0.3; reductions bring debts to exactly such bounds."""
    assert 0.1 + 0.2 > 0.3
    at = spot_debt("0.1", "0.2", ("0.3", "0.5"), ("1000", "1"))
    above = spot_debt("0.1", "0.2000000000000000000000001", ("0.3", "0.5"), ("1000", "1"))
    assert at.sure
    assert above.sure
    # 57,000 − 0.3 of 0.3 × (0.5 + 1.5 × 0.001) and of 0.3 × (1 + 2 × 0.001)
    assert at.ratio == pytest.approx(56_999.7 / 0.15045)
    assert above.ratio == pytest.approx(56_999.7 / 0.3006)


def test_mm_2_a_debt_that_moves_with_a_mark_at_a_tiers_bound_is_left_to_decimals() -> None:
    ref = load_reference(raw_reference())
    made = account({"USDT": "-999990", "BTC": "20"}, [("BTC-USDT-SWAP", "1", "61000")])
    boxed = Boxed(made, ref, price_book(ref))  # the loss of 10 brings it to 1,000,000
    assert not boxed.sure
    assert set(boxed.edges.values()) == {(np.inf, -np.inf)}  # whatever ticks, it is looked at


def free_of_charge() -> Reference:
    """No fees and a first tier without maintenance: a requirement that is 0 and may begin."""
    raw: dict[str, Any] = raw_reference()
    raw["fees"] = {"default": {"spot_taker": "0", "derivative_taker": "0"}}
    for tier in raw["instruments"]["BTC-USDT-SWAP"]["position_tiers"]:
        tier["maintenance"] = "0"
    return load_reference(raw)


@pytest.mark.parametrize("cash", ["1", "0.000000001", "0", "-0.5"])
def test_mr_1_where_the_ratio_may_begin_inside_the_box(cash: str) -> None:
    """The requirement is 0 while nothing is owed; a loss larger than the cash makes it a debt."""
    ref = free_of_charge()
    boxed = Boxed(account({"USDT": cash}, [LINEAR]), ref, price_book(ref))
    centre = boxed.exact()
    if boxed.sure:
        assert boxed.believed == centre
    for shares in corners(boxed):
        assert boxed.exact(boxed.at_the_rim(shares)) == centre, shares


def test_h_2_figures_too_large_for_floats_are_left_to_decimals() -> None:
    ref = load_reference(raw_reference())
    book = price_book(
        ref, {"BTC-USDT-SWAP/mark": "1" + "0" * 140, "USDT-USD/index": "1" + "0" * 140}
    )
    boxed = Boxed(account({"USDT": "900"}, [LINEAR]), ref, book)
    assert not boxed.sure
    assert set(boxed.edges.values()) == {(np.inf, -np.inf)}
