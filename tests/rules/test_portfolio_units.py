"""Risk units: what belongs to them, their orders, and the account over them (PM-1, PM-2, OC-1)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.portfolio_desk import FLAT, INDEX, REFERENCE, account, d, look, order, unit
from tests.support.portfolio import (
    any_portfolio_account,
    portfolio_reference,
)

# -- PM-1: what belongs to a unit ----------------------------------------------------------------


def test_pm_1_a_unit_is_over_every_settle_currency() -> None:
    """One long BTC in USDT against one short in coin and in USDC: hardly any spot risk is left."""
    held = account({"BTC-USDT-SWAP": "100", "BTC-USDC-SWAP": "-50", "BTC-USD-SWAP": "-485"})
    found = look(held)
    assert list(found.risk_units) == ["BTC"]
    assert found.risk_units["BTC"].charges.mr1 < d(50)
    assert unit(account({"BTC-USDT-SWAP": "100"})).charges.mr1 == INDEX * d("0.12")


@pytest.mark.parametrize(
    ("coins", "cap", "used"),
    [
        ("0.4", None, "0.4"),  # as far as it is there
        ("5", None, "1"),  # as far as it offsets the delta
        ("5", "0.3", "0.3"),  # as far as the user lets it
        ("5", "0", "0"),
        ("-2", None, "0"),  # a debt does not offset a short
    ],
)
def test_pm_1_spot_in_use(coins: str, cap: str | None, used: str) -> None:
    hedge = {} if cap is None else {"BTC": d(cap)}
    held = account({"BTC-USDT-SWAP": "-100"}, {"USDT": "100000", "BTC": coins}, spot_hedge=hedge)
    found = unit(held)
    assert found.spot_in_use == d(used)
    assert found.charges.mr1 == (1 - d(used)) * INDEX * d("0.12")


def test_pm_1_a_debt_of_the_coin_offsets_a_long_delta() -> None:
    found = unit(account({"BTC-USDT-SWAP": "100"}, {"USDT": "200000", "BTC": "-0.6"}))
    assert found.spot_in_use == d("-0.6")
    assert found.charges.mr1 == d("0.4") * INDEX * d("0.12")


def test_pm_1_spot_is_the_coins_equity_without_its_options() -> None:
    """The option's own worth moves with the unit; a coin-margined loss has left the coin already."""
    option = "BTC-USD-250328-100000-C"
    held = account({"BTC-USDT-SWAP": "-500", option: "100"}, {"USDT": "100000", "BTC": "0.25"})
    assert unit(held).spot_in_use == d("0.25")


def test_pm_1_a_fully_hedged_inverse_short_has_no_spot_risk() -> None:
    """0.5 BTC and a short of as many dollars, entered at any price: what it lost is what it hedges."""
    held = account({"BTC-USD-SWAP": "-485"}, {"USDT": "100", "BTC": "0.5"})
    held.positions["BTC-USD-SWAP/net"].entry_price = INDEX
    found = unit(held)
    assert found.spot_in_use == d(48500) / INDEX
    assert found.charges.mr1 < d("1e-30")
    assert found.charges.mr6 < d("1e-30")


# -- orders ----------------------------------------------------------------------------------------


def test_oc_1_a_unit_asks_for_the_worse_of_no_buys_and_sells_filled() -> None:
    held = account({"BTC-USDT-SWAP": "100"})
    held.orders = {
        "O1": order("BTC-USDT-SWAP", "buy", "50", "96000", "O1"),
        "O2": order("BTC-USD-SWAP", "sell", "3000", "98000", "O2"),
    }
    found = look(held)
    one = found.risk_units["BTC"]
    assert one.filled == "sells"  # −2.09 BTC are more than 1.5
    without = unit(account({"BTC-USDT-SWAP": "100"}))
    assert one.maintenance_without_orders == without.maintenance_margin
    assert one.initial_margin == one.maintenance_margin * d("1.3")
    borrowing = found.borrowing_maintenance, found.borrowing_initial  # the fee of the inverse order
    assert found.maintenance_margin - borrowing[0] == one.maintenance_margin
    assert found.maintenance_without_orders == one.maintenance_without_orders
    more = one.initial_margin - one.initial_without_orders
    assert found.order_requirement - borrowing[1] == more > 0


def test_oc_1_orders_that_only_reduce_ask_for_nothing() -> None:
    held = account({"BTC-USDT-SWAP": "100"})
    held.orders = {"O1": order("BTC-USDT-SWAP", "sell", "100", "98000")}
    found = look(held).risk_units["BTC"]
    assert found.filled == "none"
    assert found.initial_margin == found.initial_without_orders


def test_pm_1_a_spot_order_that_sells_the_hedge_raises_the_margin() -> None:
    held = account({"BTC-USDT-SWAP": "-100"}, {"USDT": "50000", "BTC": "1"})
    hedged = unit(held)
    held.orders = {"O1": order("BTC-USDT", "sell", "0.4", "98000")}
    found = unit(held)
    assert (hedged.spot_in_use, found.spot_in_use) == (d(1), d("0.6"))
    assert found.filled == "sells"
    assert found.charges.mr1 == d("0.4") * INDEX * d("0.12")
    held.orders = {"O1": order("BTC-USDT", "buy", "0.4", "90000")}
    assert unit(held).filled == "none"


def test_ae_1_premium_and_fee_of_an_option_buy_are_frozen() -> None:
    held = account({}, {"USDT": "1000", "BTC": "1"})
    before = look(held)
    held.orders = {"O1": order("BTC-USD-250328-100000-C", "buy", "10", "0.1")}
    found = look(held)
    frozen = d("0.1") * d("0.1") * (1 + d("0.0005"))
    assert found.currencies["BTC"].frozen == frozen
    assert before.adjusted_equity - found.adjusted_equity == frozen * INDEX
    assert found.risk_units["BTC"].filled == "buys"


# -- the account -----------------------------------------------------------------------------------


def test_pm_2_the_account_is_its_units_and_its_borrowing_by_tier() -> None:
    """MR8 goes by the borrow tier's rates, whatever leverage is set (CU-8 elsewhere)."""
    held = account(
        {"BTC-USDT-SWAP": "100", "ETH-USDT-SWAP": "-100"},
        {"USDT": "-50", "BTC": "3"},
        borrow_leverage={"*": d(3)},
    )
    held.positions["BTC-USDT-SWAP/net"].entry_price = d(FLAT["BTC-USDT-SWAP"])
    found = look(held)
    assert list(found.risk_units) == ["BTC", "ETH"]
    borrowed = found.currencies["USDT"].potential_borrowing * d("0.9995")
    tier = ("0.02", "0.1") if borrowed < 100 else ("0.05", "0.2")
    assert found.borrowing_maintenance == borrowed * d(tier[0])
    assert found.borrowing_initial == borrowed * d(tier[1])
    units = list(found.risk_units.values())
    total = sum((one.maintenance_margin for one in units), d(0)) + found.borrowing_maintenance
    assert abs(found.maintenance_margin - total) < d("1e-30")
    asked = sum((one.initial_margin for one in units), d(0)) + found.borrowing_initial
    assert abs(found.initial_margin - asked) < d("1e-30")


def test_pm_5_a_setting_adds_the_derivatives_taker_fee() -> None:
    held = account({"BTC-USDT-SWAP": "100", "BTC-USD-250328-100000-C": "-10"})
    without = look(held)
    borrowed = without.currencies["BTC"].potential_borrowing * INDEX  # the short option's worth
    assert abs(without.liquidation_fee - borrowed * d("1.02") * d("0.001")) < d("1e-18")
    with_fee = look(held, portfolio_reference({"portfolio_derivative_fee": True}))
    more = with_fee.liquidation_fee - without.liquidation_fee
    assert abs(more - (INDEX + d("0.1") * INDEX) * d("0.0005")) < d("1e-18")


def test_mr_2_leverage_is_derivative_notional_over_adjusted_equity() -> None:
    found = look(account({"BTC-USDT-SWAP": "100"}, {"USDT": "-500", "BTC": "2"}))
    notional = found.positions["BTC-USDT-SWAP/net"].notional_usd
    assert found.leverage == notional / found.adjusted_equity
    assert found.position_value > notional


def test_cu_9_collateral_cannot_be_switched_off() -> None:
    held = account({}, {"BTC": "1"})
    held.collateral_off = ("BTC",)
    assert look(held).adjusted_equity == INDEX * d("0.98")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_pm_2_what_always_holds_of_a_unit(seed: int) -> None:
    """Charges are never negative; a twin of twice the size asks at least as much without a hedge."""
    rng = Random(seed)
    held = any_portfolio_account(rng, REFERENCE, orders=False)
    found = look(held)
    assert found.unpriced == ()
    for one in found.risk_units.values():
        assert all(value >= 0 for value in one.charges)
        assert one.scenarios["same"][d(0)] == 0
        assert one.maintenance_margin >= max(one.charges.mr1, one.charges.mr7)
    # opposite books: whoever loses in one gains in the other, but for the model's error
    held.balances.clear()
    held.spot_hedge = {"BTC": d(0), "ETH": d(0)}
    there = look(held)
    for position in held.positions.values():
        position.quantity = -position.quantity
    back = look(held)
    for name, one in there.risk_units.items():
        for move, row in one.scenarios.items():
            for shock, pnl in row.items():
                both = pnl + back.risk_units[name].scenarios[move][shock]
                assert d("-0.001") < both <= d("1e-30")
