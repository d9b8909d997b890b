"""Which events apply, in which order, and once (H-0, H-5; INTERFACE, "Topics in")."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import GAP_MS, Account, EventSource, Rejected, decode, expire_unknown, take
from monitor.account.events import HELD_AT_MOST, REMEMBERED_IDS
from monitor.engine import Engine
from monitor.escalation import Episode
from monitor.schema import AccountEvent
from tests.rules.reduction_world import reference
from tests.support.books import NOW, Book
from tests.support.doings import Doings
from tests.support.markets import Market, arm, wild_account
from tests.support.markets import reference as wild_reference

REFERENCE = reference()


def book(**settings_: Any) -> Book:
    return Book(REFERENCE).open(**settings_)


def deposits(made: Book, *numbers: int) -> None:
    """Deposits whose amount is their number in the account's sequence."""
    for number in numbers:
        made.take("transfers", account_seq=number, amount=str(number))


# -- repeats ----------------------------------------------------------------------------------


def test_h_5_a_record_read_twice_is_a_repeat_by_its_offset() -> None:
    made = book()
    made.take("transfers", offset=7, amount="5")
    assert made.take("transfers", offset=7, amount="5", transfer_id="another").outcome == "repeat"
    assert made.take("transfers", offset=6, amount="5").outcome == "repeat"
    assert made.take("fills", offset=6, instrument="BTC-USDT", quantity="1", price="1").applied
    assert made.account.offsets == {"accounts": 1, "transfers": 7, "fills": 6}


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("transfers", {"transfer_id": "t", "amount": "5"}),
        ("fills", {"fill_id": "f", "instrument": "BTC-USDT-SWAP", "quantity": "1", "price": "1"}),
        ("orders", {"order_id": "o", "instrument": "BTC-USDT-SWAP"}),
        ("accounts", {"auto_borrow": False}),
    ],
)
def test_h_5_an_event_published_twice_changes_nothing(topic: str, message: dict[str, Any]) -> None:
    made = book()
    assert made.take(topic, **message, ts=NOW + 9).outcome == "applied"
    before = made.state()
    assert made.take(topic, **message, ts=NOW + 9).outcome == "repeat"
    assert made.state() == before


def test_h_5_a_fill_and_a_transfer_of_one_id_are_two_events() -> None:
    made = book()
    made.take("transfers", transfer_id="1", amount="5")
    made.fill("BTC-USDT-SWAP", "1", "60000", fill_id="1")
    assert made.cash("USDT") == 5
    assert made.position("BTC-USDT-SWAP/net") == (1, 60_000)


def test_h_0_what_is_older_than_every_remembered_id_is_a_dead_letter() -> None:
    made = book()
    for number in range(REMEMBERED_IDS + 1):
        made.take("transfers", transfer_id=f"t{number}", ts=NOW + number)
    assert len(made.account.seen) == REMEMBERED_IDS
    held = made.cash("USDT")
    made.take("transfers", transfer_id="t0", ts=NOW)  # forgotten: could not be told from a repeat
    assert made.reasons() == [f"ts {NOW} is older than the ids remembered of this account"]
    assert made.take("transfers", transfer_id="t1", ts=NOW + 1).outcome == "repeat"
    assert made.cash("USDT") == held


def test_h_0_ids_of_one_millisecond_are_forgotten_together() -> None:
    """Were some of them kept, a repeat of the others would look new and no older than the oldest."""
    made = book()
    early = [f"early{n}" for n in range(5)]
    for name in early:
        made.take("transfers", transfer_id=name, ts=NOW)
    for number in range(REMEMBERED_IDS - 4):
        made.take("transfers", transfer_id=f"late{number}", ts=NOW + 1)
    held = made.cash("USDT")
    for name in early:
        made.take("transfers", transfer_id=name, ts=NOW)
        assert len(made.reasons()) == 1
    assert made.cash("USDT") == held
    made.take("transfers", transfer_id="new", ts=NOW + 1)
    assert made.cash("USDT") == held + 1


def test_h_0_a_burst_of_one_millisecond_is_remembered_whole() -> None:
    made = book()
    for _ in range(2):
        for number in range(3 * REMEMBERED_IDS):
            made.take("transfers", transfer_id=f"t{number}", ts=NOW)
    assert made.cash("USDT") == 3 * REMEMBERED_IDS


# -- the account's own sequence ---------------------------------------------------------------


def test_account_seq_alone_decides_what_is_a_repeat() -> None:
    made = book(account_seq=4)
    deposits(made, 5, 5, 4, 1)
    assert made.cash("USDT") == 5
    made.take("transfers", account_seq=6, amount="1", ts=1)
    assert made.cash("USDT") == 6  # an old ts is nothing to a new number


def test_account_seq_orders_events_over_all_topics() -> None:
    """The fill that opens and the one that closes come from the topic in the wrong order."""
    made = book(account_seq=0)
    assert made.fill("BTC-USDT-SWAP", "-10", "61000", account_seq=3).outcome == "held"
    assert made.take("orders", order_id="o", instrument="BTC-USDT", account_seq=2).outcome == "held"
    assert made.account.gap_since == NOW
    taken = made.fill("BTC-USDT-SWAP", "10", "60000", account_seq=1)
    assert [type(event).__name__ for event in taken.applied] == ["Fill", "Order", "Fill"]
    assert made.cash("USDT") == 100
    assert made.account.account_seq == 3
    assert made.account.held == []
    assert made.account.gap_since is None


def test_a_refused_event_uses_up_its_number() -> None:
    made = book(account_seq=0)
    made.take("transfers", account_seq=1, currency="XYZ")
    assert made.reasons() == ["unknown currency XYZ"]
    deposits(made, 2)
    assert made.cash("USDT") == 2


def test_a_waiting_event_that_is_refused_lets_the_next_follow() -> None:
    made = book(account_seq=0)
    deposits(made, 3)
    made.take("transfers", account_seq=2, currency="XYZ")
    taken = made.take("transfers", account_seq=1)
    assert [refusal.source.topic for refusal in taken.refused] == ["transfers"]
    assert len(taken.applied) == 2
    assert made.cash("USDT") == 4


def test_the_first_number_seen_sets_the_base_where_the_settings_gave_none() -> None:
    made = book()
    deposits(made, 17, 18, 17)
    assert made.cash("USDT") == 35


def test_only_so_many_events_wait() -> None:
    made = book(account_seq=0)
    for number in range(HELD_AT_MOST + 1):
        made.take("transfers", account_seq=number + 2)
    assert len(made.account.held) == HELD_AT_MOST
    assert "256 events of account A1 wait already" in made.reasons()[0]


def test_events_that_wait_are_kept_in_the_book() -> None:
    made = book(account_seq=0)
    deposits(made, 2, 3)
    stored = msgspec.json.decode(msgspec.json.encode(made.account), type=Account)
    assert stored == made.account
    made.account = stored
    deposits(made, 1)
    assert made.cash("USDT") == 6


# -- accounts that are not known yet -----------------------------------------------------------


def test_events_of_an_unknown_account_wait_for_its_settings() -> None:
    made = Book(REFERENCE)
    assert made.take("transfers", amount="5").outcome == "held"
    assert made.fill("BTC-USDT-SWAP", "1", "60000").outcome == "held"
    assert not made.account.known
    taken = made.take("accounts")
    assert len(taken.applied) == 3
    assert made.cash("USDT") == 5


def test_numbered_events_of_an_unknown_account_wait_for_their_turn() -> None:
    made = Book(REFERENCE)
    deposits(made, 8, 6, 4)
    made.take("accounts", account_seq=5)
    assert made.cash("USDT") == 6  # 4 is before the settings, 7 is still to come
    assert [held.account_seq for held in made.account.held] == [8]
    assert made.account.gap_since is not None
    deposits(made, 7)
    assert made.cash("USDT") == 21


def test_what_came_without_a_number_does_not_wait_for_ever_behind_numbered_settings() -> None:
    made = Book(REFERENCE)
    made.take("transfers", amount="5")
    deposits(made, 6)
    made.take("accounts", account_seq=5)
    assert made.cash("USDT") == 11
    assert (made.account.held, made.account.gap_since) == ([], None)


def test_events_of_an_account_that_stays_unknown_become_dead_letters() -> None:
    made = Book(REFERENCE)
    made.take("transfers", offset=3)
    found = expire_unknown(made.account)
    assert [(r.source, r.reason) for r in found] == [
        (EventSource("transfers", 0, 3), "unknown account A1")
    ]
    assert made.account.held == []


def test_refused_settings_make_no_account() -> None:
    made = Book(REFERENCE)
    made.take("accounts", restricted=["XYZ"])
    assert made.reasons() == ["unknown currency XYZ in the account's settings"]
    assert not made.account.known


# -- gaps and snapshots -----------------------------------------------------------------------


def engine_with(policy: dict[str, str] | None = None) -> tuple[Engine, Book]:
    """An engine with one account whose sequence stands at 0, and a source of messages for it."""
    engine = Engine(reference({"max_age_seconds": {"*": "1000"}, **(policy or {})}))
    source = Book(engine.reference)
    engine.armed.add(0)
    send(engine, source, "accounts", account_seq=0)
    return engine, source


def send(engine: Engine, source: Book, topic: str, **message: Any) -> None:
    source._offset += 1
    event = source.event(topic, **message)
    place = EventSource(topic, 0, source._offset)
    engine.event(event, place, event.model_dump_json(), source.now)


def out_of_sync(engine: Engine) -> bool:
    return engine.entries["A1"].account.out_of_sync


@pytest.mark.parametrize(("scale", "gap_ms"), [("1", GAP_MS), ("60", 120_000)])
def test_a_gap_past_two_seconds_puts_the_account_out_of_sync_until_it_closes(
    scale: str, gap_ms: int
) -> None:
    engine, source = engine_with({"time_scale": scale})
    account = engine.entries["A1"].account
    send(engine, source, "transfers", account_seq=2)
    assert engine.due(NOW + gap_ms - 1) == []
    (decision,) = engine.due(NOW + gap_ms)
    assert decision.dirty
    assert out_of_sync(engine)
    send(engine, source, "transfers", account_seq=1)
    assert not out_of_sync(engine)
    assert account.balances["USDT"].cash == 2


def test_a_gap_of_an_unknown_account_ends_in_dead_letters() -> None:
    engine = Engine(reference())
    engine.armed.add(0)
    send(engine, Book(REFERENCE), "transfers")
    (decision,) = engine.due(NOW + GAP_MS)
    assert [refusal.reason for refusal in decision.refused] == ["unknown account A1"]
    assert engine.due(NOW + 2 * GAP_MS) == []


def snapshot(cash: str) -> dict[str, Any]:
    return {"balances": [{"currency": "USDT", "cash": cash}]}


def test_a_snapshot_applies_at_once_whatever_the_gap() -> None:
    engine, source = engine_with()
    account = engine.entries["A1"].account
    deposits_at = [(3, "3"), (9, "9")]
    for number, amount in deposits_at:
        send(engine, source, "transfers", account_seq=number, amount=amount)
    engine.due(NOW + GAP_MS)
    assert out_of_sync(engine)
    send(engine, source, "accounts", account_seq=7, snapshot=snapshot("1000"))
    assert account.balances["USDT"].cash == 1000
    assert not out_of_sync(engine)
    assert [held.account_seq for held in account.held] == [9]  # 3 is in the snapshot
    send(engine, source, "transfers", account_seq=8, amount="8")
    assert account.balances["USDT"].cash == 1017


def test_what_is_not_newer_than_a_snapshot_is_skipped() -> None:
    made = book(account_seq=0)
    made.take("accounts", account_seq=5, snapshot=snapshot("100"))
    deposits(made, 3, 5)
    assert made.cash("USDT") == 100
    assert made.take("accounts", account_seq=5, snapshot=snapshot("7")).outcome == "repeat"
    assert made.cash("USDT") == 100


def test_without_a_sequence_a_snapshot_s_ts_decides() -> None:
    made = book()
    made.take("accounts", ts=NOW + 500, snapshot=snapshot("100"))
    assert made.take("transfers", ts=NOW + 500, amount="5").outcome == "repeat"
    assert made.take("transfers", ts=NOW + 501, amount="5").outcome == "applied"
    assert made.take("accounts", ts=NOW + 400, snapshot=snapshot("7")).outcome == "repeat"
    assert made.cash("USDT") == 105


def test_a_refused_snapshot_leaves_the_book_and_uses_up_its_number() -> None:
    made = book(account_seq=0)
    deposits(made, 2)
    made.take("accounts", account_seq=1, snapshot={"balances": [{"currency": "XYZ", "cash": "1"}]})
    assert made.reasons() == ["snapshot.balances: unknown currency XYZ"]
    assert made.cash("USDT") == 2
    assert made.account.account_seq == 2


# -- decoding ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "text", "names"),
    [
        ("transfers", "{", ["Invalid JSON"]),
        ("transfers", '{"account_id":"A1","ts":1}', ["transfer_id", "kind", "currency", "amount"]),
        (
            "transfers",
            '{"account_id":"A1","ts":1,"transfer_id":"t","kind":"deposit","currency":"USDT","amount":"-1"}',
            ["amount -1 of a deposit must not be negative"],
        ),
        (
            "transfers",
            '{"account_id":"A1","ts":1,"transfer_id":"t","kind":"deposit","currency":"USDT","amount":1.5}',
            ["amount", "1.5 must be a decimal in a string"],
        ),
        (
            "accounts",
            '{"account_id":"","ts":-1,"mode":"x"}',
            ["account_id", "ts", "mode", "auto_borrow"],
        ),
    ],
)
def test_a_malformed_message_is_refused_with_every_field_named(
    topic: str, text: str, names: list[str]
) -> None:
    with pytest.raises(Rejected) as refused:
        decode(topic, text)
    for name in names:
        assert name in str(refused.value)


def test_unknown_fields_are_ignored() -> None:
    found = decode(
        "transfers",
        '{"account_id":"A1","ts":1,"transfer_id":"t","kind":"deposit",'
        '"currency":"USDT","amount":"1","colour":"red"}',
    )
    assert "colour" not in found.model_dump()


# -- properties -------------------------------------------------------------------------------

WILD = wild_reference()


def lived(
    seed: int, events: int = 25
) -> tuple[Account, Account, list[tuple[AccountEvent, EventSource]]]:
    """An account as it was, as it is after a life of events, and those events."""
    rng = Random(seed)
    engine = Engine(WILD)
    market = Market(rng, WILD)
    engine.ticks(market.opening(), None)
    arm(engine, [wild_account(rng, "a", WILD, engine.prices)])
    account = engine.entries["a"].account
    before = msgspec.json.decode(msgspec.json.encode(account), type=Account)
    doings = Doings(rng, engine)
    for _ in range(events):
        doings.something(market.now)
    return before, account, [(event, source) for event, source, _ in doings.sent]


def apply(account: Account, events: list[tuple[AccountEvent, EventSource]]) -> None:
    for event, source in events:
        take(account, event, source, event.model_dump_json(), WILD, NOW)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_h_5_replaying_any_prefix_changes_nothing(seed: int, data: st.DataObject) -> None:
    before, after, events = lived(seed)
    again = data.draw(st.integers(0, len(events)))
    stop = data.draw(st.integers(again, len(events)))
    apply(before, events[:stop])
    apply(before, events[again:stop])
    apply(before, events)
    assert before == after


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_h_5_events_that_come_in_any_order_end_in_the_same_book(seed: int, shuffle: Random) -> None:
    """Offsets follow the arrival; the account's own sequence puts the events right."""
    before, after, events = lived(seed)
    came = [event for event, _ in events]
    came += shuffle.sample(came, len(came) // 3)  # some are published twice
    shuffle.shuffle(came)
    for offset, event in enumerate(came, 1000):
        source = next(s for e, s in events if e is event)
        apply(before, [(event, source._replace(offset=offset))])
    before.offsets, before.event_ts = dict(after.offsets), after.event_ts
    assert before == after


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_h_5_without_a_sequence_events_published_twice_apply_once(
    seed: int, choice: Random
) -> None:
    """Ids and versions alone tell the repeats; each comes some time after its original."""
    before, _, events = lived(seed)
    before.account_seq = None
    plain = [(e.model_copy(update={"account_seq": None}), source) for e, source in events]
    once = msgspec.json.decode(msgspec.json.encode(before), type=Account)
    apply(once, plain)
    for offset in range(len(plain)):
        event, source = plain[offset]
        apply(before, [(event, source._replace(offset=1000 + 2 * offset))])
        again, source = plain[choice.randint(0, offset)]
        apply(before, [(again, source._replace(offset=1001 + 2 * offset))])
    before.offsets = dict(once.offsets)
    assert before == once


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 25))
def test_journal_book_and_episode_survive_being_written_and_read(seed: int, stop: int) -> None:
    before, after, events = lived(seed)
    apply(before, events[:stop])
    stored = msgspec.json.decode(msgspec.json.encode(before), type=Account)
    assert stored == before
    apply(stored, events)
    assert stored == after
    assert msgspec.json.encode(stored) == msgspec.json.encode(after)


def test_journal_an_open_episode_survives_being_written_and_read() -> None:
    rng = Random(3)
    engine, market = Engine(WILD), Market(Random(3), WILD)
    engine.ticks(market.opening(), None)
    arm(engine, [wild_account(rng, f"a{n}", WILD, engine.prices) for n in range(12)])
    opened = [entry.episode for entry in engine.entries.values() if entry.episode.open]
    assert any(episode.pending for episode in opened)
    for episode in opened:
        assert msgspec.json.decode(msgspec.json.encode(episode), type=Episode) == episode


def test_cu_1_only_events_change_cash() -> None:
    """Ticks, deadlines and commands leave every balance as it is."""
    engine, market = Engine(WILD), Market(Random(4), WILD)
    engine.ticks(market.opening(), None)
    arm(engine, [wild_account(Random(n), f"a{n}", WILD, engine.prices) for n in range(8)])
    books = {name: msgspec.json.encode(entry.account) for name, entry in engine.entries.items()}
    said = 0
    for _ in range(40):
        market.now += 3_000
        said += sum(len(decision.commands) for decision in engine.ticks([market.step()], None))
    assert said > 0
    assert books == {n: msgspec.json.encode(entry.account) for n, entry in engine.entries.items()}
