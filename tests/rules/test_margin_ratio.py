"""AE-1, AE-3, IM-1, MM-1, MM-2, MM-4, MR-1, MR-2: the account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from monitor.account import Account
from monitor.margin import Figures, assess
from monitor.reference import load_reference
from monitor.report import assessment, band_of
from tests.rules.reduction_world import account, d, order, price_book, raw_reference, with_orders

REFERENCE = load_reference(raw_reference())
SWAP, FUT, INVERSE, ETH = "BTC-USDT-SWAP", "BTC-USDT-FUT", "BTC-USD-SWAP", "ETH-USDT-SWAP"


def figures(held: Account, prices: dict[str, str] | None = None) -> Figures:
    found = assess(held, REFERENCE, price_book(REFERENCE, prices))
    assert found.unpriced == ()
    return found


# -- AE-1, AE-3 -------------------------------------------------------------------------------


def test_ae_1_discounted_equity_less_order_losses_and_fees() -> None:
    held = with_orders(
        account({"USDT": "10000", "BTC": "1"}),
        order("a", SWAP, "buy", "100", "58000"),  # fee 29
        order("b", "SOL-USDT", "buy", "10", "100"),  # 1,000 for 800 less the fee
        order("c", INVERSE, "buy", "60", "50000"),  # fee 0.00006 BTC at 60,000
    )
    found = figures(held)
    assert found.spot_order_loss == 1000 - 800 * d("0.999")
    assert found.estimated_fees == 29 + d("3.6")
    assert found.adjusted_equity == 10_000 + 57_000 - found.spot_order_loss - found.estimated_fees


def test_ae_3_total_equity_counts_every_currency_at_its_price() -> None:
    raw = raw_reference()
    raw["currencies"]["SOL"]["collateral"] = False
    reference = load_reference(raw)
    held = account({"SOL": "5", "ETH": "-1", "BTC": "1", "USD": "7"})
    found = assess(held, reference, price_book(reference))
    assert found.total_equity == 500 - 3_000 + 60_000 + 7
    assert found.adjusted_equity == -3_000 + 57_000 + 7


# -- IM-1 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leverage", "expected"),
    [(None, 60_000), ("10", 6_000), ("100", 600), ("125", 600)],  # the tier asks 0.01
)
def test_im_1_position_margin_is_notional_by_leverage_not_below_the_tier_s_rate(
    leverage: str | None, expected: int
) -> None:
    held = account({"USDT": "1000"}, [(SWAP, "100", "55000")])
    held.leverage = {} if leverage is None else {SWAP: d(leverage)}
    assert figures(held).initial_margin == expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (order("o", SWAP, "buy", "100", "50000"), 5_000),  # at the order's price
        (order("o", SWAP, "buy", "100"), 6_000),  # a market order at the mark
        (order("o", SWAP, "buy", "100", "50000", leverage=d(20)), 2_500),  # its own leverage
        (order("o", SWAP, "buy", "100", "50000", reduce_only=True), 0),
        (order("o", SWAP, "buy", "1500", "50000", leverage=d(100)), 15_000),  # tier 2: 0.02
        (order("o", INVERSE, "buy", "60", "50000"), 6_000),  # no leverage for this one: 1
    ],
)
def test_im_1_order_margin_is_on_the_opening_part_at_the_order_s_price(
    made: Any, expected: int
) -> None:
    held = with_orders(account({"USDT": "1000000", "BTC": "1"}), made)
    held.leverage = {SWAP: d(10)}
    assert figures(held).initial_margin == expected


def test_im_1_borrowing_positions_and_orders_add_up() -> None:
    held = with_orders(
        account({"USDT": "-5000", "BTC": "1"}, [(ETH, "10", "3000")]),
        order("o", INVERSE, "buy", "60", "50000"),
    )
    held.borrow_leverage, held.leverage = {"*": d(5)}, {ETH: d(3)}
    assert figures(held).initial_margin == 1_000 + 1_000 + 6_000


# -- MM-1, MM-2 -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contracts", "tier", "rate", "beyond"),
    [
        ("1", 1, "0.004", False),
        ("1000", 1, "0.004", False),  # size ≤ up_to
        ("1000.1", 2, "0.01", False),
        ("-2000", 2, "0.01", False),
        ("4000", 3, "0.02", False),
        ("8000", 4, "0.05", False),
        ("8000.1", 4, "0.05", True),  # beyond the last: its rate, flagged
    ],
)
def test_mm_2_the_whole_takes_the_rate_of_its_tier(
    contracts: str, tier: int, rate: str, beyond: bool
) -> None:
    found = figures(account({"USDT": "1"}, [(SWAP, contracts, "60000")]))
    position = found.positions[f"{SWAP}/net"]
    assert (position.tier, position.beyond_last_tier) == (tier, beyond)
    assert position.maintenance_margin == abs(d(contracts)) * 600 * d(rate)
    assert found.maintenance_margin == position.maintenance_margin


@pytest.mark.parametrize(
    ("place", "quantity", "prices", "notional"),
    [
        (SWAP, "100", {"USDT-USD/index": "0.5"}, 30_000),  # × the quote's price
        (SWAP, "-100", {f"{SWAP}/mark": "50000"}, 50_000),
        (INVERSE, "100", {f"{INVERSE}/mark": "1", "BTC-USD/index": "1"}, 10_000),
    ],
)
def test_mm_2_notional_in_usd(
    place: str, quantity: str, prices: dict[str, str], notional: int
) -> None:
    held = account({"ETH": "10"}, [(place, quantity, "60000")])
    assert figures(held, prices).positions[f"{place}/net"].notional_usd == notional


def family(*expiries: str, **fields: Any) -> Any:
    """The reference set with further contracts of the family BTC-USDT."""
    raw = raw_reference()
    for name in expiries:
        raw["instruments"][name] = {**raw["instruments"][FUT], **fields}
    return load_reference(raw)


def with_marks(reference: Any, *names: str) -> Any:
    return price_book(reference, {f"{name}/mark": "60000" for name in names})


def test_mm_2_size_is_gross_per_family_and_kind_over_all_expiries() -> None:
    reference = family("NEAR", "FAR")
    held = account({"USDT": "1"}, [("NEAR", "600", "60000"), ("FAR", "-500", "60000")])
    found = assess(held, reference, with_marks(reference, "NEAR", "FAR"))
    assert [p.tier for p in found.positions.values()] == [2, 2]
    assert found.maintenance_margin == 1100 * 600 * d("0.01")


def test_mm_2_a_swap_and_a_future_of_one_family_are_two_groups() -> None:
    found = figures(account({"USDT": "1"}, [(SWAP, "600", "60000"), (FUT, "-500", "60000")]))
    assert [p.tier for p in found.positions.values()] == [1, 1]


def test_mm_2_both_sides_of_a_hedge_count() -> None:
    held = account(
        {"USDT": "1"}, [(f"{SWAP}/long", "600", "60000"), (f"{SWAP}/short", "-500", "60000")]
    )
    assert [p.tier for p in figures(held).positions.values()] == [2, 2]


def test_mm_2_opening_orders_lift_the_tier_of_the_positions_too() -> None:
    held = account({"USDT": "1000000"}, [(SWAP, "600", "60000")])
    assert figures(held).positions[f"{SWAP}/net"].tier == 1
    found = figures(with_orders(held, order("o", SWAP, "buy", "401", "10")))
    assert found.positions[f"{SWAP}/net"].tier == 2
    # MM-1: the order at the mark, whatever its price
    assert found.maintenance_margin == (600 + 401) * 600 * d("0.01")
    assert found.maintenance_without_orders == 600 * 600 * d("0.004")


def opening(held: Account, *orders: Any) -> list[Decimal]:
    made = figures(with_orders(held, *orders)).orders
    return [made[name].opening for name in sorted(made)]


LONG_10 = [(SWAP, "10", "60000")]


@pytest.mark.parametrize(
    ("positions", "orders", "opens"),
    [
        ([], [("a", "buy", "5", {})], [5]),
        (LONG_10, [("a", "buy", "5", {})], [5]),
        (LONG_10, [("a", "sell", "10", {})], [0]),
        (LONG_10, [("a", "sell", "12", {})], [2]),
        # the opposite position is used up once, in the order of the ids
        (LONG_10, [("a", "sell", "8", {}), ("b", "sell", "8", {})], [0, 6]),
        (LONG_10, [("b", "sell", "3", {}), ("a", "sell", "9", {})], [0, 2]),
        (LONG_10, [("a", "sell", "8", {}), ("b", "buy", "8", {})], [0, 8]),
        # reduce-only orders neither open nor use it up
        (LONG_10, [("a", "sell", "8", {"reduce_only": True}), ("b", "sell", "8", {})], [0, 0]),
        (LONG_10, [("a", "buy", "8", {"reduce_only": True})], [0]),
        ([(SWAP, "-10", "60000")], [("a", "buy", "25", {"filled_quantity": d(5)})], [10]),
    ],
)
def test_mm_2_an_order_opens_by_the_part_beyond_the_opposite_position(
    positions: list[tuple[str, str, str]],
    orders: list[tuple[str, str, str, dict[str, Any]]],
    opens: list[int],
) -> None:
    held = account({"USDT": "1000000"}, positions)
    made = [order(name, SWAP, side, size, "60000", **more) for name, side, size, more in orders]
    assert opening(held, *made) == opens


def test_mm_2_the_opposite_position_is_that_of_the_same_contract() -> None:
    held = account({"USDT": "1000000"}, [(FUT, "10", "60000")])
    assert opening(held, order("a", SWAP, "sell", "5", "60000")) == [5]


@pytest.mark.parametrize(
    ("side", "position_side", "opens"),
    [("buy", "long", 5), ("sell", "short", 5), ("sell", "long", 0), ("buy", "short", 0)],
)
def test_mm_2_in_long_short_buying_long_and_selling_short_open(
    side: str, position_side: str, opens: int
) -> None:
    held = account({"USDT": "1000000"}, [(f"{SWAP}/long", "10", "60000")])
    assert opening(held, order("a", SWAP, side, "5", "60000", position_side=position_side)) == [
        opens
    ]


@pytest.mark.parametrize(
    ("debt", "tier", "rate"),
    [
        ("1", 1, "0.02"),
        ("1000000", 1, "0.02"),
        ("1000000.000001", 2, "0.03"),
        ("4000000", 3, "0.05"),
        ("5000000", 3, "0.05"),
    ],
)
def test_mm_1_potential_borrowing_at_its_borrow_tier(debt: str, tier: int, rate: str) -> None:
    found = figures(account({"USDT": f"-{debt}", "BTC": "200"}))
    assert found.currencies["USDT"].borrow_tier == tier
    assert found.maintenance_margin == d(debt) * d(rate)


def test_mm_1_a_currency_without_borrow_tiers_needs_no_maintenance() -> None:
    found = figures(account({"SOL": "-10", "BTC": "1"}))
    assert (found.maintenance_margin, found.currencies["SOL"].borrow_tier) == (d(0), 0)
    assert found.liquidation_fee == 1  # MM-4 all the same


# -- MM-4 -------------------------------------------------------------------------------------


def test_mm_4_the_fee_of_closing_everything() -> None:
    """Positions and opening orders at the mark × 0.0005; debts × (1 + 0.02) × 0.001."""
    held = with_orders(
        account({"USDT": "-10000", "BTC": "1"}, [(INVERSE, "100", "60000")]),
        order("o", INVERSE, "buy", "50", "50000"),
        order("p", INVERSE, "sell", "30", "60000"),
    )
    assert figures(held).liquidation_fee == 15_000 * d("0.0005") + 10_000 * d("1.02") * d("0.001")


def test_mm_4_rates_come_from_the_account_s_fee_schedule() -> None:
    raw = raw_reference()
    raw["fees"] = {"vip": {"spot_taker": "0.0003", "derivative_taker": "0.0002"}}
    reference = load_reference(raw)
    held = account({"USDT": "-1000", "BTC": "1"}, [(INVERSE, "100", "60000")])
    expected = {"vip": 2 + d("0.306"), "default": 5 + d("1.02"), "unheard": 5 + d("1.02")}
    for schedule, fee in expected.items():
        held.fee_schedule = schedule
        assert assess(held, reference, price_book(reference)).liquidation_fee == fee


# -- MR-1 -------------------------------------------------------------------------------------


def owing(debt: str, btc: str = "1") -> Account:
    return account({"USDT": f"-{debt}", "BTC": btc})


def test_mr_1_adjusted_equity_by_maintenance_and_fee() -> None:
    found = figures(owing("10000"))
    assert found.adjusted_equity == 47_000
    assert found.requirement == 200 + d("10.2")
    assert found.ratio == d(47_000) / d("210.2")


@pytest.mark.parametrize("held", [account({}), account({"BTC": "1"}), account({"USD": "5"})])
def test_mr_1_no_denominator_no_ratio_and_band_normal(held: Account) -> None:
    found = figures(held)
    assert found.ratio is None
    assert band_of(found, REFERENCE.policy) == "normal"
    assert assessment(held, found, REFERENCE.policy).model_dump(mode="json")["ratio"] is None


def test_mr_1_negative_equity_has_a_negative_ratio() -> None:
    found = figures(owing("60000"))
    assert found.adjusted_equity == -3_000
    assert found.ratio is not None
    assert found.ratio < 0
    assert band_of(found, REFERENCE.policy) == "liquidation"


def at_ratio(ratio: str, nudge: str = "0") -> Figures:
    """A long of 100 contracts needs 270; the cash makes the ratio."""
    return figures(account({"USDT": str(270 * d(ratio) + d(nudge))}, [(SWAP, "100", "60000")]))


@pytest.mark.parametrize(
    ("ratio", "nudge", "band"),
    [
        ("3", "0", "warning"),  # exactly 3 belongs to the warning
        ("3", "0.000000000000000000001", "normal"),
        ("3", "-0.000000000000000000001", "warning"),
        ("1", "0.000000000000000000001", "warning"),
        ("1", "0", "liquidation"),  # exactly 1 to the liquidation
        ("0", "0", "liquidation"),
    ],
)
def test_es_1_bands_at_their_edges(ratio: str, nudge: str, band: str) -> None:
    found = at_ratio(ratio, nudge)
    assert found.ratio == (270 * d(ratio) + d(nudge)) / 270
    assert band_of(found, REFERENCE.policy) == band


# -- MR-2 -------------------------------------------------------------------------------------


def test_mr_2_available_margin_is_what_initial_margin_leaves() -> None:
    held = account({"USDT": "10000"}, [(SWAP, "100", "60000")])
    held.leverage = {SWAP: d(10)}
    assert figures(held).available_margin == 4_000


def test_mr_2_restricted_collateral_is_not_available() -> None:
    held = account({"USDT": "10000", "ETH": "2", "SOL": "-1"})
    held.restricted = ("ETH", "SOL", "BTC")
    assert figures(held).available_margin == 10_000 + 5_400 - 100 - 100 - 5_400
    # nor what is being bought of it
    found = figures(with_orders(held, order("o", "ETH-USDT", "buy", "1", "3000")))
    assert found.available_margin == found.adjusted_equity - found.initial_margin - 8_100


def test_mr_2_position_value_and_leverage_in_multi_currency() -> None:
    held = account({"USDT": "-6000", "BTC": "1"}, [(INVERSE, "60", "60000")])
    found = figures(held)
    assert found.position_value == 6_000 + 6_000
    assert found.leverage == d(12_000) / d(51_000)


def test_mr_2_leverage_in_spot_mode_is_what_is_borrowed() -> None:
    held = account({"BTC": "1"}, mode="spot", borrowed={"USDT": "6000"})
    with_orders(held, order("o", "SOL-USDT", "buy", "1", "80"))
    found = figures(held)
    assert found.position_value == 6_080
    assert found.leverage == 6_000 / found.adjusted_equity


@pytest.mark.parametrize("debt", ["57000", "60000"])
def test_mr_2_no_leverage_without_equity(debt: str) -> None:
    assert figures(owing(debt)).leverage is None


# -- OC-1 -------------------------------------------------------------------------------------


def test_oc_1_both_sides_of_its_inequality() -> None:
    held = with_orders(
        account({"USDT": "1000", "BTC": "0.1"}, [(SWAP, "100", "60000")]),
        order("a", SWAP, "buy", "20", "50000", leverage=d(10)),  # margin 1,000; fee 5
        order("b", "SOL-USDT", "buy", "20", "100"),  # borrows 1,005 of its 2,000
    )
    held.borrow_leverage = {"*": d(5)}
    found = figures(held)
    assert found.maintenance_without_orders == 240
    assert found.order_requirement == 1_000 + d(1_005) / 5
    assert found.adjusted_equity == 1_000 + 5_700 - 5 - (2_000 - 1_600 * d("0.999"))
    assert not found.oc1_short
    held.balances["BTC"].cash = d(0)
    assert figures(held).oc1_short


def test_oc_1_exactly_met_is_not_short() -> None:
    held = with_orders(
        account({"USDT": "1005"}), order("a", SWAP, "buy", "20", "50000", leverage=d(10))
    )
    found = figures(held)
    assert found.adjusted_equity == found.order_requirement == 1_000
    assert not found.oc1_short
    held.balances["USDT"].cash -= d("1e-30")
    assert figures(held).oc1_short


def test_oc_1_maintenance_without_orders_goes_by_the_liability_s_own_tier() -> None:
    held = with_orders(
        account({"BTC": "50", "USDT": "-900000"}), order("o", "SOL-USDT", "buy", "2000", "100")
    )
    found = figures(held)
    assert found.maintenance_margin == 1_100_000 * d("0.03")
    assert found.maintenance_without_orders == 900_000 * d("0.02")
