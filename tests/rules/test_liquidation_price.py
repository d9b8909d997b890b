"""MR-4: liquidation prices."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance, IsolatedPosition, OpenOrder, Position
from monitor.exact import ONE
from monitor.liquidation_price import (
    LiquidationPrice,
    LiquidationPrices,
    account_boundary,
    liquidation_prices,
    nearest_boundary,
)
from monitor.liquidation_price.movement import MovedPrices, with_orders_filled
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from tests.support.accounts import any_account, any_prices, full_reference, price_book

REFERENCE = full_reference()
SWAP, INVERSE, ETH_SWAP = "BTC-USDT-SWAP", "BTC-USD-SWAP", "ETH-USDT-SWAP"
FLAT = {"USDT-USD/index": "1", f"{SWAP}/mark": "60000", f"{INVERSE}/mark": "60000"}
CLOSE = Decimal("1e-9")


def d(value: str | int) -> Decimal:
    return Decimal(value)


def account(cash: dict[str, str], *held: tuple[str, str, str], **more: Any) -> Account:
    """`held`: (instrument, contracts, entry price)."""
    made = Account("a", known=True, auto_borrow=True, **more)
    made.balances = {name: Balance(d(amount)) for name, amount in cash.items()}
    made.positions = {f"{n}/net": Position(n, "net", d(q), d(p)) for n, q, p in held}
    return made


def order(name: str, instrument: str, side: str, quantity: str, price: str, **more: Any) -> Any:
    fields: dict[str, Any] = {"margin_mode": "cross", "reduce_only": False, "leverage": None}
    return OpenOrder(
        order_id=name,
        version=1,
        instrument=instrument,
        side="buy" if side == "buy" else "sell",
        position_side="net",
        price=d(price),
        quantity=d(quantity),
        filled_quantity=d(0),
        auto_borrow=True,
        created_ts=1,
        command_id=None,
        **{**fields, **more},
    )


def found(held: Account, book: PriceBook | None = None) -> LiquidationPrices:
    prices = price_book(FLAT) if book is None else book
    return liquidation_prices(held, assess(held, REFERENCE, prices), REFERENCE, prices)


def position(held: Account, name: str = SWAP) -> LiquidationPrice:
    return found(held).positions[f"{name}/net"]


def near(price: Decimal | None, expected: Decimal) -> bool:
    return price is not None and abs(price / expected - 1) < Decimal("1e-25")


# -- worked ------------------------------------------------------------------------------------


def test_mr_4_a_linear_long_where_equity_meets_maintenance_and_fee() -> None:
    """1 coin at 60,000 on 6,000: 6,000 + (m − 60,000) = m × (0.004 + 0.0005)."""
    held = account({"USDT": "6000"}, (SWAP, "100", "60000"))
    assert near(position(held).price, d(54_000) / (1 - d("0.0045")))


def test_mr_4_a_linear_short() -> None:
    held = account({"USDT": "6000"}, (SWAP, "-100", "60000"))
    assert near(position(held).price, d(66_000) / (1 + d("0.0045")))


def test_mr_4_the_debt_that_a_loss_leaves_is_counted_with_its_tier() -> None:
    """0.98 BTC count for 58,800; a loss L of USDT is borrowed: L × rate + L × (1 + rate) × 0.001."""
    held = account({"BTC": "1"}, (ETH_SWAP, "-100", "3000"))
    price = position(held, ETH_SWAP).price
    assert price is not None
    loss = (price - 3000) * 10
    assert d(20_000) < loss < d(90_000)  # third borrow tier
    rate = d("0.05")
    asked = price * 10 * d("0.0045") + loss * rate + loss * (1 + rate) * d("0.001")
    assert near(58_800 - loss, asked)


def test_mr_4_an_inverse_long_holds_its_margin_in_the_coin() -> None:
    """0.1 BTC and 3,000 USD long: 0.98 × (0.1 + 3,000 (1 / 60,000 − 1 / m)) × m = 13.5."""
    held = account({"BTC": "0.1"}, (INVERSE, "30", "60000"))
    price = position(held, INVERSE).price
    # 0.98 × ((0.1 + 0.05) m − 3,000) = 3,000 × 0.0045
    assert near(price, (d("13.5") / d("0.98") + 3000) / d("0.15"))


def test_mr_4_other_positions_on_the_underlying_move_along_and_the_others_stand() -> None:
    """A future of the same coin hedges the swap; one on another coin does not move."""
    other = (ETH_SWAP, "-10", "3003")
    hedged = account(
        {"USDT": "6000"}, (SWAP, "100", "60000"), ("BTC-USDT-FUT", "-50", "60500"), other
    )
    price = position(hedged).price
    assert price is not None
    factor = price / 60_000
    pnl = 60_000 * (factor - 1) - 30_250 * (factor - 1)
    asked = (60_000 * factor + 30_250 * factor + 3_003) * d("0.0045")
    assert near(6_000 + pnl, asked)


def test_mr_4_a_fully_hedged_position_has_none() -> None:
    held = account({"USDT": "6000"}, (SWAP, "100", "60000"), ("BTC-USDT-FUT", "-100", "60500"))
    book = price_book({**FLAT, "BTC-USDT-FUT/mark": "60000"})
    held.positions["BTC-USDT-FUT/net"].entry_price = d(60_000)
    price = found(held, book).positions[f"{SWAP}/net"].price
    # both legs ask 0.45 % of what they are worth: at 6,000 / 0.009 the hedge itself is too large
    assert near(price, d(6_000) / d("0.009"))


def test_mr_4_a_long_without_debt_has_none() -> None:
    """Worth more in cash than the contract can lose."""
    held = account({"USDT": "70000"}, (SWAP, "100", "60000"))
    assert position(held) == (None, None, None)


def test_mr_4_a_debt_has_the_index_at_which_it_is_liquidated() -> None:
    """1 BTC (58,800) against 10,000 USDT in the second borrow tier: as USDT rises, and as BTC falls."""
    held = account({"BTC": "0.5", "USDT": "-10000"})
    price = found(held).debts["USDT"].price
    # 29,400 = p × 10,000 × (1 + 0.02 + 1.02 × 0.001)
    assert near(price, d(29_400) / (10_000 * (1 + d("0.02") + d("0.00102"))))
    assert found(held).positions == {}


def test_mr_4_a_debt_in_usd_has_none() -> None:
    assert found(account({"BTC": "0.5", "USD": "-10000"})).debts == {}


def test_mr_4_it_may_lie_where_a_tier_jumps() -> None:
    """Borrowing of 1,000 USDT passes into the next tier as the short loses; the ratio passes 1 there."""
    held = account({"USDT": "-500", "USD": "1018"}, (SWAP, "-1", "60000"))
    prices = price_book(FLAT)
    price = position(held).price
    assert price is not None
    book = MovedPrices(prices, REFERENCE, "BTC")
    ratios = []
    for beside in ("-1e-15", "1e-15"):
        book.factor = price / 60_000 * (1 + d(beside))
        ratios.append(assess(held, REFERENCE, book).ratio)
    assert ratios[0] is not None
    assert ratios[1] is not None
    assert ratios[0] > 1 >= ratios[1]


def test_mr_4_in_liquidation_it_is_where_the_account_is_safe_again() -> None:
    held = account({"USDT": "100"}, (SWAP, "100", "60000"))
    assert near(position(held).price, d(59_900) / (1 - d("0.0045")))


def test_mr_4_with_open_buys_and_with_open_sells_filled() -> None:
    """Buys at 50,000 make a longer long, sells at 61,000 close some of it with a gain.

    With what orders open there are more than 100 contracts: the second tier's 1 %.
    """
    held = account({"USDT": "6000"}, (SWAP, "100", "60000"))
    held.orders = {
        "b": order("b", SWAP, "buy", "50", "50000"),
        "s": order("s", SWAP, "sell", "40", "61000"),
    }
    taken = position(held)
    # 1.5 coins from a mean of 56,666.67 and a fee of 12.5; the open sale's own fee stays frozen
    fee = d("0.4") * 61_000 * d("0.0005")
    bought = (d(85_000) - 6000 + d("12.5") + fee) / (d("1.5") * (1 - d("0.0105")))
    assert near(taken.buys_filled, bought)
    # 0.4 closed with 400 and a fee; the open buy asks for its 0.5 at mark, and its fee is frozen
    left = d("0.6") * 60_000 - 6000 - 400 + fee + d("12.5")
    sold = left / (d("0.6") - d("0.0105") * d("1.1"))
    assert near(taken.sells_filled, sold)
    # as it stands only the part that opens counts
    plain = (d(54_000) + fee + d("12.5")) / (1 - d("0.0105") * d("1.5"))
    assert near(taken.price, plain)


def test_mr_4_without_open_orders_filling_them_changes_nothing() -> None:
    taken = position(account({"USDT": "6000"}, (SWAP, "100", "60000")))
    assert taken.price == taken.buys_filled == taken.sells_filled


def isolated(quantity: str, margin: str, **more: Any) -> Account:
    made = account({"USDT": "1"})
    made.isolated[f"{SWAP}/isolated/net"] = IsolatedPosition(
        SWAP, "net", d(quantity), d(60_000), d(margin), "USDT", **more
    )
    return made


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("100", d(54_000) / (1 - d("0.0045"))),
        ("-100", d(66_000) / (1 + d("0.0045"))),
    ],
)
def test_mr_4_an_isolated_position_by_its_own_margin(quantity: str, expected: Decimal) -> None:
    assert near(found(isolated(quantity, "6000")).isolated[f"{SWAP}/isolated/net"].price, expected)


def test_mr_4_a_margin_position_by_its_own_debt() -> None:
    """2 BTC on 100,000 of 120,000 USDT: 20,000 + 2 (m − 60,000) − 1 = L (0.05 + 1.05 × 0.001)."""
    made = account({"USDT": "1"})
    made.isolated["BTC-USDT/isolated/net"] = IsolatedPosition(
        "BTC-USDT", "net", d(2), d(60_000), d(20_000), "USDT", d(6), d(120_000), "USDT", d(1)
    )
    owed = d(120_001) * (d("0.05") + d("1.05") * d("0.001"))
    price = found(made).isolated["BTC-USDT/isolated/net"].price
    assert near(price, (owed + 100_000 + 1) / 2)


def test_mr_4_a_short_option_moves_with_its_mark() -> None:
    """1 BTC short in coin-margined calls: the mark moves by the same factor as the index."""
    held = account({"USDT": "20000"}, ("BTC-USD-70000-C", "-10", "0.012"))
    price = found(held).positions["BTC-USD-70000-C/net"].price
    assert price is not None
    factor = price / d("0.012")
    value = d("0.012") * factor * 60_000 * factor  # the mark is in coin
    borrowed = value * (d("0.02") + d("1.02") * d("0.001"))  # up to 0.5 BTC: first borrow tier
    asked = d("0.03") * 60_000 * factor + value + 60_000 * factor * d("0.0005") + borrowed
    assert abs((20_000 - value) / asked - 1) < CLOSE


def test_mr_4_an_unpriced_account_has_none() -> None:
    book = price_book()
    del book.prices[f"{SWAP}/mark"]
    assert found(account({"USDT": "1"}, (SWAP, "1", "60000")), book) == LiquidationPrices()


# -- the search itself ---------------------------------------------------------------------------


def test_mr_4_a_curve_that_dips_between_two_looks_is_found() -> None:
    """(f − 1.5) (f − 1.51) is below 0 for a hundredth only."""
    dip = nearest_boundary(lambda f: (f - d("1.5")) * (f - d("1.51")), curved=True)
    assert dip is not None
    assert abs(dip.factor - d("1.5")) < CLOSE
    assert not dip.danger_below


def test_mr_4_the_nearer_of_two_is_taken_by_ratio() -> None:
    both = nearest_boundary(lambda f: (f - d("0.5")) * (d("1.9") - f), curved=True)
    assert both is not None
    assert abs(both.factor - d("1.9")) < CLOSE


def test_mr_4_no_ratio_is_no_danger() -> None:
    assert nearest_boundary(lambda _: None) is None


# -- properties ----------------------------------------------------------------------------------


def scan() -> Iterator[Decimal]:
    """Factors from a thousandth to a thousand, closer near 1."""
    for exponent in range(1, 241):
        yield Decimal(repr(round(10 ** ((exponent / 139) ** 2), 9)))


SCAN = [factor for factor in scan() if factor <= 1000]


def in_danger(held: Account, book: MovedPrices, factor: Decimal) -> bool:
    book.factor = factor
    ratio = assess(held, REFERENCE, book).ratio
    return ratio is not None and ratio <= 1


def first_crossing(held: Account, book: MovedPrices) -> Decimal | None:
    """Return the factor (as a ratio above 1) by which the nearest crossing is passed."""
    start = in_danger(held, book, ONE)
    for factor in SCAN:
        if any(in_danger(held, book, one) != start for one in (factor, ONE / factor)):
            return factor
    return None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["BTC", "ETH", "USDT", "SOL"]))
def test_mr_4_at_the_price_the_ratio_is_1_or_passes_it_and_a_scan_finds_none_nearer(
    seed: int, underlying: str
) -> None:
    rng = Random(seed)
    prices = any_prices(rng)
    held = any_account(rng, REFERENCE, prices)
    boundary = account_boundary(held, REFERENCE, prices, underlying, ONE)
    book = MovedPrices(prices, REFERENCE, underlying)
    scanned = first_crossing(held, book)
    if boundary is None:
        assert scanned is None
        return
    factor = boundary.factor
    if scanned is not None:
        assert max(factor, ONE / factor) <= scanned
    width = Decimal("1e-13") * factor
    sides = [in_danger(held, book, factor + side) for side in (-width, width)]
    assert sides == [boundary.danger_below, not boundary.danger_below]
    book.factor = factor
    ratio = assess(held, REFERENCE, book).ratio
    jumps = jump(held, book, factor)
    assert jumps or (ratio is not None and abs(ratio - 1) < CLOSE)


def jump(held: Account, book: MovedPrices, factor: Decimal) -> bool:
    """Return whether the ratio leaps at the factor."""
    ratios = []
    for side in (-1, 1):
        book.factor = factor * (1 + side * Decimal("1e-17"))
        ratios.append(assess(held, REFERENCE, book).ratio)
    a, b = ratios
    return a is None or b is None or abs(a - b) > Decimal("1e-12") * (abs(a) + abs(b))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_mr_4_every_price_of_an_account_and_of_its_isolated_positions(seed: int) -> None:
    rng = Random(seed)
    prices = any_prices(rng)
    held = any_account(rng, REFERENCE, prices)
    figures = assess(held, REFERENCE, prices)
    taken = liquidation_prices(held, figures, REFERENCE, prices)
    assert set(taken.positions) == set(figures.positions)
    assert set(taken.isolated) == set(figures.isolated)
    assert set(taken.debts) == {
        n for n, c in figures.currencies.items() if c.liability and n != "USD"
    }
    for key, one in taken.isolated.items():
        own = figures.isolated[key]
        underlying = REFERENCE.instruments[own.instrument].underlying
        book = MovedPrices(prices, REFERENCE, underlying)
        if one.price is None:
            sides = set()
            for factor in (*SCAN, *(ONE / f for f in SCAN)):
                book.factor = factor
                ratio = assess(held, REFERENCE, book).isolated[key].ratio
                sides.add(ratio is not None and ratio <= 1)
            assert len(sides) == 1
        else:
            book.factor = one.price / own.mark
            ratio = assess(held, REFERENCE, book).isolated[key].ratio
            assert ratio is not None
            assert abs(ratio - 1) < CLOSE


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["buy", "sell"]))
def test_mr_4_filled_orders_are_gone_and_the_others_stand(seed: int, side: Any) -> None:
    rng = Random(seed)
    prices = any_prices(rng)
    held = any_account(rng, REFERENCE, prices)
    twin = held.copy()
    copy = with_orders_filled(held, REFERENCE, prices, "BTC", side)
    assert held == twin
    gone = {
        key
        for key, one in held.orders.items()
        if one.side == side and REFERENCE.instruments[one.instrument].underlying == "BTC"
    }
    assert set(copy.orders) == set(held.orders) - gone


def test_mr_4_the_level_is_the_policy_s() -> None:
    reference: Reference = full_reference({"liquidation": "1.1", "liquidation_exit": "1.1"})
    held = account({"USDT": "6000"}, (SWAP, "100", "60000"))
    prices = price_book(FLAT)
    taken = liquidation_prices(held, assess(held, reference, prices), reference, prices)
    price = taken.positions[f"{SWAP}/net"].price
    assert near(price, d(54_000) / (1 - d("0.0045") * d("1.1")))
