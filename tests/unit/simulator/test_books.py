"""The exchange's books: worked numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from streams.simulator import BookError, wire
from tests.unit.simulator.venue import T0, Venue, limit_order


def fill(venue: Venue, side: str, quantity: str, price: str, **fields: Any) -> None:
    seq = venue.account.seq + 1
    venue.exchange.books.apply(
        wire.Fill(
            **{
                "account_id": "a",
                "fill_id": f"f{seq}",
                "order_id": "o1",
                "instrument": "BTC-USDT-SWAP",
                "side": side,
                "position_side": "net",
                "margin_mode": "cross",
                "price": price,
                "quantity": quantity,
                "fee": "0",
                "fee_currency": "USDT",
                "ts": T0,
                "account_seq": seq,
                **fields,
            }
        )
    )


def transfer(venue: Venue, kind: str, coin: str, amount: str) -> None:
    seq = venue.account.seq + 1
    venue.exchange.books.apply(
        wire.Transfer(
            account_id="a",
            transfer_id=f"t{seq}",
            kind=kind,  # type: ignore[arg-type]
            currency=coin,
            amount=amount,
            ts=T0,
            account_seq=seq,
        )
    )


@pytest.fixture
def venue() -> Venue:
    made = Venue()
    made.open({"USDT": "10000", "BTC": "1"})
    return made


def test_a_linear_position_keeps_the_mean_entry_and_realises_its_pnl(venue: Venue) -> None:
    fill(venue, "buy", "10", "50000", fee="2.5")
    fill(venue, "buy", "30", "52000")
    held = venue.account.positions["BTC-USDT-SWAP", "net"]
    assert (held.quantity, held.entry_price) == (Decimal(40), Decimal(51500))
    fill(venue, "sell", "20", "53000")
    # 20 contracts of 0.01 BTC, 1,500 USDT each BTC
    assert venue.cash("USDT") == Decimal(10000) - Decimal("2.5") + 300
    assert held.quantity == 20
    assert held.entry_price == 51500


def test_a_short_linear_position_earns_when_the_price_falls(venue: Venue) -> None:
    fill(venue, "sell", "10", "50000")
    fill(venue, "buy", "10", "49000")
    assert venue.cash("USDT") == 10100
    assert not venue.account.positions


def test_an_inverse_position_keeps_the_harmonic_mean_and_settles_in_coin(venue: Venue) -> None:
    fill(venue, "buy", "100", "40000", instrument="BTC-USD-SWAP", fee_currency="BTC")
    fill(venue, "buy", "100", "60000", instrument="BTC-USD-SWAP", fee_currency="BTC")
    held = venue.account.positions["BTC-USD-SWAP", "net"]
    # 200 / (100/40,000 + 100/60,000)
    assert round(held.entry_price, 20) == 48000
    fill(venue, "sell", "200", "50000", instrument="BTC-USD-SWAP", fee_currency="BTC")
    # (1/48,000 − 1/50,000) × 200 × 100 USD
    assert round(venue.cash("BTC") - 1, 30) == round(Decimal(1) / 60, 30)


def test_a_fill_past_zero_closes_at_the_entry_and_opens_the_rest_at_its_price(
    venue: Venue,
) -> None:
    fill(venue, "buy", "10", "50000")
    fill(venue, "sell", "25", "51000")
    held = venue.account.positions["BTC-USDT-SWAP", "net"]
    assert (held.quantity, held.entry_price) == (Decimal(-15), Decimal(51000))
    assert venue.cash("USDT") == 10100
    fill(venue, "buy", "15", "50000")
    assert venue.cash("USDT") == 10250


def test_long_and_short_sides_are_kept_apart_and_the_short_is_negative() -> None:
    venue = Venue()
    venue.open({"USDT": "10000"}, position_mode="long_short")
    fill(venue, "buy", "10", "50000", position_side="long")
    fill(venue, "sell", "4", "51000", position_side="short")
    assert venue.account.positions["BTC-USDT-SWAP", "long"].quantity == 10
    assert venue.account.positions["BTC-USDT-SWAP", "short"].quantity == -4
    fill(venue, "buy", "4", "50500", position_side="short")
    assert venue.cash("USDT") == 10020
    with pytest.raises(BookError, match="closes more"):
        fill(venue, "sell", "11", "51000", position_side="long")
    assert venue.account.positions["BTC-USDT-SWAP", "long"].quantity == 10


def test_a_spot_fill_moves_both_coins_and_the_fee_its_own(venue: Venue) -> None:
    fill(venue, "buy", "0.1", "50000", instrument="BTC-USDT", fee="0.0001", fee_currency="BTC")
    assert (venue.cash("BTC"), venue.cash("USDT")) == (Decimal("1.0999"), Decimal(5000))
    fill(venue, "sell", "0.5", "60000", instrument="BTC-USDT", fee="30", fee_currency="USDT")
    assert (venue.cash("BTC"), venue.cash("USDT")) == (Decimal("0.5999"), Decimal(34970))


def test_rp_1_repaying_pays_interest_first_and_never_more_than_is_owed() -> None:
    venue = Venue()
    venue.open({"USDT": "500"}, borrowed={"USDT": "300"}, mode="spot")
    venue.account.accrued["USDT"] = Decimal(5)
    transfer(venue, "repay", "USDT", "105")
    assert venue.account.accrued["USDT"] == 0
    assert venue.account.borrowed["USDT"] == 200
    assert venue.cash("USDT") == 395
    with pytest.raises(BookError, match="owed are 200"):
        transfer(venue, "repay", "USDT", "200.1")
    transfer(venue, "borrow", "USDT", "50")
    assert venue.account.borrowed["USDT"] == 250
    assert venue.cash("USDT") == 445


def test_rp_1_auto_repay_pays_out_of_what_comes_in() -> None:
    venue = Venue()
    venue.open({"USDT": "0"}, borrowed={"USDT": "300"}, mode="spot", auto_repay=True)
    transfer(venue, "deposit", "USDT", "100")
    assert venue.account.borrowed["USDT"] == 200
    assert venue.cash("USDT") == 0
    transfer(venue, "deposit", "USDT", "250")
    assert venue.account.borrowed["USDT"] == 0
    assert venue.cash("USDT") == 50


def test_borrowing_exists_in_spot_mode_only(venue: Venue) -> None:
    with pytest.raises(BookError, match="outside spot mode"):
        transfer(venue, "borrow", "USDT", "1")


@pytest.mark.parametrize(
    ("kind", "amount", "cash"),
    [
        ("deposit", "5", 10005),
        ("withdrawal", "5", 9995),
        ("interest", "5", 9995),
        ("funding", "-5", 9995),
        ("adjustment", "7", 10007),
    ],
)
def test_transfers_move_cash_by_the_sign_of_their_kind(
    venue: Venue, kind: str, amount: str, cash: int
) -> None:
    transfer(venue, kind, "USDT", amount)
    assert venue.cash("USDT") == cash


def test_an_order_opens_counts_its_fills_and_ends(venue: Venue) -> None:
    order = limit_order("o1", "buy", "49000", "10")
    venue.exchange.emit(order)
    fill(venue, "buy", "4", "49000")
    assert venue.account.fills["o1"] == 4
    venue.exchange.close_order(venue.account, order, Decimal(4))
    assert not venue.account.orders
    ended = venue.sent()[-1]
    assert (ended.status, ended.filled_quantity, ended.version) == ("cancelled", "4", 2)
