"""Whatever commands come and whatever the market does, the topics tell the books.

Events sent are read by three others: a second set of the exchange's books, an exchange started
anew, and the monitor's own account state, which was written apart.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import EventSource, decode, open_account, take
from monitor.reference import load_reference
from monitor.schema import AccountSettings
from streams.simulator import Books, wire
from streams.simulator.activity import Activity
from streams.simulator.rebuild import restore
from tests.unit.simulator.venue import CATALOGUE, REFERENCE, T0, Venue, limit_order

MONITOR = load_reference(REFERENCE)
LEGS = st.tuples(
    st.sampled_from(["BTC-USDT-SWAP", "BTC-USD-SWAP"]),
    st.sampled_from(["long", "short"]),
    st.integers(1, 400),
    st.integers(40_000, 60_000),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("price"), st.integers(30_000, 70_000)),
        st.tuples(st.just("close"), st.integers(1, 300)),
        st.tuples(st.just("sell"), st.integers(1, 100)),
        st.tuples(st.just("takeover"), st.integers(10_000, 90_000)),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
        st.tuples(st.just("live"), st.integers(1, 5)),
        st.tuples(st.just("again"), st.just(0)),
    ),
    max_size=12,
)
MODES = st.sampled_from(["net", "long_short", "spot"])


def open_venue(mode: str, legs: list[tuple[str, str, int, int]], seed: int) -> Venue:
    venue = Venue(seed=seed, slippage_bps=3.0, activity_rate=1.0)
    positions: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    for name, side, quantity, entry in legs if mode != "spot" else ():
        held = "net" if mode == "net" else side
        signed = quantity if side == "long" else -quantity
        positions[name, held] = (name, held, str(signed), str(entry))
    spot = mode == "spot"
    venue.open(
        {"USDT": "2500.5", "BTC": "0.75"},
        positions.values(),
        borrowed={"USDT": "9000.25"} if spot else None,
        orders=[
            limit_order(f"o{n}", "buy", f"{49_000 - 3000 * n}", "0.01", instrument="BTC-USDT")
            for n in range(3)
        ],
        mode="spot" if spot else "multi_currency",
        position_mode="long_short" if mode == "long_short" else "net",
    )
    return venue


def opened(venue: Venue) -> wire.AccountEvent:
    """Return the account's first message, apart from what the books hold."""
    assert venue.opening is not None
    event = wire.decode_event("accounts", wire.encode(venue.opening))
    assert isinstance(event, wire.AccountEvent)
    return event


def actions_for(venue: Venue, kind: str, value: int) -> list[dict[str, Any]]:
    account = venue.account
    legs = [
        {
            "action": "close",
            "instrument": name,
            "position_side": side,
            "side": "sell" if held.quantity > 0 else "buy",
            "quantity": str(value),
        }
        for (name, side), held in sorted(account.positions.items())
    ]
    if kind == "close":
        return legs[:2]
    if kind == "sell":
        sale = {"action": "sell", "instrument": "BTC-USDT", "side": "sell"}
        actions: list[dict[str, Any]] = [{**sale, "quantity": f"0.{value:03d}"}]
        if account.mode == "spot":
            actions.append({"action": "repay", "currency": "USDT", "quantity": str(value * 50)})
        return actions
    taken = [
        {**leg, "action": "takeover", "quantity": "1000", "bankruptcy_price": str(value)}
        for leg in legs
    ]
    coins = [
        {"action": "takeover", "currency": coin, "side": "sell", "quantity": "0.1"}
        for coin in ("BTC", "USDT")
    ]
    return taken + coins


def drive(venue: Venue, steps: list[tuple[str, int]]) -> list[tuple[str, bytes, bytes]]:
    """Carry out the steps; return everything that was sent."""
    activity = Activity(venue.exchange, venue.executor)
    activity.start()
    last: dict[str, Any] = {}
    for number, (kind, value) in enumerate(steps, 4):
        if kind == "price":
            for symbol in ("BTC-USD", "BTC-USDT-SWAP", "BTC-USD-SWAP"):
                venue.tick(symbol, str(value), kind="mark" if "SWAP" in symbol else "index")
        elif kind == "live":
            activity.pass_time(float(value))
        elif kind == "cancel":
            fields = {"command_id": f"c{number}", "sequence": number, "order_ids": [f"o{value}"]}
            venue.command("order-cancels", **fields, expires_at=T0 + 10**7)
        elif kind == "again":
            if last:
                last["attempt"] = last["attempt"] + 1
                venue.command("reductions", **last)
        else:
            actions = actions_for(venue, kind, value)
            if actions:
                last = {
                    "command_id": f"c{number}",
                    "sequence": number,
                    "attempt": 1,
                    "phase": "takeover" if kind == "takeover" else "unhedged",
                    "actions": actions,
                    "expires_at": T0 + 10**7,
                }
                venue.command("reductions", **last)
        for _ in range(value % 7):
            venue.clock.ms += 20
            venue.exchange.run_due()
    for _ in range(200):
        venue.clock.ms += 20
        venue.exchange.run_due()
    assert not venue.exchange.waiting
    return list(venue.exchange.outbox)


@settings(max_examples=60, deadline=None)
@given(mode=MODES, legs=st.lists(LEGS, max_size=4), steps=STEPS, seed=st.integers(0, 9))
def test_the_events_sent_give_the_same_books_again(
    mode: str, legs: list[tuple[str, str, int, int]], steps: list[tuple[str, int]], seed: int
) -> None:
    venue = open_venue(mode, legs, seed)
    opening = opened(venue)
    sent = drive(venue, steps)
    events: list[wire.Event] = [opening]
    events += [wire.decode_event(topic, value) for topic, _, value in sent]

    second = Books(CATALOGUE)
    for event in events:
        second.apply(event)
    assert second.accounts["a"].cash == venue.account.cash
    assert second.accounts["a"].borrowed == venue.account.borrowed
    assert second.accounts["a"].positions == venue.account.positions
    assert second.accounts["a"].orders == venue.account.orders

    anew = Venue()
    shuffled = events * 2
    random.Random(seed).shuffle(shuffled)
    restore(anew.exchange, shuffled)
    assert anew.account.seq == venue.account.seq
    assert anew.account.cash == venue.account.cash
    assert anew.account.positions == venue.account.positions
    for command_id, record in anew.exchange.commands.items():
        assert record.done == venue.exchange.commands[command_id].done
        assert record.ended == venue.exchange.commands[command_id].ended


@settings(max_examples=60, deadline=None)
@given(mode=MODES, legs=st.lists(LEGS, max_size=4), steps=STEPS, seed=st.integers(0, 9))
def test_h_5_the_monitor_reads_the_same_books_from_the_topics(
    mode: str, legs: list[tuple[str, str, int, int]], steps: list[tuple[str, int]], seed: int
) -> None:
    venue = open_venue(mode, legs, seed)
    opening = wire.encode(opened(venue))
    book = open_account(AccountSettings.model_validate_json(opening), MONITOR)
    for offset, (topic, _, value) in enumerate(drive(venue, steps)):
        text = value.decode()
        source = EventSource(topic, 0, offset)
        taken = take(book, decode(topic, text), source, text, MONITOR, T0)
        assert taken.outcome == "applied", taken
        assert not taken.refused
    assert book.account_seq == venue.account.seq
    for coin, cash in venue.account.cash.items():
        # exactly: a takeover ends at zero in both books or leaves a debt of dust in one
        assert book.balances[coin].cash == cash
        assert book.balances[coin].borrowed == venue.account.borrowed.get(coin, Decimal(0))
    held = {(p.instrument, p.side): (p.quantity, p.entry_price) for p in book.positions.values()}
    assert held == {
        key: (position.quantity, position.entry_price)
        for key, position in venue.account.positions.items()
    }
    assert set(book.orders) == set(venue.account.orders)


@settings(max_examples=40, deadline=None)
@given(mode=MODES, legs=st.lists(LEGS, max_size=4), steps=STEPS, price=st.integers(20_000, 90_000))
def test_rd_7_a_takeover_leaves_no_position_and_no_debt(
    mode: str, legs: list[tuple[str, str, int, int]], steps: list[tuple[str, int]], price: int
) -> None:
    venue = open_venue(mode, legs, 1)
    drive(venue, steps)
    actions = actions_for(venue, "takeover", price)
    venue.command(
        "reductions",
        command_id="last",
        sequence=10**6,
        phase="takeover",
        actions=actions,
        expires_at=T0 + 10**8,
    )
    venue.pass_ms(1_000)
    assert not venue.account.positions
    assert not venue.account.orders
    for coin in ("BTC", "USDT"):
        assert venue.account.owed(coin) == 0
        assert 0 <= venue.cash(coin) < Decimal("1e-17")


def test_an_exchange_started_anew_ends_the_orders_that_nobody_fills_any_more() -> None:
    venue = open_venue("net", [("BTC-USDT-SWAP", "long", 100, 50_000)], 1)
    opening = opened(venue)
    order = limit_order("x1", "sell", "1", "10", reduce_only=True, command_id="c1")
    order.price = None
    venue.exchange.emit(order)
    venue.exchange.fill(venue.account, order, Decimal(4), Decimal(50_000))
    events = [opening, *venue.sent()]
    anew = Venue()
    restore(anew.exchange, events)
    (ended,) = anew.sent()
    assert (ended.order_id, ended.status, ended.filled_quantity) == ("x1", "cancelled", "4")
    assert ended.account_seq == venue.account.seq + 1
    record = anew.exchange.commands["c1"]
    assert record.done == {("BTC-USDT-SWAP", "net", "sell"): Decimal(4)}
    assert record.ended == {"BTC-USDT-SWAP"}
