"""OV-2, OV-5, BL, H-10: what may be borrowed, by hand or by an order, and within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from monitor.account import Account, IsolatedPosition
from monitor.borrowing import borrowing_table
from monitor.limits import TOTALS_MAX_AGE_MS, Totals
from monitor.margin import assess
from monitor.questions import BadQuestion
from tests.rules.reduction_world import START, account, d, order, price_book, with_orders
from tests.support.questions import Desk, plain_desk

BUY_6000 = {"instrument": "BTC-USDT", "side": "buy", "price": "60000", "quantity": "0.1"}

TIERS = [
    {"up_to": "1000", "initial": "0.1", "maintenance": "0.02", "max_leverage": "10"},
    {"up_to": "5000", "initial": "0.25", "maintenance": "0.02", "max_leverage": "2"},
]
RATE_1: dict[str, dict[str, Any]] = {
    "USDT": {"borrow_tiers": [{"up_to": "1000000", "initial": "0", "maintenance": "0.02"}]},
    "USDC": {"discount_tiers": [], "minimum_rate": "1"},
}
SUSPENDED = plain_desk(rate="1", currencies=RATE_1)


def worked() -> Account:
    """OV-1's account: 0.1 BTC at 60,000 and 1 ETH at 3,000, spot mode, 2x."""
    held = account({"BTC": "0.1", "ETH": "1"}, mode="spot")
    held.borrow_leverage = {"*": d(2)}
    return held


def multi(cash: Mapping[str, str], *positions: tuple[str, str, str], **more: Any) -> Account:
    return account(cash, positions, main_account_id="M", vip_level="5", **more)


# -- OV-2 -------------------------------------------------------------------------------------


def borrower(leverage: str = "2") -> Account:
    """OV-2's account: 0.1 BTC at 60,000, rate 0.98: 5,880."""
    held = account({"BTC": "0.1"}, mode="spot")
    held.borrow_leverage = {"*": d(leverage)}
    return held


def test_ov_2_1000_usdt_ask_500_of_5880_and_are_granted() -> None:
    found = plain_desk().ask(borrower(), "borrow", currency="USDT", amount="1000")
    assert found.accepted
    assert (found.figures["adjusted_equity"], found.figures["initial_margin"]) == (d(5880), d(500))
    assert found.figures["USDT.amount_margin"] == 500
    assert found.borrows == {"USDT": d(1000)}


def test_ov_2_12000_ask_6000_and_are_refused() -> None:
    found = plain_desk().ask(borrower(), "borrow", currency="USDT", amount="12000")
    assert (found.accepted, found.rule) == (False, "OV-2")
    assert found.figures["initial_margin"] == 6000
    assert found.largest == 11_760


@pytest.mark.parametrize(("amount", "accepted"), [("11760", True), ("11760.00000001", False)])
def test_ov_2_adjusted_equity_exactly_the_margin_passes(amount: str, accepted: bool) -> None:
    found = plain_desk().ask(borrower(), "borrow", currency="USDT", amount=amount)
    assert (found.accepted, found.largest) == (accepted, d(11_760))


@pytest.mark.parametrize(("at_1x", "largest"), [(False, 11_760), (True, 5_880)])
def test_ov_2_manual_margin_at_1x_asks_for_the_whole_amount(at_1x: bool, largest: int) -> None:
    """8,000 at 2x: granted; with the setting, refused."""
    desk = plain_desk({"manual_margin_at_1x": at_1x})
    found = desk.ask(borrower(), "borrow", currency="USDT", amount="8000")
    assert found.accepted is not at_1x
    assert found.largest == largest
    assert found.figures["USDT.amount_margin"] == (8000 if at_1x else 4000)
    assert desk.ask(borrower(), "borrow", currency="USDT", amount=largest).accepted


def test_ov_2_at_1x_what_stood_before_keeps_its_own_rate() -> None:
    """4,000 owed at 2x ask 2,000; 3,880 remain for what is borrowed now."""
    held = borrower()
    held.balance("USDT").borrowed = held.balance("USDT").cash = d(4000)
    found = plain_desk({"manual_margin_at_1x": True}).ask(
        held, "borrow", currency="USDT", amount="3880"
    )
    assert (found.accepted, found.largest) == (True, d(3880))
    assert found.figures["initial_margin"] == 5880


def test_ov_2_the_tier_limit_is_read_at_1x_whatever_the_leverage() -> None:
    """At 3x orders borrow up to 1,000, by hand 5,000 may be borrowed."""
    desk = plain_desk(currencies={"USDT": {"borrow_tiers": TIERS}})
    held = borrower("3")
    found = desk.ask(held, "borrow", currency="USDT", amount="5000")
    assert (found.accepted, found.largest) == (True, d(5000))
    assert found.figures["USDT.tier_limit"] == 5000
    over = desk.ask(held, "borrow", currency="USDT", amount="5000.01")
    assert over.rule == "BL-1"
    assert desk.ask(held, "order", **BUY_6000).rule == "BL-1"


def test_ov_2_no_shortfall_of_before_is_excused() -> None:
    """What orders would borrow anyway can be borrowed by hand, but not below initial margin."""
    held = with_orders(borrower(), order("o", "BTC-USDT", "buy", "0.19", "60000"))
    desk = plain_desk()
    found = desk.ask(held, "borrow", currency="USDT", amount="1000")
    assert found.figures["initial_margin"] == found.figures["initial_margin_before"] == 5700
    assert (found.accepted, found.borrows) == (False, {})  # 5,880 − 228
    with_orders(held, order("o", "BTC-USDT", "buy", "0.18", "60000"))
    found = desk.ask(held, "borrow", currency="USDT", amount="10800")
    assert (found.accepted, found.borrows) == (True, {})
    assert found.largest == 10_800 + 2 * (5880 - 216 - 5400)


def test_ov_2_without_collateral_nothing_is_lent() -> None:
    found = plain_desk().ask(
        account({"SOL": "0"}, mode="spot"), "borrow", currency="USDT", amount="1"
    )
    assert (found.rule, found.largest) == ("OV-2", d(0))


@pytest.mark.parametrize(("currency", "amount"), [("XYZ", "1"), ("USDT", "1")])
def test_ov_2_an_unknown_currency_is_no_question(currency: str, amount: str) -> None:
    desk = plain_desk()
    if currency == "USDT":
        assert desk.ask(borrower(), "borrow", currency=currency, amount=amount).accepted
        return
    with pytest.raises(BadQuestion, match="currency: unknown currency XYZ"):
        desk.ask(borrower(), "borrow", currency=currency, amount=amount)


# -- OV-5 -------------------------------------------------------------------------------------


def test_ov_5_manual_borrowing_exists_in_spot_mode_only() -> None:
    found = plain_desk().ask(multi({"BTC": "1"}), "borrow", currency="USDT", amount="1")
    assert (found.rule, found.largest) == ("OV-5", d(0))
    assert "in spot mode only" in found.refusals[0].message


def test_ov_5_what_is_borrowed_by_hand_is_borrowable_and_not_suspended() -> None:
    desk = plain_desk(currencies={"USDT": {"borrowable": False}})
    assert desk.ask(borrower(), "borrow", currency="USDT", amount="1").rule == "OV-5"
    held = borrower()
    held.balance("ETH").borrowed = d(1)
    suspended = plain_desk({"suspension_ratio": "10000"})
    found = suspended.ask(held, "borrow", currency="USDT", amount="1")
    assert (found.rule, found.largest) == ("OV-5", d(0))


def test_ov_5_only_what_is_borrowable_is_borrowed() -> None:
    desk = plain_desk(currencies={"USDT": {"borrowable": False}})
    found = desk.ask(worked(), "order", **BUY_6000)
    assert (found.rule, found.largest) == ("OV-5", d(0))
    assert found.refusals[0].message == "USDT cannot be borrowed"
    held = worked()
    held.balance("USDT").cash = d(6000)
    assert desk.ask(held, "order", **BUY_6000).accepted, "nothing is borrowed"


@pytest.mark.parametrize(
    ("equity", "ratio", "accepted"),
    [("102.4", "1.2", False), ("102.41", "1.205", True), ("102.2", "1.1", False)],
)
def test_ov_5_borrowing_needs_a_ratio_above_the_suspension_ratio(
    equity: str, ratio: str, accepted: bool
) -> None:
    """100 USDT are owed: maintenance 2. At 100x margin is no obstacle."""
    held = account({"USDC": equity}, mode="spot", borrowed={"USDT": "100"})
    held.borrow_leverage = {"*": d(100)}
    found = SUSPENDED.ask(held, "order", **{**BUY_6000, "quantity": "0.0001"})
    assert found.figures["ratio_before"] == d(ratio)
    assert found.accepted is accepted
    if not accepted:
        assert (found.rule, found.largest) == ("OV-5", d(0))
        assert "is not above 1.2" in found.refusals[0].message


def test_ov_5_the_suspension_ratio_is_a_setting() -> None:
    held = account({"USDC": "102.41"}, mode="spot", borrowed={"USDT": "100"})
    held.borrow_leverage = {"*": d(100)}
    for level, accepted in (("1.204", True), ("1.205", False)):
        desk = plain_desk({"suspension_ratio": level}, rate="1", currencies=RATE_1)
        found = desk.ask(held, "order", **{**BUY_6000, "quantity": "0.0001"})
        assert found.accepted is accepted


def test_ov_5_no_ratio_passes() -> None:
    found = plain_desk({"suspension_ratio": "1000"}).ask(worked(), "order", **BUY_6000)
    assert found.figures["ratio_before"] is None
    assert found.accepted


def test_ov_5_a_margin_position_is_counted_in_caps_and_pool_though_its_debt_is_its_own() -> None:
    """5,000 USDT would be owed of a cap of 5,000; the tier and the ratio do not concern it."""
    tiers = [{"up_to": "10", "initial": "0.1", "maintenance": "0.02"}]
    desk = plain_desk(
        {"suspension_ratio": "1000"},
        currencies={
            "USDT": {"vip_caps": {"5": "5000"}, "platform_pool": "9000", "borrow_tiers": tiers}
        },
    )
    held = multi({"USDT": "10000", "ETH": "-0.001"})
    asked = {
        "instrument": "BTC-USDT",
        "side": "buy",
        "margin_mode": "isolated",
        "price": "50000",
        "leverage": "5",
    }
    found = desk.ask(held, "order", **asked, quantity="0.1")
    assert found.accepted
    assert found.figures["USDT.isolated_debt_added"] == 5000
    assert (found.figures["USDT.main_account_used"], found.figures["USDT.platform_used"]) == (
        d(5000),
        d(5000),
    )
    over = desk.ask(held, "order", **asked, quantity="0.1001")
    assert (over.rule, over.largest) == ("BL-2", d("0.1"))
    held.isolated["ETH-USDT/isolated/net"] = IsolatedPosition(
        "ETH-USDT", "net", d(1), d(3000), d(600), "USDT", d(5), d(3000), "USDT"
    )
    assert desk.ask(held, "order", **asked, quantity="0.1").largest == d("0.04")
    waiting = order("o1", "BTC-USDT", "buy", "0.02", "50000", margin_mode="isolated")
    with_orders(held, waiting)
    assert desk.ask(held, "order", **asked, quantity="0.1").largest == d("0.02")


def test_ov_5_a_margin_position_needs_a_borrowable_coin() -> None:
    desk = plain_desk(currencies={"BTC": {"borrowable": False}})
    held = multi({"USDT": "10000"})
    asked = {"instrument": "BTC-USDT", "margin_mode": "isolated", "quantity": "0.1"}
    assert desk.ask(held, "order", **asked, side="sell").rule == "OV-5"
    assert desk.ask(held, "order", **asked, side="buy").accepted


# -- BL ---------------------------------------------------------------------------------------


def test_bl_1_the_tier_that_allows_the_leverage_in_use() -> None:
    tiers = [
        {"up_to": "1000", "initial": "0.1", "maintenance": "0.02", "max_leverage": "10"},
        {"up_to": "5000", "initial": "0.5", "maintenance": "0.02", "max_leverage": "2"},
    ]
    desk = plain_desk(currencies={"USDT": {"borrow_tiers": tiers}})
    for leverage, largest in (("2", "0.0833"), ("3", "0.0166"), ("11", "0")):
        held = worked()
        held.borrow_leverage = {"*": d(leverage)}
        found = desk.ask(held, "order", **BUY_6000)
        assert (found.rule, found.largest) == ("BL-1", d(largest))


def test_bl_2_35_million_usdt_of_vip_5_are_shared_by_all_sub_accounts() -> None:
    desk = plain_desk(
        currencies={"USDT": {"vip_caps": {"5": "35000000"}, "borrow_tiers": []}},
        totals=Totals(START, {"M": {"USDT": d(34_994_000)}}),
    )
    held = worked()
    held.main_account_id, held.vip_level = "M", "5"
    found = desk.ask(held, "order", **BUY_6000)
    assert found.accepted, "exactly at the cap"
    assert found.figures["USDT.main_account_used"] == 35_000_000
    over = desk.ask(held, "order", **{**BUY_6000, "quantity": "0.1001"})
    assert (over.rule, over.largest) == ("BL-2", d("0.1"))
    held.vip_level = "4"
    assert desk.ask(held, "order", **BUY_6000).largest == 0, "a level not listed"


def test_bl_3_the_pool_is_what_everybody_borrows_of() -> None:
    desk = plain_desk(
        currencies={"USDT": {"platform_pool": "10000"}},
        totals=Totals(START, platform={"USDT": d(4000)}),
    )
    assert desk.ask(worked(), "order", **BUY_6000).accepted
    found = desk.ask(worked(), "order", **{**BUY_6000, "quantity": "0.1001"})
    assert (found.rule, found.largest) == ("BL-3", d("0.1"))


def test_bl_4_the_answer_shows_the_coin_as_it_stands_before() -> None:
    desk = plain_desk(
        currencies={"USDT": {"platform_pool": "10000", "yearly_rate": "0.05"}},
        totals=Totals(START, platform={"USDT": d(4000)}),
    )
    held = with_orders(worked(), order("o1", "BTC-USDT", "buy", "0.05", "60000"))
    shown = desk.ask(held, "order", **BUY_6000).borrowing["USDT"]
    assert (shown.liability, shown.potential_borrowing, shown.borrow_leverage) == (
        d(0),
        d(3000),
        d(2),
    )
    assert (shown.margin_usd, shown.margin, shown.yearly_rate) == (d(1500), d(1500), d("0.05"))
    assert (shown.platform.limit, shown.platform.used, shown.platform.left) == (
        d(10000),
        d(4000),
        d(6000),
    )
    assert (shown.tier.limit, shown.tier.left) == (d(4_000_000), d(3_997_000))
    assert (shown.main_account.limit, shown.free_part) == (None, d(0))


# -- H-10 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "accepted"), [(TOTALS_MAX_AGE_MS, True), (10_001, False)])
def test_h_10_totals_too_old_refuse_new_borrowing_and_their_age_is_told(
    age: int, accepted: bool
) -> None:
    desk = plain_desk(currencies={"USDT": {"platform_pool": "10000"}}, totals=Totals(START - age))
    found = desk.ask(worked(), "order", **BUY_6000)
    assert (found.accepted, found.totals_age_ms) == (accepted, age)
    if not accepted:
        assert (found.rule, found.largest) == ("BL-3", d(0))
        assert found.figures["USDT.platform_used"] is None
        assert "not known, or too old (H-10)" in found.refusals[0].message


def test_h_10_unknown_totals_refuse_only_where_there_is_a_limit_and_new_borrowing() -> None:
    assert plain_desk(totals=None).ask(worked(), "order", **BUY_6000).accepted
    capped = plain_desk(currencies={"USDT": {"platform_pool": "10000"}}, totals=None)
    found = capped.ask(worked(), "order", **BUY_6000)
    assert (found.rule, found.totals_age_ms) == ("BL-3", None)
    held = worked()
    held.balance("USDT").cash = d(6000)
    assert capped.ask(held, "order", **BUY_6000).accepted
    partial = Totals(START, platform={"ETH": d(1)}, complete=False)
    assert Desk(capped.reference, totals=partial).ask(worked(), "order", **BUY_6000).rule == "BL-3"


def test_h_10_a_manual_borrowing_is_new_even_where_orders_would_borrow_as_much() -> None:
    desk = plain_desk(currencies={"USDT": {"platform_pool": "100000"}}, totals=None)
    held = with_orders(borrower(), order("o", "BTC-USDT", "buy", "0.1", "60000"))
    found = desk.ask(held, "borrow", currency="USDT", amount="1000")
    assert (found.borrows, found.rule, found.largest) == ({}, "BL-3", d(0))


def test_bl_4_the_table_shows_every_coin_and_isolated_debts() -> None:
    desk = plain_desk()
    held = multi({"BTC": "1", "USDT": "-1000"})
    held.borrow_leverage = {"USDT": d(5)}
    held.isolated["ETH-USDT/isolated/net"] = IsolatedPosition(
        "ETH-USDT", "net", d(-1), d(3000), d(600), "USDT", d(5), d(1), "ETH", d("0.1")
    )
    book = price_book(desk.reference)
    table = borrowing_table(held, assess(held, desk.reference, book), desk.reference, desk.totals)
    assert list(table) == ["BTC", "ETH", "USDT"]
    assert (table["USDT"].liability, table["USDT"].margin_usd) == (d(1000), d(200))
    assert (table["ETH"].isolated_debt, table["ETH"].liability) == (d("1.1"), d(0))
    assert (table["BTC"].borrow_leverage, table["BTC"].margin) == (d(1), d(0))
