"""H-2, H-3: after every tick each account stands where a recompute in decimals finds it.

The accounts are of both modes, mostly near a level, with debts at tier bounds, linear and inverse
positions, limit and market orders; prices walk, jump, and come back to where a box was made.
"""

from decimal import Decimal
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, IsolatedPosition, isolated_key
from monitor.engine import Engine
from monitor.escalation import Context, Episode, decide, decide_isolated
from monitor.margin import assess
from monitor.reference import Reference
from monitor.schema import Cause, Command, WarningCommand
from monitor.watch import tracks
from tests.support.doings import Doings
from tests.support.markets import (
    MARKETS,
    Market,
    arm,
    describe,
    exact_standing,
    reference,
    wild_account,
)

REFERENCE = reference()
seeds = st.integers(0, 10**9)


def world(
    seed: int, accounts: int = 8, ref: Reference = REFERENCE
) -> tuple[Random, Market, Engine]:
    rng = Random(seed)
    market, engine = Market(rng, ref), Engine(ref)
    if seed % 2:
        engine.watch.screen.state.pulse[tracks.PATIENCE] = 0  # nobody is tracked
    engine.ticks(market.opening(), None)
    arm(engine, [wild_account(rng, f"a{i}", ref, engine.prices) for i in range(accounts)])
    return rng, market, engine


def nothing_missed(engine: Engine) -> None:
    """Every standing is the exact one, and no account has anything left to be told."""
    for entry in engine.entries.values():
        figures = assess(entry.account, engine.reference, engine.prices)
        exact = exact_standing(engine, entry.account, figures)
        assert entry.watched.standing == exact, describe(entry.account, figures)
        if exact is None:
            continue  # unpriced: nobody may be told anything
        episode = msgspec.json.decode(msgspec.json.encode(entry.episode), type=Episode)
        cause = Cause(kind="sweep", ts=engine.now)
        context = Context(engine.reference, engine.prices, engine.now, cause)
        left = decide(entry.account, episode, figures, context)
        if entry.episode.look_again == engine.now + 1:  # one cancel at a time (OC-1 to OC-3)
            assert {command.kind for command in left} == {"order_cancel"}
            continue
        assert left == [], describe(entry.account, figures)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_h_3_no_crossing_is_missed_at_any_tick(seed: int) -> None:
    _, market, engine = world(seed)
    nothing_missed(engine)
    for _ in range(50):
        engine.ticks([market.step()], None)
        nothing_missed(engine)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_h_3_no_crossing_is_missed_in_slow_drifts(seed: int) -> None:
    """All prices creep one way: no step leaves a box by itself."""
    rng, market, engine = world(seed)
    drift = Decimal(1) + Decimal(repr(rng.choice((-1, 1)) * 10 ** rng.uniform(-4, -2.3)))
    for _ in range(8):
        for key in MARKETS:
            engine.ticks(
                [market.tick(key, (market.last[key] * drift).quantize(Decimal("1e-9")))], None
            )
            nothing_missed(engine)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_h_3_no_crossing_is_missed_with_account_events_between_ticks(seed: int) -> None:
    rng, market, engine = world(seed, accounts=5)
    doings = Doings(rng, engine)
    for _ in range(50):
        if rng.random() < 0.4:
            doings.something(market.now)
            nothing_missed(engine)
        if rng.random() < 0.05:
            market.now += 6_000  # a deadline passes
        for decision in engine.ticks([market.step()], None):
            doings.heard(decision.commands)
        nothing_missed(engine)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_h_3_h_9_a_new_owner_leaves_nothing_unsaid(seed: int) -> None:
    """Whatever episodes are open, and wherever prices went meanwhile; what is only warned floats may clear."""
    rng, market, engine = world(seed)
    doings = Doings(rng, engine)
    for _ in range(30):
        if rng.random() < 0.4:
            doings.something(market.now)
        for decision in engine.ticks([market.step()], None):
            doings.heard(decision.commands)
    lower = reference({"warning": "2.8", "worsened": ["1.8", "1.5"]})
    heir = Engine(rng.choice((REFERENCE, lower)))  # the policy may have changed meanwhile
    heir.ticks(market.opening(), None)
    for _ in range(rng.choice((0, 3, 12))):
        heir.ticks([market.step()], None)
    heir.adopt_all([entry.record() for entry in engine.entries.values()], 0)
    heir.armed.add(0)
    heir.examine(list(heir.entries), Cause(kind="recovery", ts=heir.now))
    nothing_missed(heir)
    for _ in range(10):
        heir.ticks([market.step()], None)
        nothing_missed(heir)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_h_3_px_2_first_prices_in_any_order(seed: int) -> None:
    """Prices, and other ways to price a coin, appear one by one; accounts become priced with them."""
    rng = Random(seed)
    full = Market(rng, REFERENCE)
    book = full.book()
    market, engine = Market(rng, REFERENCE, keys=()), Engine(REFERENCE)
    made = [wild_account(rng, f"a{i}", REFERENCE, book) for i in range(8)]
    more = {
        "USDC-USD/index": "1.002",
        "SOL-USDT/index": "151",
        "SOL-USD/index": "149",
        "ETH-BTC/index": "0.05",
        "DOGE-ETH/index": "0.00003",
    }
    comes = {**{key: str(price) for key, price in full.last.items()}, **more}
    order = rng.sample(sorted(comes), len(comes))
    early = rng.randrange(len(order))
    for key in order[:early]:
        engine.ticks([market.tick(key, Decimal(comes[key]))], None)
    arm(engine, made)
    nothing_missed(engine)
    for key in order[early:]:
        engine.ticks([market.tick(key, Decimal(comes[key]))], None)
        nothing_missed(engine)
        engine.ticks([market.step()], None)
        nothing_missed(engine)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_h_3_mr_3_no_crossing_of_an_isolated_position_is_missed(seed: int) -> None:
    rng = Random(seed)
    market, engine = Market(rng, REFERENCE), Engine(REFERENCE)
    engine.ticks(market.opening(), None)
    made = Account("a", known=True, auto_borrow=True, account_seq=0)
    for name in ("BTC-USDT-SWAP", "ETH-USD-SWAP"):
        entry = REFERENCE.instruments[name]
        margin = Decimal(rng.choice((20, 60, 200, 500, 900))) / engine.prices.index(
            entry.settle or ""
        )
        mark = engine.prices.mark(name)
        position = IsolatedPosition(name, "net", Decimal(40), mark, margin, entry.settle or "")
        made.isolated[isolated_key(name, "net")] = position
    arm(engine, [made])
    entry_ = engine.entries["a"]
    for _ in range(40):
        engine.ticks([market.step()], None)
        figures = assess(made, REFERENCE, engine.prices)
        zones = {key: own.ratio for key, own in figures.isolated.items()}
        assert entry_.watched.standing is not None
        found = entry_.watched.standing.isolated
        assert [standing.key for standing in found] == sorted(zones)
        assert all(s.zone == s.ladder.zone(zones[s.key]) for s in found)
        episodes = msgspec.json.decode(
            msgspec.json.encode(entry_.isolated), type=dict[str, Episode]
        )
        cause = Cause(kind="sweep", ts=engine.now)
        context = Context(REFERENCE, engine.prices, engine.now, cause)
        assert decide_isolated(made, episodes, figures, context) == []


def told(engine: Engine, batch: list, *, whole: bool) -> list[Command]:  # type: ignore[type-arg]
    turns = [batch] if whole else [[tick] for tick in batch]
    return [c for turn in turns for d in engine.ticks(turn, None) for c in d.commands]


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_h_1_a_batch_passed_over_whole_says_what_its_ticks_say_one_by_one(seed: int) -> None:
    (_, market, whole), (_, _, single) = world(seed), world(seed)
    passed = 0
    for turn in range(25):
        batch = [market.step(wildness=0.3 if turn % 2 else 0.02) for _ in range(6)]
        looked_at = whole.assessed
        assert told(whole, batch, whole=True) == told(single, batch, whole=False)
        passed += whole.assessed == looked_at
        nothing_missed(whole)
        nothing_missed(single)


@settings(max_examples=8, deadline=None)
@given(seeds)
def test_h_1_px_5_px_6_held_and_older_ticks_in_a_batch_change_nothing(seed: int) -> None:
    guarded = reference({"jump_guard": {"*": {"percent": "0.1", "confirm": 2}}})
    (_, market, whole), (rng, _, single) = world(seed, ref=guarded), world(seed, ref=guarded)
    for _ in range(20):
        batch = [market.step(wildness=0.2) for _ in range(6)]
        late, offset = batch[rng.randrange(6)]
        batch.insert(rng.randrange(7), (late.model_copy(update={"ts": late.ts - 20}), offset))
        assert told(whole, batch, whole=True) == told(single, batch, whole=False)
        assert whole.prices.prices == single.prices.prices
        nothing_missed(whole)
    assert whole.prices.held
    assert whole.prices.dropped


def test_h_3_a_batch_in_which_one_price_leaves_before_another_comes_back() -> None:
    """The way out lies between two ticks of a batch: BTC falls while ETH still stands low."""
    market, engine = Market(Random(1), REFERENCE), Engine(REFERENCE)
    engine.ticks(market.opening(), None)
    account = wild_account(Random(5), "a", REFERENCE, engine.prices)
    account.mode, account.orders, account.positions = "spot", {}, {}
    account.balances = {}
    account.balance("BTC").cash = Decimal("0.3")
    account.balance("ETH").cash = Decimal("1.5")
    account.balance("USDT").borrowed = Decimal(19_000)
    account.borrow_leverage = {}
    arm(engine, [account])
    btc, eth = market.last["BTC-USD/index"], market.last["ETH-USD/index"]
    low = Decimal("0.85")
    batch = [
        market.tick("ETH-USD/index", eth * low),
        market.tick("BTC-USD/index", btc * low),
        market.tick("ETH-USD/index", eth),
        market.tick("BTC-USD/index", btc),
    ]
    said = [c for d in engine.ticks(batch, None) for c in d.commands]
    assert said
    assert {
        c.cause.price for c in said if isinstance(c, WarningCommand) and c.state == "entered"
    } == {btc * low}
    fallen = said[0].inputs.ticks
    assert fallen["ETH-USD/index"] == batch[0][1]
    assert fallen["BTC-USD/index"] == batch[1][1]
    nothing_missed(engine)


def test_h_3_the_watch_spares_most_of_the_work() -> None:
    """A watch that named everybody would miss nothing either."""
    named = looked = 0
    for seed in range(6):
        _, market, engine = world(seed)
        before = engine.assessed
        for _ in range(50):
            engine.ticks([market.step()], None)
            looked += len(engine.entries)
        named += engine.assessed - before
    assert named < looked / 4
