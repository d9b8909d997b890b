"""Each charge of a risk unit, dated sets, missing parameters, and options dead or deep (PM-3 to PM-5)."""

from __future__ import annotations

import pytest

from monitor.margin import assess
from tests.rules.portfolio_desk import FLAT, INDEX, REFERENCE, account, d, look, unit
from tests.support.portfolio import (
    DAY,
    EXPIRIES,
    NOW,
    market,
    parameters,
    portfolio_reference,
    price_book_at,
)

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
    same = unit(account({"BTC-USDT-250328": "100", **synthetic}), prices=forward)
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
    found = unit(account({name: "-10"}), prices={name: "0.0000001"})
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
    found = unit(held, prices={"USDT-USD": usdt})
    assert found.charges.mr9 == 48500 * d(rate)


def test_mr_9_runs_through_its_size_table_and_its_pairs_in_order() -> None:
    """20 BTC long in USDT: first 1,000,000 of dollars, then USDC."""
    held = account(
        {"BTC-USDT-SWAP": "2000", "BTC-USD-SWAP": "-15000", "BTC-USDC-SWAP": "-1000"},
        {"USD": "1000000"},
    )
    found = look(held, prices={"USDC-USD": "1", "USDT-USD": "1", "BTC-USDC-SWAP": str(INDEX)})
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
    found = unit(account({name: "100"}), prices={name: "0.1"})
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
