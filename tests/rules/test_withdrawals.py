"""RP-5: what may be withdrawn or transferred out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from monitor.limits import Totals
from monitor.questions import BadQuestion
from tests.rules.reduction_world import START, account, d, order, with_orders
from tests.support.questions import Desk, plain_desk

SWAP = "BTC-USDT-SWAP"


@pytest.mark.parametrize(
    ("amount", "accepted"), [("1000", True), ("1000.00000001", False), ("0.5", True)]
)
def test_rp_5_up_to_the_available_balance(amount: str, accepted: bool) -> None:
    held = account({"USDT": "1000", "BTC": "1"})
    found = plain_desk().ask(held, "withdrawal", currency="USDT", amount=amount)
    assert (found.accepted, found.largest) == (accepted, d(1000))
    assert found.rule == (None if accepted else "RP-5")
    assert found.figures["USDT.available_balance"] == 1000


def test_rp_5_profit_is_no_balance_and_orders_hold_theirs() -> None:
    """Cash 1,000 and a PnL of 10,000; an order freezes 400."""
    held = with_orders(
        account({"USDT": "1000", "BTC": "1"}, [(SWAP, "100", "50000")]),
        order("o", "SOL-USDT", "buy", "4", "100"),
    )
    held.leverage = {SWAP: d(10)}
    found = plain_desk().ask(held, "withdrawal", currency="USDT", amount="601")
    assert (found.rule, found.largest) == ("RP-5", d(600))


@pytest.mark.parametrize(("amount", "accepted"), [("0.5", True), ("0.50000001", False)])
def test_rp_5_while_adjusted_equity_covers_initial_margin(amount: str, accepted: bool) -> None:
    """1 BTC at rate 1; 50 contracts at 1x ask 30,000."""
    held = account({"BTC": "1"}, [(SWAP, "50", "60000")])
    found = plain_desk(rate="1").ask(held, "withdrawal", currency="BTC", amount=amount)
    assert (found.accepted, found.largest) == (accepted, d("0.5"))
    assert found.rule == (None if accepted else "OV-1")


def test_rp_5_what_counts_nothing_may_leave_however_short_the_account() -> None:
    """OV-1: no worse than before. Switched off as collateral, ETH takes nothing along."""
    held = account({"ETH": "1", "BTC": "0.001"}, [(SWAP, "50", "60000")])
    held.collateral_off = ("ETH",)
    desk = plain_desk()
    assert desk.ask(held, "withdrawal", currency="ETH", amount="1").accepted
    assert desk.ask(held, "withdrawal", currency="BTC", amount="0.0001").rule == "OV-1"


@pytest.mark.parametrize(
    ("auto_borrow", "largest", "rule"), [(True, d(1000), None), (False, d(400), "OV-5")]
)
def test_rp_5_what_leaves_a_debt_behind_is_borrowing(
    auto_borrow: bool, largest: Decimal, rule: str | None
) -> None:
    """Cash 1,000, PnL −600: past 400 the coin is owed."""
    held = account({"USDT": "1000", "BTC": "1"}, [(SWAP, "10", "66000")])
    held.auto_borrow = auto_borrow
    found = plain_desk().ask(held, "withdrawal", currency="USDT", amount="401")
    assert (found.largest, found.rule) == (largest, rule)
    assert found.borrows == {"USDT": d(1)}


def test_rp_5_such_a_debt_is_within_the_limits_and_needs_known_totals() -> None:
    held = account({"USDT": "1000", "BTC": "1"}, [(SWAP, "10", "66000")])
    pool = {"USDT": {"platform_pool": "500"}}
    desk = plain_desk(currencies=pool, totals=Totals(START, platform={"USDT": d(400)}))
    found = desk.ask(held, "withdrawal", currency="USDT", amount="501")
    assert (found.rule, found.largest) == ("BL-3", d(500))
    unknown = Desk(desk.reference, totals=None)
    assert unknown.ask(held, "withdrawal", currency="USDT", amount="501").largest == 400


def test_rp_5_borrowed_cash_may_leave_while_margin_covers_it() -> None:
    """Spot mode, 2x: 5,880 of BTC; 3,000 USDT held and owed ask 1,500, withdrawn they cost 3,000."""
    held = account({"BTC": "0.1", "USDT": "3000"}, mode="spot", borrowed={"USDT": "3000"})
    held.borrow_leverage = {"*": d(2)}
    found = plain_desk().ask(held, "withdrawal", currency="USDT", amount="3000")
    assert found.accepted
    assert (found.figures["adjusted_equity"], found.figures["initial_margin"]) == (d(2880), d(1500))
    held.balance("BTC").cash = d("0.07")  # 4,116
    assert plain_desk().ask(held, "withdrawal", currency="USDT", amount="1").largest == 2616


def test_rp_5_a_coin_that_is_not_held_and_one_that_is_not_known() -> None:
    held = account({"BTC": "1"})
    found = plain_desk().ask(held, "withdrawal", currency="ETH", amount="1")
    assert (found.rule, found.largest) == ("RP-5", d(0))
    with pytest.raises(BadQuestion, match="currency: unknown currency XYZ"):
        plain_desk().ask(held, "withdrawal", currency="XYZ", amount="1")
