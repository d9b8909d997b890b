"""OV-1, OV-3, OV-4, OV-6: whether an order may be sent, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from monitor.account import Account
from monitor.questions import BadQuestion
from monitor.schema.checks import CheckAnswer
from tests.rules.reduction_world import START, account, d, order, with_orders
from tests.support.questions import Desk, plain_desk

FEES = {"default": {"spot_taker": "0.001", "derivative_taker": "0.0005"}}
SWAP = "BTC-USDT-SWAP"  # 0.01 BTC, 600 USDT a contract
BUY_6000 = {"instrument": "BTC-USDT", "side": "buy", "price": "60000", "quantity": "0.1"}
OPTION = {
    "kind": "option",
    "family": "BTC-USD",
    "underlying": "BTC",
    "quote": "USD",
    "settle": "BTC",
    "inverse": True,
    "contract_value": "0.01",
    "lot": "1",
    "tick": "0.0001",
    "strike": "60000",
    "option_type": "call",
    "expiry": START + 10**9,
    "position_tiers": [{"up_to": "1000", "initial": "0.1", "maintenance": "0.05"}],
}


def worked(**more: Any) -> Account:
    """OV-1's account: 0.1 BTC at 60,000 and 1 ETH at 3,000, spot mode, 2x."""
    held = account({"BTC": "0.1", "ETH": "1"}, mode="spot", **more)
    held.borrow_leverage = {"*": d(2)}
    return held


def multi(cash: Mapping[str, str], *positions: tuple[str, str, str], **more: Any) -> Account:
    return account(cash, positions, main_account_id="M", vip_level="5", **more)


def reasons(found: CheckAnswer) -> list[str]:
    return [refused.rule for refused in found.refusals]


# -- OV-1 -------------------------------------------------------------------------------------


def test_ov_1_the_worked_order_8700_against_3000_is_accepted() -> None:
    found = plain_desk().ask(worked(), "order", **BUY_6000)
    assert found.accepted
    assert (found.figures["adjusted_equity"], found.figures["initial_margin"]) == (d(8700), d(3000))
    assert found.figures["spot_order_loss"] == 120
    assert found.borrows == {"USDT": d(6000)}


def test_ov_1_a_second_one_of_12000_is_refused_8460_against_9000() -> None:
    held = with_orders(worked(), order("o1", "BTC-USDT", "buy", "0.1", "60000"))
    found = plain_desk().ask(held, "order", **{**BUY_6000, "quantity": "0.2"})
    assert (found.accepted, found.rule, reasons(found)) == (False, "OV-1", ["OV-1"])
    assert (found.figures["adjusted_equity"], found.figures["initial_margin"]) == (d(8460), d(9000))
    assert (found.figures["adjusted_equity_before"], found.figures["initial_margin_before"]) == (
        d(8700),
        d(3000),
    )
    assert found.largest == d("0.1826")  # (8,700 − 3,000) / (1,200 + 30,000) BTC


@pytest.mark.parametrize(("quantity", "accepted"), [("0.2", True), ("0.2001", False)])
def test_ov_1_adjusted_equity_exactly_initial_margin_passes(quantity: str, accepted: bool) -> None:
    """6,000 at rate 1, and 12,000 borrowed at 2x."""
    held = account({"BTC": "0.1"}, mode="spot")
    held.borrow_leverage = {"*": d(2)}
    found = plain_desk(rate="1").ask(held, "order", **{**BUY_6000, "quantity": quantity})
    assert (found.accepted, found.largest) == (accepted, d("0.2"))


def test_ov_1_the_fee_of_the_order_counts() -> None:
    """0.1 % less BTC comes in: 6,000 − 0.98 × 5,994."""
    found = plain_desk(fees=FEES).ask(worked(), "order", **BUY_6000)
    assert found.figures["adjusted_equity"] == d("8820") - (6000 - d("0.98") * 5994)


class TestFellShortBefore:
    """1 BTC at 0.98 is 58,800, and 60,000 USDT are owed at 1x: short by 61,200."""

    def held(self) -> Account:
        return account({"BTC": "1"}, mode="spot", borrowed={"USDT": "60000"})

    def test_ov_1_what_costs_no_more_than_it_frees_is_accepted(self) -> None:
        """The sale takes nothing from discounted equity and needs no margin: 0 ≥ 0."""
        sale = {"instrument": "BTC-USDT", "side": "sell", "price": "60000", "quantity": "0.5"}
        found = self.desk().ask(self.held(), "order", **sale, auto_borrow=False)
        assert found.accepted
        assert found.figures["adjusted_equity"] == found.figures["adjusted_equity_before"] == -1200
        assert found.largest == 1, "all the BTC there is"

    def test_ov_1_what_costs_more_is_refused(self) -> None:
        """SOL counts 0.8: buying it for 1,000 USDT that are there takes 200."""
        held = self.held()
        held.balance("USDT").cash = d(1000)
        buy = {"instrument": "SOL-USDT", "side": "buy", "price": "100", "quantity": "10"}
        found = self.desk().ask(held, "order", **buy, auto_borrow=False)
        assert (found.accepted, found.rule, found.largest) == (False, "OV-1", d(0))
        assert found.refusals[0].message == (
            "adjusted equity was short of initial margin by 60200 before, and would be by 60400"
        )

    def test_ov_1_a_new_debt_is_refused(self) -> None:
        found = self.desk().ask(self.held(), "order", **BUY_6000)
        assert not found.accepted
        assert found.rule == "OV-1"

    def test_ov_1_a_change_that_asks_less_is_accepted(self) -> None:
        held = with_orders(self.held(), order("o", "BTC-USDT", "buy", "0.2", "60000"))
        found = self.desk().ask(held, "order", order_id="o", **BUY_6000)
        assert found.accepted
        assert found.largest == d("0.2"), "as it stands it is no worse"

    def desk(self) -> Desk:
        # Its ratio is far below the suspension ratio, which is another rule's matter.
        return plain_desk({"suspension_ratio": "0"})


def test_ov_1_a_cross_derivative_on_other_collateral_owes_its_fee_in_the_settle_coin() -> None:
    """CU-10: short 5,000 USD of ETH-USD-SWAP with BTC, SOL and USDT, and no ETH."""
    swap = {
        "kind": "swap",
        "family": "ETH-USD",
        "underlying": "ETH",
        "quote": "USD",
        "settle": "ETH",
        "inverse": True,
        "contract_value": "10",
        "lot": "1",
        "tick": "0.01",
        "position_tiers": [{"up_to": "10000", "initial": "0.01", "maintenance": "0.004"}],
    }
    desk = plain_desk(fees=FEES, instruments={"ETH-USD-SWAP": swap})
    desk = Desk(desk.reference, {"ETH-USD-SWAP/mark": "3000"})
    held = multi({"BTC": "0.5", "SOL": "100", "USDT": "10000"})
    found = desk.ask(held, "order", instrument="ETH-USD-SWAP", side="sell", quantity="500")
    fee = d(5000) / 3000 * d("0.0005")
    assert found.accepted
    assert found.borrows == {"ETH": fee}
    # 5,000 at 1x, and the fee that is borrowed, at 1x too
    assert found.figures["initial_margin"] == 5000 + fee * 3000
    held.auto_borrow = False
    refused = desk.ask(held, "order", instrument="ETH-USD-SWAP", side="sell", quantity="500")
    assert (refused.rule, refused.largest) == ("OV-3", d(0))


def test_ov_1_an_isolated_position_out_of_nothing_borrows_margin_and_fee() -> None:
    """CU-10: 100 margin + 0.2 fee, 100.2 USDT."""
    desk = plain_desk(fees={"default": {"derivative_taker": "0.0002"}})
    held = multi({"BTC": "1"})
    found = desk.ask(
        held,
        "order",
        instrument="ETH-USDT-SWAP",
        side="buy",
        margin_mode="isolated",
        price="1000",
        quantity="10",
        leverage="10",
    )
    assert found.accepted
    assert found.borrows == {"USDT": d("100.2")}
    assert found.figures["adjusted_equity"] == 58_800 - d("100.2")  # AE-1
    assert found.figures["initial_margin"] == d("100.2")  # CU-8 at 1x


# -- OV-3 -------------------------------------------------------------------------------------


def with_profit(*, auto_borrow: bool = False) -> Account:
    """Cash 100,000, PnL 10,000: 100 contracts of 0.01 BTC at 50,000 — and 100 BTC besides."""
    held = multi({"USDT": "100000", "BTC": "100"}, (SWAP, "100", "50000"))
    held.auto_borrow = auto_borrow
    held.leverage = {SWAP: d(10)}
    return held


@pytest.mark.parametrize(
    ("sold", "accepted"),
    [("120000", False), ("105000", False), ("100000", True), ("100006", False)],
)
def test_ov_3_a_spot_order_needs_available_balance_however_rich_the_account(
    sold: str, accepted: bool
) -> None:
    held, quantity = with_profit(), str(d(sold) / 60_000)
    desk = plain_desk(instruments={"BTC-USDT": {"lot": "0.00001"}})
    asked = {**BUY_6000, "quantity": quantity}
    found = desk.ask(held, "order", **asked)
    assert found.accepted is accepted
    assert found.rule == (None if accepted else "OV-3")
    assert found.auto_borrow is False
    assert found.figures["USDT.available_balance"] == 100_000
    assert found.largest == d("1.66666")


def test_ov_3_available_equity_counts_the_profit_available_balance_does_not() -> None:
    """110,000 and 100,000; a swap for 105,000 at 1x is within the one."""
    desk = plain_desk()
    held = with_profit()
    held.leverage = {SWAP: d(10), "ETH-USDT-SWAP": d(1)}
    asked = {"instrument": "ETH-USDT-SWAP", "side": "buy", "price": "3000"}
    found = desk.ask(held, "order", **asked, quantity="350")
    assert found.accepted
    assert found.figures["USDT.available_equity"] == 110_000
    assert found.figures["USDT.needed"] == 105_000
    refused = desk.ask(held, "order", **asked, quantity="367")  # 110,100
    assert (refused.rule, refused.largest) == ("OV-3", d(366))


@pytest.mark.parametrize(
    ("setting", "needed", "largest"),
    [("margin_and_fee", d(600) + d("0.3"), d(1)), ("fee", d("0.3"), d(99))],
)
def test_ov_3_coin_check_margin_and_fee_or_the_fee_alone(
    setting: str, needed: Decimal, largest: Decimal
) -> None:
    """700 USDT, and 1 BTC that counts in OV-1 alone: 99 × 600.3 of 59,500."""
    held = multi({"USDT": "700", "BTC": "1"})
    held.auto_borrow = False
    desk = plain_desk({"coin_check": setting}, fees=FEES)
    asked = {"instrument": SWAP, "side": "buy", "price": "60000"}
    found = desk.ask(held, "order", **asked, quantity="1")
    assert found.figures["USDT.needed"] == needed
    assert found.accepted
    over = desk.ask(held, "order", **asked, quantity=largest + 1)
    rule = "OV-3" if setting == "margin_and_fee" else "OV-1"
    assert (over.rule, over.largest) == (rule, largest)


def test_ov_3_the_account_test_holds_too() -> None:
    """Enough USDT for the fee; margin of 59 × 600 × 1 against 35,000 in all."""
    held = multi({"USDT": "35000"})
    held.auto_borrow = False
    desk = plain_desk({"coin_check": "fee"}, fees=FEES)
    asked = {"instrument": SWAP, "side": "buy", "price": "60000"}
    found = desk.ask(held, "order", **asked, quantity="59")
    assert (found.rule, found.largest) == ("OV-1", d(58))


def test_ov_3_other_orders_have_taken_theirs() -> None:
    held = with_orders(
        account({"USDT": "10000"}, mode="spot"),
        order("o1", "BTC-USDT", "buy", "0.1", "60000", auto_borrow=False),
    )
    found = plain_desk().ask(held, "order", **BUY_6000, auto_borrow=False)
    assert (found.rule, found.figures["USDT.available_balance"]) == ("OV-3", d(4000))
    assert found.largest == d("0.0666")


@pytest.mark.parametrize(
    ("cash", "accepted", "rule"), [("0.02015", True, None), ("0.0201499", False, "OV-3")]
)
def test_ov_3_an_option_buy_needs_premium_and_fee_in_available_balance(
    cash: str, accepted: bool, rule: str | None
) -> None:
    """2 × 0.01 × 1 BTC and 0.75 % of it."""
    desk = plain_desk(
        fees={"default": {"derivative_taker": "0.0075"}}, instruments={"BTC-USD-C": OPTION}
    )
    desk = Desk(desk.reference, {"BTC-USD-C/mark": "0.03"})
    held = multi({"BTC": cash, "USDT": "100000"})
    held.auto_borrow = False
    asked = {"instrument": "BTC-USD-C", "side": "buy", "price": "1", "quantity": "2"}
    found = desk.ask(held, "order", **asked)
    assert (found.accepted, found.rule) == (accepted, rule)
    assert found.figures["BTC.needed"] == d("0.02015")
    assert found.figures["BTC.available_balance"] == d(cash)


def test_ov_3_an_option_sale_needs_margin_and_fee_in_available_equity() -> None:
    """MM-3: max(0.15 × 60,000 + 1,800 − 1,800, 6,000) a coin = 0.15 BTC; 10 × 0.01 of it."""
    desk = plain_desk(fees=FEES, instruments={"BTC-USD-C": OPTION})
    desk = Desk(desk.reference, {"BTC-USD-C/mark": "0.03"})
    asked = {"instrument": "BTC-USD-C", "side": "sell", "price": "0.03", "quantity": "10"}
    fee = d("0.1") * d("0.03") * d("0.0005")
    for cash, accepted in ((d("0.015") + fee, True), (d("0.015") + fee - d("1e-9"), False)):
        held = multi({"BTC": str(cash), "USDT": "100000"})
        held.auto_borrow = False
        found = desk.ask(held, "order", **asked)
        assert found.accepted is accepted
        assert found.figures["BTC.needed"] == d("0.015") + fee
        assert found.figures["BTC.available_equity"] == cash


def test_ov_3_isolated_orders_always_need_margin_and_fee() -> None:
    held = multi({"USDT": "600", "BTC": "1"})
    held.auto_borrow = False
    desk = plain_desk({"coin_check": "fee"}, fees=FEES)
    asked = {"instrument": SWAP, "side": "buy", "price": "60000", "margin_mode": "isolated"}
    found = desk.ask(held, "order", **asked, quantity="1")
    assert (found.rule, found.figures["USDT.needed"]) == ("OV-3", d("600.3"))
    held.balances["USDT"].cash = d("600.3")
    assert desk.ask(held, "order", **asked, quantity="1").accepted


# -- OV-4 -------------------------------------------------------------------------------------


def open_without(quantity: str = "0.1", **more: Any) -> Account:
    own = order("o1", "BTC-USDT", "buy", quantity, "60000", auto_borrow=False, **more)
    held = account({"BTC": "0.1", "ETH": "1", "USDT": "6000"}, mode="spot")
    held.borrow_leverage = {"*": d(2)}
    return with_orders(held, own)


def test_ov_4_a_changed_order_is_checked_as_an_auto_borrow_order() -> None:
    found = plain_desk().ask(open_without(), "order", order_id="o1", **BUY_6000)
    assert (found.accepted, found.auto_borrow, found.borrows) == (True, True, {})
    larger = plain_desk().ask(
        open_without(), "order", order_id="o1", **{**BUY_6000, "quantity": "0.2"}
    )
    assert larger.accepted
    assert larger.borrows == {"USDT": d(6000)}
    new = plain_desk().ask(
        open_without(), "order", **{**BUY_6000, "quantity": "0.2"}, auto_borrow=False
    )
    assert new.rule == "OV-3", "a new one is what it says"


def test_ov_4_what_the_change_does_not_name_stays_as_it_is() -> None:
    """The price stays 60,000 although none is given; null would make it a market order."""
    asked = {"order_id": "o1", "instrument": "BTC-USDT", "side": "buy", "quantity": "0.2"}
    held = with_orders(open_without(), order("o1", "BTC-USDT", "buy", "0.1", "30000"))
    assert plain_desk().ask(held, "order", **asked).borrows == {}
    assert plain_desk().ask(held, "order", **asked, price=None).borrows == {"USDT": d(6000)}


def test_ov_4_what_is_filled_already_is_part_of_the_new_quantity() -> None:
    held = open_without("0.3", filled_quantity=d("0.1"))
    found = plain_desk().ask(held, "order", order_id="o1", **{**BUY_6000, "quantity": "0.25"})
    assert found.borrows == {"USDT": d(3000)}  # 0.15 × 60,000 − 6,000
    with pytest.raises(BadQuestion, match="are filled already"):
        plain_desk().ask(held, "order", order_id="o1", **BUY_6000)


def test_ov_4_elsewhere_the_accounts_setting_stays() -> None:
    held = with_orders(multi({"USDT": "6000"}), order("o1", "BTC-USDT", "buy", "0.1", "60000"))
    held.auto_borrow = False
    found = plain_desk().ask(held, "order", order_id="o1", **{**BUY_6000, "quantity": "0.2"})
    assert (found.rule, found.auto_borrow, found.largest) == ("OV-3", False, d("0.1"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order_id": "o9"}, "order_id: no order o9 is open"),
        ({"instrument": "ETH-USDT"}, "instrument: ETH-USDT given, order o1 is BTC-USDT"),
        ({"side": "sell"}, "side: sell given, order o1 is buy"),
        ({"instrument": "X-Y", "order_id": None}, "instrument: unknown instrument X-Y"),
        ({"instrument": SWAP, "order_id": None}, "cannot be held in spot mode"),
        ({"margin_mode": "isolated", "order_id": None}, "do not exist in spot mode"),
    ],
)
def test_ov_4_a_question_that_contradicts_the_book_is_none(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadQuestion, match=message):
        plain_desk().ask(open_without(), "order", **{"order_id": "o1", **BUY_6000, **changes})


# -- PX ---------------------------------------------------------------------------------------


def test_px_3_an_unpriced_account_is_told_what_it_misses() -> None:
    desk = plain_desk(instruments={"BTC-USD-C": OPTION})
    asked = {"instrument": "BTC-USD-C", "side": "buy", "quantity": "1"}
    found = desk.ask(multi({"BTC": "1"}), "order", **asked)
    assert (found.accepted, found.rule, found.unpriced) == (False, "PX-3", ("BTC-USD-C/mark",))
    assert (found.figures, found.largest) == ({}, None)


def test_px_4_stale_prices_are_named() -> None:
    desk = plain_desk()
    late = Desk(desk.reference, now=START + 10_001)
    found = late.ask(worked(), "order", **BUY_6000)
    assert found.stale_prices == ("BTC-USD/index", "ETH-USD/index", "USDT-USD/index")
    assert desk.ask(worked(), "order", **BUY_6000).stale_prices == ()


# -- closing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("flagged", [True, False])
def test_ov_1_what_only_closes_is_accepted_however_short_the_account(flagged: bool) -> None:
    """10 contracts long at a loss: below initial margin, below 1.2, no USDT for the fee."""
    held = multi({"USDT": "50"}, (SWAP, "10", "60010"))
    desk = plain_desk(fees=FEES)
    asked = {"instrument": SWAP, "side": "sell", "reduce_only": flagged, "quantity": "10"}
    for auto_borrow in (True, False):
        held.auto_borrow = auto_borrow
        found = desk.ask(held, "order", **asked)
        assert found.figures["opening"] == 0
        assert found.accepted
        assert found.largest == (None if flagged else 10)


def test_ov_1_past_the_position_it_opens_and_is_checked_whole() -> None:
    held = multi({"USDT": "50"}, (SWAP, "10", "60010"))
    found = plain_desk(fees=FEES).ask(held, "order", instrument=SWAP, side="sell", quantity="11")
    assert (found.figures["opening"], found.rule, found.largest) == (d(1), "OV-1", d(10))


def test_ov_3_buying_an_option_back_still_needs_its_premium() -> None:
    desk = plain_desk(instruments={"BTC-USD-C": OPTION})
    desk = Desk(desk.reference, {"BTC-USD-C/mark": "0.03"})
    held = multi({"BTC": "0.001"}, ("BTC-USD-C", "-10", "0.03"))
    held.auto_borrow = False
    asked = {"instrument": "BTC-USD-C", "side": "buy", "price": "0.03", "quantity": "5"}
    found = desk.ask(held, "order", **asked)
    assert (found.rule, found.largest) == ("OV-3", d(3))  # 0.0003 BTC each
    held.balances["BTC"].cash = d("0.0015")
    assert desk.ask(held, "order", **asked).accepted, "though initial margin is not covered"


# -- OV-6 -------------------------------------------------------------------------------------


def test_ov_6_every_rule_that_refuses_is_named_the_first_one_first() -> None:
    desk = plain_desk(
        {"suspension_ratio": "5000"},
        currencies={"USDT": {"borrowable": False, "vip_caps": {"1": "1"}, "platform_pool": "2"}},
    )
    held = worked()
    held.balance("USDT").borrowed = d(100)
    found = desk.ask(held, "order", **{**BUY_6000, "quantity": "1"})
    assert reasons(found) == ["OV-1", "OV-5", "OV-5", "BL-2", "BL-3"]
    assert found.rule == "OV-1"
