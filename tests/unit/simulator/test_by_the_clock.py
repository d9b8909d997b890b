"""What falls due on the exchange's clock: funding, and interest in both bookings."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from streams.simulator import Catalogue, wire
from streams.simulator.funding import Funding
from streams.simulator.interest import HourlyInterest
from streams.simulator.rebuild import restore
from tests.unit.simulator.venue import CALL, REFERENCE, Venue, apart, limit_order

D = Decimal
HOUR = 3_600_000
EIGHT = 1_700_006_400_000  # 2023-11-15 00:00 UTC


def made(policy: dict[str, Any] | None = None, **swap: Any) -> Catalogue:
    raw = copy.deepcopy(REFERENCE)
    raw["policy"] = policy or {}
    raw["instruments"]["BTC-USDT-SWAP"].update(swap)
    return Catalogue.of(raw)


def to(venue: Venue, ms: int, *parts: Any) -> list[Any]:
    """Let the clock stand at `ms`, look, and return what was sent."""
    venue.clock.ms = ms
    for part in parts:
        part.look()
    return venue.pass_ms(1_000)


# -- funding -----------------------------------------------------------------


def test_in_5_longs_pay_and_shorts_receive_where_the_rate_is_positive() -> None:
    venue = Venue(made(funding_rate="0.0001"))
    venue.open(
        {"USDT": "1000"},
        [("BTC-USDT-SWAP", "long", "10", "40000"), ("BTC-USDT-SWAP", "short", "-4", "40000")],
        position_mode="long_short",
        isolated=[apart("BTC-USDT-SWAP", "6", "50000", "900", "long")],
    )
    funding = Funding(venue.exchange)
    assert to(venue, EIGHT - 2_000, funding) == []
    sent = to(venue, EIGHT, funding)
    # 10 × 0.01 × 50,000 at mark, 1 in 10,000
    assert [(t.kind, t.currency, t.amount, t.position_side) for t in sent] == [
        ("funding", "USDT", "-0.5", "long"),
        ("funding", "USDT", "0.2", "short"),
        ("funding", "USDT", "-0.3", "long"),
    ]
    assert [t.transfer_id for t in sent] == [
        f"a-funding-{EIGHT}-BTC-USDT-SWAP/{key}" for key in ("long", "short", "isolated/long")
    ]
    assert venue.cash("USDT") == D("999.4")
    assert to(venue, EIGHT + 8 * HOUR - 2_000, funding) == []
    assert len(to(venue, EIGHT + 8 * HOUR, funding)) == 3


def test_in_5_an_inverse_swap_is_funded_in_coin_and_rounded_down() -> None:
    venue = Venue()
    venue.open({"BTC": "1"}, [("BTC-USD-SWAP", "net", "-70", "50000")])
    venue.tick("BTC-USD-SWAP", "49999.9", kind="mark")
    funding = Funding(venue.exchange)
    to(venue, EIGHT - 2_000, funding)
    (sent,) = to(venue, EIGHT, funding)
    rate = funding.rate(venue.exchange.catalogue.contracts["BTC-USD-SWAP"], EIGHT)
    exact = D(7000) / D("49999.9") * rate
    assert sent.currency == "BTC"
    assert 0 <= exact - D(sent.amount) < D("1e-12")


def test_in_5_rates_that_nobody_gives_are_small_and_drawn_by_the_seed() -> None:
    swap = made().contracts["BTC-USDT-SWAP"]
    rates = [Funding(Venue(seed=3).exchange).rate(swap, EIGHT + n) for n in range(50)]
    assert rates == [Funding(Venue(seed=3).exchange).rate(swap, EIGHT + n) for n in range(50)]
    assert rates != [Funding(Venue(seed=4).exchange).rate(swap, EIGHT + n) for n in range(50)]
    assert all(abs(rate) <= D("0.003") for rate in rates)
    assert len(set(rates)) > 20


def test_in_5_hours_and_phase_are_the_instruments() -> None:
    venue = Venue(made(funding_rate="0.0001", funding_hours=4, next_funding_ts=EIGHT + HOUR))
    venue.open({"USDT": "1000"}, [("BTC-USDT-SWAP", "net", "10", "40000")])
    funding = Funding(venue.exchange)
    to(venue, EIGHT, funding)
    assert to(venue, EIGHT + HOUR - 2_000, funding) == []
    assert len(to(venue, EIGHT + HOUR, funding)) == 1
    assert len(to(venue, EIGHT + 9 * HOUR, funding)) == 2  # a gap of two


def test_in_5_without_a_mark_nothing_is_paid_and_spot_and_options_have_no_funding() -> None:
    venue = Venue(made(funding_rate="0.0001"))
    venue.open(
        {"USDT": "1000", "BTC": "1"},
        [("BTC-USDT-SWAP", "net", "10", "40000"), (CALL, "net", "10", "0.02")],
        isolated=[apart("BTC-USDT", "0.1", "50000", "900")],
    )
    venue.exchange.market = type(venue.exchange.market)()
    funding = Funding(venue.exchange)
    to(venue, EIGHT - 2_000, funding)
    assert to(venue, EIGHT, funding) == []


def test_in_5_an_exchange_started_anew_pays_what_was_left_and_nothing_twice() -> None:
    first = Venue(made(funding_rate="0.0001"))
    positions = [("BTC-USDT-SWAP", "long", "10", "40000"), ("BTC-USDT-SWAP", "short", "-4", "1")]
    first.open({"USDT": "1000"}, positions, position_mode="long_short")
    opening = wire.decode_event("accounts", wire.encode(first.opening))
    funding = Funding(first.exchange)
    to(first, EIGHT - 2_000, funding)
    sent = to(first, EIGHT, funding)
    assert len(sent) == 2
    anew = Venue(made(funding_rate="0.0001"))
    restore(anew.exchange, [opening, sent[0]])
    anew.clock.ms = EIGHT + 60_000
    (rest,) = to(anew, EIGHT + 60_000, Funding(anew.exchange))
    assert (rest.transfer_id, rest.amount) == (sent[1].transfer_id, sent[1].amount)
    whole = Venue(made(funding_rate="0.0001"))
    restore(whole.exchange, [opening, *sent])
    assert to(whole, EIGHT + 60_000, Funding(whole.exchange)) == []


# -- interest that the monitor books -----------------------------------------


def notice(state: str, coin: str, amount: str, hour: int = EIGHT, **fields: Any) -> wire.Interest:
    return wire.Interest(
        **{
            "interest_id": "i",
            "account_id": "a",
            "state": state,
            "currency": coin,
            "amount": amount,
            "hour": hour,
            "ts": hour,
            **fields,
        }
    )


def test_in_1_what_is_accrued_becomes_owed_and_what_is_deducted_leaves_cash() -> None:
    venue = Venue()
    venue.open({"USDT": "50"}, borrowed={"USDT": "300"}, mode="spot")
    books = venue.exchange.books
    assert books.follow(notice("accrued", "USDT", "0.5"))
    assert venue.account.owed("USDT") == D("300.5")
    assert not books.follow(notice("accrued", "USDT", "0.5"))  # a repeat
    assert books.follow(notice("deducted", "USDT", "0.5"))
    assert venue.account.owed("USDT") == 300
    assert venue.cash("USDT") == D("49.5")
    assert books.follow(notice("accrued", "USDT", "0.7", EIGHT + HOUR))
    assert books.follow(notice("accrued", "BTC", "0.1"))
    assert not books.follow(notice("accrued", "USDT", "1", account_id="nobody"))
    assert venue.sent() == []


def test_in_1_interest_of_a_margin_position_stays_in_it() -> None:
    venue = Venue()
    venue.open({"USDT": "50"}, isolated=[apart("BTC-USDT", "0.1", "50000", "900")])
    venue.exchange.books.follow(notice("accrued", "USDT", "0.5", instrument="BTC-USDT"))
    assert venue.account.isolated["BTC-USDT", "net"].accrued == D("0.5")
    assert venue.account.owed("USDT") == 0


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("closed", ["0.04", "0.1"])
def test_in_1_interest_told_late_gives_the_same_books(
    late: bool, direction: int, closed: str
) -> None:
    venue = Venue()
    quantity, coin = ("0.1", "USDT") if direction > 0 else ("-0.1", "BTC")
    venue.open({"USDT": "5000"}, isolated=[apart("BTC-USDT", quantity, "50000", "900")])
    told = notice("accrued", coin, "0.00005", instrument="BTC-USDT", account_seq=1)
    order = limit_order("o", "sell" if direction > 0 else "buy", "48000", closed)
    order.instrument, order.margin_mode = "BTC-USDT", "isolated"
    if not late:
        venue.exchange.books.follow(told)
    venue.exchange.fill(venue.account, order, D(closed), D(48000), free=True)
    if late:
        venue.exchange.books.follow(told)
    interest = D("0.00005") * D(closed) * 10 * (1 if direction > 0 else 48000)
    gained = -2000 * direction * D(closed)
    assert venue.cash("USDT") == 5000 + 9000 * D(closed) + gained - interest
    assert venue.account.owed(coin) == 0
    held = venue.account.isolated.get(("BTC-USDT", "net"))
    left = D("0.00005") * (1 - D(closed) * 10)
    assert (held.accrued if held is not None else D(0)) == left


def test_rp_5_interest_of_a_position_closed_before_is_owed_by_the_account() -> None:
    venue = Venue()
    venue.open({"USDT": "5000"}, isolated=[apart("BTC-USDT", "0.1", "50000", "900")])
    order = limit_order("o", "sell", "48000", "0.1", instrument="BTC-USDT", margin_mode="isolated")
    venue.exchange.fill(venue.account, order, D("0.1"), D(48000), free=True)
    told = notice("accrued", "USDT", "2", instrument="BTC-USDT", account_seq=2)
    venue.exchange.books.follow(told)
    assert venue.account.owed("USDT") == 2
    venue.exchange.books.follow(notice("deducted", "USDT", "2", instrument="BTC-USDT"))
    assert venue.account.owed("USDT") == 0


def test_in_1_an_exchange_started_anew_books_interest_at_its_place() -> None:
    venue = Venue()
    venue.open({"USDT": "500"}, borrowed={"USDT": "300"}, mode="spot")
    opening = wire.decode_event("accounts", wire.encode(venue.opening))
    told = [
        notice("accrued", "USDT", "0.5", account_seq=1),
        notice("deducted", "USDT", "0.2", account_seq=2),
    ]
    venue.exchange.books.follow(told[0])
    venue.exchange.transfer(venue.account, "repay", "USDT", "0.3")
    venue.exchange.books.follow(told[1])
    anew = Venue()
    restore(anew.exchange, [*venue.sent(), opening], told[::-1] * 2)
    assert anew.account.borrowed == venue.account.borrowed == {"USDT": D(300)}
    assert anew.account.accrued == venue.account.accrued
    assert anew.account.cash == venue.account.cash
    assert anew.account.interest_hours == venue.account.interest_hours
    assert not anew.exchange.books.follow(told[1])


# -- interest that the exchange books ----------------------------------------


def charged(venue: Venue) -> list[Any]:
    interest = HourlyInterest(venue.exchange)
    assert to(venue, EIGHT - 2_000, interest) == []
    sent = to(venue, EIGHT, interest)
    assert to(venue, EIGHT + HOUR - 2_000, interest) == []
    return sent


BOOKS_IT = {"interest_booking": "exchange"}


def test_in_1_the_exchange_sends_interest_only_where_it_books_it() -> None:
    venue = Venue(made())
    venue.open({"USDT": "50"}, borrowed={"USDT": "30000"}, mode="spot")
    assert charged(venue) == []


def test_in_1_a_spot_debt_pays_from_the_first_unit() -> None:
    venue = Venue(made(BOOKS_IT))
    venue.open({"USDT": "50", "BTC": "-0.1"}, borrowed={"USDT": "30000"}, mode="spot")
    sent = charged(venue)
    # 30,000 × 8.76 % / 8,760, and 0.1 BTC × 4.38 % / 8,760
    assert [(t.kind, t.currency, t.amount) for t in sent] == [
        ("interest", "BTC", "0.0000005"),
        ("interest", "USDT", "0.3"),
    ]
    assert [t.transfer_id for t in sent] == [f"a-interest-{EIGHT}-{c}" for c in ("BTC", "USDT")]


@pytest.mark.parametrize(
    ("cash", "entry", "policy", "amount"),
    [
        ("-30000", "50000", {}, "0.3"),  # negative cash pays from the first unit
        ("0", "80000", {}, "0.1"),  # 30,000 lost, 20,000 of it free
        ("-10000", "70000", {}, "0.1"),  # 20,000 unrealised are free, 10,000 are not
        ("-30000", "50000", {"quota_covers": "all"}, "0.1"),
        ("0", "65000", {}, None),
    ],
)
def test_in_2_unrealised_losses_are_free_up_to_the_quota(
    cash: str, entry: str, policy: dict[str, Any], amount: str | None
) -> None:
    venue = Venue(made({**BOOKS_IT, **policy}))
    venue.open({"USDT": cash, "BTC": "5"}, [("BTC-USDT-SWAP", "net", "100", entry)])
    assert [t.amount for t in charged(venue)] == ([] if amount is None else [amount])


def test_in_2_with_auto_borrow_off_the_rest_is_converted_and_not_charged() -> None:
    for policy, amounts in ((BOOKS_IT, []), ({**BOOKS_IT, "charge_when_off": True}, ["0.1"])):
        venue = Venue(made(policy))
        venue.open({"USDT": "-30000", "BTC": "5"}, auto_borrow=False)
        assert [t.amount for t in charged(venue)] == amounts


def test_in_2_an_isolated_debt_has_no_free_part_and_keeps_its_interest() -> None:
    venue = Venue(made(BOOKS_IT))
    venue.open({"USDT": "50"}, isolated=[apart("BTC-USDT", "0.1", "50000", "900")])
    (sent,) = charged(venue)
    assert (sent.amount, sent.instrument, sent.position_side) == ("0.05", "BTC-USDT", "net")
    assert venue.account.isolated["BTC-USDT", "net"].accrued == D("0.05")
    assert venue.cash("USDT") == 50
