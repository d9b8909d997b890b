"""MR-3: the figures of isolated positions, and what isolated orders freeze (CU-4)."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance, IsolatedPosition, Position
from monitor.margin import Figures, assess
from monitor.margin.figures import IsolatedFigures
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from tests.rules.reduction_world import order, with_orders
from tests.support.accounts import RAW, any_account, any_prices, full_reference, price_book
from tests.support.books import Book

REFERENCE = full_reference()
SWAP, INVERSE, SPOT = "BTC-USDT-SWAP", "BTC-USD-SWAP", "BTC-USDT"
FLAT = {"USDT-USD/index": "1", f"{SWAP}/mark": "60000", f"{INVERSE}/mark": "60000"}


def d(value: str | int) -> Decimal:
    return Decimal(value)


def isolated(
    instrument: str, quantity: str, entry: str, margin: str, coin: str = "USDT", **more: Any
) -> IsolatedPosition:
    made = IsolatedPosition(instrument, "net", d(quantity), d(entry), d(margin), coin, **more)
    if instrument == SPOT:
        made.liability_currency = "USDT" if made.quantity > 0 else "BTC"
    return made


def account(*held: IsolatedPosition, cash: dict[str, str] | None = None) -> Account:
    made = Account("a", known=True, auto_borrow=True)
    made.balances = {n: Balance(d(a)) for n, a in (cash or {"USDT": "1000"}).items()}
    made.isolated = {f"{one.instrument}/isolated/{one.side}": one for one in held}
    return made


def prices(**changed: str) -> PriceBook:
    return price_book({**FLAT, **changed})


def figures(
    held: Account, book: PriceBook | None = None, reference: Reference = REFERENCE
) -> Figures:
    found = assess(held, reference, book if book is not None else prices())
    assert found.unpriced == ()
    return found


def own(held: IsolatedPosition, book: PriceBook | None = None) -> IsolatedFigures:
    (found,) = figures(account(held), book).isolated.values()
    return found


# -- derivatives -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "mark", "pnl", "maintenance", "fee"),
    [
        ("100", "60000", 0, "240", "30"),
        ("100", "57000", -3_000, "228", "28.5"),
        ("-100", "57000", 3_000, "228", "28.5"),
        ("-150", "63000", -4_500, "945", "47.25"),  # its own second tier: 1 %
    ],
)
def test_mr_3_margin_and_pnl_by_maintenance_and_fee(
    quantity: str, mark: str, pnl: int, maintenance: str, fee: str
) -> None:
    found = own(isolated(SWAP, quantity, "60000", "6000"), prices(**{f"{SWAP}/mark": mark}))
    assert found.unrealised_pnl == pnl
    assert found.equity == 6_000 + pnl
    assert (found.maintenance_margin, found.liquidation_fee) == (d(maintenance), d(fee))
    assert found.ratio == found.equity / (d(maintenance) + d(fee))
    assert found.requirement == d(maintenance) + d(fee)


def test_mr_3_an_inverse_contract_s_margin_and_pnl_are_coin() -> None:
    """3,000 USD from 50,000: 0.06 − 0.05 BTC on 0.02 BTC, at 60,000."""
    found = own(isolated(INVERSE, "30", "50000", "0.02", "BTC"))
    assert abs(found.equity - 1_800) < Decimal("1e-40")
    assert found.requirement == 3_000 * d("0.0045")


def test_mr_3_a_margin_counts_at_the_price_of_its_coin() -> None:
    found = own(isolated(SWAP, "100", "59000", "6000"), prices(**{"USDT-USD/index": "0.9"}))
    assert found.equity == d("0.9") * 7_000
    assert found.notional_usd == d("0.9") * 60_000


def test_mr_3_negative_equity_is_a_negative_ratio() -> None:
    found = own(isolated(SWAP, "100", "60000", "100"), prices(**{f"{SWAP}/mark": "59000"}))
    assert (found.equity, found.ratio) == (d(-900), d(-900) / (d(59_000) * d("0.0045")))


def test_mm_2_cross_and_each_isolated_position_have_tiers_apart() -> None:
    held = account(isolated(SWAP, "60", "60000", "6000"))
    held.positions = {f"{SWAP}/net": Position(SWAP, "net", d(60), d(60_000))}
    with_orders(held, order("o", SWAP, "buy", "60", "60000", margin_mode="isolated"))
    found = figures(held)
    assert found.positions[f"{SWAP}/net"].tier == 1
    assert found.isolated[f"{SWAP}/isolated/net"].tier == 1
    assert own(isolated(SWAP, "900.1", "60000", "6000")).beyond_last_tier


# -- margin positions --------------------------------------------------------------------------------


def test_mr_3_a_long_margin_position_s_debt_costs_its_rate_and_its_fee() -> None:
    """2 BTC on 120,000 USDT borrowed (third tier) and 60 of interest, at 61,000."""
    held = isolated(SPOT, "2", "60000", "24000")
    held.liability, held.accrued_interest = d(120_000), d(60)
    found = own(held, prices(**{"BTC-USD/index": "61000"}))
    assert found.mark == 61_000
    assert found.unrealised_pnl == 2_000 - 60
    assert found.equity == 25_940
    debt = d(120_060)
    assert found.notional_usd == debt
    assert found.maintenance_margin == debt * d("0.05")
    assert found.liquidation_fee == debt * d("1.05") * d("0.001")
    assert found.ratio == d(25_940) / (debt * (d("0.05") + d("1.05") * d("0.001")))
    assert (found.tier, found.beyond_last_tier) == (3, True)


@pytest.mark.parametrize(
    ("liability", "tier", "rate"), [("0.5", 1, "0.02"), ("0.51", 2, "0.03"), ("1.01", 3, "0.06")]
)
def test_mr_3_a_short_margin_position_owes_the_base(liability: str, tier: int, rate: str) -> None:
    held = isolated(SPOT, f"-{liability}", "60000", "12000")
    held.liability = d(liability)
    found = own(held, prices(**{"BTC-USD/index": "63000"}))
    assert found.unrealised_pnl == -3_000 * d(liability)
    assert found.tier == tier
    assert found.maintenance_margin == 63_000 * d(liability) * d(rate)


def test_mr_3_a_short_s_interest_is_valued_in_the_quote() -> None:
    held = isolated(SPOT, "-1", "60000", "12000")
    held.liability, held.accrued_interest = d(1), d("0.01")
    found = own(held, prices(**{"USDT-USD/index": "0.5", "BTC-USD/index": "30000"}))
    assert found.unrealised_pnl == -600
    assert found.equity == 5_700
    assert found.notional_usd == d("1.01") * 30_000
    assert found.tier == 3  # by debt and interest


def test_mr_3_a_margin_in_base_coin_moves_with_it() -> None:
    held = isolated(SPOT, "1", "60000", "0.2", "BTC")
    held.liability = d(60_000)
    assert own(held, prices(**{"BTC-USD/index": "66000"})).equity == 13_200 + 6_000


def test_mr_3_nothing_owed_is_no_ratio() -> None:
    found = own(isolated(SPOT, "1", "60000", "100"))
    assert found.ratio is None


# -- the account -----------------------------------------------------------------------------------


def test_mr_3_isolated_positions_are_no_part_of_the_cross_ratio() -> None:
    bare = account(cash={"USDT": "1000", "BTC": "-0.01"})
    held = account(isolated(SWAP, "-100", "30000", "1"), cash={"USDT": "1000", "BTC": "-0.01"})
    alone, beside = figures(bare), figures(held)
    assert beside.isolated[f"{SWAP}/isolated/net"].ratio < 0  # type: ignore[operator]
    beside.isolated, beside.symbols = {}, alone.symbols
    assert beside == alone


def test_cu_10_opening_an_isolated_position_out_of_nothing_owes_margin_and_fee() -> None:
    """1,000 USDT of notional at 10x: 100 of margin and a fee of 0.2 are 100.2."""
    book = Book(REFERENCE).open(leverage={SWAP: "10"})
    book.take("transfers", currency="BTC", amount="1")
    taken = book.take(
        "fills",
        instrument=SWAP,
        quantity="2",
        price="50000",
        fee="0.2",
        fee_currency="USDT",
        margin_mode="isolated",
    )
    assert taken.applied, book.reasons()
    found = figures(book.account, prices(**{f"{SWAP}/mark": "50000"}))
    assert found.currencies["USDT"].liability == d("100.2")
    assert found.currencies["USDT"].upl_liability == 0
    assert found.isolated[f"{SWAP}/isolated/net"].equity == 100


def test_px_3_a_missing_price_of_an_isolated_position_makes_the_account_unpriced() -> None:
    book = prices()
    del book.prices[f"{SWAP}/mark"]
    held = account(isolated(SWAP, "1", "60000", "60"))
    assert assess(held, REFERENCE, book).unpriced == (f"{SWAP}/mark",)
    held = account(isolated(SPOT, "1", "60000", "60"), cash={"SOL": "1"})
    del book.prices["BTC-USD/index"]
    assert "BTC-USD/index" in assess(held, REFERENCE, book).unpriced


def test_px_3_each_names_the_prices_it_is_made_of() -> None:
    assert own(isolated(SWAP, "1", "60000", "60")).symbols == (f"{SWAP}/mark", "USDT-USD/index")
    found = figures(account(isolated(SPOT, "1", "60000", "60")))
    (one,) = found.isolated.values()
    assert one.symbols == ("BTC-USD/index", "USDT-USD/index")
    assert set(one.symbols) <= set(found.symbols)


# -- orders, CU-4 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "side", "quantity", "price", "coin", "frozen"),
    [
        (SWAP, "buy", "100", "50000", "USDT", "5025"),  # 50,000 / 10 and 0.0005 of it
        (SWAP, "buy", "100", None, "USDT", "6030"),  # a market order at the mark
        (SWAP, "sell", "30", "60000", "USDT", "9"),  # it closes: the fee alone
        (SWAP, "sell", "80", "60000", "USDT", "3024"),  # 50 open: 3,000 and a fee on all 80
        (INVERSE, "buy", "30", "60000", "BTC", "0.005025"),
        (SPOT, "buy", "0.5", "50000", "USDT", "2525"),  # spot taker
        (SPOT, "sell", "0.5", None, "USDT", "3030"),
    ],
)
def test_cu_4_isolated_orders_freeze_margin_and_fee(
    instrument: str, side: str, quantity: str, price: str | None, coin: str, frozen: str
) -> None:
    held = account(isolated(SWAP, "30", "60000", "1800"), cash={"USDT": "90000", "BTC": "1"})
    held.leverage = {f"{n}/isolated/net": d(10) for n in (SWAP, INVERSE, SPOT)}
    bare = figures(held)
    found = figures(
        with_orders(held, order("o", instrument, side, quantity, price, margin_mode="isolated"))
    )
    taken = d(frozen)
    assert abs(found.currencies[coin].frozen - taken) < Decimal("1e-40")
    usd = taken * (60_000 if coin == "BTC" else 1)
    assert abs(found.frozen_isolated_usd - usd) < Decimal("1e-40")
    assert abs(bare.adjusted_equity - found.adjusted_equity - usd) < Decimal("1e-40")  # AE-1
    assert (found.initial_margin, found.requirement) == (bare.initial_margin, bare.requirement)
    assert found.spot_order_loss == found.estimated_fees == 0


def test_cu_7_an_isolated_order_borrows_as_the_account_s_setting_says() -> None:
    held = account(cash={"BTC": "1"})
    with_orders(held, order("o", SWAP, "buy", "10", "60000", margin_mode="isolated"))
    assert figures(held).currencies["USDT"].potential_borrowing == 6_003
    held.auto_borrow = False
    assert figures(held).currencies["USDT"].potential_borrowing == 0


def test_mr_3_the_leverage_is_the_order_s_then_the_position_s_then_the_instrument_s_then_1() -> (
    None
):
    held = account(cash={"USDT": "90000"})
    for table, own_leverage, margin in (
        ({}, None, 6_000),
        ({SWAP: d(2)}, None, 3_000),
        ({SWAP: d(2), f"{SWAP}/isolated/net": d(4)}, None, 1_500),
        ({SWAP: d(2), f"{SWAP}/isolated/net": d(4)}, d(10), 600),
    ):
        held.leverage = table
        made = order("o", SWAP, "buy", "10", "60000", margin_mode="isolated", leverage=own_leverage)
        assert figures(with_orders(held, made)).currencies["USDT"].frozen == margin + 3


# -- CU-4: anticipate_funding ------------------------------------------------------------------------


def funded(instrument: str, rate: str, *, anticipates: bool = True) -> Reference:
    raw = {**RAW, "instruments": {n: dict(i) for n, i in RAW["instruments"].items()}}
    raw["instruments"][instrument]["funding_rate"] = rate
    return load_reference({**raw, "policy": {"anticipate_funding": anticipates}})


@pytest.mark.parametrize(
    ("instrument", "contracts", "rate", "coin", "owed"),
    [
        (SWAP, "100", "0.0002", "USDT", "12"),  # 60,000 at mark
        (SWAP, "-100", "0.0002", "USDT", "0"),  # it receives
        (SWAP, "-100", "-0.0002", "USDT", "12"),
        (SWAP, "100", "0", "USDT", "0"),
        (INVERSE, "60", "0.0002", "BTC", "0.00002"),  # 6,000 USD are 0.1 BTC
    ],
)
@pytest.mark.parametrize("cross", [True, False])
def test_cu_4_the_next_funding_owed_is_frozen_where_it_is_anticipated(
    instrument: str, contracts: str, rate: str, coin: str, owed: str, cross: bool
) -> None:
    held = account(cash={"USDT": "9000", "BTC": "1"})
    if cross:
        held.positions = {f"{instrument}/net": Position(instrument, "net", d(contracts), d(60_000))}
    else:  # it is paid out of cash all the same
        held = account(isolated(instrument, contracts, "60000", "1", coin), cash={coin: "9"})
    found = figures(held, reference=funded(instrument, rate))
    assert abs(found.currencies[coin].frozen - d(owed)) < Decimal("1e-40")
    off = figures(held, reference=funded(instrument, rate, anticipates=False))
    assert off.currencies[coin].frozen == 0


def test_cu_7_an_anticipated_funding_that_is_not_there_counts_as_borrowing() -> None:
    held = account(cash={"BTC": "1"})
    held.positions = {f"{SWAP}/net": Position(SWAP, "net", d(100), d(60_000))}
    found = figures(held, reference=funded(SWAP, "0.0002")).currencies["USDT"]
    assert (found.liability, found.potential_borrowing) == (d(0), d(12))


# -- properties --------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_mr_3_each_position_s_figures_do_not_depend_on_the_others(seed: int) -> None:
    rng = Random(seed)
    book = any_prices(rng)
    held = any_account(rng, REFERENCE, book)
    found = assess(held, REFERENCE, book)
    for key, one in held.isolated.items():
        lone = Account("a", known=True, mode="multi_currency")
        lone.isolated = {key: one}
        assert assess(lone, REFERENCE, book).isolated[key] == found.isolated[key]
        assert (found.isolated[key].ratio is None) == (found.isolated[key].requirement == 0)
    held.isolated = {}
    bare = assess(held, REFERENCE, book)
    if not any(o.margin_mode == "isolated" for o in held.orders.values()):
        assert bare.ratio == found.ratio
        assert bare.initial_margin == found.initial_margin
