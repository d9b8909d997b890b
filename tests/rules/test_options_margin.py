"""Options in an account: CU-3, CU-4, CU-6, CU-10, MM-2, MM-3, MM-4."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance, Position
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import load_reference
from monitor.schema.reference import Instrument
from tests.rules.reduction_world import order, with_orders
from tests.support.accounts import RAW, any_account, any_prices, full_reference, price_book
from tests.support.books import Book

REFERENCE = full_reference()
COIN_CALL, COIN_CALL_NEAR, COIN_PUT = "BTC-USD-70000-C", "BTC-USD-60000-C", "BTC-USD-60000-P"
USDT_CALL, USDT_PUT, ETH_PUT = "BTC-USDT-60000-C", "BTC-USDT-50000-P", "ETH-USD-3000-P"
CLOSE = Decimal("1e-40")


def d(value: str | int) -> Decimal:
    return Decimal(value)


def account(cash: dict[str, str], *held: tuple[str, str], **more: Any) -> Account:
    """`held`: (instrument, contracts); entry prices of options are for showing only."""
    made = Account("a", known=True, auto_borrow=True, **more)
    made.balances = {name: Balance(d(amount)) for name, amount in cash.items()}
    made.positions = {f"{n}/net": Position(n, "net", d(q), d("0.001")) for n, q in held}
    return made


def prices(**changed: str) -> PriceBook:
    """USDT at 1; `index_BTC` and the like change an index, names of instruments a mark."""
    return price_book({"USDT-USD/index": "1", **changed})


def figures(held: Account, book: PriceBook | None = None) -> Figures:
    found = assess(held, REFERENCE, book if book is not None else prices())
    assert found.unpriced == ()
    return found


def close(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= CLOSE * max(Decimal(1), abs(other))


# -- CU-3, CU-6 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "contracts", "mark", "coin", "value"),
    [
        (COIN_CALL, "10", "0.012", "BTC", "0.012"),  # 10 × 1 × 0.1 coins
        (COIN_CALL, "-25", "0.012", "BTC", "-0.03"),
        (USDT_PUT, "10", "700", "USDT", "700"),
        (USDT_PUT, "-1", "700", "USDT", "-70"),
        (ETH_PUT, "10", "0.06", "ETH", "0.06"),
    ],
)
def test_cu_3_options_value_is_in_the_settle_currency_and_in_equity(
    name: str, contracts: str, mark: str, coin: str, value: str
) -> None:
    found = figures(account({coin: "5"}, (name, contracts)), prices(**{f"{name}/mark": mark}))
    currency = found.currencies[coin]
    assert currency.options_value == d(value)
    assert currency.equity == 5 + d(value)
    assert currency.unrealised_pnl == 0
    assert found.positions[f"{name}/net"].options_value == d(value)


def test_cu_6_one_btc_and_an_option_worth_minus_1_1_owe_0_1_from_unrealised_loss() -> None:
    held = account({"BTC": "1"}, (COIN_CALL, "-10"))
    found = figures(held, prices(**{f"{COIN_CALL}/mark": "1.1"})).currencies["BTC"]
    assert found.equity == d("-0.1")
    assert (found.liability, found.upl_liability) == (d("0.1"), d("0.1"))


# -- MM-3: what one coin of a short option asks, in USD --------------------------------------------

TABLE = [
    # name, mark, forward's mark ("" : none, the index serves), initial, maintenance
    (COIN_CALL, "0.012", "60500", "6720", "2520"),  # 9,500 out: a
    (COIN_CALL, "0.012", "68000", str(d(60_000) * (d("0.15") - d(2) / 68) + 720), "2520"),
    (COIN_CALL, "0.012", "", "6720", "2520"),  # 10,000 out of 60,000 is 0.1667: a
    (COIN_CALL_NEAR, "0.05", "60500", "12000", "4800"),  # in the money: b
    (COIN_CALL_NEAR, "0.05", "", "12000", "4800"),  # at the money
    (COIN_PUT, "0.045", "60500", str(d(60_000) * (d("0.15") - d(500) / 60_500) + 2700), "4500"),
    (COIN_PUT, "0.045", "", "11700", "4500"),
    (COIN_PUT, "1.5", "", "99000", "92700"),  # c × mark above c: 0.045 + 1.5
    (USDT_CALL, "3000", "60500", "12000", "4800"),
    (USDT_PUT, "700", "60500", "6700", "2500"),  # 10,500 out: a
    (USDT_PUT, "700", "52000", str(d(60_000) * (d("0.15") - d(2) / 52) + 700), "2500"),
    (USDT_PUT, "80000", "", "86000", "82400"),  # c × mark above c × index
    (ETH_PUT, "0.06", "", "630", "330"),  # c is 0.05 for ETH
]


@pytest.mark.parametrize(("name", "mark", "forward", "initial", "maintenance"), TABLE)
def test_mm_3_what_a_short_option_asks(
    name: str, mark: str, forward: str, initial: str, maintenance: str
) -> None:
    book = prices(**{f"{name}/mark": mark})
    del book.prices["BTC-USDT-FUT/mark"]
    if forward:
        book = prices(**{f"{name}/mark": mark, "BTC-USDT-FUT/mark": forward})
    held = account({"BTC": "9", "ETH": "9", "USDT": "900000"}, (name, "-10"))  # one coin
    found = figures(held, book)
    position = found.positions[f"{name}/net"]
    assert close(position.initial_margin, d(initial))
    assert close(position.maintenance_margin, d(maintenance))
    assert close(found.maintenance_without_orders, d(maintenance))
    if forward and name != ETH_PUT:
        assert "BTC-USDT-FUT/mark" in found.symbols
    assert f"{'ETH' if name == ETH_PUT else 'BTC'}-USD/index" in found.symbols


def test_mm_3_a_usd_margined_mark_counts_at_the_price_of_its_currency() -> None:
    held = account({"BTC": "9"}, (USDT_CALL, "-10"))
    found = figures(held, prices(**{"USDT-USD/index": "0.9"}))
    assert found.positions[f"{USDT_CALL}/net"].maintenance_margin == 1_800 + 2_700


def test_mm_3_parameters_by_underlying() -> None:
    raw = {**RAW, "options": {"BTC": {"a": "0.2", "b": "0.3", "c": "0.04"}}}
    reference = load_reference(raw)
    held = account({"BTC": "9"}, (COIN_CALL, "-10"))
    found = assess(held, reference, prices()).positions[f"{COIN_CALL}/net"]
    assert found.initial_margin == d("0.2") * 60_000 + 720
    assert found.maintenance_margin == d("0.04") * 60_000 + 720


@pytest.mark.parametrize(("contracts", "factor"), [("50", "1"), ("51", "1.5"), ("201", "1.5")])
def test_mm_3_the_factor_goes_by_the_tier(contracts: str, factor: str) -> None:
    held = account({"BTC": "90"}, (COIN_CALL, f"-{contracts}"))
    position = figures(held).positions[f"{COIN_CALL}/net"]
    coins = d(contracts) / 10
    assert position.maintenance_margin == coins * (1_800 * d(factor) + 720)
    assert position.initial_margin == coins * (6_000 * d(factor) + 720)
    assert position.beyond_last_tier == (contracts == "201")


def test_mm_3_long_options_ask_nothing() -> None:
    found = figures(account({"BTC": "1"}, (COIN_CALL, "500")))
    position = found.positions[f"{COIN_CALL}/net"]
    assert position.initial_margin == position.maintenance_margin == position.notional_usd == 0
    assert found.requirement == 0
    assert found.ratio is None
    assert found.symbols == ("BTC-USD-70000-C/mark", "BTC-USD/index")


# -- MM-2, MM-4 ------------------------------------------------------------------------------------


def test_mm_2_short_options_count_at_the_index_and_pay_the_fee_on_it() -> None:
    found = figures(account({"BTC": "9"}, (COIN_CALL, "-20"), (COIN_PUT, "30")))
    assert found.positions[f"{COIN_CALL}/net"].notional_usd == 120_000
    assert found.positions[f"{COIN_PUT}/net"].notional_usd == 0
    assert found.position_value == 120_000
    assert found.liquidation_fee == 60  # MM-4


def test_mm_2_the_short_contracts_of_a_family_share_a_tier_whatever_the_strike() -> None:
    """30 and 30 are 60: the second tier; long ones and those of another family do not count."""
    held = account(
        {"BTC": "90", "USDT": "90000"},
        (COIN_CALL, "-30"),
        (COIN_PUT, "-30"),
        (COIN_CALL_NEAR, "400"),
        (USDT_PUT, "-40"),
    )
    found = figures(held).positions
    assert [found[f"{n}/net"].tier for n in (COIN_CALL, COIN_PUT, USDT_PUT)] == [2, 2, 1]
    assert found[f"{COIN_CALL}/net"].maintenance_margin == 3 * (1_800 * d("1.5") + 720)


def test_mm_2_orders_that_sell_to_open_count_for_the_tier_and_bought_ones_do_not() -> None:
    held = account({"BTC": "90"}, (COIN_CALL, "-30"))
    with_orders(held, order("o", COIN_PUT, "buy", "100", "0.045"))
    assert figures(held).positions[f"{COIN_CALL}/net"].tier == 1
    with_orders(held, order("o", COIN_PUT, "sell", "30", "0.045"))
    found = figures(held)
    assert found.positions[f"{COIN_CALL}/net"].tier == 2
    # OC-1's left side knows no orders
    assert found.maintenance_without_orders == 3 * (1_800 + 720)


# -- MM-3: orders ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "initial"),
    [
        ("0.01", 6_120),  # 6,720 − 600
        ("0.012", 6_000),
        ("0.02", 6_000),  # not below a tenth of the index
        (None, 6_000),  # a market order at the mark
    ],
)
def test_mm_3_selling_to_open(price: str | None, initial: int) -> None:
    held = with_orders(account({"BTC": "9"}), order("o", COIN_CALL, "sell", "10", price))
    found = figures(held)
    assert found.initial_margin == initial
    assert found.order_requirement == initial
    assert found.maintenance_margin == 2_520  # MM-1
    assert found.liquidation_fee == 30  # MM-4: the index × the derivative taker
    assert found.maintenance_without_orders == 0
    fee = d(price or "0.012") * d("0.0005")
    assert found.estimated_fees == fee * 60_000
    assert found.currencies["BTC"].frozen == fee


def test_mm_3_selling_what_is_held_long_opens_nothing() -> None:
    held = with_orders(
        account({"BTC": "9"}, (COIN_CALL, "10")), order("o", COIN_CALL, "sell", "15", "0.01")
    )
    found = figures(held)
    assert found.initial_margin == 3_060
    assert found.maintenance_margin == 1_260


@pytest.mark.parametrize(("price", "margin"), [("0.2", 5_280), ("0.112", 0), ("0.05", 0)])
def test_mm_3_buying_back(price: str, margin: int) -> None:
    """Of 60 × price in USD what exceeds the 6,720 that the position asks already."""
    held = account({"BTC": "9"}, (COIN_CALL, "-10"))
    bare = figures(held)
    found = figures(with_orders(held, order("o", COIN_CALL, "buy", "10", price)))
    assert found.initial_margin == bare.initial_margin + margin
    assert found.maintenance_margin == bare.maintenance_margin
    assert found.order_requirement == 0


def test_mm_3_a_short_is_bought_back_once() -> None:
    held = account({"BTC": "9"}, (COIN_CALL, "-10"))
    with_orders(
        held,
        order("a", COIN_CALL, "buy", "8", "0.2"),
        order("b", COIN_CALL, "buy", "8", "0.2"),
    )
    assert figures(held).initial_margin == 6_720 + 5_280


def test_mm_3_a_short_side_is_bought_back_once_in_long_short_mode_too() -> None:
    held = account({"BTC": "9"}, position_mode="long_short")
    held.positions = {f"{COIN_CALL}/short": Position(COIN_CALL, "short", d(-10), d("0.01"))}
    with_orders(
        held,
        order("a", COIN_CALL, "buy", "8", "0.2", position_side="short"),
        order("b", COIN_CALL, "buy", "8", "0.2", position_side="short"),
    )
    assert figures(held).initial_margin == 6_720 + 5_280


def test_mm_3_buying_long_beside_a_short_buys_nothing_back() -> None:
    held = account({"BTC": "9"}, position_mode="long_short")
    held.positions = {f"{COIN_CALL}/short": Position(COIN_CALL, "short", d(-10), d("0.01"))}
    made = order("o", COIN_CALL, "buy", "10", "0.2", position_side="long")
    assert figures(with_orders(held, made)).initial_margin == 6_720
    made = order("o", COIN_CALL, "buy", "10", "0.2", position_side="short")
    assert figures(with_orders(held, made)).initial_margin == 12_000


# -- CU-4, AE-1 --------------------------------------------------------------------------------------


def test_cu_4_option_buys_freeze_premium_and_fee_and_ae_1_takes_them_off() -> None:
    held = account({"BTC": "1"})
    bare = figures(held)
    found = figures(with_orders(held, order("o", COIN_CALL, "buy", "20", "0.015")))
    frozen = d("0.03") + d("0.03") * d("0.0005")
    assert found.currencies["BTC"].frozen == frozen
    assert found.currencies["BTC"].available == 1 - frozen
    assert found.frozen_premium_usd == frozen * 60_000
    assert found.estimated_fees == 0  # the fee is in the premium's freeze
    assert found.adjusted_equity == bare.adjusted_equity - frozen * 60_000
    assert found.initial_margin == 0


def test_cu_7_a_premium_that_is_not_there_is_borrowed() -> None:
    held = with_orders(account({"BTC": "1"}), order("o", USDT_CALL, "buy", "10", "3000"))
    found = figures(held).currencies["USDT"]
    assert found.liability == 0
    assert found.potential_borrowing == 3_000 + d("1.5")


# -- CU-10 -------------------------------------------------------------------------------------------


def traded(book: Book, side: str, price: str) -> None:
    message: dict[str, Any] = {"instrument": USDT_CALL, "side": side, "quantity": "10"}
    assert book.take("fills", **message, price=price, fee_currency="USDT").applied, book.reasons()


def test_cu_10_falling_option_value() -> None:
    """Bought out of nothing at its mark it costs no liability; what it then loses is one."""
    book = Book(REFERENCE).open()
    book.take("transfers", currency="BTC", amount="1")
    traded(book, "buy", "3000")
    assert figures(book.account).currencies["USDT"].liability == 0
    fallen = figures(book.account, prices(**{f"{USDT_CALL}/mark": "2000"})).currencies["USDT"]
    assert fallen.liability == 1_000


def test_cu_10_buying_back_a_short_option_moves_the_debt_from_unrealised_to_cash() -> None:
    book = Book(REFERENCE).open()
    book.take("transfers", currency="BTC", amount="1")
    traded(book, "sell", "3000")
    risen = prices(**{f"{USDT_CALL}/mark": "5000"})
    before = figures(book.account, risen).currencies["USDT"]
    assert (before.cash, before.options_value) == (d(3_000), d(-5_000))
    assert (before.liability, before.upl_liability) == (d(2_000), d(2_000))
    traded(book, "buy", "5000")
    after = figures(book.account, risen).currencies["USDT"]
    assert (after.liability, after.upl_liability) == (d(2_000), d(0))


# -- PX-3 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "contracts", "missing", "unpriced"),
    [
        (COIN_CALL, "10", f"{COIN_CALL}/mark", True),
        (COIN_CALL, "-10", "BTC-USD/index", True),
        (COIN_CALL, "-10", "BTC-USDT-FUT/mark", False),  # the index serves
        (USDT_CALL, "10", "BTC-USD/index", False),  # a long one needs no index of its underlying
        (USDT_CALL, "-10", "BTC-USD/index", True),
    ],
)
def test_px_3_options_need_their_own_prices_only(
    name: str, contracts: str, missing: str, unpriced: bool
) -> None:
    book = prices()
    del book.prices[missing]
    found = assess(account({"USDT": "9000"}, (name, contracts)), REFERENCE, book)
    assert found.unpriced == ((missing,) if unpriced else ())


# -- properties ----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_mm_3_a_short_option_asks_at_least_what_it_would_cost_to_buy_back(
    seed: int,
) -> None:
    rng = Random(seed)
    book = any_prices(rng)
    held = any_account(rng, REFERENCE, book)
    found = assess(held, REFERENCE, book)
    for position in found.positions.values():
        instrument: Instrument = REFERENCE.instruments[position.instrument]
        if instrument.kind != "option":
            continue
        settle = book.index(instrument.settle or instrument.quote)
        worth = -position.options_value * settle
        if position.quantity < 0:
            assert position.initial_margin >= worth
            assert position.maintenance_margin >= worth
            assert position.notional_usd > 0
        else:
            assert position.initial_margin == position.maintenance_margin == 0
