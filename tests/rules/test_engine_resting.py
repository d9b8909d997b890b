"""Accounts at rest: an engine that decodes each one anew answers byte for byte as one that keeps them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance
from monitor.engine import Engine
from monitor.engine.entry import Entry
from monitor.engine.resting import Awake, Stored, decode_stored, encode_stored
from monitor.escalation import Episode
from monitor.schema import Cause
from tests.rules.reduction_world import d
from tests.rules.test_engine_replay import REFERENCE, History, begin, feed, live, spoken

seeds = st.integers(0, 10**9)


def resting(history: History, at_most: int) -> Engine:
    """The same engine as `begin` makes, in which so few accounts stay decoded."""
    engine = Engine(REFERENCE)
    engine.ticks(history.opening, history.opening[-1][0].ts)
    engine.awake = Awake(at_most)
    for raw in history.accounts:
        record = encode_stored(Stored(msgspec.json.decode(raw, type=Account), Episode()))
        stored = decode_stored(record)
        engine.adopt(stored.account, stored.episode, 0, stored.isolated, kept=record)
    engine.armed.add(0)
    engine.examine(list(engine.entries), Cause(kind="recovery", ts=engine.now))
    return engine


@settings(max_examples=12, deadline=None)
@given(seeds, st.integers(0, 2))
def test_h_1_accounts_at_rest_answer_as_if_they_were_kept(seed: int, at_most: int) -> None:
    history = live(seed)
    kept, rested = begin(history), resting(history, at_most)
    for step in history.steps:
        assert feed(kept, step) == feed(rested, step)
    assert spoken(kept.due(kept.now + 10**6)) == spoken(rested.due(rested.now + 10**6))
    for name, entry in kept.entries.items():
        assert rested.entries[name].record() == entry.record()
        assert encode_stored(decode_stored(entry.record())) == entry.record()


def entry(account: Account, at_most: int = 0) -> tuple[Entry, Awake]:
    engine = Engine(REFERENCE)
    engine.awake = Awake(at_most)
    return engine.adopt(account, Episode(), 0), engine.awake


def test_what_was_changed_is_not_lost_when_it_rests() -> None:
    one, awake = entry(Account("a", known=True, balances={"USDT": Balance(d(5))}))
    before = one.record()
    one.account.balance("USDT").cash += 1
    one.episode.n = 3
    awake.trim()
    assert len(awake) == 0
    assert one.record() != before
    assert one.account.balance("USDT").cash == 6
    assert one.episode.n == 3
    assert len(awake) == 1


def test_at_rest_it_still_says_what_no_decoding_is_needed_for() -> None:
    account = Account("a", known=True, mode="spot", out_of_sync=True)
    one, awake = entry(account)
    one.episode.open = True
    awake.trim()
    assert (one.known, one.mode, one.open, one.out_of_sync) == (True, "spot", True, True)
    assert len(awake) == 0, "nothing of that decodes it"


@pytest.mark.parametrize("at_most", [1, 3])
def test_only_so_many_stay_awake_those_that_woke_last(at_most: int) -> None:
    engine = Engine(REFERENCE)
    engine.awake = Awake(at_most)
    for number in range(8):
        engine.adopt(Account(f"a{number}", known=True), Episode(), 0)
    engine.awake.trim()
    decoded = [n for n, e in engine.entries.items() if e._account is not None]
    assert decoded == [f"a{number}" for number in range(8 - at_most, 8)]


def test_a_record_is_not_encoded_again_while_nobody_could_change_it() -> None:
    raw = encode_stored(Stored(Account("a", known=True), Episode()))
    stored = decode_stored(raw)
    one = Engine(REFERENCE).adopt(stored.account, stored.episode, 0, kept=raw)
    assert one.record() is raw
    assert one.read() is stored.account
    assert one.record() is raw
    one.account.settings_ts = 1
    assert one.record() != raw
