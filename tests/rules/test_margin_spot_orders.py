"""AE-2: what open spot orders would take from the discounted equity."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from monitor.account import Account
from monitor.margin import Figures, assess
from monitor.reference import load_reference
from tests.rules.reduction_world import account, d, order, price_book, raw_reference, with_orders


def spot(cash: dict[str, str], borrowed: dict[str, str] | None = None) -> Account:
    return account(cash, mode="spot", borrowed=borrowed)


def figures(
    held: Account,
    *,
    btc_rate: str = "0.98",
    fee: str = "0",
    tiers: list[dict[str, str]] | None = None,
) -> Figures:
    raw = raw_reference()
    raw["fees"] = {"default": {"spot_taker": fee, "derivative_taker": "0.0005"}}
    raw["currencies"]["BTC"]["discount_tiers"] = tiers or [{"up_to": "1000", "rate": btc_rate}]
    raw["currencies"]["ETH"]["discount_tiers"][0]["rate"] = "0.98"
    reference = load_reference(raw)
    return assess(held, reference, price_book(reference))


def loss(held: Account, *orders: Any, **more: Any) -> Decimal:
    return figures(with_orders(held, *orders), **more).spot_order_loss


BUY = order("o", "BTC-USDT", "buy", "0.1", "60000")


def test_ae_2_selling_6000_usdt_that_one_does_not_have_costs_the_haircut_of_the_btc() -> None:
    assert loss(spot({"ETH": "10"}), BUY) == 120


def test_ae_2_a_sale_of_btc_for_usdt_gains_so_it_takes_nothing() -> None:
    assert loss(spot({"BTC": "1"}), order("o", "BTC-USDT", "sell", "0.1", "60000")) == 0


@pytest.mark.parametrize(
    ("cash", "expected"),
    [
        ("6000", "120"),  # USDT's rate is 1, held or not
        ("0", "120"),
    ],
)
def test_ae_2_given_at_its_rates_and_beyond_positive_equity_at_rate_1(
    cash: str, expected: str
) -> None:
    assert loss(spot({"USDT": cash, "ETH": "10"}), BUY) == d(expected)


def test_ae_2_given_marginally() -> None:
    """0.5 BTC of 1.2 at 0.95 and 0.98: 0.2 × 0.95 + 0.3 × 0.98, sold for 10 % less."""
    tiers = [{"up_to": "1", "rate": "0.98"}, {"up_to": "2", "rate": "0.95"}]
    sale = order("o", "BTC-USDT", "sell", "0.5", "60000")
    given = (d("0.2") * d("0.95") + d("0.3") * d("0.98")) * 60_000
    held = spot({"BTC": "1.2"})
    assert loss(held, sale, tiers=tiers) == 0  # 29,040 for 30,000
    sale = order("o", "ETH-BTC", "buy", "10", "0.05")  # the 0.5 BTC for 10 ETH at 0.98
    assert loss(held, sale, tiers=tiers) == max(d(0), given - 29_400) == 0
    sale = order("o", "SOL-USDT", "buy", "300", "100")  # SOL counts 0.8
    held = spot({"USDT": "10000", "ETH": "20"})
    assert loss(held, sale) == 30_000 - 24_000


def test_ae_2_received_at_rate_1_as_far_as_it_repays_debt() -> None:
    """Half of the bought 0.1 BTC repays, the other half counts 0.98."""
    held = spot({"ETH": "10"}, {"BTC": "0.05"})
    assert loss(held, BUY) == 6000 - (3000 + 2940)
    held = spot({"ETH": "10"}, {"BTC": "0.5"})
    assert loss(held, BUY) == 0


def test_ae_2_the_fee_is_taken_from_what_is_received() -> None:
    assert loss(spot({"ETH": "10"}), BUY, fee="0.001") == 6000 - 6000 * d("0.98") * d("0.999")
    sale = order("o", "BTC-USDT", "sell", "0.1", "60000")
    held = spot({"BTC": "1"}, {"BTC": "1"})  # given from a debt: at rate 1
    assert loss(held, sale, fee="0.001") == 6


@pytest.mark.parametrize(("price", "expected"), [("60000", "120"), ("50000", "100"), (None, "120")])
def test_ae_2_each_at_the_order_s_price_a_market_order_at_the_index(
    price: str | None, expected: str
) -> None:
    made = order("o", "BTC-USDT", "buy", "0.1", price)
    assert loss(spot({"ETH": "10"}), made) == d(expected)


def test_ae_2_only_what_remains_of_an_order_counts() -> None:
    made = order("o", "BTC-USDT", "buy", "0.1", "60000", filled_quantity=d("0.075"))
    assert loss(spot({"ETH": "10"}), made) == 30


def test_ae_2_orders_add_up_in_the_order_of_their_ids() -> None:
    """The first purchase repays the debt and costs nothing; which that is goes by the id."""
    held = spot({"ETH": "30"}, {"BTC": "0.1"})
    small = order("a", "BTC-USDT", "buy", "0.1", "60000")
    large = order("b", "BTC-USDT", "buy", "0.2", "50000")
    assert loss(held, small, large) == 0 + 200
    small.order_id, large.order_id = "b", "a"
    # at 50,000: 0.1 repays, 0.1 at 0.98; then 120 for the one at 60,000
    assert loss(held, small, large) == 100 + 120
    assert loss(held, large, small) == 220  # not in the order they came


def test_ae_2_each_order_gives_what_the_ones_before_have_left() -> None:
    """Two sales of 0.1 BTC for ETH at 0.98, of which 0.1 is held: 0.98 given, then 1."""
    held = spot({"BTC": "0.1", "USDT": "9000"})
    first = order("a", "ETH-BTC", "buy", "2", "0.05")
    assert loss(held, first) == 0
    assert loss(held, first, order("b", "ETH-BTC", "buy", "2", "0.05")) == 120


def test_ae_2_one_order_s_gain_does_not_pay_for_another_s_loss() -> None:
    sale = order("a", "BTC-USDT", "sell", "0.1", "60000")
    assert loss(spot({"BTC": "1"}), sale, order("b", "BTC-USDT", "buy", "0.1", "60000")) == 120


@pytest.mark.parametrize(
    "flags", [{"auto_borrow": False}, {"reduce_only": True}, {"command_id": "c"}]
)
def test_ae_2_every_open_spot_order_counts(flags: dict[str, Any]) -> None:
    assert loss(spot({"ETH": "10"}), order("o", "BTC-USDT", "buy", "0.1", "60000", **flags)) == 120


def test_ae_1_the_loss_is_taken_from_adjusted_equity() -> None:
    held = spot({"ETH": "10"})
    assert figures(held).adjusted_equity == 29_400
    assert figures(with_orders(held, BUY)).adjusted_equity == 29_280


# -- OV-1's worked figures, as assessments ------------------------------------------------------


def ov_1(*orders: Any) -> Figures:
    held = with_orders(spot({"BTC": "0.1", "ETH": "1"}), *orders)
    held.borrow_leverage = {"*": d(2)}
    return figures(held)


def test_ov_1_the_first_order_8700_against_3000() -> None:
    assert ov_1().adjusted_equity == 8_820
    found = ov_1(BUY)
    assert (found.adjusted_equity, found.initial_margin) == (d(8_700), d(3_000))
    assert found.currencies["USDT"].potential_borrowing == 6_000
    assert found.currencies["USDT"].liability == 0


def test_ov_1_a_second_one_of_12000_8460_against_9000() -> None:
    found = ov_1(BUY, order("p", "BTC-USDT", "buy", "0.2", "60000"))
    assert (found.adjusted_equity, found.initial_margin) == (d(8_460), d(9_000))


def test_ov_1_on_the_fill_a_liability_of_6000_usdt() -> None:
    held = spot({"BTC": "0.2", "ETH": "1", "USDT": "-6000"})
    held.borrow_leverage = {"*": d(2)}
    found = figures(held)
    assert found.currencies["USDT"].liability == 6_000
    assert (found.adjusted_equity, found.initial_margin) == (d(8_700), d(3_000))
