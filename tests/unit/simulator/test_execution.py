"""How the exchange carries out commands: caps, expiry, sequence, order of things."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from streams.simulator import Faults, wire
from tests.unit.simulator.venue import T0, Venue, limit_order

CLOSE = {
    "action": "close",
    "instrument": "BTC-USDT-SWAP",
    "side": "sell",
    "position_side": "net",
    "quantity": "10",
}


def long_of(quantity: str = "100", **settings: Any) -> Venue:
    venue = Venue(**settings)
    venue.open({"USDT": "10000"}, [("BTC-USDT-SWAP", "net", quantity, "50000")])
    return venue


def fills_of(events: list[Any]) -> list[wire.Fill]:
    return [event for event in events if isinstance(event, wire.Fill)]


def total(fills: list[wire.Fill]) -> Decimal:
    return sum((Decimal(fill.quantity) for fill in fills), Decimal(0))


@pytest.mark.parametrize("number", range(8))
def test_es_5_a_close_is_filled_in_pieces_of_whole_lots_and_ends_final(number: int) -> None:
    venue = long_of()
    venue.command("reductions", command_id=f"c{number}", phase="unhedged", actions=[CLOSE])
    events = venue.pass_ms(2_000)
    fills = fills_of(events)
    assert total(fills) == 10
    assert 1 <= len(fills) <= 4
    assert all(Decimal(fill.quantity) % Decimal("0.1") == 0 for fill in fills)
    assert all(event.command_id == f"c{number}" for event in events)
    last = events[-1]
    assert isinstance(last, wire.Order)
    assert (last.status, last.filled_quantity) == ("filled", "10")
    assert last.reduce_only
    assert venue.account.positions["BTC-USDT-SWAP", "net"].quantity == 90
    assert [event.account_seq for event in events] == list(range(2, 2 + len(events)))


def test_mm_4_the_taker_fee_is_that_of_the_accounts_schedule() -> None:
    venue = Venue()
    venue.open({"USDT": "10000"}, [("BTC-USDT-SWAP", "net", "100", "50000")], fee_schedule="vip")
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    fills = fills_of(venue.pass_ms(2_000))
    # 10 contracts × 0.01 × 50,000 × 0.0003
    assert sum(Decimal(fill.fee) for fill in fills) == Decimal("1.5")
    assert venue.cash("USDT") == Decimal("9998.5")


def test_an_inverse_fee_is_paid_in_coin_and_rounded_up() -> None:
    venue = Venue()
    venue.open({"BTC": "1"}, [("BTC-USD-SWAP", "net", "-70", "50000")])
    venue.tick("BTC-USD-SWAP", "49999.9", kind="mark")
    action = {**CLOSE, "instrument": "BTC-USD-SWAP", "side": "buy", "quantity": "70"}
    venue.command("reductions", phase="unhedged", actions=[action])
    fills = fills_of(venue.pass_ms(2_000))
    assert {fill.fee_currency for fill in fills} == {"BTC"}
    exact = Decimal(7000) / Decimal("49999.9") * Decimal("0.0005")
    paid = sum(Decimal(fill.fee) for fill in fills)
    assert exact <= paid < exact + 4 * Decimal("1e-12")


def test_slippage_is_against_the_account_and_within_its_bound() -> None:
    venue = long_of(slippage_bps=5.0)
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    for fill in fills_of(venue.pass_ms(2_000)):
        assert Decimal("49974.9") <= Decimal(fill.price) <= 50000
        assert Decimal(fill.price) % Decimal("0.1") == 0


def test_nothing_is_closed_beyond_what_is_held_and_the_order_ends_cancelled() -> None:
    venue = long_of("6.3")
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    events = venue.pass_ms(2_000)
    assert total(fills_of(events)) == Decimal("6.3")
    assert (events[-1].status, events[-1].filled_quantity) == ("cancelled", "6.3")
    assert not venue.account.positions


def test_a_command_past_its_expiry_is_ignored() -> None:
    venue = long_of()
    venue.command("reductions", phase="unhedged", actions=[CLOSE], expires_at=T0 - 1)
    assert venue.pass_ms(1_000) == []
    assert venue.exchange.counters.expired == 1


def test_a_command_that_expires_on_its_way_is_ignored() -> None:
    venue = long_of(delay_ms=100)
    venue.command("reductions", phase="unhedged", actions=[CLOSE], expires_at=T0 + 20)
    assert venue.pass_ms(1_000) == []


def test_what_is_half_filled_at_the_expiry_ends_cancelled() -> None:
    venue = long_of(delay_ms=1000)
    number = next(n for n in range(50) if _pieces(n) == 4)
    venue.command(
        "reductions",
        command_id=f"c{number}",
        phase="unhedged",
        actions=[CLOSE],
        expires_at=T0 + 1_600,
    )
    events = venue.pass_ms(10_000)
    filled = total(fills_of(events))
    assert 0 < filled < 10
    assert (events[-1].status, Decimal(events[-1].filled_quantity)) == ("cancelled", filled)


def _pieces(number: int) -> int:
    venue = long_of()
    venue.command("reductions", command_id=f"c{number}", phase="unhedged", actions=[CLOSE])
    return len(fills_of(venue.pass_ms(2_000)))


def test_a_copy_of_a_command_changes_nothing() -> None:
    venue = long_of()
    for _ in range(2):
        venue.command("reductions", phase="unhedged", actions=[CLOSE])
    assert total(fills_of(venue.pass_ms(2_000))) == 10
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    assert venue.pass_ms(2_000) == []
    assert venue.exchange.counters.superseded == 2


def test_a_sequence_not_above_the_last_of_its_episode_is_ignored_by_topic() -> None:
    venue = long_of()
    venue.exchange.emit(limit_order("o1", "buy", "40000", "1"))
    venue.sent()
    venue.command("reductions", phase="unhedged", actions=[CLOSE], sequence=7)
    venue.pass_ms(2_000)
    venue.command("reductions", command_id="c0", phase="unhedged", actions=[CLOSE], sequence=5)
    assert venue.pass_ms(2_000) == []
    venue.command("order-cancels", command_id="c2", order_ids=["o1"], sequence=5)
    assert [event.status for event in venue.pass_ms(2_000)] == ["cancelled"]


def test_quantity_is_the_total_of_a_command_over_all_its_attempts() -> None:
    venue = long_of()
    record = venue.exchange.commands.setdefault("c1", _record())
    record.done["BTC-USDT-SWAP", "net", "sell"] = Decimal(4)
    venue.command("reductions", phase="unhedged", actions=[CLOSE], attempt=2)
    assert total(fills_of(venue.pass_ms(2_000))) == 6
    venue.command("reductions", phase="unhedged", actions=[CLOSE], attempt=3)
    assert venue.pass_ms(2_000) == []


def _record() -> Any:
    from streams.simulator.exchange import CommandRecord

    return CommandRecord()


def test_a_higher_attempt_is_carried_out_when_the_first_was_lost() -> None:
    venue = long_of(faults=Faults(drop=1.0))
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    assert venue.pass_ms(2_000) == []
    assert venue.exchange.counters.dropped == 1
    found = Venue()
    found.open({"USDT": "10000"}, [("BTC-USDT-SWAP", "net", "100", "50000")])
    found.command("reductions", phase="unhedged", actions=[CLOSE], attempt=2)
    assert total(fills_of(found.pass_ms(2_000))) == 10


def test_a_second_attempt_during_the_first_does_not_double_it() -> None:
    venue = long_of(delay_ms=500)
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    venue.pass_ms(100)
    venue.command("reductions", phase="unhedged", actions=[CLOSE], attempt=2)
    assert venue.exchange.counters.in_flight == 1
    venue.pass_ms(5_000)
    assert venue.account.positions["BTC-USDT-SWAP", "net"].quantity == 90


def test_es_4_named_orders_are_cancelled_with_what_they_filled() -> None:
    venue = long_of()
    order = limit_order("o1", "buy", "40000", "5")
    venue.exchange.emit(order)
    venue.exchange.emit(limit_order("o2", "sell", "60000", "5", reduce_only=True))
    venue.exchange.fill(venue.account, order, Decimal(2), Decimal(40000))
    venue.sent()
    venue.command("order-cancels", order_ids=["o1", "o2", "gone"])
    events = venue.pass_ms(1_000)
    assert [(e.order_id, e.status, e.filled_quantity, e.version) for e in events] == [
        ("o1", "cancelled", "2", 2),
        ("o2", "cancelled", "0", 2),
    ]


def test_rd_1_collateral_is_sold_before_the_debt_is_repaid() -> None:
    venue = Venue()
    venue.open({"BTC": "1", "USDT": "10"}, borrowed={"USDT": "30000"}, mode="spot")
    actions = [
        {"action": "sell", "instrument": "BTC-USDT", "side": "sell", "quantity": "0.5"},
        {"action": "repay", "currency": "USDT", "quantity": "24985"},
    ]
    venue.command("reductions", phase="tier", actions=actions)
    events = venue.pass_ms(3_000)
    repay = [event for event in events if isinstance(event, wire.Transfer)]
    # 0.5 BTC at 50,000 less 0.1 %, and the 10 that were there
    assert [(r.kind, r.currency, r.amount, r.command_id) for r in repay] == [
        ("repay", "USDT", "24985", "c1")
    ]
    kinds = [type(event) for event in events]
    assert kinds.index(wire.Transfer) > max(
        at for at, kind in enumerate(kinds) if kind is wire.Fill
    )
    assert venue.cash("USDT") == 0
    assert venue.account.borrowed["USDT"] == 5015


def test_a_repayment_reaches_its_quantity_though_the_sale_brought_a_little_less() -> None:
    venue = Venue()
    venue.open({"BTC": "1", "USDT": "0"}, borrowed={"USDT": "30000"}, mode="spot")
    venue.tick("BTC-USD", "49900")
    actions = [
        {"action": "sell", "instrument": "BTC-USDT", "side": "sell", "quantity": "0.5"},
        {"action": "repay", "currency": "USDT", "quantity": "24975"},
    ]
    venue.command("reductions", phase="tier", actions=actions)
    events = venue.pass_ms(3_000)
    assert [e.amount for e in events if isinstance(e, wire.Transfer)] == ["24975"]
    assert venue.account.borrowed["USDT"] == 5025
    # 0.5 × 49,900 × 0.999 − 24,975: owed all the same, as negative cash
    assert venue.cash("USDT") == Decimal("-49.95")


def test_a_repayment_without_its_sale_takes_only_the_cash_there_is() -> None:
    venue = Venue()
    venue.open({"BTC": "0", "USDT": "100"}, borrowed={"USDT": "30000"}, mode="spot")
    venue.command(
        "reductions",
        phase="tier",
        actions=[
            {"action": "sell", "instrument": "BTC-USDT", "side": "sell", "quantity": "0.5"},
            {"action": "repay", "currency": "USDT", "quantity": "24975"},
        ],
    )
    events = venue.pass_ms(3_000)
    assert [e.amount for e in events if isinstance(e, wire.Transfer)] == ["100"]
    assert venue.cash("USDT") == 0


def test_a_repayment_never_exceeds_what_is_owed() -> None:
    venue = Venue()
    venue.open({"USDT": "500"}, borrowed={"USDT": "120"}, mode="spot")
    action = {"action": "repay", "currency": "USDT", "quantity": "200"}
    venue.command("reductions", phase="same_coin_repayment", actions=[action])
    events = venue.pass_ms(1_000)
    assert [event.amount for event in events] == ["120"]
    assert venue.account.owed("USDT") == 0


def test_two_actions_on_one_instrument_end_together() -> None:
    venue = Venue()
    venue.open({"BTC": "1", "USDT": "0"}, borrowed={"USDT": "30000"}, mode="spot")
    sell = {"action": "sell", "instrument": "BTC-USDT", "side": "sell", "quantity": "0.2"}
    venue.command("reductions", phase="tier", actions=[sell, {**sell, "quantity": "0.3"}])
    events = venue.pass_ms(5_000)
    ends = [at for at, e in enumerate(events) if getattr(e, "status", "open") != "open"]
    last_fill = max(at for at, e in enumerate(events) if isinstance(e, wire.Fill))
    assert len(ends) == 2
    assert min(ends) > last_fill
    assert total(fills_of(events)) == Decimal("0.5")


def test_rd_2_opposite_sides_are_netted_at_mark_without_fee() -> None:
    venue = Venue()
    venue.open(
        {"USDT": "1000"},
        [
            ("BTC-USDT-SWAP", "long", "10", "49000"),
            ("BTC-USDT-SWAP", "short", "-4.05", "51000"),
        ],
        position_mode="long_short",
    )
    actions = [
        {**CLOSE, "position_side": "long", "side": "sell", "quantity": "4.05"},
        {**CLOSE, "position_side": "short", "side": "buy", "quantity": "4.05"},
    ]
    venue.command("reductions", phase="opposite", actions=actions)
    events = venue.pass_ms(1_000)
    fills = fills_of(events)
    assert [(f.position_side, f.price, f.quantity, f.fee) for f in fills] == [
        ("long", "50000", "4.05", "0"),
        ("short", "50000", "4.05", "0"),
    ]
    assert {key[1] for key in venue.account.positions} == {"long"}
    assert venue.cash("USDT") == 1000 + 2 * Decimal("4.05") * 10
    assert [e.status for e in events if isinstance(e, wire.Order)] == ["filled", "filled"]


def test_delta_neutral_legs_are_closed_side_by_side() -> None:
    venue = Venue(delay_ms=1000)
    venue.open(
        {"USDT": "5000", "BTC": "1"},
        [("BTC-USDT-SWAP", "net", "100", "50000"), ("BTC-USD-SWAP", "net", "-500", "50000")],
    )
    actions = [CLOSE, {**CLOSE, "instrument": "BTC-USD-SWAP", "side": "buy", "quantity": "50"}]
    venue.command("reductions", phase="delta_neutral", actions=actions)
    fills = fills_of(venue.pass_ms(10_000))
    assert [f.instrument for f in fills[:2]] == ["BTC-USDT-SWAP", "BTC-USD-SWAP"]
    assert total([f for f in fills if f.instrument == "BTC-USDT-SWAP"]) == 10
    assert total([f for f in fills if f.instrument == "BTC-USD-SWAP"]) == 50


def test_without_a_price_nothing_is_filled_until_there_is_one() -> None:
    venue = Venue()
    venue.open({"BTC": "1", "USDT": "1"}, mode="spot")
    venue.exchange.market = type(venue.exchange.market)()
    sell = {"action": "sell", "instrument": "BTC-USDT", "side": "sell", "quantity": "0.2"}
    venue.command("reductions", phase="tier", actions=[sell])
    assert not fills_of(venue.pass_ms(1_000))
    venue.tick("BTC-USD", "50000")
    venue.tick("USDT-USD", "1")
    assert total(fills_of(venue.pass_ms(1_000))) == Decimal("0.2")


def test_an_unknown_account_is_counted_and_left_alone() -> None:
    venue = Venue()
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    assert venue.pass_ms(1_000) == []
    assert venue.exchange.counters.unknown == 1


# -- takeover ----------------------------------------------------------------


def test_rd_7_a_takeover_in_multi_currency_ends_at_zero() -> None:
    venue = Venue()
    venue.open(
        {"USDT": "-9000", "BTC": "0.1"},
        [("BTC-USDT-SWAP", "net", "30", "52000")],
        orders=[limit_order("o1", "buy", "40000", "1")],
    )
    # Long 0.3 BTC from 52,000 taken at 63,200: +3,360, so −5,640 USDT stay, and 0.1 BTC.
    actions = [
        {
            "action": "takeover",
            "instrument": "BTC-USDT-SWAP",
            "side": "sell",
            "quantity": "30",
            "bankruptcy_price": "63200",
        },
        {"action": "takeover", "currency": "BTC", "side": "sell", "quantity": "0.1"},
        {"action": "takeover", "currency": "USDT", "side": "buy", "quantity": "5640.02"},
    ]
    venue.command("reductions", phase="takeover", actions=actions)
    events = venue.pass_ms(1_000)
    assert not venue.account.positions
    assert not venue.account.orders
    assert venue.cash("USDT") == 0
    assert venue.cash("BTC") == 0
    fills = fills_of(events)
    assert [(f.price, f.quantity, f.fee) for f in fills] == [("63200", "30", "0")]
    adjusted = [e for e in events if isinstance(e, wire.Transfer)]
    assert {e.kind for e in adjusted} == {"adjustment"}
    assert all(e.command_id == "c1" for e in adjusted)
    reached = sum(abs(Decimal(e.amount)) for e in adjusted if e.currency == "USDT")
    assert reached >= Decimal("5640.02")


def test_rd_7_a_takeover_in_spot_mode_repays_what_is_borrowed() -> None:
    venue = Venue()
    venue.open({"BTC": "0.5", "USDT": "20"}, borrowed={"USDT": "30000"}, mode="spot")
    venue.account.accrued["USDT"] = Decimal("1.5")
    actions = [
        {"action": "takeover", "currency": "BTC", "side": "sell", "quantity": "0.5"},
        {"action": "takeover", "currency": "USDT", "side": "buy", "quantity": "29981.5"},
    ]
    venue.command("reductions", phase="takeover", actions=actions)
    events = venue.pass_ms(1_000)
    assert [(e.kind, e.currency, e.amount) for e in events] == [
        ("adjustment", "BTC", "-0.5"),
        ("adjustment", "USDT", "29981.5"),
        ("repay", "USDT", "30001.5"),
    ]
    assert venue.cash("USDT") == 0
    assert venue.account.owed("USDT") == 0
    venue.command("reductions", phase="takeover", actions=actions, attempt=2)
    assert venue.pass_ms(1_000) == []


def test_a_takeover_leaves_no_debt_where_zero_cannot_be_written() -> None:
    venue = Venue()
    venue.open({"BTC": "1"}, [("BTC-USD-SWAP", "net", "700", "48123.4")])
    action = {
        "action": "takeover",
        "instrument": "BTC-USD-SWAP",
        "side": "sell",
        "quantity": "700",
        "bankruptcy_price": "45678.9",
    }
    coin = {"action": "takeover", "currency": "BTC", "side": "sell", "quantity": "0.9"}
    venue.command("reductions", phase="takeover", actions=[action, coin])
    events = venue.pass_ms(1_000)
    assert 0 <= venue.cash("BTC") < Decimal("1e-17")
    assert all(len(e.amount) <= 40 for e in events if isinstance(e, wire.Transfer))


# -- faults ------------------------------------------------------------------


def test_a_late_answer_comes_after_the_deadline() -> None:
    venue = long_of(faults=Faults(late=1.0, late_ms=6_000))
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    assert venue.pass_ms(5_900) == []
    assert total(fills_of(venue.pass_ms(3_000))) == 10


def test_duplicate_answers_are_byte_for_byte_the_same() -> None:
    venue = long_of(faults=Faults(duplicate=1.0))
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    events = venue.pass_ms(2_000)
    assert events[::2] == events[1::2]
    assert total(fills_of(events)) == 20
    assert venue.account.positions["BTC-USDT-SWAP", "net"].quantity == 90


def test_a_partial_answer_ends_cancelled() -> None:
    venue = long_of(faults=Faults(partial=1.0))
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    events = venue.pass_ms(2_000)
    filled = total(fills_of(events))
    assert 0 < filled < 10
    assert (events[-1].status, Decimal(events[-1].filled_quantity)) == ("cancelled", filled)


def test_delays_follow_the_event_clock_and_its_scale() -> None:
    venue = long_of(clock="event", time_scale=60.0, delay_ms=100)
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    venue.exchange.run_due()
    assert venue.sent() == []
    venue.tick("BTC-USD", "50001", ts=T0 + 2_000)
    venue.exchange.run_due()
    assert venue.sent() == []
    for step in range(1, 20):
        venue.tick("BTC-USD", "50002", ts=T0 + 2_000 + step * 3_000)
        venue.exchange.run_due()
    events = venue.sent()
    assert total(fills_of(events)) == 10
    assert all(event.ts > T0 + 2_000 for event in events)
    assert venue.exchange.now() == T0 + 2_000 + 19 * 3_000


def test_what_is_under_way_ends_though_the_event_clock_stands() -> None:
    venue = long_of(clock="event", time_scale=60.0, delay_ms=100)
    venue.command("reductions", phase="unhedged", actions=[CLOSE])
    for ahead in range(0, 60_000, 1_000):
        venue.exchange.run_due(ahead)
    assert total(fills_of(venue.sent())) == 10
    assert venue.exchange.now() == T0
