"""CU-1 to CU-10: one currency of one account, in spot and multi_currency mode."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.account import Account, Balance
from monitor.currency import (
    discounted,
    equity_for_discounted,
    liability,
    potential_borrowing,
    upl_liability,
)
from monitor.margin import CurrencyFigures, assess
from monitor.reference import load_reference
from monitor.schema.reference import Currency, DiscountTier
from monitor.terms import coin_terms
from tests.rules.reduction_world import (
    account,
    d,
    order,
    price_book,
    raw_reference,
    with_orders,
)
from tests.support.books import Book

REFERENCE = load_reference(raw_reference())


def currency_of(
    held: Account, name: str, prices: Mapping[str, str] | None = None
) -> CurrencyFigures:
    figures = assess(held, REFERENCE, price_book(REFERENCE, prices))
    assert figures.unpriced == ()
    return figures.currencies[name]


def spot(
    cash: Mapping[str, str], borrowed: Mapping[str, str] | None = None, **more: Any
) -> Account:
    return account(cash, mode="spot", borrowed=borrowed, **more)


# -- CU-1, CU-2 -------------------------------------------------------------------------------


def test_cu_1_equity_is_cash_less_borrowed_less_interest_plus_unrealised_pnl() -> None:
    held = spot({"BTC": "2"}, {"BTC": "0.5"})
    held.balances["BTC"].accrued_interest = d("0.1")
    assert currency_of(held, "BTC").equity == d("1.4")
    held = account(
        {"USDT": "100"}, [("BTC-USDT-SWAP", "100", "59000"), ("BTC-USDT-FUT", "-50", "59000")]
    )
    found = currency_of(held, "USDT")
    assert found.unrealised_pnl == 1000 - 500
    assert found.equity == 600


@pytest.mark.parametrize(
    ("place", "quantity", "entry", "coin", "pnl"),
    [
        ("BTC-USDT-SWAP", "100", "59000", "USDT", "1000"),
        ("BTC-USDT-SWAP", "-100", "59000", "USDT", "-1000"),
        ("BTC-USDT-SWAP", "100", "60000", "USDT", "0"),
        ("BTC-USD-SWAP", "60", "50000", "BTC", "0.02"),  # 6,000 USD: 0.12 − 0.1
        ("BTC-USD-SWAP", "-60", "50000", "BTC", "-0.02"),
        ("ETH-USDT-SWAP/short", "-10", "3100", "USDT", "100"),
    ],
)
def test_cu_2_unrealised_pnl(place: str, quantity: str, entry: str, coin: str, pnl: str) -> None:
    held = account({}, [(place, quantity, entry)])
    # 1 / entry and 1 / mark are rounded to 50 digits each
    assert abs(currency_of(held, coin).unrealised_pnl - d(pnl)) < Decimal("1e-48")


def test_cu_2_the_multiplier_counts() -> None:
    raw = raw_reference()
    raw["instruments"]["BTC-USDT-SWAP"]["multiplier"] = "5"
    reference = load_reference(raw)
    held = account({}, [("BTC-USDT-SWAP", "100", "59000")])
    figures = assess(held, reference, price_book(reference))
    assert figures.currencies["USDT"].unrealised_pnl == 5000
    assert figures.positions["BTC-USDT-SWAP/net"].notional_usd == 300_000


# -- CU-4, CU-5 -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "coin", "frozen"),
    [
        (order("o", "BTC-USDT", "sell", "0.5", "61000"), "BTC", "0.5"),
        (order("o", "BTC-USDT", "buy", "0.5", "59000"), "USDT", "29500"),
        (order("o", "BTC-USDT", "buy", "0.5"), "USDT", "30000"),  # a market order at the index
        (order("o", "ETH-BTC", "buy", "10", "0.05"), "BTC", "0.5"),
        (order("o", "BTC-USDT", "sell", "0.5", "1", filled_quantity=d("0.2")), "BTC", "0.3"),
        (order("o", "BTC-USDT", "sell", "0.5", "1", fills_seen=d("0.3")), "BTC", "0.2"),
        (order("o", "BTC-USDT-SWAP", "buy", "100", "58000"), "USDT", "29"),  # 58,000 × 0.0005
        (order("o", "BTC-USDT-SWAP", "sell", "100"), "USDT", "30"),  # at the mark
        (order("o", "BTC-USDT-SWAP", "sell", "100", "58000", reduce_only=True), "USDT", "29"),
        (order("o", "BTC-USD-SWAP", "buy", "60", "50000"), "BTC", "0.00006"),  # 0.12 × 0.0005
    ],
)
def test_cu_4_what_an_open_order_freezes(made: Any, coin: str, frozen: str) -> None:
    held = with_orders(account({"USDT": "100000", "BTC": "9"}), made)
    assert currency_of(held, coin).frozen == d(frozen)
    others = {"USDT", "BTC"} - {coin}
    assert all(currency_of(held, other).frozen == 0 for other in others)


def test_cu_4_a_market_order_goes_by_the_cross_rate_of_the_indices() -> None:
    held = with_orders(account({"USDT": "100000"}), order("o", "BTC-USDT", "buy", "0.5"))
    assert currency_of(held, "USDT", {"USDT-USD/index": "0.5"}).frozen == 60_000


@pytest.mark.parametrize(
    ("cash", "frozen", "available", "balance"),
    [("100", "30", "80", "70"), ("25", "30", "5", "0"), ("10", "30", "0", "0")],
)
def test_cu_5_available_equity_and_balance(
    cash: str, frozen: str, available: str, balance: str
) -> None:
    """A PnL of 10 adds to the equity, not to the cash."""
    made = order("o", "SOL-USDT", "buy", "0.3", "100")
    held = with_orders(account({"USDT": cash}, [("BTC-USDT-SWAP", "1", "59000")]), made)
    found = currency_of(held, "USDT")
    assert (str(found.frozen), found.available, found.available_balance) == (
        f"{frozen}.0",
        d(available),
        d(balance),
    )


# -- CU-6 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equity", "owed"), [("5", "0"), ("0", "0"), ("-0.000001", "0.000001"), ("-70", "70")]
)
def test_cu_6_liability_is_the_negative_equity(equity: str, owed: str) -> None:
    assert liability("multi_currency", d(9), d(0), d(0), d(equity)) == d(owed)


@pytest.mark.parametrize(
    ("cash", "borrowed", "interest", "owed"),
    [
        ("100", "0", "0", "0"),
        ("100", "30", "2", "32"),  # held and owed at once
        ("-5", "30", "2", "37"),
        ("-5", "0", "0", "5"),
    ],
)
def test_cu_6_liability_in_spot_mode(cash: str, borrowed: str, interest: str, owed: str) -> None:
    equity = d(cash) - d(borrowed) - d(interest)
    assert liability("spot", d(cash), d(borrowed), d(interest), equity) == d(owed)


@pytest.mark.parametrize(
    ("cash", "interest", "pnl", "from_loss"),
    [
        ("-50", "0", "-100", "100"),  # SPEC's example
        ("50", "0", "-100", "50"),
        ("-50", "0", "20", "0"),
        ("-50", "10", "-100", "100"),
        ("5", "10", "-100", "100"),
        ("50", "0", "-20", "0"),
    ],
)
def test_cu_6_the_part_of_a_liability_that_comes_from_unrealised_loss(
    cash: str, interest: str, pnl: str, from_loss: str
) -> None:
    equity = d(cash) - d(interest) + d(pnl)
    owed = liability("multi_currency", d(cash), d(0), d(interest), equity)
    assert upl_liability(owed, d(cash), d(interest)) == d(from_loss)


def test_cu_6_cash_minus_50_and_pnl_minus_100_on_a_book() -> None:
    found = currency_of(account({"USDT": "-50"}, [("BTC-USDT-SWAP", "10", "61000")]), "USDT")
    assert found.liability == 150
    assert found.upl_liability == 100


# -- CU-7 -------------------------------------------------------------------------------------


def borrowing(
    held: Account, cash: str, equity: str, owed: str, without: str = "0", with_: str = "0"
) -> Decimal:
    return potential_borrowing(held, d(cash), d(equity), d(owed), d(without), d(with_))


@pytest.mark.parametrize(
    ("without", "with_", "expected"),
    [
        ("60", "100", "60"),  # SPEC's example: cash 100, sell 60 without, sell 100 with
        ("60", "0", "0"),
        ("0", "100", "0"),
        ("0", "130", "30"),
        ("130", "0", "0"),  # orders without auto-borrow cannot raise it
        ("130", "10", "10"),  # nothing is left for those with
    ],
)
def test_cu_7_in_spot_mode_the_order_s_own_flag_decides(
    without: str, with_: str, expected: str
) -> None:
    assert borrowing(spot({}), "100", "100", "0", without, with_) == d(expected)


def test_cu_7_spot_example_on_a_book() -> None:
    held = with_orders(
        spot({"SOL": "100"}),
        order("a", "SOL-USDT", "sell", "60", "100", auto_borrow=False),
        order("b", "SOL-USDT", "sell", "100", "100", auto_borrow=True),
    )
    assert currency_of(held, "SOL").potential_borrowing == 60


def test_cu_7_in_spot_mode_the_account_s_own_setting_says_nothing() -> None:
    sale = order("a", "SOL-USDT", "sell", "160", "100", auto_borrow=False)
    held = with_orders(spot({"SOL": "100"}), sale)
    assert currency_of(held, "SOL").potential_borrowing == 0
    sale.auto_borrow, held.auto_borrow = True, False
    assert currency_of(held, "SOL").potential_borrowing == 60


def test_cu_7_in_spot_mode_debts_stay_and_negative_cash_frees_nothing() -> None:
    assert borrowing(spot({}), "100", "70", "30", with_="130") == 60
    assert borrowing(spot({}), "-20", "-50", "50", with_="10") == 60


@pytest.mark.parametrize(
    ("equity", "frozen", "expected"),
    [("100", "60", "0"), ("100", "160", "60"), ("-20", "0", "20"), ("-20", "30", "50")],
)
def test_cu_7_in_multi_currency_it_is_the_equity_short_of_what_is_frozen(
    equity: str, frozen: str, expected: str
) -> None:
    owed = max(d(0), -d(equity))
    held = account({})
    assert borrowing(held, equity, equity, str(owed), with_=frozen) == d(expected)
    held.auto_borrow = False  # the account's setting, whatever the orders say
    assert borrowing(held, equity, equity, str(owed), frozen) == owed


# -- CU-8 -------------------------------------------------------------------------------------


def borrower(leverage: str | None, tiers: list[tuple[str, str]]) -> CurrencyFigures:
    """2 BTC owed at 60,000."""
    raw = raw_reference()
    raw["currencies"]["BTC"]["borrow_tiers"] = [
        {"up_to": up_to, "initial": initial, "maintenance": "0.01"} for up_to, initial in tiers
    ]
    reference = load_reference(raw)
    held = account({"BTC": "-2", "USDT": "500000"})
    held.borrow_leverage = {} if leverage is None else {"*": d(leverage)}
    return assess(held, reference, price_book(reference)).currencies["BTC"]


def test_cu_8_two_btc_at_five_times_freeze_0_4_btc() -> None:
    found = borrower("5", [("10", "0.1")])
    assert found.borrow_margin_usd == 24_000
    assert found.borrow_margin_usd / found.price == d("0.4")
    assert found.borrow_leverage == 5


@pytest.mark.parametrize(
    ("leverage", "initial", "margin"),
    [(None, "0.1", 120_000), ("20", "0.1", 12_000), ("5", "0.2", 24_000), ("5", "0.3", 36_000)],
)
def test_cu_8_leverage_1_where_none_is_set_and_never_below_the_tier_s_initial_rate(
    leverage: str | None, initial: str, margin: int
) -> None:
    assert borrower(leverage, [("10", initial)]).borrow_margin_usd == margin


@pytest.mark.parametrize(("first", "margin"), [("2", 12_000), ("1.999999", 60_000)])
def test_cu_8_the_tier_is_found_by_the_potential_borrowing(first: str, margin: int) -> None:
    assert borrower("10", [(first, "0.1"), ("5", "0.5")]).borrow_margin_usd == margin


def test_cu_8_the_borrowing_that_an_order_would_bring_counts_for_the_tier() -> None:
    held = account({"BTC": "50", "USDT": "-900000"})
    assert currency_of(held, "USDT").borrow_tier == 1
    with_orders(held, order("o", "SOL-USDT", "buy", "2000", "100"))
    found = currency_of(held, "USDT")
    assert (found.liability, found.potential_borrowing) == (d(900_000), d(1_100_000))
    assert found.borrow_tier == 2


def test_cu_8_a_currency_s_own_borrow_leverage_comes_before_the_general_one() -> None:
    held = account({"BTC": "-2", "ETH": "-2", "USDT": "500000"})
    held.borrow_leverage = {"*": d(2), "BTC": d(4)}
    assert currency_of(held, "BTC").borrow_margin_usd == 30_000
    assert currency_of(held, "ETH").borrow_margin_usd == 3_000


# -- CU-9 -------------------------------------------------------------------------------------

TIERS = [{"up_to": "20", "rate": "0.98"}, {"up_to": "25", "rate": "0.9775"}]


def entry(unit: str = "coin", minimum: str = "0", **more: Any) -> Currency:
    return Currency.model_validate(
        {"discount_tiers": TIERS, "tier_unit": unit, "minimum_rate": minimum, **more}
    )


@pytest.mark.parametrize(
    ("equity", "minimum", "expected"),
    [
        ("0", "0", "0"),
        ("10", "0", "9.8"),
        ("20", "0", "19.6"),
        ("22", "0", "21.555"),  # 19.6 + 2 × 0.9775
        ("25", "0", "24.4875"),
        ("30", "0", "24.4875"),  # beyond the last tier: the minimum rate
        ("30", "0.5", "26.9875"),
        ("-3", "0", "-3"),  # in full
    ],
)
def test_cu_9_each_slice_at_its_own_rate(equity: str, minimum: str, expected: str) -> None:
    assert discounted(coin_terms(entry(minimum=minimum)), d(equity), d(100), True) == 100 * d(
        expected
    )


@pytest.mark.parametrize(
    ("equity", "expected"),
    [("0.2", "19.6"), ("0.22", "21.555"), ("0.3", "24.4875"), ("-1", "-100")],
)
def test_cu_9_tiers_in_usd_go_by_the_value(equity: str, expected: str) -> None:
    assert discounted(coin_terms(entry("usd")), d(equity), d(100), True) == d(expected)


@pytest.mark.parametrize(
    ("mode", "eligible", "off", "counts"),
    [
        ("spot", True, False, True),
        ("spot", True, True, True),  # in spot mode every eligible one counts
        ("spot", False, False, False),
        ("multi_currency", True, False, True),
        ("multi_currency", True, True, False),
        ("multi_currency", False, False, False),
    ],
)
def test_cu_9_what_counts_as_collateral(mode: str, eligible: bool, off: bool, counts: bool) -> None:
    raw = raw_reference()
    raw["currencies"]["ETH"]["collateral"] = eligible
    reference = load_reference(raw)
    held = account({"ETH": "10"}, mode=mode)
    held.collateral_off = ("ETH",) if off else ()
    figures = assess(held, reference, price_book(reference))
    assert figures.adjusted_equity == (27_000 if counts else 0)
    assert figures.total_equity == 30_000
    held.balances["ETH"] = Balance(d(-10))  # a debt counts in full, collateral or not
    assert (
        assess(held, reference, price_book(reference)).currencies["ETH"].discounted_usd == -30_000
    )


def test_cu_9_usd_counts_in_full_without_an_entry() -> None:
    assert currency_of(account({"USD": "12.5"}), "USD").discounted_usd == d("12.5")


amounts = st.decimals(-50, 50, places=4)
long_amounts = st.decimals("0.001", 900, places=40)


def counted_tier_by_tier(found: Currency, equity: Decimal, price: Decimal) -> Decimal:
    amount = equity * price if found.tier_unit == "usd" else equity
    total = below = Decimal(0)
    for tier in (*found.discount_tiers, None):
        upper = amount if tier is None else min(amount, tier.up_to)
        rate = found.minimum_rate if tier is None else tier.rate
        total += (upper - below) * rate
        if tier is None or amount <= tier.up_to:
            break
        below = tier.up_to
    return total if found.tier_unit == "usd" else total * price


@given(
    st.lists(st.tuples(long_amounts, st.decimals(0, 1, places=40)), max_size=5),
    long_amounts,
    long_amounts,
    st.sampled_from(["coin", "usd"]),
)
def test_cu_9_running_sums_come_to_the_digit_to_what_tier_by_tier_does(
    tiers: list[tuple[Decimal, Decimal]], equity: Decimal, price: Decimal, unit: str
) -> None:
    rising = sorted({up_to: DiscountTier(up_to=up_to, rate=rate) for up_to, rate in tiers}.items())
    found = entry(unit, "0.123456789", discount_tiers=[tier for _, tier in rising])
    counts = discounted(coin_terms(found), equity, price, True)
    assert counts == counted_tier_by_tier(found, equity, price)


@given(amounts, amounts, st.sampled_from(["coin", "usd"]), st.sampled_from(["0", "0.3"]))
def test_cu_9_more_equity_never_counts_for_less_and_never_for_more_than_it_is(
    one: Decimal, other: Decimal, unit: str, minimum: str
) -> None:
    low, high = sorted((one, other))
    found = coin_terms(entry(unit, minimum))
    rise = discounted(found, high, d(3), True) - discounted(found, low, d(3), True)
    assert 0 <= rise <= (high - low) * 3


@given(amounts, st.sampled_from(["coin", "usd"]))
def test_cu_9_the_equity_for_a_discounted_value_is_its_inverse(equity: Decimal, unit: str) -> None:
    found = entry(unit, "0.3")
    value = discounted(coin_terms(found), equity, d(3), True)
    back = equity_for_discounted(found, value, d(3), True)
    assert back is not None
    assert abs(back - equity) < Decimal("1e-40")


def test_cu_9_no_equity_counts_for_more_than_the_tiers_give() -> None:
    assert equity_for_discounted(entry(), d("24.4876"), d(1), True) is None
    assert equity_for_discounted(entry(), d(1), d(1), False) is None


# -- CU-10 ------------------------------------------------------------------------------------


def lived(*messages: tuple[str, dict[str, Any]], **settings: Any) -> Account:
    """A book after `messages`, each a topic and its fields."""
    made = Book(REFERENCE).open(**settings)
    for topic, message in messages:
        assert made.take(topic, **message).applied, made.reasons()
    return made.account


def swap(quantity: str, price: str, fee: str = "0") -> tuple[str, dict[str, Any]]:
    side = "sell" if quantity.startswith("-") else "buy"
    fields = {"instrument": "BTC-USDT-SWAP", "side": side, "quantity": quantity.lstrip("-")}
    return "fills", {**fields, "price": price, "fee": fee}


def deposit(coin: str, amount: str) -> tuple[str, dict[str, Any]]:
    return "transfers", {"currency": coin, "amount": amount}


def test_cu_10_a_spot_sale_of_what_is_not_held() -> None:
    sale = {"instrument": "BTC-USDT", "side": "sell", "quantity": "0.1", "price": "60000"}
    held = lived(deposit("ETH", "10"), ("fills", sale))
    assert currency_of(held, "BTC").liability == d("0.1")
    assert currency_of(held, "USDT").equity == 6000


def test_cu_10_trading_fees() -> None:
    assert currency_of(
        lived(deposit("BTC", "1"), swap("1", "60000", "0.3")), "USDT"
    ).liability == d("0.3")


def test_cu_10_unrealised_loss_and_its_return() -> None:
    held = lived(deposit("BTC", "1"), swap("10", "60100"))
    found = currency_of(held, "USDT")
    assert (found.liability, found.upl_liability) == (d(10), d(10))
    assert currency_of(held, "USDT", {"BTC-USDT-SWAP/mark": "60100"}).liability == 0


def test_cu_10_a_realised_loss_is_no_unrealised_liability() -> None:
    found = currency_of(
        lived(deposit("BTC", "1"), swap("10", "60100"), swap("-10", "60000")), "USDT"
    )
    assert (found.liability, found.upl_liability) == (d(10), d(0))


def test_cu_10_funding() -> None:
    paid = {"kind": "funding", "currency": "USDT", "amount": "-7", "instrument": "BTC-USDT-SWAP"}
    assert currency_of(lived(deposit("BTC", "1"), ("transfers", paid)), "USDT").liability == 7


def test_cu_10_the_margin_of_a_cross_derivative_is_not_borrowed() -> None:
    """A short of 5,000 USD that settles in a coin that is not held: fee and loss are its debts."""
    raw = raw_reference()
    raw["instruments"]["ETH-USD-SWAP"] = {
        **raw["instruments"]["BTC-USD-SWAP"],
        "family": "ETH-USD",
        "underlying": "ETH",
        "settle": "ETH",
        "contract_value": "10",
    }
    reference = load_reference(raw)
    made = Book(reference).open(leverage={"ETH-USD-SWAP": "10"})
    for coin, amount in (("BTC", "0.4"), ("SOL", "60"), ("USDT", "20000")):
        made.take("transfers", currency=coin, amount=amount)
    mark = {"ETH-USD-SWAP/mark": "3000"}
    made.fill("ETH-USD-SWAP", "-500", "3000")
    figures = assess(made.account, reference, price_book(reference, mark))
    assert figures.currencies["ETH"].potential_borrowing == 0
    assert figures.initial_margin == 500
    assert figures.maintenance_margin == 20
    made.take("transfers", kind="adjustment", currency="ETH", amount="-0.001")  # the fee
    figures = assess(made.account, reference, price_book(reference, {"ETH-USD-SWAP/mark": "4000"}))
    # 5,000 USD: 1/3,000 − 1/4,000
    assert figures.currencies["ETH"].liability == pytest.approx(d(5000) / 12_000 + d("0.001"))
