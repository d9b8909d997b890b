"""Risk units: what belongs to them, each charge, orders, and the account over them (PM-1 to PM-5)."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance, OpenOrder, Position
from monitor.account.state import position_key
from monitor.margin import Figures, assess
from monitor.margin.portfolio import RiskUnitFigures
from monitor.reference import Reference
from tests.support.portfolio import (
    DAY,
    EXPIRIES,
    NOW,
    any_portfolio_account,
    market,
    parameters,
    portfolio_reference,
    price_book_at,
)

REFERENCE = portfolio_reference()
INDEX = Decimal("97034.2")
IN_USDT = "97082.741370685342671335668"
"""× 0.9995 it is the index."""
FLAT = {
    "BTC-USD-SWAP": str(INDEX),
    "BTC-USD-251226": str(INDEX),
    "BTC-USDT-SWAP": IN_USDT,
    "BTC-USDT-250328": IN_USDT,
}


def d(value: str | int) -> Decimal:
    return Decimal(value)


def account(
    positions: dict[str, str], balances: dict[str, str] | None = None, **fields: Any
) -> Account:
    held = Account("P1", known=True, mode="portfolio", auto_borrow=True, **fields)
    held.balances = {c: Balance(d(a)) for c, a in (balances or {"USDT": "100000"}).items()}
    for name, quantity in positions.items():
        entry = d("0.05") if name.endswith(("-C", "-P")) else d("97000")
        held.positions[position_key(name, "net")] = Position(name, "net", d(quantity), entry)
    return held


def order(
    name: str, side: str, quantity: str, price: str, order_id: str = "O1", **fields: Any
) -> OpenOrder:
    given: dict[str, Any] = {"reduce_only": False, **fields}
    return OpenOrder(
        order_id, 1, name, side, "net", "cross", d(price), d(quantity), d(0),  # type: ignore[arg-type]
        given["reduce_only"], True, None, 1, None,
    )  # fmt: skip


def look(held: Account, reference: Reference = REFERENCE, **prices: str) -> Figures:
    book = price_book_at({**market(reference), **FLAT, **prices}, reference)
    return assess(held, reference, book)


def unit(held: Account, reference: Reference = REFERENCE, **prices: str) -> RiskUnitFigures:
    figures = look(held, reference, **prices)
    assert figures.unpriced == ()
    return figures.risk_units["BTC"]


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


# -- PM-3: the charges -----------------------------------------------------------------------------


def test_pm_5_an_inverse_contract_is_revalued_in_coin_at_the_moved_index() -> None:
    """Down 12 %: 100 USD × 10 × (1 / 97,034.2 − 1 / 85,390.1) BTC × 85,390.1 = −120 USD."""
    found = unit(account({"BTC-USD-SWAP": "10"}))
    assert abs(found.worst.pnl + 120) < d("1e-40")
    assert found.worst.spot == d("-0.12")


def test_mr_4_a_perpetual_by_itself_and_futures_by_expiry() -> None:
    swaps = unit(account({"BTC-USDT-SWAP": "100", "BTC-USD-SWAP": "-485"}))
    by_hand = (INDEX + 48500) * d("0.002")
    assert abs(swaps.charges.mr4 - by_hand) < d("1e-20")
    dated = unit(account({"BTC-USDT-250328": "100"}))
    assert abs(dated.charges.mr4 - INDEX * d("0.05") * 72 / 365) < d("1e-20")


def test_mr_4_options_offset_the_future_of_their_expiry_and_of_no_other() -> None:
    """A synthetic short (short call, long put) against the long future."""
    synthetic = {"BTC-USD-250328-100000-C": "-100", "BTC-USD-250328-100000-P": "100"}
    forward = {"BTC-USDT-250328": market(REFERENCE)["BTC-USDT-250328"]}
    same = unit(account({"BTC-USDT-250328": "100", **synthetic}), **forward)
    assert same.charges.mr4 < d("0.01")
    assert abs(same.delta) < d("0.01")
    other = {"BTC-USD-250131-100000-C": "-100", "BTC-USD-250131-100000-P": "100"}
    apart = unit(account({"BTC-USDT-250328": "100", **other}))
    at_least = INDEX * d("0.05") * (72 + 16) / 365
    assert apart.charges.mr4 > at_least * d("0.99")


def test_mr_6_is_half_the_loss_at_the_extreme_move() -> None:
    found = unit(account({"BTC-USDT-SWAP": "100"}))
    assert found.extreme.spot == d("-0.24")
    assert found.charges.mr6 == d("0.5") * INDEX * d("0.24")


def test_mr_7_scales_marginally() -> None:
    """3 BTC: 0.45 % of 291,102.6 is 1,309.96; 10 BTC: 4,366.54, of which 2,366.54 count twice."""
    small, large = (unit(account({"BTC-USDT-SWAP": q})).charges.mr7 for q in ("300", "1000"))
    assert abs(small - 3 * INDEX * d("0.0045")) < d("1e-18")
    raw = 10 * INDEX * d("0.0045")
    assert abs(large - (2000 + 2 * (raw - 2000))) < d("1e-18")


def test_mr_7_is_the_floor_of_a_hedged_unit() -> None:
    reference = portfolio_reference(
        sets=[
            {
                "valid_from": "2025-01-06",
                "units": {"default": parameters(basis_perpetual="0", minimum_scale=[])},
            }
        ]
    )
    held = account({"BTC-USDT-SWAP": "100", "BTC-USD-SWAP": "-970"})
    found = unit(held, reference)
    assert found.charges.mr1 + found.charges.mr9 < found.charges.mr7 + d(500)
    assert found.maintenance_margin == found.charges.maintenance
    alone = unit(account({"BTC-USDT-SWAP": "100"}, spot_hedge={}), reference)
    assert alone.charges.mr7 == found.charges.mr7 - 97000 * d("0.0045")


def test_mr_7_an_option_asks_at_least_the_minimum_of_its_coins() -> None:
    """Far out of the money its delta is nothing; 0.05 % of 10 × 0.01 BTC is 4.85 USD."""
    name = "BTC-USD-250131-120000-C"
    found = unit(account({name: "-10"}), **{name: "0.0000001"})
    assert found.charges.mr7 == d("0.1") * INDEX * d("0.0005")


def test_mr_2_a_day_passes_at_each_volatility() -> None:
    """A long straddle loses time value, most of it where volatility falls as well."""
    found = unit(account({"BTC-USD-250131-100000-C": "50", "BTC-USD-250131-100000-P": "50"}))
    falls = -found.scenarios["down"][d(0)]
    assert found.charges.mr2 > falls > 0
    assert found.charges.mr2 < falls - 2 * found.theta
    assert unit(account({"BTC-USDT-SWAP": "1"})).charges.mr2 == 0


def test_mr_3_opposite_vegas_offset_by_the_share_of_the_table() -> None:
    """Long vega to 16 days, short to 72: 0.7 of the smaller charge is set off on both sides."""
    near, far = "BTC-USD-250131-100000-C", "BTC-USD-250328-100000-C"
    alone = {name: unit(account({name: "100"})).charges.mr3 for name in (near, far)}
    both = unit(account({near: "100", far: "-100"})).charges.mr3
    expected = sum(alone.values()) - 2 * d("0.7") * min(alone.values())
    assert abs(both - expected) < d("0.01")
    same = unit(account({near: "100", far: "100"})).charges.mr3
    assert abs(same - sum(alone.values())) < d("0.01")


def test_mr_5_is_the_discount_of_what_the_options_are_worth() -> None:
    """Black-76's own rho, the forward standing (its move is MR4's): −72 / 365 × value × 1 %."""
    name = "BTC-USD-250328-100000-C"
    figures = look(account({name: "100"}))
    worth = figures.positions[f"{name}/net"].options_value * INDEX
    found = figures.risk_units["BTC"].charges.mr5
    assert abs(found - worth * 72 / 365 * d("0.01")) < d("0.001")


@pytest.mark.parametrize(("usdt", "rate"), [("0.9995", "0.005"), ("0.96", "0.4"), ("1.03", "0.4")])
def test_mr_9_what_stablecoin_legs_hedge_of_each_other(usdt: str, rate: str) -> None:
    """Long in USDT, short half of it in coin: what both sides share is charged, by the index."""
    held = account({"BTC-USDT-SWAP": "100", "BTC-USD-SWAP": "-485"}, {"USD": "100000"})
    found = unit(held, **{"USDT-USD": usdt})
    assert found.charges.mr9 == 48500 * d(rate)


def test_mr_9_runs_through_its_size_table_and_its_pairs_in_order() -> None:
    """20 BTC long in USDT: first 1,000,000 of dollars, then USDC."""
    held = account(
        {"BTC-USDT-SWAP": "2000", "BTC-USD-SWAP": "-15000", "BTC-USDC-SWAP": "-1000"},
        {"USD": "1000000"},
    )
    found = look(held, **{"USDC-USD": "1", "USDT-USD": "1", "BTC-USDC-SWAP": str(INDEX)})
    left = 2000 * d("0.01") * d(FLAT["BTC-USDT-SWAP"]) - 1_500_000
    expected = 1_000_000 * d("0.005") + 500_000 * d("0.01") + min(left, 10 * INDEX) * d("0.005")
    assert abs(found.risk_units["BTC"].charges.mr9 - expected) < d("1e-9")


# -- PM-4: dated sets and missing parameters -----------------------------------------------------------


def test_pm_4_the_set_that_holds_at_the_prices_time_counts() -> None:
    earlier = {"valid_from": "2024-12-01", "units": {"default": parameters(
        spot_shocks=["0.05", "0.1", "0.15"])}}  # fmt: skip
    later = {"valid_from": "2025-01-16", "units": {"default": parameters(
        spot_shocks=["0.02", "0.04", "0.06"])}}  # fmt: skip
    reference = portfolio_reference(sets=[later, earlier])
    held = account({"BTC-USDT-SWAP": "100"})
    prices = {**market(reference), **FLAT}
    for ts, shock in ((NOW, "0.15"), (NOW + DAY, "0.06")):
        found = assess(held, reference, price_book_at(prices, reference, ts))
        assert found.risk_units["BTC"].charges.mr1 == INDEX * d(shock)


def test_pm_4_before_the_first_set_an_account_is_unpriced_never_free() -> None:
    held = account({"BTC-USDT-SWAP": "100"})
    prices = {**market(REFERENCE), **FLAT}
    found = assess(held, REFERENCE, price_book_at(prices, REFERENCE, NOW - 20 * DAY))
    assert found.unpriced == ("portfolio.BTC.valid_from/reference",)
    assert found.ratio is None


@pytest.mark.parametrize(
    "name", ["volatility_shocks", "tenors", "rate_shocks", "option_minimum", "stablecoin_table"]
)
def test_pm_3_a_missing_parameter_makes_only_those_that_need_it_unpriced(name: str) -> None:
    units = {"default": parameters(**{name: None})}
    reference = portfolio_reference(sets=[{"valid_from": "2025-01-06", "units": units}])
    plain = account({"BTC-USDT-SWAP": "100"})
    assert look(plain, reference).unpriced == ()
    needs = {"BTC-USD-250328-100000-C": "1"}
    if name == "stablecoin_table":
        needs = {"BTC-USDT-SWAP": "100", "BTC-USD-SWAP": "-1"}
    assert look(account(needs), reference).unpriced == (f"portfolio.BTC.{name}/reference",)


def test_pm_3_without_any_set_only_derivatives_are_unpriced() -> None:
    reference = portfolio_reference(sets=[])
    assert look(account({"BTC-USDT-SWAP": "1"}), reference).unpriced == ("portfolio/reference",)
    assert look(account({}), reference).unpriced == ()


def test_px_3_every_price_a_unit_needs_blocks_it_by_name() -> None:
    held = account({"BTC-USD-250131-100000-C": "1"}, {"USD": "1000"})
    for symbol, missing in (
        ("BTC-USD", "BTC-USD/index"),
        ("BTC-USD-250131-100000-C", "BTC-USD-250131-100000-C/mark"),
    ):
        prices = {n: p for n, p in market(REFERENCE).items() if n != symbol}
        found = assess(held, REFERENCE, price_book_at(prices, REFERENCE))
        assert found.unpriced == (missing,)


# -- options ---------------------------------------------------------------------------------------


def test_pm_4_a_mark_below_intrinsic_value_means_no_volatility() -> None:
    name = "BTC-USD-250328-80000-C"
    found = unit(account({name: "100"}), **{name: "0.1"})
    assert found.positions[0].implied_volatility == 0
    assert found.vega == 0
    assert abs(found.scenarios["up"][d("0.04")] - INDEX * d("0.04")) < INDEX * d("0.001")


def test_pm_4_an_expired_option_is_worth_its_intrinsic_value() -> None:
    name = "BTC-USD-250131-90000-P"
    held = account({name: "-100"})
    prices = {**market(REFERENCE), **FLAT}
    late = price_book_at(prices, REFERENCE, EXPIRIES["250131"] + 1)
    found = assess(held, REFERENCE, late).risk_units["BTC"]
    assert found.theta == found.vega == 0
    assert max(found.charges.mr2, found.charges.mr3, found.charges.mr5) <= d("0.000001")
    strike_less_index = 90_000 - INDEX * d("0.88")
    assert abs(found.charges.mr1 - strike_less_index) < d("0.001")


def test_pm_4_a_long_option_loses_no_more_than_it_is_worth() -> None:
    for name in ("BTC-USD-250131-120000-C", "BTC-USD-250328-80000-P", "BTC-USD-251226-90000-C"):
        figures = look(account({name: "100"}))
        worth = figures.positions[f"{name}/net"].options_value * INDEX
        found = figures.risk_units["BTC"].charges
        assert max(found.mr1, found.mr2, 2 * found.mr6) <= worth * d("1.000001")


def test_the_models_error_is_rounded_against_the_account() -> None:
    name = "BTC-USD-250328-100000-C"
    long, short = (unit(account({name: q})) for q in ("100", "-100"))
    for move, row in long.scenarios.items():
        for shock, pnl in row.items():
            opposite = short.scenarios[move][shock]
            if move == "same" and not shock:
                assert pnl == opposite == 0
            else:
                assert d("-0.0001") < pnl + opposite < 0


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
    assert (hedged.spot_in_use, found.spot_in_use) == (1, d("0.6"))
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
