"""RP-1 to RP-5: what repays a debt, and the plan that does it at one click."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.account import Account
from monitor.questions import BadQuestion
from monitor.schema.checks import RepayQuestion
from tests.rules.reduction_world import account, d, order, reference, with_orders
from tests.support.books import Book
from tests.support.questions import plain_desk

FEES = {"default": {"spot_taker": "0.001"}}
KEEP = d("0.999")


def debtor(cash: dict[str, str], **borrowed: str) -> Account:
    return account(cash, mode="spot", borrowed=borrowed)


# -- RP-1, RP-3, RP-5 on the book -------------------------------------------------------------


def test_rp_1_closing_what_caused_the_debt_repays_at_once() -> None:
    """Funding left −100 USDT, the position closes with a profit of 150."""
    made = Book(reference()).open()
    made.fill("BTC-USDT-SWAP", "10", "60000")
    made.take("transfers", kind="funding", amount="-100")
    assert made.cash("USDT") == -100
    made.fill("BTC-USDT-SWAP", "-10", "61500")
    assert made.cash("USDT") == 50


def test_rp_3_a_transfer_in_repays_on_receipt() -> None:
    made = Book(reference()).open()
    made.take("transfers", kind="funding", amount="-100")
    made.take("transfers", kind="deposit", amount="30")
    assert made.cash("USDT") == -70


def test_rp_5_what_closing_leaves_owed_stays_a_liability() -> None:
    made = Book(reference()).open()
    made.fill("BTC-USDT-SWAP", "10", "60000")
    made.fill("BTC-USDT-SWAP", "-10", "59000")
    found = plain_desk().ask(made.account, "repay", currency="USDT")
    assert found.figures["USDT.liability_before"] == 100
    assert made.account.positions == {}


# -- RP-2 -------------------------------------------------------------------------------------


def test_rp_2_debt_by_price_over_the_assets_price_less_the_taker_rate_in_whole_lots() -> None:
    """3,000 / (60,000 × 0.999) = 0.05005… BTC: 0.0501 in lots of 0.0001."""
    held = debtor({"BTC": "1"}, USDT="3000")
    found = plain_desk(fees=FEES).ask(held, "repay", currency="USDT", assets=["BTC"])
    assert found.accepted
    assert found.plan is not None
    (sale,) = found.plan.sales
    assert (sale.asset, sale.instrument, sale.side) == ("BTC", "BTC-USDT", "sell")
    assert (sale.quantity, sale.price) == (d("0.0501"), d(60_000))
    assert (sale.received, sale.fee) == (3006 * KEEP, d("3.006"))
    assert (found.plan.amount, found.plan.repaid, found.plan.left) == (d(3000), d(3000), d(0))
    assert found.plan.repay_transfer == 3000
    assert (found.figures["USDT.liability"], found.figures["fees_usd"]) == (d(0), d("3.006"))
    assert found.largest == 3000


@pytest.mark.parametrize(("owed", "lots"), [("2997", 500), ("2997.01", 501), ("5.994", 1)])
def test_rp_2_a_whole_number_of_lots_is_not_rounded(owed: str, lots: int) -> None:
    """0.05 BTC bring 2,997 after the fee."""
    held = debtor({"BTC": "1"}, USDT=owed)
    plan = plain_desk(fees=FEES).ask(held, "repay", currency="USDT", assets=["BTC"]).plan
    assert plan is not None
    assert plan.sales[0].quantity == lots * d("0.0001")


def test_rp_2_assets_are_sold_in_the_given_order() -> None:
    held = debtor({"BTC": "0.02", "ETH": "10", "SOL": "100"}, USDT="3000")
    desk = plain_desk()
    found = desk.ask(held, "repay", currency="USDT", assets=["BTC", "ETH", "SOL"])
    assert found.plan is not None
    assert [(s.asset, s.quantity) for s in found.plan.sales] == [
        ("BTC", d("0.02")),
        ("ETH", d("0.6")),
    ]
    other = desk.ask(held, "repay", currency="USDT", assets=["SOL", "BTC"])
    assert other.plan is not None
    assert [(s.asset, s.quantity) for s in other.plan.sales] == [("SOL", d(30))]


def test_rp_2_through_the_instrument_of_the_owed_coin() -> None:
    """ETH is owed, BTC sold: ETH-BTC is bought, 1 / 0.999 up to lots of 0.001."""
    held = debtor({"BTC": "1"}, ETH="1")
    found = plain_desk(fees=FEES).ask(held, "repay", currency="ETH", assets=["BTC"])
    assert found.plan is not None
    (sale,) = found.plan.sales
    assert (sale.instrument, sale.side, sale.quantity) == ("ETH-BTC", "buy", d("1.002"))
    assert (sale.given_currency, sale.received_currency) == ("BTC", "ETH")
    assert found.plan.repay_transfer == 1


def test_rp_2_through_a_common_quote() -> None:
    """SOL is owed, ETH sold: ETH-USDT, then SOL-USDT. 10 / 0.999 = 10.01… SOL, up to 10.02."""
    held = debtor({"ETH": "1"}, SOL="10")
    found = plain_desk(fees=FEES).ask(held, "repay", currency="SOL", assets=["ETH"])
    assert found.accepted
    assert found.plan is not None
    sell, buy = found.plan.sales
    assert (sell.instrument, sell.side, buy.instrument, buy.side) == (
        "ETH-USDT",
        "sell",
        "SOL-USDT",
        "buy",
    )
    assert buy.quantity == d("10.02")
    assert sell.quantity == d("0.335")  # 1,002 / (3,000 × 0.999) = 0.33433…
    assert sell.received >= buy.given
    assert found.plan.repaid == 10


def test_rp_2_what_the_assets_cannot_pay_is_left_and_refused() -> None:
    """0.0333 BTC and a dust: 0.03 in lots of 0.01."""
    desk = plain_desk(fees=FEES, instruments={"BTC-USDT": {"lot": "0.01"}})
    held = debtor({"BTC": "0.0333"}, USDT="3000")
    found = desk.ask(held, "repay", currency="USDT", assets=["BTC"])
    brought = 1800 * KEEP
    assert (found.accepted, found.rule, found.largest) == (False, "RP-2", brought)
    assert found.plan is not None
    assert (found.plan.repaid, found.plan.left) == (brought, 3000 - brought)
    assert desk.ask(held, "repay", currency="USDT", assets=["BTC"], amount=brought).accepted
    over = desk.ask(held, "repay", currency="USDT", assets=["BTC"], amount=brought + d("0.01"))
    assert not over.accepted


@pytest.mark.parametrize("assets", [["SOL"], ["USDC"]])
def test_rp_2_what_is_not_held_or_cannot_be_traded_for_it_brings_nothing(assets: list[str]) -> None:
    held = debtor({"USDC": "10000", "BTC": "1"}, ETH="1")
    found = plain_desk().ask(held, "repay", currency="ETH", assets=assets)
    assert found.plan is not None
    assert (found.plan.sales, found.plan.left, found.largest) == ((), d(1), d(0))


def test_rp_2_only_what_is_free_is_sold() -> None:
    """0.6 BTC are in an order; elsewhere an unrealised loss has eaten the cash."""
    frozen = with_orders(
        debtor({"BTC": "1"}, USDT="50000"), order("o", "BTC-USDT", "sell", "0.6", "70000")
    )
    plan = plain_desk().ask(frozen, "repay", currency="USDT", assets=["BTC"]).plan
    assert plan is not None
    assert plan.sales[0].quantity == d("0.4")
    held = account({"BTC": "0.1", "USDT": "-50000"}, [("BTC-USD-SWAP", "-600", "50000")])
    plan = plain_desk().ask(held, "repay", currency="USDT", assets=["BTC"]).plan
    assert plan is not None
    assert plan.sales == (), "cash of 0.1 BTC, and a loss of 0.2"


def test_rp_2_elsewhere_what_comes_in_repays_by_itself() -> None:
    held = account({"BTC": "1", "USDT": "-3000"})
    found = plain_desk().ask(held, "repay", currency="USDT", amount="1200", assets=["BTC"])
    assert found.plan is not None
    assert (found.plan.repaid, found.plan.repay_transfer) == (d(1200), d(0))
    assert found.figures["USDT.liability"] == 1800


@pytest.mark.parametrize(("amount", "transfer"), [("3000", "2000"), ("1500", "500"), ("900", "0")])
def test_rp_1_in_spot_mode_a_purchase_fills_negative_cash_and_a_repay_the_rest(
    amount: str, transfer: str
) -> None:
    held = debtor({"BTC": "1", "USDT": "-1000"}, USDT="2000")
    found = plain_desk().ask(held, "repay", currency="USDT", amount=amount, assets=["BTC"])
    assert found.plan is not None
    assert (found.plan.repaid, found.plan.repay_transfer) == (d(amount), d(transfer))
    assert found.figures["USDT.liability"] == 3000 - d(amount)


def test_rp_1_with_auto_repay_no_transfer_follows() -> None:
    held = debtor({"BTC": "1"}, USDT="3000")
    held.auto_repay = True
    found = plain_desk().ask(held, "repay", currency="USDT", assets=["BTC"])
    assert found.plan is not None
    assert (found.plan.repaid, found.plan.repay_transfer) == (d(3000), d(0))
    assert found.figures["USDT.liability"] == 0


# -- RP-4 -------------------------------------------------------------------------------------


def test_rp_4_out_of_the_coins_own_balance_at_any_time() -> None:
    held = debtor({"BTC": "1", "USDT": "5000"}, USDT="3000")
    held.balance("USDT").accrued_interest = d("0.5")
    found = plain_desk().ask(held, "repay", currency="USDT")
    assert found.accepted
    assert found.plan is not None
    assert (found.plan.repay_transfer, found.plan.sales) == (d("3000.5"), ())
    assert found.figures["USDT.liability"] == 0


@pytest.mark.parametrize(
    ("amount", "rule", "largest"), [("400", None, 400), ("400.01", "RP-4", 400)]
)
def test_rp_4_up_to_what_is_available(amount: str, rule: str | None, largest: int) -> None:
    held = with_orders(
        debtor({"USDT": "1000", "BTC": "1"}, USDT="3000"),
        order("o", "SOL-USDT", "buy", "6", "100"),
    )
    found = plain_desk().ask(held, "repay", currency="USDT", amount=amount)
    assert (found.rule, found.largest) == (rule, d(largest))


def test_rp_4_nobody_repays_more_than_is_owed() -> None:
    held = debtor({"USDT": "5000"}, USDT="3000")
    found = plain_desk().ask(held, "repay", currency="USDT", amount="3000.01")
    assert (found.rule, found.largest) == ("RP-4", d(3000))
    assert "repays 3000.01 USDT, owed are 3000" in found.refusals[0].message
    none = plain_desk().ask(held, "repay", currency="BTC", amount="1")
    assert (none.rule, none.largest) == ("RP-4", d(0))
    assert none.plan is not None
    assert none.plan.amount == 0


def test_rp_4_a_negative_balance_has_nothing_of_its_own() -> None:
    found = plain_desk().ask(account({"USDT": "-5", "BTC": "1"}), "repay", currency="USDT")
    assert (found.rule, found.largest) == ("RP-4", d(0))


@pytest.mark.parametrize(
    ("assets", "message"),
    [(["USDT"], "assets: USDT is what is owed"), (["XYZ"], "assets: unknown currency XYZ")],
)
def test_rp_2_assets_that_cannot_be_meant(assets: list[str], message: str) -> None:
    with pytest.raises(BadQuestion, match=message):
        plain_desk().ask(debtor({}, USDT="1"), "repay", currency="USDT", assets=assets)


def test_rp_2_an_asset_stands_there_once() -> None:
    with pytest.raises(ValidationError, match="BTC stands there more than once"):
        RepayQuestion(currency="USDT", assets=("BTC", "BTC"))


AMOUNTS = st.integers(1, 10**9).map(lambda units: Decimal(units) / 10_000)


@settings(max_examples=80, deadline=None)
@given(AMOUNTS, AMOUNTS, AMOUNTS, st.permutations(["BTC", "ETH", "SOL"]), st.booleans())
def test_rp_2_a_plan_gives_no_more_than_there_is_and_reaches_what_it_says(
    debt: Decimal, btc: Decimal, eth: Decimal, assets: list[str], spot: bool
) -> None:
    """And what it says would be the most is accepted, a grain more is not."""
    cash = {"BTC": str(btc / 10_000), "ETH": str(eth / 500), "SOL": "3.21"}
    held = debtor(cash, USDT=str(debt)) if spot else account({**cash, "USDT": str(-debt)})
    desk = plain_desk(fees=FEES)
    found = desk.ask(held, "repay", currency="USDT", assets=assets)
    plan, most = found.plan, found.largest
    assert plan is not None
    assert most is not None
    for sale in plan.sales:
        lot = desk.reference.instruments[sale.instrument].lot
        assert sale.quantity % lot == 0
        assert sale.given <= held.balances[sale.asset].cash
    brought = sum((sale.received for sale in plan.sales), Decimal(0))
    assert plan.repaid == min(debt, brought)
    assert plan.repaid + plan.left == debt
    assert found.figures["USDT.liability"] == max(Decimal(0), debt - brought) or spot
    if spot:
        assert found.figures["USDT.liability"] == plan.left
    if most:
        assert desk.ask(held, "repay", currency="USDT", assets=assets, amount=most).accepted
    more = most + d("1e-8")
    assert not desk.ask(held, "repay", currency="USDT", assets=assets, amount=more).accepted
