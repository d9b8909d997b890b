"""Options, their delta, and what single coins ask for, against the second reading of the rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from streams.verify.black76 import coin_delta
from streams.verify.conversion import next_conversion
from streams.verify.situation import Situation
from streams.verify.sizing import Plan
from tests.verify.scene import START
from tests.verify.test_rules_again import book, figures, order, planned, quotes, reference
from tests.verify.worked import EXPIRY, REFERENCE

D = Decimal
CALL, PUT = "BTC-USD-231229-60000-C", "BTC-USDT-231229-50000-P"
NORMAL = D("0.5398278372770290")
"""N(0.1)."""


def marked(call: Any, **others: Any) -> Any:
    """Return prices with the call's mark; other options and futures by `key=price`."""
    at = quotes(BTC=60000, USDT=1)
    at[f"{CALL}/mark"] = D(str(call))
    for name, price in others.items():
        at[f"{name.replace('_', '-')}/mark"] = D(str(price))
    return at


def held(instrument: str, quantity: str) -> dict[str, Any]:
    """Return an option position of a snapshot."""
    return {"instrument": instrument, "quantity": quantity, "entry_price": "0.05"}


def test_cu_3_cu_6_a_coin_and_an_option_worth_less_than_nothing() -> None:
    using = reference()
    # 11 contracts of 0.1 BTC short at 1 BTC: −1.1
    account = book(using, "multi_currency", {"BTC": "1"}, positions=[held(CALL, "-11")])

    found = figures(account, marked("1"), using)

    assert found.coins["BTC"].liability == D("0.1")


@pytest.mark.parametrize(("contracts", "factor"), [(20, 1), (21, D("1.5"))])
def test_mm_3_short_call_in_coin_by_the_tier_of_its_size(contracts: int, factor: Decimal) -> None:
    using = reference()
    short = [held(CALL, str(-contracts))]
    account = book(using, "multi_currency", {"BTC": "9"}, positions=short)

    found = figures(account, marked("0.05"), using)

    coins = D(contracts) / 10
    assert found.maintenance_margin == coins * (D("0.03") * factor + D("0.05")) * 60000
    assert found.liquidation_fee == coins * 60000 * D("0.0005")


@pytest.mark.parametrize(("mark", "base"), [("4000", 60000), ("70000", 70000)])
def test_mm_3_short_put_in_usd_takes_the_larger_of_index_and_mark(mark: str, base: int) -> None:
    using = reference()
    account = book(using, "multi_currency", {"USDT": "90000"}, positions=[held(PUT, "-10")])

    found = figures(account, marked("0.05", **{PUT: mark}), using)

    assert found.maintenance_margin == D("0.03") * base + D(mark)


def test_mm_2_long_options_carry_nothing_and_count_in_full() -> None:
    using = reference()
    account = book(using, "multi_currency", {"BTC": "1"}, positions=[held(CALL, "10")])

    found = figures(account, marked("0.5"), using)

    assert found.maintenance_margin == 0
    assert found.ratio is None
    assert found.adjusted_equity == D("1.5") * 60000 * D("0.98")


@pytest.mark.parametrize(("price", "margin"), [("0.02", "0.18"), ("0.3", "0.1")])
def test_mm_3_sell_to_open_asks_initial_less_its_price_but_a_tenth(price: str, margin: str) -> None:
    using = reference()
    # at the money: 0.15 + 0.05 − price, at least 0.1
    sale = order("o1", CALL, "sell", "10", price=price)
    account = book(using, "multi_currency", {"BTC": "1"}, orders=[sale])

    found = figures(account, marked("0.05"), using)

    fee = D(price) * D("0.0005")
    assert found.order_test == D(margin) * 60000
    assert found.adjusted_equity == D("0.98") * 60000 - fee * 60000  # AE-1
    assert found.cancellable == ("o1",)


def test_mm_3_the_future_of_the_same_expiry_is_the_forward() -> None:
    using = reference()
    sale = order("o1", CALL, "sell", "10", price="0.02")
    account = book(using, "multi_currency", {"BTC": "1"}, orders=[sale])

    # out of the money by 10,000 of 50,000: max(0.1, 0.15 − 0.2) + 0.05 − 0.02
    found = figures(account, marked("0.05", BTC_USDT_231229=50000), using)

    assert found.order_test == D("0.13") * 60000
    assert "BTC-USDT-231229/mark" in found.used


def test_cu_4_an_option_buy_holds_premium_and_fee() -> None:
    using = reference()
    account = book(
        using,
        "multi_currency",
        {"BTC": "1"},
        orders=[order("o1", CALL, "buy", "10", price="0.04")],
    )

    found = figures(account, marked("0.05"), using)

    assert found.coins["BTC"].frozen == D("0.04") * D("1.0005")
    assert found.adjusted_equity == D("0.98") * 60000 - D("0.04") * D("1.0005") * 60000


@pytest.mark.parametrize(
    ("kind", "mark", "forward", "delta"),
    [
        ("call", "0.5", 120000, "1"),  # worth what it is in the money: no volatility
        ("call", "0", 30000, "0"),
        ("call", "0", 60000, "0.5"),
        ("call", str(2 * NORMAL - 1), 60000, "0.539827837"),  # σ√t = 0.2
        ("call", "2", 60000, "1"),  # worth more than any volatility makes it
        ("put", "1", 30000, "-1"),  # 60,000 − 30,000, in coin at the forward
        ("put", "0", 120000, "0"),
        ("put", "0", 60000, "-0.5"),
        ("put", str(2 * NORMAL - 1), 60000, "-0.460172163"),
    ],
)
def test_rd_2_delta_from_the_marks_volatility(
    kind: str, mark: str, forward: int, delta: str
) -> None:
    spec = reference().instruments[CALL].model_copy(update={"option_type": kind})

    assert coin_delta(spec, D(mark), D(forward), START) == D(delta)


def test_rd_2_an_option_that_expired_has_no_time_value() -> None:
    spec = reference().instruments[CALL]

    assert coin_delta(spec, D("0.3"), D(60001), EXPIRY) == 1
    assert coin_delta(spec, D("0.3"), D(60001), EXPIRY - 1) < 1


def test_rd_4_a_takeover_leaves_long_options() -> None:
    using = reference()
    positions = [held(CALL, "10"), held(PUT, "-10")]
    account = book(using, "multi_currency", {"USDT": "100"}, positions=positions)
    at = marked("0.01", **{PUT: "30000"})

    step = planned(account, at, using)

    assert step.phase == "takeover"
    assert [a.instrument or a.currency for a in step.actions] == [PUT, "USDT"]
    assert step.book.positions.keys() == {(CALL, "net")}
    # what is left is worth the option alone: 1 BTC × 0.01 at 60,000, rate 0.98
    assert step.after.adjusted_equity == pytest.approx(D("588"))


def batch(account: Any, at: Any, using: Any) -> Plan | None:
    """Return the conversion that is due."""
    return next_conversion(Situation(account, at, using, figures(account, at, using), START))


def _owing(usdt: str, **fields: Any) -> Any:
    quota = {**REFERENCE["currency:USDT"], "interest_free_quota": "2000"}
    using = reference({"currency:USDT": quota})
    cash = {"BTC": "1", "USDT": usdt}
    return book(using, "multi_currency", cash, **{"auto_borrow": False, **fields}), using


def test_in_4_what_is_above_the_quota_is_converted() -> None:
    account, using = _owing("-12000")

    found = batch(account, quotes(BTC=60000, USDT=1), using)

    assert found is not None
    assert found.step is not None
    assert [(a.instrument, str(a.quantity)) for a in found.step.actions] == [("BTC-USDT", "0.1669")]
    assert found.step.after.coins["USDT"].liability <= 2000


@pytest.mark.parametrize(
    ("usdt", "fields"),
    [("-2000", {}), ("-12000", {"auto_borrow": True}), ("-58000", {}), ("12000", {})],
)
def test_in_4_nothing_within_the_quota_with_auto_borrow_or_in_liquidation(
    usdt: str, fields: dict[str, Any]
) -> None:
    account, using = _owing(usdt, **fields)

    assert batch(account, quotes(BTC=60000, USDT=1), using) is None
