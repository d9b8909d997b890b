"""The exchange's books of isolated positions and options: worked numbers (MR-3, CU-3)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from streams.simulator import BookError, wire
from tests.unit.simulator.test_books import fill
from tests.unit.simulator.venue import CALL, T0, Venue, apart

D = Decimal


def move(venue: Venue, kind: str, coin: str, amount: str, instrument: str, side: str) -> None:
    seq = venue.account.seq + 1
    venue.exchange.books.apply(
        wire.Transfer(
            account_id="a",
            transfer_id=f"t{seq}",
            kind=kind,  # type: ignore[arg-type]
            currency=coin,
            amount=amount,
            ts=T0,
            instrument=instrument,
            position_side=side,  # type: ignore[arg-type]
            account_seq=seq,
        )
    )


@pytest.fixture
def venue() -> Venue:
    made = Venue()
    made.open({"USDT": "10000", "BTC": "1"}, leverage={"BTC-USDT-SWAP": "4", "BTC-USDT": "2"})
    return made


def test_mr_3_opening_moves_notional_by_leverage_and_closing_returns_share_and_pnl(
    venue: Venue,
) -> None:
    fill(venue, "buy", "10", "50000", margin_mode="isolated", leverage="5", fee="2.5")
    held = venue.account.isolated["BTC-USDT-SWAP", "net"]
    # 10 contracts of 0.01 BTC: 5,000 USDT at 5x
    assert (held.quantity, held.margin, held.margin_currency) == (10, 1000, "USDT")
    assert venue.cash("USDT") == D("8997.5")
    assert not venue.account.positions
    assert venue.account.settings.leverage["BTC-USDT-SWAP/isolated/net"] == "5"
    fill(venue, "sell", "4", "51000", margin_mode="isolated")
    # 400 of the margin, and 4 × 0.01 × 1,000 gained
    assert venue.cash("USDT") == D("8997.5") + 400 + 40
    assert (held.quantity, held.margin, held.entry_price) == (6, 600, 50000)


def test_mr_3_leverage_is_the_fills_the_positions_the_instruments_or_1(venue: Venue) -> None:
    fill(venue, "sell", "10", "50000", margin_mode="isolated")
    assert venue.account.isolated["BTC-USDT-SWAP", "net"].margin == 1250  # the instrument's 4
    fill(venue, "sell", "10", "50000", margin_mode="isolated", leverage="10")
    assert venue.account.isolated["BTC-USDT-SWAP", "net"].margin == 1750
    fill(venue, "sell", "10", "50000", margin_mode="isolated")
    assert venue.account.isolated["BTC-USDT-SWAP", "net"].margin == 2250  # the position's 10 now
    fill(venue, "buy", "1", "50000", instrument="BTC-USD-SWAP", margin_mode="isolated")
    assert venue.account.isolated["BTC-USD-SWAP", "net"].margin == D("0.002")  # 100 USD at 1x


def test_mr_3_a_fill_past_zero_closes_all_and_opens_the_rest(venue: Venue) -> None:
    fill(venue, "buy", "10", "50000", margin_mode="isolated")
    fill(venue, "sell", "14", "49000", margin_mode="isolated")
    held = venue.account.isolated["BTC-USDT-SWAP", "net"]
    assert (held.quantity, held.entry_price, held.margin) == (-4, 49000, 490)
    # −100 on the ten, and the margin of the four
    assert venue.cash("USDT") == 10000 - 100 - 490


def test_mr_3_cross_and_isolated_of_one_contract_are_kept_apart(venue: Venue) -> None:
    fill(venue, "buy", "10", "50000")
    fill(venue, "sell", "10", "50000", margin_mode="isolated")
    assert venue.account.positions["BTC-USDT-SWAP", "net"].quantity == 10
    assert venue.account.isolated["BTC-USDT-SWAP", "net"].quantity == -10


def test_mr_3_in_hedge_mode_a_side_closes_no_more_than_it_holds() -> None:
    venue = Venue()
    venue.open({"USDT": "10000"}, position_mode="long_short")
    fill(venue, "sell", "3", "50000", margin_mode="isolated", position_side="short")
    fill(venue, "buy", "5", "50000", margin_mode="isolated", position_side="long")
    assert venue.account.isolated["BTC-USDT-SWAP", "short"].quantity == -3
    with pytest.raises(BookError, match="closes more"):
        fill(venue, "buy", "4", "50000", margin_mode="isolated", position_side="short")
    assert venue.account.isolated["BTC-USDT-SWAP", "short"].quantity == -3


def test_mr_3_a_long_margin_position_owes_what_it_paid(venue: Venue) -> None:
    spot = {"instrument": "BTC-USDT", "margin_mode": "isolated"}
    fill(venue, "buy", "0.2", "50000", fee="10", **spot)
    held = venue.account.isolated["BTC-USDT", "net"]
    assert (held.liability, held.liability_currency, held.margin) == (10000, "USDT", 5000)
    assert venue.cash("USDT") == 4990
    assert venue.cash("BTC") == 1  # what was bought is in the position
    move(venue, "interest", "USDT", "4", "BTC-USDT", "net")
    fill(venue, "sell", "0.1", "54000", **spot)
    # half the margin, 0.1 × 4,000, less half the interest
    assert venue.cash("USDT") == 4990 + 2500 + 400 - 2
    assert (held.liability, held.accrued, held.margin, held.quantity) == (5000, 2, 2500, D("0.1"))


def test_mr_3_a_short_margin_position_owes_the_base_and_its_interest_at_the_fills_price(
    venue: Venue,
) -> None:
    spot = {"instrument": "BTC-USDT", "margin_mode": "isolated", "leverage": "5"}
    fill(venue, "sell", "0.1", "50000", **spot)
    held = venue.account.isolated["BTC-USDT", "net"]
    assert (held.liability, held.liability_currency, held.margin) == (D("0.1"), "BTC", 1000)
    move(venue, "interest", "BTC", "0.001", "BTC-USDT", "net")
    fill(venue, "buy", "0.1", "48000", **spot)
    assert not venue.account.isolated
    assert venue.cash("USDT") == 10000 + 200 - 48


def test_mr_3_margin_given_in_base_coin_returns_in_it() -> None:
    venue = Venue()
    position = apart("BTC-USDT", "0.2", "50000", "0.1", margin_currency="BTC", liability="9000")
    venue.open({"USDT": "0", "BTC": "1"}, isolated=[position])
    held = venue.account.isolated["BTC-USDT", "net"]
    assert (held.margin_currency, held.liability, held.accrued) == ("BTC", 9000, 0)
    fill(venue, "sell", "0.1", "51000", instrument="BTC-USDT", margin_mode="isolated")
    assert (venue.cash("BTC"), venue.cash("USDT")) == (D("1.05"), D(100))
    fill(
        venue,
        "buy",
        "0.1",
        "50000",
        instrument="BTC-USDT",
        margin_mode="isolated",
        leverage="4",
    )
    assert (held.margin, venue.cash("BTC")) == (D("0.075"), D("1.025"))  # so is what is added


def test_mr_3_a_snapshots_short_side_is_negative_and_its_leverage_is_kept() -> None:
    venue = Venue()
    position = apart("BTC-USDT-SWAP", "7", "50000", "350", "short", leverage="10")
    venue.open({"USDT": "0"}, position_mode="long_short", isolated=[position])
    assert venue.account.isolated["BTC-USDT-SWAP", "short"].quantity == -7
    assert venue.account.settings.leverage == {"BTC-USDT-SWAP/isolated/short": "10"}
    assert venue.opening is not None
    assert venue.opening.leverage == {}  # the message stays as it was sent


def test_mr_3_margin_moves_between_cash_and_position_but_not_below_zero(venue: Venue) -> None:
    fill(venue, "buy", "10", "50000", margin_mode="isolated")
    place = ("BTC-USDT-SWAP", "net")
    move(venue, "margin", "USDT", "250", *place)
    assert (venue.account.isolated[place].margin, venue.cash("USDT")) == (D(1500), D(8500))
    move(venue, "margin", "USDT", "-1500", *place)
    assert (venue.account.isolated[place].margin, venue.cash("USDT")) == (D(0), D(10000))
    with pytest.raises(BookError, match="out of a margin of 0"):
        move(venue, "margin", "USDT", "-1", *place)
    with pytest.raises(BookError, match="is in USDT, not in BTC"):
        move(venue, "margin", "BTC", "1", *place)
    with pytest.raises(BookError, match="no isolated position BTC-USDT/isolated/net"):
        move(venue, "margin", "USDT", "1", "BTC-USDT", "net")


def test_mr_3_funding_of_an_isolated_position_leaves_cash(venue: Venue) -> None:
    fill(venue, "buy", "10", "50000", margin_mode="isolated")
    move(venue, "funding", "USDT", "-3", "BTC-USDT-SWAP", "net")
    assert venue.cash("USDT") == 10000 - 1250 - 3
    assert venue.account.isolated["BTC-USDT-SWAP", "net"].margin == 1250


def test_cu_3_the_premium_is_paid_and_received_and_nothing_is_realised(venue: Venue) -> None:
    fill(venue, "buy", "20", "0.02", instrument=CALL, fee="0.0002", fee_currency="BTC")
    # 20 contracts of 0.1 BTC at 0.02 BTC
    assert venue.cash("BTC") == 1 - D("0.04") - D("0.0002")
    fill(venue, "sell", "50", "0.03", instrument=CALL)
    assert venue.cash("BTC") == D("0.9598") + D("0.15")
    held = venue.account.positions[CALL, "net"]
    assert (held.quantity, held.entry_price) == (-30, D("0.03"))
    fill(venue, "sell", "10", "0.05", instrument=CALL)
    assert held.entry_price == D("0.035")
    fill(venue, "buy", "40", "0.01", instrument=CALL)
    assert venue.cash("BTC") == D("1.1098") + D("0.05") - D("0.04")
    assert not venue.account.positions


def test_mr_3_there_are_no_isolated_options(venue: Venue) -> None:
    with pytest.raises(BookError, match="no isolated options"):
        fill(venue, "buy", "1", "0.02", instrument=CALL, margin_mode="isolated")
