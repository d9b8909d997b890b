"""H-1: the same events, ticks and `now`, in the same order, give the same commands, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, EventSource, IsolatedPosition, isolated_key
from monitor.engine import Decision, Engine
from monitor.escalation import Episode
from monitor.margin import assess
from monitor.schema import (
    AccountEvent,
    AccountSettings,
    BalanceSnapshot,
    Cause,
    PositionSide,
    PositionSnapshot,
    Snapshot,
    Tick,
)
from tests.rules.reduction_world import d
from tests.support.doings import Doings
from tests.support.markets import Market, arm, reference, wild_account

REFERENCE = reference({"max_age_seconds": {"*": "60"}})
seeds = st.integers(0, 10**9)


class Step(NamedTuple):
    """One input of the engine: a tick or an account event, and `now`."""

    tick: tuple[Tick, int] | None
    event: tuple[AccountEvent, EventSource] | None
    now: int


class History(NamedTuple):
    """What an engine was fed, and the bytes that it commanded at each step."""

    opening: list[tuple[Tick, int]]
    accounts: list[bytes]
    steps: list[Step]
    commands: list[list[bytes]]


def spoken(decisions: Sequence[Decision]) -> list[bytes]:
    return [c.model_dump_json().encode() for d_ in decisions for c in d_.commands]


def feed(engine: Engine, step: Step) -> list[bytes]:
    if step.tick is not None:
        return spoken(engine.ticks([step.tick], step.now))
    assert step.event is not None
    event, source = step.event
    return spoken([engine.event(event, source, event.model_dump_json(), step.now)])


def hold_apart(rng: Random, account: Account, engine: Engine) -> None:
    """Give the account an isolated position near a level of its own (MR-3)."""
    side: PositionSide = "long" if account.position_mode == "long_short" else "net"
    key, mark = isolated_key("BTC-USDT-SWAP", side), engine.prices.mark("BTC-USDT-SWAP")
    held = IsolatedPosition("BTC-USDT-SWAP", side, d(40), mark, d(0), "USDT")
    account.isolated[key] = held
    needed = assess(account, REFERENCE, engine.prices).isolated[key].requirement
    held.margin = needed * d(rng.choice(("0.99", "1.01", "1.3", "2.05", "3.02")))


def live(seed: int, steps: int = 45) -> History:
    """Let an engine and its accounts live for a while, and write down what happened."""
    rng = Random(seed)
    market, engine = Market(rng, REFERENCE), Engine(REFERENCE)
    opening = market.opening()
    engine.ticks(opening, market.now)
    made = [wild_account(rng, f"a{n}", REFERENCE, engine.prices) for n in range(5)]
    for account in made:
        if account.mode != "spot" and rng.random() < 0.4:
            hold_apart(rng, account, engine)
    history = History(opening, [msgspec.json.encode(a) for a in made], [], [])
    arm(engine, made)
    doings = Doings(rng, engine)
    for _ in range(steps):
        if rng.random() < 0.1:
            market.now += rng.choice((1_000, 6_000, 20_000))
        if rng.random() < 0.35:
            before = len(doings.sent)
            doings.something(market.now)
            for event, source, now in doings.sent[before:]:
                history.steps.append(Step(None, (event, source), now))
                history.commands.append([])  # said by the replays, compared with one another
        else:
            step = Step(market.step(), None, market.now)
            history.steps.append(step)
            decisions = engine.ticks([market_tick(step)], step.now)
            for decision in decisions:
                doings.heard(decision.commands)
            history.commands.append(spoken(decisions))
    return history


def market_tick(step: Step) -> tuple[Tick, int]:
    assert step.tick is not None
    return step.tick


def begin(history: History) -> Engine:
    engine = Engine(REFERENCE)
    engine.ticks(history.opening, history.opening[-1][0].ts)
    arm(engine, [msgspec.json.decode(raw, type=Account) for raw in history.accounts])
    return engine


def rebuilt(engine: Engine) -> Engine:
    """Another engine, from what a journal and the tick topic keep."""
    other = Engine(REFERENCE)
    other.now = engine.now
    for key, price in engine.prices.prices.items():
        symbol, _, kind = key.rpartition("/")
        tick = Tick.model_validate(
            {"symbol": symbol, "kind": kind, "price": price.price, "ts": price.ts, "seq": price.seq}
        )
        other.ticks([(tick, price.offset)], engine.now)
    for entry in engine.entries.values():
        other.adopt(
            msgspec.json.decode(msgspec.json.encode(entry.account), type=Account),
            msgspec.json.decode(msgspec.json.encode(entry.episode), type=Episode),
            entry.partition,
            msgspec.json.decode(msgspec.json.encode(entry.isolated), type=dict[str, Episode]),
        )
    other.armed = set(engine.armed)
    cause = Cause(kind="recovery", ts=other.now)
    assert spoken(other.examine(list(other.entries), cause)) == []  # all was said before
    return other


def records(engine: Engine) -> list[bytes]:
    """What would be stored of each account."""
    return [
        msgspec.json.encode([e.account, e.episode, e.isolated]) for e in engine.entries.values()
    ]


@settings(max_examples=12, deadline=None)
@given(seeds)
def test_h_1_the_same_history_gives_the_same_bytes(seed: int) -> None:
    history = live(seed)
    first, second = begin(history), begin(history)
    said = []
    for step, live_said in zip(history.steps, history.commands, strict=True):
        said.append(feed(first, step))
        assert said[-1] == feed(second, step)
        if step.tick is not None:
            assert said[-1] == live_said
    assert records(first) == records(second)


@settings(max_examples=12, deadline=None)
@given(seeds, st.integers(0, 44))
def test_h_1_also_when_the_engine_is_rebuilt_in_the_middle(seed: int, middle: int) -> None:
    history = live(seed)
    whole, broken = begin(history), begin(history)
    for number, step in enumerate(history.steps):
        if number == middle:
            # An event of one account lets time pass for all: their deadlines are met first, those
            # put off for a stale price that is fresh again too, and what OC-2 and OC-3 have to say
            # after another cancel.
            cause = Cause(kind="recovery", ts=whole.now)
            assert spoken(whole.examine(list(whole.entries), cause)) == spoken(
                broken.examine(list(broken.entries), cause)
            )
            for later in (0, 1, 1):
                assert spoken(whole.due(whole.now + later)) == spoken(
                    broken.due(broken.now + later)
                )
            broken = rebuilt(broken)
        # accounts that one tick concerns may be looked at in another order
        assert sorted(feed(whole, step)) == sorted(feed(broken, step)), number


def test_h_1_the_histories_are_rich() -> None:
    """A history in which nothing is said would be the same too."""
    kinds: set[str] = set()
    apart: set[str] = set()
    for seed in range(6):
        for raw in (raw for said in live(seed).commands for raw in said):
            command = msgspec.json.decode(raw)
            (kinds if command["position"] is None else apart).add(command["kind"])
    assert kinds == {"warning", "order_cancel", "reduction", "auto_exchange", "episode"}
    assert apart == {"warning", "reduction", "episode"}


def snapshot_of(account: Account) -> AccountSettings:
    """The account as an exchange would state it whole."""
    orders = []
    for made in account.orders.values():
        fields = {
            name: getattr(made, name) for name in made.__struct_fields__ if name != "fills_seen"
        }
        filled = max(made.filled_quantity, made.fills_seen)
        orders.append(
            {
                **fields,
                "account_id": account.account_id,
                "ts": 1,
                "status": "open",
                "filled_quantity": filled,
            }
        )
    return AccountSettings(
        account_id=account.account_id,
        ts=10**14,
        mode=account.mode,
        auto_borrow=account.auto_borrow,
        position_mode=account.position_mode,
        leverage=account.leverage,
        borrow_leverage=account.borrow_leverage,
        collateral_off=account.collateral_off,
        snapshot=Snapshot.model_validate(
            {
                "balances": [
                    BalanceSnapshot(
                        currency=name,
                        cash=held.cash,
                        borrowed=held.borrowed,
                        accrued_interest=held.accrued_interest,
                    )
                    for name, held in account.balances.items()
                ],
                "positions": [
                    PositionSnapshot(
                        instrument=held.instrument,
                        position_side=held.side,
                        quantity=held.quantity,
                        entry_price=held.entry_price,
                    )
                    for held in account.positions.values()
                ],
                "orders": orders,
            }
        ),
    )


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_mr_1_an_assessment_after_events_equals_one_from_a_snapshot(seed: int) -> None:
    history = live(seed, steps=25)
    engine = begin(history)
    for step in history.steps:
        feed(engine, step)
    fresh = Engine(REFERENCE)
    for entry in engine.entries.values():
        lived = entry.account
        stated = snapshot_of(lived)
        fresh.event(stated, EventSource("accounts", 0, 10**6), stated.model_dump_json(), 0)
        one = assess(lived, REFERENCE, engine.prices)
        other = assess(fresh.entries[lived.account_id].account, REFERENCE, engine.prices)
        for name in ("adjusted_equity", "total_equity", "initial_margin", "requirement", "ratio"):
            left, right = getattr(one, name), getattr(other, name)
            if left is None or right is None:
                assert left is right
            else:
                assert abs(left - right) <= d("1e-40") * max(abs(left), d(1)), name
