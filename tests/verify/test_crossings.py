"""What counts as an unanswered crossing, and what excuses one."""

from __future__ import annotations

from typing import Any

from streams.verify import VerifyReport, check
from tests.verify.scene import Scene
from tests.verify.worked import (
    BORROWER,
    REFERENCE,
    SPOT,
    figures,
    order,
    spot_episode,
    spot_reduction,
)

DEPOSIT = {"transfer_id": "d1", "kind": "deposit", "currency": "USDT", "amount": "20000"}
AVOIDABLE = "an order of concurrent events avoids it"


def borrower() -> Scene:
    """Return a run with an account that owes 30,000 USDT on 1 BTC; 32,500 is below 3."""
    scene = Scene(REFERENCE)
    scene.tick("USDT-USD", 1)
    scene.tick("BTC-USD", 60000)
    scene.event("accounts", "A", **BORROWER)
    scene.heartbeat()
    return scene


def rules(report: VerifyReport) -> list[str]:
    """Return the rules broken, in order."""
    return [violation.rule for violation in report.violations]


def test_a_crossing_of_one_tick_counts() -> None:
    scene = borrower()
    scene.tick("BTC-USD", 32500)
    scene.tick("BTC-USD", 60000)
    scene.heartbeat()

    report = check(scene.history())

    assert rules(report) == ["crossing"]
    assert report.crossings_checked == 1


def test_a_crossing_that_an_order_of_events_avoids_is_excused() -> None:
    scene = borrower()
    scene.event("transfers", "A", **DEPOSIT)  # in the same span as the tick: either may be first
    scene.tick("BTC-USD", 32500)
    scene.heartbeat()

    report = check(scene.history())

    assert report.clean
    assert report.crossings_excused == {AVOIDABLE: 1}


def test_a_crossing_before_the_event_that_would_avoid_it_counts() -> None:
    scene = borrower()
    scene.tick("BTC-USD", 32500)
    scene.heartbeat()
    scene.event("transfers", "A", **DEPOSIT)
    scene.heartbeat()

    assert rules(check(scene.history())) == ["crossing"]


def test_a_crossing_that_every_order_of_events_meets_counts() -> None:
    scene = borrower()
    scene.event("transfers", "A", **{**DEPOSIT, "amount": "1"})
    scene.tick("BTC-USD", 32500)  # too little to matter
    scene.tick("BTC-USD", 60000)
    scene.heartbeat()

    assert rules(check(scene.history())) == ["crossing"]


def test_two_crossings_that_no_one_order_avoids_together_count() -> None:
    scene = borrower()
    # Good before the deposit at 60,000 and after the withdrawal at 60,000; bad at 32,500 in both
    # states that an order could put there, unless the deposit is in and the withdrawal is not.
    scene.event("transfers", "A", **DEPOSIT)
    scene.heartbeat()
    withdrawal = {**DEPOSIT, "transfer_id": "w1", "kind": "withdrawal"}
    scene.event("transfers", "A", **withdrawal)
    scene.tick("BTC-USD", 32500)
    scene.heartbeat()  # here the withdrawal is in and the price is low, in any order

    assert rules(check(scene.history())) == ["crossing"]


def test_an_answer_in_time_is_no_crossing_even_after_the_heartbeat_before() -> None:
    assert check(spot_episode().history()).crossings_excused == {}


def test_a_tick_outside_every_span_is_excused_and_counted() -> None:
    scene = borrower()
    scene.tick("BTC-USD", 32500)
    scene.tick("BTC-USD", 60000)
    scene.tick("USDT-USD", 1)
    later = {"since": scene.now, "since_tick": 4}
    scene.heartbeat(**later)
    scene.heartbeat(**later)

    report = check(scene.history())

    assert report.clean
    assert report.crossings_excused == {"no ready worker covered it": 1}


def test_a_gap_after_a_command_that_says_more_than_the_last_heartbeat_is_excused() -> None:
    scene = borrower()
    # Of this event only the warning tells that it was applied: no heartbeat comes before the gap.
    scene.event("orders", "A", **order("o1", 1, "open"))
    scene.tick("BTC-USD", 32500)
    warned = figures(1850, "600", "30.6", "spot", "warning")
    scene.command("episode", "A", 1, SPOT, state="opened", **warned)
    scene.command("warning", "A", 1, SPOT, state="entered", level="3", **warned)
    scene.tick("BTC-USD", 31250)
    scene.tick("BTC-USD", 32400)
    scene.heartbeat(since=scene.now, since_tick=4)

    report = check(scene.history())

    assert report.clean, "\n".join(report.lines())
    assert set(report.crossings_excused) == {"no ready worker covered it"}


def test_the_state_a_worker_became_ready_at_is_covered() -> None:
    scene = borrower()
    scene.tick("BTC-USD", 60000)
    scene.tick("BTC-USD", 32500)
    scene.heartbeat(since=scene.now, since_tick=3)

    assert rules(check(scene.history())) == ["crossing"]


def test_an_unready_heartbeat_covers_nothing() -> None:
    scene = Scene(REFERENCE)
    scene.tick("USDT-USD", 1)
    scene.tick("BTC-USD", 60000)
    scene.event("accounts", "A", **BORROWER)
    scene.tick("BTC-USD", 32500)
    scene.heartbeat(ready=False)

    report = check(scene.history())

    assert report.clean
    assert report.notes == ["no heartbeat covers any tick: every crossing is excused"]


def test_what_comes_after_the_last_heartbeat_is_excused_and_counted() -> None:
    scene = borrower()
    scene.tick("BTC-USD", 32500)

    report = check(scene.history())

    assert report.clean
    assert report.crossings_excused == {"after the last heartbeat": 1}


def test_px_3_a_missing_price_is_no_crossing() -> None:
    scene = Scene(REFERENCE)
    scene.tick("BTC-USD", 31000)  # USDT was never priced
    scene.event("accounts", "A", **BORROWER)
    scene.heartbeat()
    scene.tick("BTC-USD", 20000)
    scene.heartbeat()

    assert check(scene.history()).clean


def _warned(price: Any, equity: Any, **fields: Any) -> Scene:
    """Return a borrower that fell at once to `price` and was told everything but what to do."""
    scene = borrower()
    scene.tick("BTC-USD", price)
    fallen = figures(equity, "600", "30.6", "spot", "liquidation")
    scene.command("episode", "A", 1, SPOT, state="opened", **fallen, **fields)
    scene.command("warning", "A", 1, SPOT, state="entered", level="1.2", **fallen, **fields)
    return scene


def test_es_5_a_missing_reduction_is_found_at_its_decision() -> None:
    scene = _warned(31250, 625)
    scene.heartbeat()

    report = check(scene.history())

    assert "decision" in rules(report)
    decision = next(v for v in report.violations if v.rule == "decision")
    assert decision.expected == "opened, entered 1.2, reduction"
    assert any("OC-1 needs" in line for line in decision.detail)


def test_px_4_no_reduction_is_due_on_a_stale_price() -> None:
    scene = borrower()
    scene.now += 11_000  # USDT has not moved for longer than 10 s
    scene.tick("BTC-USD", 31250)
    fallen = {
        **figures(625, "600", "30.6", "spot", "liquidation"),
        "stale_prices": ["USDT-USD/index"],
    }
    scene.command("episode", "A", 1, SPOT, state="opened", **fallen)
    scene.command("warning", "A", 1, SPOT, state="entered", level="1.2", **fallen)
    scene.tick("BTC-USD", 31240)
    scene.heartbeat()

    report = check(scene.history())

    assert report.clean, "\n".join(report.lines())
    assert report.crossings_excused == {"a reduction on stale prices is held back": 1}


def _reduced() -> Scene:
    """Return a borrower that was told to sell, and whose exchange never answers."""
    scene = borrower()
    scene.tick("BTC-USD", 31250)
    fallen = figures(625, "600", "30.6", "spot", "liquidation")
    scene.command("episode", "A", 1, SPOT, state="opened", **fallen)
    scene.command("warning", "A", 1, SPOT, state="entered", level="1.2", **fallen)
    scene.command("reduction", "A", 1, SPOT, **spot_reduction(), **fallen)
    scene.heartbeat()
    return scene


def test_es_6_a_pending_action_answers_until_it_expires() -> None:
    scene = _reduced()
    scene.now += 25_000
    scene.tick("USDT-USD", "1.0001")
    scene.tick("BTC-USD", 31240)
    scene.heartbeat()

    report = check(scene.history())

    assert report.clean, "\n".join(report.lines())


def test_es_6_an_action_that_expired_without_the_next_is_found() -> None:
    scene = _reduced()
    scene.now += 40_000
    scene.tick("USDT-USD", "1.0001")
    scene.tick("BTC-USD", 31240)
    scene.heartbeat()

    report = check(scene.history())

    assert rules(report) == ["crossing"]
    assert report.violations[0].expected.startswith("a reduction step: ratio 0.97")


def test_dead_letter_without_a_reason_in_the_rules_is_found() -> None:
    scene = borrower()
    scene.event("transfers", "A", **DEPOSIT)
    letter = {
        "kind": "dead_letter",
        "topic": "transfers",
        "partition": 0,
        "offset": 0,
        "reason": "currency: XYZ is not in the reference set",
        "value": "",
        "ts": scene.now,
    }
    scene.put("dead-letters", "A", letter)
    scene.heartbeat()

    report = check(scene.history())

    assert rules(report) == ["dead-letter"]
    assert report.dead_letters == {"transfers: currency": 1}


def test_an_event_the_rules_refuse_without_a_dead_letter_is_found() -> None:
    scene = borrower()
    scene.event("transfers", "A", **{**DEPOSIT, "currency": "XYZ"})
    scene.heartbeat()

    assert rules(check(scene.history())) == ["dead-letter"]


def test_a_message_that_cannot_be_read_without_a_dead_letter_is_found() -> None:
    scene = borrower()
    scene.put("transfers", "A", {"account_id": "A", "amount": 1.5})
    scene.heartbeat()

    assert rules(check(scene.history())) == ["dead-letter"]


def test_px_5_an_older_tick_changes_nothing() -> None:
    scene = borrower()
    scene.now -= 5000
    scene.tick("BTC-USD", 32500)
    scene.now += 5000
    scene.heartbeat()

    assert check(scene.history()).clean
