"""MR-3: what fills and transfers do to isolated positions, their margin and their debt."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import IsolatedPosition
from monitor.reference import load_reference
from tests.rules.reduction_world import contract, d, raw_reference
from tests.support.books import Book

SWAP, INVERSE, SPOT = "BTC-USDT-SWAP", "BTC-USD-SWAP", "BTC-USDT"
CALL = "BTC-USD-CALL"
ISOLATED = {"margin_mode": "isolated"}


def _reference() -> Any:
    raw = raw_reference()
    raw["instruments"][CALL] = contract(
        "BTC-USD",
        "BTC",
        "option",
        quote="USD",
        settle="BTC",
        inverse=True,
        expiry=1,
        strike="50000",
        option_type="call",
    )
    return load_reference(raw)


REFERENCE = _reference()


def book(cash: Mapping[str, str] | None = None, **more: Any) -> Book:
    made = Book(REFERENCE).open(**more)
    for coin, amount in (cash or {}).items():
        made.take("transfers", currency=coin, amount=amount)
    return made


def trade(made: Book, instrument: str, quantity: str, price: str, **more: Any) -> None:
    taken = made.fill(instrument, quantity, price, **ISOLATED, **more)
    assert taken.applied, made.reasons()


def held(made: Book, key: str) -> IsolatedPosition:
    return made.account.isolated[key]


def fields(found: IsolatedPosition, *names: str) -> tuple[object, ...]:
    return tuple(getattr(found, name) for name in names)


# -- derivatives ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "fill", "leverage"),
    [
        ({}, None, 1),
        ({SWAP: "4"}, None, 4),
        ({SWAP: "4", f"{SWAP}/isolated/net": "5"}, None, 5),
        ({SWAP: "4", f"{SWAP}/isolated/net": "5"}, "8", 8),
        ({f"{SWAP}/isolated/long": "5"}, None, 1),  # another side's
    ],
)
def test_mr_3_opening_moves_notional_by_leverage_from_cash_to_the_margin(
    table: dict[str, str], fill: str | None, leverage: int
) -> None:
    made = book({"USDT": "10000"}, leverage=table)
    trade(made, SWAP, "10", "60000", **({} if fill is None else {"leverage": fill}))
    found = held(made, f"{SWAP}/isolated/net")
    margin = Decimal(6000) / leverage
    assert fields(found, "quantity", "entry_price", "leverage") == (10, 60_000, leverage)
    assert fields(found, "margin", "margin_currency") == (margin, "USDT")
    assert fields(found, "liability", "liability_currency") == (0, "")
    assert made.cash("USDT") == 10_000 - margin
    assert made.account.positions == {}


def test_mr_3_a_fill_s_leverage_is_the_table_s_from_then_on_for_that_side_alone() -> None:
    made = book({"USDT": "10000"}, leverage={SWAP: "4"})
    trade(made, SWAP, "10", "60000", leverage="8")
    trade(made, SWAP, "10", "60000")
    assert held(made, f"{SWAP}/isolated/net").margin == 1500
    assert made.account.leverage == {SWAP: 4, f"{SWAP}/isolated/net": 8}


def test_mr_3_the_fee_leaves_cash_so_100_2_are_owed_of_a_coin_that_is_not_held() -> None:
    """CU-10: 100 margin + 0.2 booked fee, from nothing."""
    made = book({"BTC": "1"}, leverage={SWAP: "6"})
    trade(made, SWAP, "1", "60000", fee="0.2")
    assert held(made, f"{SWAP}/isolated/net").margin == 100
    assert made.cash("USDT") == d("-100.2")


def test_mr_3_adding_makes_the_mean_entry_and_adds_margin() -> None:
    made = book({"USDT": "10000"}, leverage={SWAP: "10"})
    trade(made, SWAP, "10", "60000")
    trade(made, SWAP, "30", "64000")
    found = held(made, f"{SWAP}/isolated/net")
    assert fields(found, "quantity", "entry_price", "margin") == (40, 63_000, 600 + 1920)


def test_mr_3_closing_returns_its_share_of_the_margin_and_the_pnl() -> None:
    made = book({"USDT": "10000"}, leverage={SWAP: "10"})
    trade(made, SWAP, "-40", "60000")
    assert made.cash("USDT") == 7_600
    trade(made, SWAP, "10", "59000", fee="2.95")
    found = held(made, f"{SWAP}/isolated/net")
    assert fields(found, "quantity", "entry_price", "margin") == (-30, 60_000, 1_800)
    assert made.cash("USDT") == 7_600 + 600 + 100 - d("2.95")
    trade(made, SWAP, "30", "61000")
    assert made.account.isolated == {}
    assert made.cash("USDT") == 10_000 + 100 - 300 - d("2.95")


def test_mr_3_past_zero_it_closes_then_opens_the_rest() -> None:
    made = book({"USDT": "10000"}, leverage={SWAP: "10"})
    trade(made, SWAP, "10", "60000")
    trade(made, SWAP, "-30", "61000", leverage="5")
    found = held(made, f"{SWAP}/isolated/net")
    assert fields(found, "quantity", "entry_price", "leverage") == (-20, 61_000, 5)
    assert found.margin == 2_440
    assert made.cash("USDT") == 10_000 + 100 - 2_440


def test_mr_3_an_inverse_contract_s_margin_is_coin() -> None:
    made = book({"BTC": "1"}, leverage={INVERSE: "4"})
    trade(made, INVERSE, "60", "60000", fee_currency="BTC", fee="0.00005")
    found = held(made, f"{INVERSE}/isolated/net")
    assert fields(found, "margin", "margin_currency") == (d("0.025"), "BTC")
    assert made.cash("BTC") == d("0.97495")
    trade(made, INVERSE, "60", "40000")
    assert found.margin == d("0.0625")
    assert found.entry_price == 48_000  # 0.25 BTC for 12,000 USD
    trade(made, INVERSE, "-120", "50000")
    # 12,000 USD: 1/48,000 − 1/50,000
    assert abs(made.cash("BTC") - d("0.99995") - d("0.01")) < d("1e-45")


def test_mr_3_both_sides_of_a_hedge_beside_a_cross_position() -> None:
    made = book({"USDT": "10000"}, position_mode="long_short", leverage={SWAP: "10"})
    trade(made, SWAP, "10", "60000", position_side="long")
    trade(made, SWAP, "-20", "60000", position_side="short")
    made.fill(SWAP, "5", "60000", position_side="long")
    assert held(made, f"{SWAP}/isolated/long").quantity == 10
    assert held(made, f"{SWAP}/isolated/short").quantity == -20
    assert made.position(f"{SWAP}/long") == (5, 60_000)
    made.fill(SWAP, "-11", "60000", position_side="long", **ISOLATED)
    assert "closes more than the 10 held isolated on side long" in made.reasons()[0]


# -- margin positions -------------------------------------------------------------------------


def test_mr_3_a_long_margin_position_borrows_what_it_pays() -> None:
    made = book({"USDT": "5000"}, leverage={SPOT: "3"})
    trade(made, SPOT, "0.1", "60000")
    found = held(made, f"{SPOT}/isolated/net")
    assert fields(found, "quantity", "margin") == (d("0.1"), 2_000)
    assert fields(found, "liability", "liability_currency") == (6_000, "USDT")
    assert made.cash("USDT") == 3_000
    assert "BTC" not in made.account.balances
    made.take("transfers", kind="interest", currency="USDT", amount="2", instrument=SPOT)
    assert found.accrued_interest == 2
    trade(made, SPOT, "-0.05", "61000")
    assert fields(found, "liability", "accrued_interest", "margin") == (3_000, 1, 1_000)
    assert made.cash("USDT") == 3_000 + 1_000 + 50 - 1
    trade(made, SPOT, "-0.05", "59000")
    assert made.account.isolated == {}
    assert made.cash("USDT") == 5_000 - 2


def test_mr_3_a_short_margin_position_borrows_the_base() -> None:
    made = book({"USDT": "5000"}, leverage={f"{SPOT}/isolated/net": "2"})
    trade(made, SPOT, "-0.1", "60000", fee="0.1")
    found = held(made, f"{SPOT}/isolated/net")
    assert fields(found, "quantity", "margin", "margin_currency") == (d("-0.1"), 3_000, "USDT")
    assert fields(found, "liability", "liability_currency") == (d("0.1"), "BTC")
    made.take("transfers", kind="interest", currency="BTC", amount="0.001", instrument=SPOT)
    trade(made, SPOT, "0.1", "50000")
    # the interest is bought back at the fill's price
    assert made.cash("USDT") == d("4999.9") + 1_000 - 50


def test_mr_3_a_margin_position_past_zero_owes_the_other_coin() -> None:
    made = book({"USDT": "50000"})
    trade(made, SPOT, "0.1", "60000")
    trade(made, SPOT, "-0.3", "60000")
    found = held(made, f"{SPOT}/isolated/net")
    assert fields(found, "liability", "liability_currency") == (d("0.2"), "BTC")
    assert (found.margin, made.cash("USDT")) == (d(12_000), d(38_000))


def test_mr_3_a_margin_given_in_base_coin_grows_and_returns_in_it() -> None:
    position = {
        "instrument": SPOT,
        **ISOLATED,
        "quantity": "0.1",
        "entry_price": "60000",
        "margin": "0.02",
        "margin_currency": "BTC",
        "leverage": "5",
    }
    made = book(snapshot={"positions": [position]})
    trade(made, SPOT, "0.1", "60000")
    assert held(made, f"{SPOT}/isolated/net").margin == d("0.04")
    assert made.cash("BTC") == d("-0.02")
    trade(made, SPOT, "-0.2", "61000")
    assert (made.cash("BTC"), made.cash("USDT")) == (d("0.02"), d(200))


# -- transfers --------------------------------------------------------------------------------


def test_mr_3_margin_transfers_move_cash_in_and_out() -> None:
    made = book({"USDT": "10000"}, leverage={SWAP: "10"})
    trade(made, SWAP, "10", "60000")
    for amount, margin in (("150", 750), ("-250", 500)):
        made.take("transfers", kind="margin", currency="USDT", amount=amount, instrument=SWAP)
        assert held(made, f"{SWAP}/isolated/net").margin == margin
        assert made.cash("USDT") == 10_000 - margin


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("transfers", {"kind": "margin"}, "margin needs its instrument"),
    ("transfers", {"kind": "margin", "instrument": "ETH-USDT-SWAP"}, "no isolated position ETH"),
    (
        "transfers",
        {"kind": "margin", "instrument": SWAP, "position_side": "long"},
        f"no isolated position {SWAP}/isolated/long",
    ),
    ("transfers", {"kind": "margin", "instrument": SWAP, "currency": "BTC"}, "is in USDT, BTC"),
    (
        "transfers",
        {"kind": "margin", "instrument": SWAP, "amount": "-600.1"},
        "takes 600.1 USDT out of a margin of 600",
    ),
    ("transfers", {"kind": "interest", "instrument": SWAP}, "owes nothing"),
    ("transfers", {"kind": "interest", "instrument": SPOT, "currency": "BTC"}, "owes USDT"),
    ("transfers", {"kind": "interest", "instrument": "ETH-USDT"}, "no isolated position ETH-USDT"),
    ("fills", {"instrument": CALL, "price": "1", "quantity": "1"}, "isolated options do not exist"),
    (
        "fills",
        {"instrument": SPOT, "price": "1", "quantity": "1", "position_side": "long"},
        "a margin position is on side net",
    ),
    (
        "orders",
        {"order_id": "o", "instrument": SWAP, "position_side": "short"},
        "does not fit the account's position_mode net",
    ),
]


@pytest.mark.parametrize(("topic", "message", "reason"), REFUSED)
def test_mr_3_what_does_not_fit_is_refused_and_changes_nothing(
    topic: str, message: dict[str, Any], reason: str
) -> None:
    made = book({"USDT": "10000"}, leverage={SWAP: "10"})
    trade(made, SWAP, "10", "60000")
    trade(made, SPOT, "0.01", "60000")
    before = made.state()
    made.take(topic, **(message if topic == "transfers" else {**ISOLATED, **message}))
    assert [reason in found for found in made.reasons()] == [True]
    assert made.state() == before


def test_mr_3_isolated_positions_do_not_exist_in_spot_mode() -> None:
    made = book({"USDT": "10000"}, mode="spot")
    for instrument in (SPOT, SWAP):
        made.fill(instrument, "1", "60000", **ISOLATED)
        assert "isolated positions do not exist in spot mode" in made.reasons()[0]


# -- snapshots --------------------------------------------------------------------------------


def given_position(**more: Any) -> dict[str, Any]:
    return {**ISOLATED, "instrument": SWAP, "quantity": "5", "entry_price": "60000", **more}


def test_mr_3_a_snapshot_replaces_isolated_positions() -> None:
    made = book({"USDT": "10000"}, leverage={SWAP: "4"})
    trade(made, SWAP, "10", "60000")
    debt = {"liability": "590", "accrued_interest": "3", "leverage": "7"}
    positions = [
        given_position(margin="500"),
        given_position(instrument="ETH-USDT", quantity="0.2", entry_price="3000", margin="1")
        | debt,
        given_position(instrument=SPOT, quantity="-0.2", margin="0.1", margin_currency="BTC"),
    ]
    made.take("accounts", leverage={SWAP: "4"}, snapshot={"balances": [], "positions": positions})
    account = made.account
    assert account.positions == {}
    assert account.isolated == {
        f"{SWAP}/isolated/net": IsolatedPosition(
            SWAP, "net", d(5), d(60_000), d(500), "USDT", d(4)
        ),
        "ETH-USDT/isolated/net": IsolatedPosition(
            "ETH-USDT", "net", d("0.2"), d(3000), d(1), "USDT", d(7), d(590), "USDT", d(3)
        ),
        "BTC-USDT/isolated/net": IsolatedPosition(
            SPOT, "net", d("-0.2"), d(60_000), d("0.1"), "BTC", d(1), d("0.2"), "BTC"
        ),
    }
    assert account.leverage == {SWAP: 4, "ETH-USDT/isolated/net": 7}


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (given_position(), "margin None given, it needs one of at least 0"),
        (given_position(margin="-1"), "margin -1 given"),
        (given_position(margin="1", margin_currency="BTC"), "margin_currency BTC, expected USDT"),
        (given_position(margin="1", liability="3"), "a derivative has no liability"),
        (
            given_position(instrument=SPOT, margin="1", margin_currency="ETH"),
            "margin_currency ETH, expected USDT or BTC",
        ),
        (
            given_position(instrument=SPOT, margin="1", liability_currency="BTC"),
            "a quantity of 5 owes USDT",
        ),
        (given_position(instrument=CALL, margin="1"), "isolated options do not exist"),
        (given_position(position_side="long", margin="1"), "does not fit the account's"),
    ],
)
def test_mr_3_a_snapshot_s_position_that_contradicts_itself_is_refused(
    position: dict[str, Any], reason: str
) -> None:
    made = book()
    made.take("accounts", snapshot={"positions": [position]})
    assert reason in made.reasons()[0]


# -- options ----------------------------------------------------------------------------------


def test_cu_3_an_option_s_premium_is_paid_when_bought_and_received_when_sold() -> None:
    made = book({"BTC": "1"})
    made.fill(CALL, "10", "0.05", fee="0.0001", fee_currency="BTC")  # 0.1 BTC underlying
    assert made.cash("BTC") == 1 - d("0.005") - d("0.0001")
    made.fill(CALL, "10", "0.07")
    assert made.position(f"{CALL}/net") == (20, d("0.06"))
    made.fill(CALL, "-30", "0.08")
    assert made.position(f"{CALL}/net") == (-10, d("0.08"))
    assert made.cash("BTC") == 1 - d("0.0001") - d("0.012") + d("0.024")


def test_cu_3_options_cannot_be_held_in_spot_mode() -> None:
    made = book({"BTC": "1"}, mode="spot")
    made.fill(CALL, "10", "0.05")
    assert "an option cannot be held in spot mode" in made.reasons()[0]


# -- conservation -----------------------------------------------------------------------------

trades = st.lists(
    st.tuples(
        st.sampled_from([SWAP, INVERSE, SPOT]),
        st.integers(-50, 50).filter(bool),
        st.integers(40_000, 80_000),
        st.integers(1, 20),
    ),
    max_size=12,
)


def worth(made: Book, price: Decimal) -> Decimal:
    """Cash and isolated positions in USDT when BTC is at `price` everywhere."""
    account, total = made.account, d(0)
    coins = {"USDT": d(1), "BTC": price}
    for coin, balance in account.balances.items():
        total += balance.cash * coins[coin]
    for found in account.isolated.values():
        total += found.margin * coins[found.margin_currency]
        if found.instrument == INVERSE:
            total += 100 * found.quantity * (1 / found.entry_price - 1 / price) * price
        else:
            size = 1 if found.instrument == SPOT else d("0.01")
            total += size * found.quantity * (price - found.entry_price)
    return total


@settings(max_examples=60, deadline=None)
@given(trades)
def test_mr_3_fills_conserve_cash_margin_and_pnl(
    given_trades: list[tuple[str, int, int, int]],
) -> None:
    """At its own price a fill changes what the account is worth by nothing."""
    made = book({"USDT": "100000", "BTC": "1"})
    for instrument, quantity, price, leverage in given_trades:
        before = worth(made, d(price))
        trade(made, instrument, str(quantity), str(price), leverage=str(leverage))
        assert abs(worth(made, d(price)) - before) < d("1e-35")
    for key, found in list(made.account.isolated.items()):
        # what a margin position owes is what its fills borrowed
        owed = found.quantity * found.entry_price if found.quantity > 0 else -found.quantity
        if found.instrument == SPOT:
            assert abs(found.liability - owed) < d("1e-35")
        instrument = key.partition("/")[0]
        trade(made, instrument, str(-found.quantity), "60000")
    assert made.account.isolated == {}
