"""What each event does to a book: balances, positions, orders, transfers (decisions, "Books")."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.contracts import unrealised_pnl
from tests.rules.reduction_world import d, reference
from tests.support.books import Book

REFERENCE = reference()


def book(**more: Any) -> Book:
    return Book(REFERENCE).open(**more)


# -- fills ------------------------------------------------------------------------------------


def test_spot_fills_move_base_and_quote_and_the_fee_its_own_coin() -> None:
    made = book(mode="spot")
    made.fill("BTC-USDT", "0.5", "60000", fee="0.0005", fee_currency="BTC")
    assert (made.cash("BTC"), made.cash("USDT")) == (d("0.4995"), d(-30_000))
    made.fill("BTC-USDT", "-0.2", "61000", fee="12.2", fee_currency="USDT")
    assert (made.cash("BTC"), made.cash("USDT")) == (d("0.2995"), d("-17812.2"))
    assert made.account.positions == {}


def test_a_rebate_is_a_negative_fee() -> None:
    made = book()
    made.fill("BTC-USDT-SWAP", "1", "60000", fee="-0.06")
    assert made.cash("USDT") == d("0.06")


def test_linear_entry_is_the_mean_by_contracts() -> None:
    made = book()
    made.fill("BTC-USDT-SWAP", "10", "60000")
    made.fill("BTC-USDT-SWAP", "30", "62000")
    assert made.position("BTC-USDT-SWAP/net") == (d(40), d(61_500))
    assert made.cash("USDT") == 0


def test_inverse_entry_is_the_harmonic_mean_so_that_pnl_in_coin_stays_exact() -> None:
    made = book()
    made.fill("BTC-USD-SWAP", "100", "50000", fee_currency="BTC")
    made.fill("BTC-USD-SWAP", "100", "40000", fee_currency="BTC")
    held = made.account.positions["BTC-USD-SWAP/net"]
    quantity, entry = held.quantity, held.entry_price
    assert quantity == 200
    assert abs(entry - d(400_000) / 9) < Decimal("1e-40")  # 2 / (1/50,000 + 1/40,000)
    # 10,000 USD at each price: 0.2 and 0.25 BTC
    at_40k = unrealised_pnl(
        REFERENCE.instruments["BTC-USD-SWAP"], d(100), quantity, entry, d(40_000)
    )
    assert abs(at_40k - (d("0.45") - d("0.5"))) < Decimal("1e-45")


@pytest.mark.parametrize(
    ("fills", "position", "cash"),
    [
        ([("10", "60000"), ("-4", "61000")], (6, 60_000), 40),  # 4 × 0.01 × 1,000
        ([("10", "60000"), ("-10", "59000")], None, -100),
        (
            [("10", "60000"), ("-15", "61000")],
            (-5, 61_000),
            100,
        ),  # past zero: the rest at its price
        ([("-10", "60000"), ("25", "61000")], (15, 61_000), -100),
        ([("-10", "60000"), ("-10", "62000"), ("5", "60000")], (-15, 61_000), 50),
    ],
)
def test_net_fills_close_flip_and_realise(
    fills: list[tuple[str, str]], position: tuple[int, int] | None, cash: int
) -> None:
    made = book()
    for quantity, price in fills:
        made.fill("BTC-USDT-SWAP", quantity, price)
    assert made.cash("USDT") == cash
    if position is None:
        assert made.account.positions == {}
    else:
        assert made.position("BTC-USDT-SWAP/net") == position


def test_an_inverse_flip_realises_in_coin() -> None:
    made = book()
    made.fill("BTC-USD-SWAP", "100", "50000", fee_currency="BTC")
    made.fill("BTC-USD-SWAP", "-150", "40000", fee_currency="BTC")
    assert made.cash("BTC") == d("0.2") - d("0.25")  # 10,000 USD: (1/50,000 − 1/40,000)
    assert made.position("BTC-USD-SWAP/net") == (-50, 40_000)


def test_long_short_buys_on_long_and_sells_on_short_open_the_opposite_closes() -> None:
    made = book(position_mode="long_short")
    made.fill("BTC-USDT-SWAP", "10", "60000", position_side="long")
    made.fill("BTC-USDT-SWAP", "-6", "60000", position_side="short")
    assert made.position("BTC-USDT-SWAP/short") == (-6, 60_000)  # kept negative
    made.fill("BTC-USDT-SWAP", "-10", "61000", position_side="long")
    made.fill("BTC-USDT-SWAP", "1", "61000", position_side="short")
    assert list(made.account.positions) == ["BTC-USDT-SWAP/short"]
    assert made.cash("USDT") == 100 - 10


@pytest.mark.parametrize(("quantity", "side", "held"), [("-11", "long", "10"), ("7", "short", "6")])
def test_long_short_refuses_to_close_more_than_is_held(quantity: str, side: str, held: str) -> None:
    made = book(position_mode="long_short")
    made.fill("BTC-USDT-SWAP", "10", "60000", position_side="long")
    made.fill("BTC-USDT-SWAP", "-6", "60000", position_side="short")
    before = made.state()
    made.fill("BTC-USDT-SWAP", quantity, "60000", position_side=side)
    assert f"closes more than the {held} held on side {side}" in made.reasons()[0]
    assert made.state() == before


def test_a_fill_s_leverage_updates_the_account_s_table_until_the_next_message() -> None:
    made = book(leverage={"ETH-USDT-SWAP": "3"})
    made.fill("BTC-USDT-SWAP", "1", "60000", leverage="7")
    assert made.account.leverage == {"ETH-USDT-SWAP": 3, "BTC-USDT-SWAP": 7}
    made.take("accounts", leverage={"ETH-USDT-SWAP": "4"})
    assert made.account.leverage == {"ETH-USDT-SWAP": 4}


# -- orders -----------------------------------------------------------------------------------


def test_an_order_s_remaining_counts_fills_that_came_before_its_update() -> None:
    made = book()
    made.take("orders", order_id="o", instrument="BTC-USDT-SWAP", quantity="10")
    made.fill("BTC-USDT-SWAP", "4", "60000", order_id="o")
    order = made.account.orders["o"]
    assert [order.filled_quantity, order.fills_seen, order.remaining] == [0, 4, 6]
    made.take(
        "orders",
        order_id="o",
        instrument="BTC-USDT-SWAP",
        quantity="10",
        version=2,
        filled_quantity="5",
    )
    assert made.account.orders["o"].remaining == 5  # the update is ahead of the fills


def test_an_update_that_knows_of_fewer_fills_than_were_seen_takes_none_back() -> None:
    made = book()
    common: dict[str, Any] = {"order_id": "o", "instrument": "BTC-USDT-SWAP", "quantity": "10"}
    made.take("orders", **common)
    made.fill("BTC-USDT-SWAP", "4", "60000", order_id="o")
    made.take("orders", **common, version=2, filled_quantity="1")
    assert made.account.orders["o"].remaining == 6


def test_a_fill_may_come_before_its_order() -> None:
    made = book()
    made.fill("BTC-USDT-SWAP", "4", "60000", order_id="o")
    made.take("orders", order_id="o", instrument="BTC-USDT-SWAP", quantity="10")
    assert made.account.orders["o"].remaining == 6
    assert made.account.early_fills == {}


def test_an_order_s_end_closes_at_once_and_is_confirmed_by_its_fills() -> None:
    made = book()
    made.take("orders", order_id="o", instrument="BTC-USDT-SWAP", quantity="10")
    made.take(
        "orders",
        order_id="o",
        instrument="BTC-USDT-SWAP",
        quantity="10",
        version=2,
        filled_quantity="3",
        status="cancelled",
    )
    assert made.account.orders == {}
    assert not made.account.ended["o"].confirmed
    made.fill("BTC-USDT-SWAP", "2", "60000", order_id="o")
    assert not made.account.ended["o"].confirmed
    made.fill("BTC-USDT-SWAP", "1", "60000", order_id="o")
    assert made.account.ended["o"].confirmed


def test_the_higher_version_wins_and_an_old_one_cannot_open_an_ended_order() -> None:
    made = book()
    common: dict[str, Any] = {"order_id": "o", "instrument": "BTC-USDT-SWAP", "quantity": "10"}
    made.take("orders", **common, version=3, price="61000")
    assert made.take("orders", **common, version=2, price="1").outcome == "repeat"
    assert made.take("orders", **common, version=3, price="2").outcome == "repeat"
    assert made.account.orders["o"].price == 61_000
    made.take("orders", **common, version=5, status="cancelled")
    assert made.take("orders", **common, version=4).outcome == "repeat"
    made.take("orders", **common, version=6)  # nothing opens what has ended
    assert made.account.orders == {}


def test_the_last_64_ends_are_remembered_and_unconfirmed_ones_longest() -> None:
    made = book()
    common: dict[str, Any] = {"instrument": "BTC-USDT-SWAP", "status": "cancelled"}
    made.take("orders", order_id="waits", filled_quantity="1", **common)
    for number in range(70):
        made.take("orders", order_id=f"o{number}", **common)
    assert len(made.account.ended) == 64
    assert "waits" in made.account.ended
    assert "o69" in made.account.ended
    assert "o0" not in made.account.ended


# -- transfers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "amount", "cash"),
    [
        ("deposit", "5", 105),
        ("withdrawal", "5", 95),
        ("interest", "5", 95),
        ("funding", "5", 105),
        ("funding", "-5", 95),
        ("adjustment", "-105", -5),
    ],
)
def test_transfers_have_the_sign_of_their_kind(kind: str, amount: str, cash: int) -> None:
    made = book()
    made.take("transfers", amount="100")
    made.take("transfers", kind=kind, amount=amount)
    assert made.cash("USDT") == cash


def owing(**more: Any) -> Book:
    snapshot = {
        "balances": [{"currency": "BTC", "cash": "2", "borrowed": "1", "accrued_interest": "0.1"}]
    }
    return book(mode="spot", snapshot=snapshot, **more)


def balance(made: Book, coin: str = "BTC") -> tuple[object, ...]:
    found = made.account.balances[coin]
    return found.cash, found.borrowed, found.accrued_interest


def test_borrow_raises_cash_and_debt() -> None:
    made = owing()
    made.take("transfers", kind="borrow", currency="BTC", amount="3")
    assert balance(made) == (5, 4, d("0.1"))


def test_rp_1_repay_pays_accrued_interest_before_what_is_borrowed() -> None:
    made = owing()
    made.take("transfers", kind="repay", currency="BTC", amount="0.04")
    assert balance(made) == (d("1.96"), 1, d("0.06"))
    made.take("transfers", kind="repay", currency="BTC", amount="0.56")
    assert balance(made) == (d("1.4"), d("0.5"), 0)


def test_rp_1_nobody_repays_more_than_is_owed() -> None:
    made = owing()
    made.take("transfers", kind="repay", currency="BTC", amount="1.11")
    assert "repays 1.11 BTC, owed are 1.1" in made.reasons()[0]
    assert balance(made) == (2, 1, d("0.1"))


@pytest.mark.parametrize("kind", ["borrow", "repay"])
def test_borrowing_by_transfer_exists_in_spot_mode_only(kind: str) -> None:
    made = book()
    made.take("transfers", kind=kind, amount="1")
    assert f"{kind} exists in spot mode only" in made.reasons()[0]


def test_rp_1_what_comes_in_reduces_negative_cash_not_what_is_borrowed() -> None:
    made = owing()
    made.take("transfers", currency="BTC", amount="1")
    assert balance(made) == (3, 1, d("0.1"))


def test_rp_1_auto_repay_pays_debt_out_of_cash_that_came_in() -> None:
    made = owing(auto_repay=True)
    assert balance(made) == (2, 1, d("0.1"))  # nothing has come in yet
    made.take("transfers", currency="BTC", amount="0.05")
    assert balance(made) == (d("0.95"), 0, 0)


def test_rp_1_auto_repay_of_a_purchase_stops_at_the_positive_cash() -> None:
    snapshot = {"balances": [{"currency": "BTC", "cash": "-0.2", "borrowed": "1"}]}
    made = book(mode="spot", snapshot=snapshot, auto_repay=True)
    made.fill("BTC-USDT", "0.1", "60000")
    assert balance(made) == (d("-0.1"), 1, 0)
    made.fill("BTC-USDT", "0.5", "60000")
    assert balance(made) == (0, d("0.6"), 0)


# -- snapshots and refusals -------------------------------------------------------------------


def test_a_snapshot_replaces_the_whole_state() -> None:
    made = book()
    made.fill("BTC-USDT-SWAP", "5", "60000")
    made.take("orders", order_id="o", instrument="BTC-USDT-SWAP")
    order = {
        "account_id": "A1",
        "order_id": "p",
        "version": 4,
        "instrument": "BTC-USDT-SWAP",
        "side": "buy",
        "price": "1",
        "quantity": "8",
        "filled_quantity": "3",
        "status": "open",
        "reduce_only": False,
        "auto_borrow": True,
        "ts": 1,
    }
    snapshot = {
        "balances": [{"currency": "ETH", "cash": "1"}],
        "positions": [
            {
                "instrument": "ETH-USDT-SWAP",
                "quantity": "-3",
                "entry_price": "3000",
                "leverage": "9",
            }
        ],
        "orders": [order],
    }
    made.take("accounts", snapshot=snapshot)
    assert made.account.balances.keys() == {"ETH"}
    assert made.position("ETH-USDT-SWAP/net") == (-3, 3000)
    assert made.account.leverage == {"ETH-USDT-SWAP": 9}
    assert list(made.account.orders) == ["p"]
    assert made.account.orders["p"].remaining == 5  # its fills are in the snapshot's balances


@pytest.mark.parametrize("given", ["3", "-3"])
def test_a_snapshot_s_short_side_may_be_unsigned(given: str) -> None:
    position = {
        "instrument": "BTC-USDT-SWAP",
        "position_side": "short",
        "quantity": given,
        "entry_price": "1",
    }
    made = book(position_mode="long_short", snapshot={"positions": [position]})
    assert made.position("BTC-USDT-SWAP/short") == (-3, 1)


REFUSED: list[tuple[str, Mapping[str, Any], str]] = [
    (
        "fills",
        {"instrument": "NO-SWAP", "price": "1", "quantity": "1"},
        "unknown instrument NO-SWAP",
    ),
    (
        "fills",
        {"instrument": "BTC-USDT", "price": "1", "quantity": "1", "fee_currency": "XYZ"},
        "unknown currency XYZ",
    ),
    (
        "fills",
        {"instrument": "BTC-USDT-SWAP", "price": "1", "quantity": "1", "position_side": "long"},
        "does not fit the account's position_mode net",
    ),
    ("transfers", {"currency": "XYZ"}, "unknown currency XYZ"),
    ("accounts", {"spot_hedge": {"XYZ": "1"}}, "unknown currency XYZ in the account's settings"),
    ("accounts", {"collateral_off": ["XYZ"]}, "unknown currency XYZ in the account's settings"),
    (
        "accounts",
        {"snapshot": {"balances": [{"currency": "USDT", "cash": "1", "borrowed": "1"}]}},
        "borrowed 1 USDT exists in spot mode only",
    ),
    (
        "accounts",
        {
            "snapshot": {
                "positions": [{"instrument": "BTC-USDT", "quantity": "1", "entry_price": "1"}]
            }
        },
        "BTC-USDT is spot",
    ),
]


@pytest.mark.parametrize(("topic", "message", "reason"), REFUSED)
def test_what_the_rules_do_not_cover_is_refused_with_its_reason(
    topic: str, message: Mapping[str, Any], reason: str
) -> None:
    made = book()
    before = made.state()
    made.take(topic, **message)
    assert [reason in found for found in made.reasons()] == [True]
    assert made.state() == before


def test_a_derivative_cannot_be_held_in_spot_mode() -> None:
    made = book(mode="spot")
    made.fill("BTC-USDT-SWAP", "1", "60000")
    assert "a swap cannot be held in spot mode" in made.reasons()[0]


# -- conservation -----------------------------------------------------------------------------

trades = st.lists(
    st.tuples(
        st.sampled_from(["BTC-USDT-SWAP", "BTC-USD-SWAP", "BTC-USDT"]),
        st.integers(-50, 50).filter(bool),
        st.integers(40_000, 80_000),
        st.integers(-3, 9),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(trades)
def test_cu_1_fills_at_the_mark_change_equity_by_their_fees_alone(
    fills: list[tuple[str, int, int, int]],
) -> None:
    """At the price of a fill its notional and PnL are worth nothing: only the fee leaves."""
    made = book()

    def worth(price: Decimal) -> Decimal:
        """Everything at one price of BTC, in USD."""
        total = Decimal(0)
        for coin, held in made.account.balances.items():
            total += held.cash * (price if coin == "BTC" else 1)
        for position in made.account.positions.values():
            entry = REFERENCE.instruments[position.instrument]
            size = REFERENCE.sizes[position.instrument]
            pnl = unrealised_pnl(entry, size, position.quantity, position.entry_price, price)
            total += pnl * (price if entry.inverse else 1)
        return total

    for instrument, quantity, price, fee in fills:
        before = worth(d(price))
        made.fill(instrument, str(quantity), str(price), fee=str(fee), fee_currency="USDT")
        assert made.reasons() == []
        assert abs(worth(d(price)) - (before - fee)) < Decimal("1e-38")
