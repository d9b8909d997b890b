"""Many account events at once: what is decided is what would be one by one (H-1); defects (H-4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitor.engine.deciding
import monitor.engine.posting
from monitor.account import Account
from monitor.engine import Decision, Engine, Incoming
from monitor.schema import Tick
from tests.rules.reduction_world import kinds
from tests.rules.test_engine import MARK, OPENED, WARNED, Desk, long
from tests.support.doings import Doings
from tests.support.markets import Market, arm, reference, wild_account

REFERENCE = reference({"max_age_seconds": {"*": "60"}})

Feed = list[tuple[Incoming, int]]
"""Events with the time at which each is taken."""


class Lives:
    """A seeded market and its accounts: feeds of events, each followed by a tick."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        self.market = Market(rng, REFERENCE)
        self.opening = self.market.opening()
        engine = Engine(REFERENCE)
        engine.ticks(self.opening, self.market.now)
        made = [wild_account(rng, f"a{n}", REFERENCE, engine.prices) for n in range(6)]
        self.accounts = [msgspec.json.encode(account) for account in made]
        arm(engine, made)
        doings = Doings(rng, engine)
        self.turns: list[tuple[Feed, tuple[Tick, int]]] = []
        for _ in range(6):
            before = len(doings.sent)
            for _ in range(12):
                doings.something(self.market.now)
            feed = [
                (Incoming(event, source, event.model_dump_json()), now)
                for event, source, now in doings.sent[before:]
            ]
            tick = self.market.step()
            for decision in engine.ticks([tick], self.market.now):
                doings.heard(decision.commands)
            self.turns.append((feed, tick))

    def lived(self, take: Callable[[Engine, Feed], list[Decision]]) -> list[object]:
        """Return all that an engine says and keeps that takes the feeds as `take` does."""
        engine = Engine(REFERENCE)
        engine.ticks(self.opening, self.opening[-1][0].ts)
        arm(engine, [msgspec.json.decode(raw, type=Account) for raw in self.accounts])
        said: list[object] = []
        for feed, tick in self.turns:
            said += [told(decision) for decision in take(engine, feed)]
            said += [told(decision) for decision in engine.ticks([tick], engine.now)]
            said += [entry.record() for entry in engine.entries.values()]
            said += [entry.watched.standing for entry in engine.entries.values()]
        return said


def told(decision: Decision) -> tuple[object, ...]:
    commands = [command.model_dump_json() for command in decision.commands]
    return decision.account_id, commands, decision.refused, decision.notices, decision.dirty


def one_by_one(engine: Engine, feed: Feed) -> list[Decision]:
    return [engine.event(*incoming, now) for incoming, now in feed]


@given(seed=st.integers(0, 10**9))
@settings(max_examples=25, deadline=None)
def test_h_1_events_in_batches_decide_as_one_by_one(seed: int) -> None:
    lives, rng = Lives(seed), Random(seed)

    def in_batches(engine: Engine, feed: Feed) -> list[Decision]:
        found: list[Decision] = []
        begin = 0
        while begin < len(feed):
            size = rng.choice((1, 3, 8, 64))
            part = feed[begin : begin + size]
            found += engine.events([incoming for incoming, _ in part], part[-1][1])
            begin += size
        return found

    assert lives.lived(in_batches) == lives.lived(one_by_one)


# -- defects ----------------------------------------------------------------------------------


def deposits(desk: Desk, *account_ids: str, seq: int = 1) -> list[Decision]:
    """Take a small deposit into each account, all in one batch."""
    feed = [desk.made(name, "transfers", account_seq=seq, amount="1") for name in account_ids]
    return desk.engine.events(feed, desk.now)


def break_for(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, concerned: Callable[..., bool]
) -> None:
    """Have a function of a module fail where it is called for what is `concerned`."""
    whole = getattr(module, name)

    def broken(*args: Any, **kwargs: Any) -> Any:
        if concerned(*args):
            raise ZeroDivisionError("a defect")
        return whole(*args, **kwargs)

    monkeypatch.setattr(module, name, broken)


def three(cash: str = "90000") -> Desk:
    return Desk({"a": long("90000"), "bad": long(cash), "z": long("90000")})


def is_bad(account: Account, *_: object) -> bool:
    return account.account_id == "bad"


def lacks_events(desk: Desk) -> bool:
    return desk.engine.entries["bad"].out_of_sync


def test_h_4_an_event_that_cannot_be_booked_is_a_dead_letter_and_its_account_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = three()
    with monkeypatch.context() as broken:
        break_for(broken, monitor.engine.posting, "take", is_bad)
        first, bad, last = deposits(desk, "a", "bad", "z")
    assert not first.refused
    assert not last.refused
    assert first.dirty
    assert last.dirty
    (refusal,) = bad.refused
    assert "a defect" in refusal.reason
    assert '"amount":"1"' in refusal.value
    assert bad.dirty
    assert isinstance(bad.defect, ZeroDivisionError)
    book = desk.engine.entries["bad"].account
    assert lacks_events(desk)
    # It missed an event, so what follows waits until a snapshot tells it anew.
    (later,) = deposits(desk, "bad", seq=2)
    assert not later.refused
    assert len(book.held) == 1
    assert lacks_events(desk)
    snapshot = {"balances": [{"currency": "USDT", "cash": "7"}], "positions": [], "orders": []}
    desk.send("bad", "accounts", account_seq=2, mode="multi_currency", snapshot=snapshot)
    assert not lacks_events(desk)
    assert book.held == []
    assert str(book.balances["USDT"].cash) == "7"


def test_h_4_an_account_that_cannot_be_decided_on_keeps_its_event_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = three("8200")
    break_for(monkeypatch, monitor.engine.deciding, "assess", is_bad)
    desk.engine.events(
        [desk.made("bad", "transfers", account_seq=1, kind="withdrawal", amount="500")], desk.now
    )
    entry = desk.engine.entries["bad"]
    assert entry.out_of_sync
    assert str(entry.account.balances["USDT"].cash) == "7700"
    # Ticks, sweeps and the others go on.
    desk.engine.sweep(1, desk.now)  # begins a round
    desk.engine.sweep(3, desk.now)
    desk.tick(MARK, "59000")
    said = kinds(
        desk.send("a", "transfers", account_seq=1, kind="withdrawal", amount="75000").commands
    )
    assert said == [OPENED, WARNED]


def test_h_4_an_account_the_watch_cannot_take_does_not_keep_it_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = three()
    whole = desk.engine.put_all

    def broken(entries: Sequence[Any]) -> None:
        if any(entry.account_id == "bad" for entry in entries):
            raise ZeroDivisionError("a defect")
        whole(entries)

    monkeypatch.setattr(desk.engine, "put_all", broken)
    first, bad, last = deposits(desk, "a", "bad", "z")
    assert [one.defect is None for one in (first, bad, last)] == [True, False, True]
    assert desk.engine.entries["bad"].out_of_sync
    assert not desk.engine.entries["z"].watched.unseen


def test_h_4_a_defect_in_a_sweep_is_told_with_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = three()
    break_for(monkeypatch, monitor.engine.deciding, "assess", is_bad)
    desk.engine.sweep(1, desk.now)  # begins a round
    (found,) = desk.engine.sweep(3, desk.now)
    assert found.account_id == "bad"
    assert found.dirty
    assert found.defect is not None
    assert desk.engine.missed_crossings == 0
