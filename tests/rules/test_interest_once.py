"""IN-1: each hour once, at its own prices, whatever was missed, late, repeated or handed over."""

from __future__ import annotations

from monitor.account.interest import interest_id
from monitor.interest import HourPrices, Interest
from monitor.interest.accrual import MOMENTS_AT_MOST, RETRY_MS
from tests.rules.interest_world import DEBT, HOUR_MS, LATE, SECOND, H, Scene, debtor, spot
from tests.rules.reduction_world import d

# -- missed hours -----------------------------------------------------------------------------


def _three_hours(scene: Scene) -> Scene:
    scene.hours(0, rates={"USDT": "0.0876"})
    scene.hours(1, rates={"USDT": "0.876"})
    return scene.hours(2, rates={"USDT": "0.00876"})


def test_in_1_each_missed_hour_is_accrued_once_at_its_own_rate_with_interest_on_interest() -> None:
    scene = _three_hours(debtor())
    scene.pass_hour(2)  # down from before H until after the third hour
    assert [row for row in scene.said() if row[0] == "accrued"] == [
        ("accrued", "USDT", 0, "10"),
        ("accrued", "USDT", 1, "100.001"),
        ("accrued", "USDT", 2, "1.000110001"),
    ]
    steady = _three_hours(debtor())
    for number in range(3):
        steady.pass_hour(number)
    assert scene.bytes() == steady.bytes(), "as if it had never been down"
    assert scene.account == steady.account
    assert scene.pass_hour(2).bytes() == steady.bytes(), "once"


def test_in_1_missed_hours_with_events_between_them_are_those_of_a_steady_run() -> None:
    def events(scene: Scene, *, steady: bool) -> Scene:
        _three_hours(scene)
        for number, kind in enumerate(("withdrawal", "deposit", "withdrawal")):
            at = H + number * HOUR_MS + 1800 * SECOND
            if steady:
                scene.pass_hour(number)
            scene.transfer(at, kind, "300000")
        return scene.pass_hour(2)

    down, up = events(debtor(), steady=False), events(debtor(), steady=True)
    assert down.said() == up.said()
    assert down.account.balances == up.account.balances
    assert [n.liability for n in down.notices if n.state == "accrued"][1] == d("1300010")


def test_in_1_an_hour_nobody_recorded_is_worked_out_by_the_next_and_marked() -> None:
    scene = debtor()
    scene.hours(0, rates={"USDT": "0.0876"}).hours(2, rates={"USDT": "0.876"})
    scene.pass_hour(2)
    accrued = [n for n in scene.notices if n.state == "accrued"]
    assert [(n.yearly_rate, n.estimated) for n in accrued] == [
        (d("0.0876"), False),
        (d("0.876"), True),
        (d("0.876"), False),
    ]


def test_in_1_a_price_the_hour_lacks_is_taken_from_the_next_that_has_it_and_marked() -> None:
    position = {"instrument": "BTC-USDT-SWAP", "quantity": "-100", "entry_price": "60000"}
    scene = Scene().open({"USDT": "400", "BTC": "5"}, positions=[position])
    bare = {"BTC-USD/index": "60000", "USDT-USD/index": "1"}
    scene.interest.hours.take(HourPrices(H, bare, {}))
    scene.interest.hours.take(HourPrices(H + HOUR_MS, bare, {}))
    assert scene.pass_hour(0).notices == [], "it waits"
    scene.hours(2, BTC="61000").pass_hour(2)
    accrued = [n for n in scene.notices if n.state == "accrued"]
    assert [(n.liability > 599, n.estimated) for n in accrued] == [
        (True, True),
        (True, True),
        (True, False),
    ]


def test_in_1_hours_whose_prices_come_late_are_those_of_hours_known_at_once() -> None:
    def story(scene: Scene) -> None:
        scene.transfer(H + 10 * SECOND, "withdrawal", "500000")
        scene.reload()
        scene.transfer(H + 20 * SECOND, "deposit", "900000")
        scene.transfer(H + 1800 * SECOND, "deposit", "100000")
        scene.look(H + 1900 * SECOND)
        scene.transfer(H + HOUR_MS + 30 * SECOND, "withdrawal", "50000")
        scene.reload()
        scene.transfer(H + HOUR_MS + 70 * SECOND, "deposit", "1")

    known, late = _three_hours(debtor()), debtor()
    story(known)
    story(late)
    assert late.notices == []
    assert late.account.interest is not None
    assert [len(w.moments) for w in late.account.interest.windows] == [3, 2]
    _three_hours(late).pass_hour(2)
    known.pass_hour(2)
    assert late.said() == known.said()
    assert [n.estimated for n in late.notices] == [False] * len(late.notices)
    assert late.account.balances == known.account.balances
    assert late.account.interest == known.account.interest


def test_in_1_too_many_moments_are_thinned_and_marked() -> None:
    scene = debtor("0")
    for number in range(MOMENTS_AT_MOST + 5):
        scene.transfer(H + 1 + number, "withdrawal", "1")
    assert scene.account.interest is not None
    assert len(scene.account.interest.windows[0].moments) == MOMENTS_AT_MOST
    (accrued, *_) = scene.hours(0).pass_hour().notices
    assert accrued.estimated
    assert accrued.liability >= MOMENTS_AT_MOST - 1


def test_in_1_without_any_hour_the_account_is_tried_again_later_not_at_once() -> None:
    scene = debtor()
    now = H + 60 * SECOND + LATE
    assert scene.look(now) == []
    assert scene.interest.next_time(scene.account, scene.reference, now) == now + RETRY_MS


def test_in_1_the_next_time_is_the_accrual_then_the_deduction_then_the_next_hour() -> None:
    scene = spot().hours(0, 1)
    times = []
    now = H - SECOND
    for _ in range(3):
        found = scene.interest.next_time(scene.account, scene.reference, now)
        assert found is not None
        times.append(found)
        scene.look(found - 1)
        before = len(scene.notices)
        scene.look(now := found)
        assert len(scene.notices) == before + 1, "at that time, not before"
    late = times[0] - H - 60 * SECOND
    assert 0 < late < LATE
    assert times[1:] == [H + 180 * SECOND + late, H + HOUR_MS + 60 * SECOND + late]


def test_h_8_the_accounts_of_one_hour_are_spread() -> None:
    found = set()
    for number in range(40):
        scene = Scene(account_id=f"A{number}").open({"USDT": "-1"})
        found.add(scene.interest.next_time(scene.account, scene.reference, H))
    assert len(found) > 35


# -- once -------------------------------------------------------------------------------------


def test_in_1_ids_are_of_account_currency_hour_and_step() -> None:
    scene = spot().hours(0, 1).pass_hour(1)
    assert [n.interest_id for n in scene.notices] == [
        interest_id("A1", "USDT", None, H + number * HOUR_MS, step)
        for number in (0, 1)
        for step in ("accrued", "deducted")
    ]
    assert len({n.interest_id for n in scene.notices}) == 4


def test_in_1_a_notice_says_between_which_events_it_was_booked() -> None:
    scene = Scene().open({"USDT": "-1000000"}, account_seq=7).hours(0)
    scene.transfer(H + 200 * SECOND, "deposit", "1", account_seq=8)
    assert [(n.book, n.account_seq) for n in scene.notices] == [({"accounts": 1}, 7)] * 2
    assert {n.reference for n in scene.notices} == {scene.reference.sha256}


def test_in_1_a_book_that_changed_hands_goes_on_where_it_stood() -> None:
    whole, handed = spot().hours(0, 1), spot().hours(0, 1)
    for scene in (whole, handed):
        scene.transfer(H + 30 * SECOND, "borrow", "1000000")
        if scene is handed:
            scene.reload()
        scene.look(H + 60 * SECOND + LATE)
        if scene is handed:
            scene.reload()
            scene.interest = Interest(scene.interest.hours)
        scene.pass_hour(1)
    assert whole.bytes() == handed.bytes()
    assert whole.said()[0] == ("accrued", "USDT", 0, "20")


def test_in_1_only_what_was_not_repaid_meanwhile_is_deducted() -> None:
    scene = Scene().open(mode="spot", balances=[{**DEBT[0], "cash": "500"}]).hours(0)
    scene.look(H + 60 * SECOND + LATE)
    scene.transfer(H + 100 * SECOND, "repay", "4")  # interest first
    scene.pass_hour()
    assert scene.said() == [("accrued", "USDT", 0, "10"), ("deducted", "USDT", 0, "6")]
    assert (scene.accrued(), scene.cash()) == (d(0), d(490))
    scene.hours(1).look(H + HOUR_MS + 60 * SECOND + LATE)
    scene.transfer(H + HOUR_MS + 100 * SECOND, "repay", "400")
    assert scene.pass_hour(1).said()[-1][0] == "accrued", "nothing was left to deduct"


def test_in_1_a_snapshot_says_what_is_accrued() -> None:
    scene = debtor().hours(0)
    scene.look(H + 60 * SECOND + LATE)
    assert scene.accrued() == 10
    scene.event(
        "accounts",
        H + 100 * SECOND,
        snapshot={"balances": [{"currency": "USDT", "cash": "-1000010"}]},
    )
    scene.pass_hour()
    assert scene.said() == [("accrued", "USDT", 0, "10")]
    assert scene.cash() == -1000010


def test_in_1_a_ledger_that_follows_may_send_what_it_booked() -> None:
    scene = debtor().hours(0).pass_hour()
    cash = scene.cash()
    for notice in list(scene.notices):
        scene.transfer(H + 200 * SECOND, "interest", "10", transfer_id=notice.interest_id)
    assert scene.cash() == cash
    scene.transfer(H + 200 * SECOND, "interest", "10", transfer_id="another")
    assert scene.cash() == cash - 10
