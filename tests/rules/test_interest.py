"""IN-1: what is charged on the hour, when it accrues, and when it leaves cash."""

from __future__ import annotations

from decimal import Decimal

import pytest

from monitor.reference import BadReference
from tests.rules.interest_world import DEBT, HOUR_MS, LATE, SECOND, H, Scene, debtor, rated, spot
from tests.rules.reduction_world import d

# -- the figure, and when ---------------------------------------------------------------------


def test_in_1_liability_times_yearly_rate_by_365_and_24() -> None:
    scene = spot().hours(0)
    scene.look(H + 60 * SECOND + LATE)
    (accrued,) = scene.notices
    assert (accrued.state, accrued.currency, accrued.amount) == ("accrued", "USDT", d(10))
    assert (accrued.liability, accrued.free, accrued.yearly_rate) == (
        d(1_000_000),
        d(0),
        d("0.0876"),
    )
    assert (accrued.hour, accrued.ts, accrued.estimated) == (H, H + 60 * SECOND, False)
    assert (scene.accrued(), scene.cash()) == (d(10), d(0)), "accrued, and not yet deducted"
    scene.look(H + 180 * SECOND + LATE)
    deducted = scene.notices[1]
    assert (deducted.state, deducted.amount, deducted.ts) == ("deducted", d(10), H + 180 * SECOND)
    assert (scene.accrued(), scene.cash()) == (d(0), d(-10))
    assert scene.look(H + 59 * 60 * SECOND) == []


def test_in_1_nothing_accrues_before_the_window_is_past_nor_is_deducted_before_its_time() -> None:
    scene = spot().hours(0)
    assert scene.look(H + 60 * SECOND) == []
    scene.event("transfers", H + 60 * SECOND, kind="deposit", amount="1", currency="BTC")
    assert scene.notices == []
    scene.event("transfers", H + 60 * SECOND + 1, kind="deposit", amount="1", currency="BTC")
    assert scene.said() == [("accrued", "USDT", 0, "10")]
    scene.event("transfers", H + 180 * SECOND, kind="deposit", amount="1", currency="BTC")
    assert len(scene.notices) == 1
    scene.event("transfers", H + 180 * SECOND + 1, kind="deposit", amount="1", currency="BTC")
    assert scene.said()[1:] == [("deducted", "USDT", 0, "10")]


def test_in_1_multi_currency_owes_its_negative_cash_and_the_interest_on_it() -> None:
    scene = debtor().hours(0, 1).pass_hour(0).pass_hour(1)
    assert scene.said() == [
        ("accrued", "USDT", 0, "10"),
        ("deducted", "USDT", 0, "10"),
        ("accrued", "USDT", 1, "10.0001"),
        ("deducted", "USDT", 1, "10.0001"),
    ]
    assert scene.cash() == d("-1000020.0001")


def test_in_1_every_coin_owed_is_charged_at_its_own_rate() -> None:
    scene = Scene().open({"ETH": "-10", "BTC": "-2", "USDT": "9000000"}).hours(0).pass_hour()
    assert scene.said()[:2] == [
        ("accrued", "BTC", 0, "0.00001"),
        ("accrued", "ETH", 0, "0.0001"),
    ]


def test_in_1_an_account_that_owes_nothing_is_not_looked_at_and_says_nothing() -> None:
    scene = Scene().open({"USDT": "5"})
    assert scene.interest.next_time(scene.account, scene.reference, H) is None
    scene.pass_hour()  # no hour is known, none is needed
    assert scene.notices == []


def test_in_1_the_windows_are_settings() -> None:
    scene = Scene(rated({"recording_seconds": "0", "deduction_seconds": "3600"}))
    scene.open(mode="spot", balances=DEBT).hours(0)
    scene.transfer(H + 1, "borrow", "500000")  # after a window of no length
    assert scene.said() == [("accrued", "USDT", 0, "10")]
    scene.hours(1).look(H + HOUR_MS + LATE)
    # 10 came out of the borrowed cash, so 1,500,000 are owed and no interest on interest
    assert scene.said()[1:] == [("deducted", "USDT", 0, "10"), ("accrued", "USDT", 1, "15")]
    assert scene.cash() == 499_990


def test_in_1_settings_that_cannot_be_are_refused_by_name() -> None:
    with pytest.raises(BadReference, match="deduction_seconds 3601 lies beyond the next hour"):
        rated({"deduction_seconds": "3601"})
    with pytest.raises(BadReference, match="deduction_seconds 59 lies before the end of the rec"):
        rated({"deduction_seconds": "59"})


# -- the base ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "charged"),
    [(-1, "0"), (0, "0"), (1, "10"), (60 * SECOND, "10")],
)
def test_in_1_repaid_up_to_the_hour_costs_nothing_after_it_does(at: int, charged: str) -> None:
    scene = debtor().hours(0)
    scene.transfer(H + at, "deposit", "1000000")
    scene.pass_hour()
    assert scene.total("accrued") == d(charged)


@pytest.mark.parametrize(
    ("at", "charged"), [(0, "10"), (1, "10"), (60 * SECOND, "10"), (60 * SECOND + 1, "0")]
)
def test_in_1_what_arises_within_the_window_counts(at: int, charged: str) -> None:
    scene = debtor("0").hours(0)
    scene.transfer(H + at, "withdrawal", "1000000")
    scene.pass_hour()
    assert scene.total("accrued") == d(charged)


def test_in_1_the_base_is_the_greatest_of_the_window_not_its_first_or_last() -> None:
    scene = debtor("-100000").hours(0)
    scene.transfer(H + 10 * SECOND, "withdrawal", "900000")
    scene.transfer(H + 20 * SECOND, "deposit", "700000")
    scene.pass_hour()
    assert scene.said()[0] == ("accrued", "USDT", 0, "10")
    assert scene.notices[0].liability == 1_000_000


def test_in_1_an_event_after_the_window_does_not_change_its_base() -> None:
    scene = debtor().hours(0)
    scene.transfer(H + 60 * SECOND + 1, "withdrawal", "5000000")
    assert scene.said() == [("accrued", "USDT", 0, "10")]


def test_in_1_the_base_is_taken_at_the_prices_of_the_hour() -> None:
    """Short 100 contracts of 0.01 BTC at 60,000: at 61,000 it has lost 1,000 USDT, the cash is 400."""
    position = {"instrument": "BTC-USDT-SWAP", "quantity": "-100", "entry_price": "60000"}
    scene = Scene().open({"USDT": "400", "BTC": "5"}, positions=[position])
    scene.hours(0, BTC="61000").hours(1, BTC="60400").hours(2, BTC="60400.01")
    for number in range(3):
        scene.pass_hour(number)
    accrued = [n for n in scene.notices if n.state == "accrued"]
    assert [(n.hour - H) // HOUR_MS for n in accrued] == [0, 1, 2]
    assert [n.liability for n in accrued] == [d(600), d("0.006"), d("0.01600006")]
    assert accrued[0].amount == d("0.006")


def test_in_1_rates_are_those_of_the_hour_where_it_has_them() -> None:
    scene = debtor().hours(0, rates={"USDT": "0.876"}).hours(1, rates={"BTC": "1"})
    scene.pass_hour(0)
    scene.pass_hour(1)
    assert [n.yearly_rate for n in scene.notices if n.state == "accrued"] == [
        d("0.876"),
        d("0.0876"),
    ]
    assert scene.said()[0][3] == "100"


def test_in_1_an_event_of_the_window_that_comes_late_still_counts() -> None:
    scene = debtor("0").hours(0)
    scene.look(H + 61 * SECOND)  # the clock is past the window, and waits a little
    scene.transfer(H + 59 * SECOND, "withdrawal", "1000000")
    scene.pass_hour()
    assert scene.total("accrued") == 10


def test_in_1_the_clock_waits_while_an_event_is_missing() -> None:
    scene = Scene().open({"USDT": "-1000000", "BTC": "100"}, account_seq=1).hours(0)
    scene.transfer(H - SECOND, "deposit", "1", "BTC", account_seq=3)
    assert scene.look(H + 70 * SECOND) == []
    assert scene.interest.next_time(scene.account, scene.reference, H + 70 * SECOND) is None
    scene.transfer(H - 2 * SECOND, "deposit", "1000000", account_seq=2)
    assert scene.pass_hour().notices == [], "repaid before the hour, if read late"


def test_in_1_out_of_sync_goes_on_and_is_marked() -> None:
    scene = debtor().hours(0)
    scene.account.out_of_sync, scene.account.gap_since = True, H
    assert scene.pass_hour().notices[0].estimated


def test_in_1_a_new_account_is_charged_from_the_next_hour_on() -> None:
    scene = Scene().open({"USDT": "-1000000"}, ts=H + 1).hours(0, 1)
    scene.pass_hour(0)
    assert scene.notices == []
    assert scene.pass_hour(1).said()[0] == ("accrued", "USDT", 1, "10")
    at_the_hour = Scene().open({"USDT": "-1000000"}, ts=H).hours(0)
    assert at_the_hour.pass_hour().total("accrued") == 10


# -- who books --------------------------------------------------------------------------------


def test_in_1_where_the_exchange_books_nothing_accrues_and_its_transfers_count() -> None:
    scene = Scene(rated({"interest_booking": "exchange"})).open({"USDT": "-1000000"}).hours(0)
    scene.transfer(H + 30 * SECOND, "withdrawal", "5")
    scene.pass_hour()
    assert scene.notices == []
    assert scene.account.interest is None
    assert scene.interest.next_time(scene.account, scene.reference, H) is None
    scene.transfer(H + 200 * SECOND, "interest", "10")
    assert scene.cash() == -1_000_015


def test_in_1_a_change_of_who_books_deducts_what_was_accrued_and_stops() -> None:
    scene = debtor().hours(0, 1, 2)
    scene.look(H + 60 * SECOND + LATE)
    scene.reference = rated({"interest_booking": "exchange"})
    at = scene.interest.next_time(scene.account, scene.reference, H + 70 * SECOND)
    assert at is not None
    assert at <= H + 180 * SECOND + LATE
    scene.pass_hour(0)
    scene.pass_hour(1)
    assert scene.said() == [("accrued", "USDT", 0, "10"), ("deducted", "USDT", 0, "10")]
    assert scene.account.interest is None
    scene.reference = rated()
    scene.look(H + HOUR_MS + 1800 * SECOND)  # back again: from the next hour on
    assert scene.pass_hour(2).said()[2:] == [
        ("accrued", "USDT", 2, "10.0001"),
        ("deducted", "USDT", 2, "10.0001"),
    ]


# -- isolated debts ---------------------------------------------------------------------------

MARGIN = {
    "instrument": "BTC-USDT",
    "margin_mode": "isolated",
    "quantity": "10",
    "entry_price": "60000",
    "margin": "100000",
    "margin_currency": "USDT",
    "liability": "500000",
    "liability_currency": "USDT",
}
KEY = "BTC-USDT/isolated/net"


def test_in_1_an_isolated_debt_accrues_in_its_position_and_is_never_deducted() -> None:
    scene = Scene(rated(interest_free_quota="20000")).open({"USDT": "7"}, positions=[MARGIN])
    scene.hours(0, 1).pass_hour(1)
    assert scene.said() == [("accrued", "USDT", 0, "5"), ("accrued", "USDT", 1, "5.00005")]
    assert {(n.instrument, n.free) for n in scene.notices} == {("BTC-USDT", Decimal(0))}
    assert scene.account.isolated[KEY].accrued_interest == d("10.00005")
    assert (scene.cash(), scene.accrued()) == (d(7), d(0))


def test_in_1_interest_of_a_position_closed_within_the_window_is_the_accounts() -> None:
    scene = Scene().open({"USDT": "7"}, positions=[MARGIN]).hours(0)
    scene.event(
        "fills",
        H + 30 * SECOND,
        instrument="BTC-USDT",
        margin_mode="isolated",
        side="sell",
        price="60000",
        quantity="10",
    )
    assert scene.account.isolated == {}
    before = scene.cash()
    scene.pass_hour()
    assert scene.said() == [("accrued", "USDT", 0, "5"), ("deducted", "USDT", 0, "5")]
    assert {n.instrument for n in scene.notices} == {"BTC-USDT"}
    assert scene.cash() == before - 5


def test_in_1_cross_and_isolated_debts_of_one_coin_are_two_accruals() -> None:
    scene = Scene().open({"USDT": "-1000000", "BTC": "50"}, positions=[MARGIN]).hours(0)
    scene.pass_hour()
    assert [(n.instrument, n.amount) for n in scene.notices if n.state == "accrued"] == [
        (None, d(10)),
        ("BTC-USDT", d(5)),
    ]
    assert len({n.interest_id for n in scene.notices}) == 3
