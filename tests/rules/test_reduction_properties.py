"""Properties of RD-4, RD-6, RD-7, H-1 and of whole episodes, on seeded books of any shape."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.account import Account
from monitor.exact import ONE
from monitor.reduction import Capped, Caps, Plan, plan
from monitor.reduction.legs import derivative_legs, leg_step
from monitor.reduction.pairs import delta_neutral_pairs, pair_step
from monitor.reduction.size import smallest
from monitor.reduction.trial import Trial
from monitor.schema import Reduction
from tests.rules.reduction_world import (
    PRICES,
    START,
    World,
    account,
    d,
    kinds,
    order,
    raw_with_options,
    with_orders,
)

CONTRACTS = {
    "BTC-USDT-SWAP": 6000,
    "BTC-USDT-FUT": 3000,
    "BTC-USD-SWAP": 9000,
    "ETH-USDT-SWAP": 9000,
}
OPTIONS = ("BTC-C", "BTC-P", "BTC-USDT-C", "BTC-USDT-P")
CLOSE = Decimal("1e-30")
"""Realising the PnL of an inverse contract divides: the last of 50 digits may differ."""


def amounts(low: int, high: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low * 10**places, high * 10**places).map(
        lambda value: Decimal(value).scaleb(-places)
    )


@st.composite
def multi_currency_books(draw: st.DrawFn) -> Account:
    cash = {
        "USDT": draw(amounts(-200_000, 200_000, 2)),
        "BTC": draw(amounts(-3, 6, 4)),
        "ETH": draw(amounts(-30, 60, 3)),
        "SOL": draw(amounts(0, 900, 1)),
    }
    kept = {name: str(value) for name, value in cash.items() if draw(st.booleans())}
    hedged = draw(st.booleans())
    positions = []
    for name, most in CONTRACTS.items():
        for side in ("long", "short") if hedged else ("net",):
            size = draw(st.integers(-most, most))
            if not size or draw(st.booleans()):
                continue
            if side != "net":
                size = abs(size) if side == "long" else -abs(size)
            mark = int(PRICES[f"{name}/mark"])
            entry = draw(st.integers(mark * 95 // 100, mark * 105 // 100))
            place = name if side == "net" else f"{name}/{side}"
            positions.append((place, str(size), str(entry)))
    made = account(kept, positions)
    if hedged:
        made.position_mode = "long_short"
    return made


@st.composite
def spot_books(draw: st.DrawFn) -> Account:
    coins = {"USDT": (300_000, 2), "BTC": (30, 4), "ETH": (150, 3), "SOL": (3_000, 1)}
    cash, borrowed = {}, {}
    for name, (most, places) in coins.items():
        if draw(st.booleans()):
            low = -most // 10 if draw(st.booleans()) else 0
            cash[name] = str(draw(amounts(low, most, places)))
        if name != "SOL" and draw(st.booleans()):
            borrowed[name] = str(draw(amounts(0, most * 4, places)))
    return account(cash, borrowed=borrowed, mode="spot", auto_repay=draw(st.booleans()))


@st.composite
def option_books(draw: st.DrawFn) -> Account:
    """Long and short options beside the rest; in long_short mode both sides of one."""
    made = draw(multi_currency_books())
    for name in OPTIONS:
        for side in ("long", "short") if made.position_mode == "long_short" else ("net",):
            size = draw(st.integers(-3000, 3000))
            if not size or draw(st.booleans()):
                continue
            if side != "net":
                size = abs(size) if side == "long" else -abs(size)
            held = account({}, [(name if side == "net" else f"{name}/{side}", str(size), "1")])
            made.positions.update(held.positions)
    return made


def is_long_option(world: World, key: str, quantity: Decimal) -> bool:
    name = key.partition("/")[0]
    return quantity > 0 and world.reference.instruments[name].kind == "option"


def near_the_line(made: Account, share: int, policy: Mapping[str, Any] | None = None) -> World:
    """Give the account the USDT that brings its ratio to about `share` per cent."""
    world = World(made, raw=raw_with_options(policy))
    figures = world.figures()
    assume(figures.requirement > 0)
    wanted = figures.requirement * share / 100 - figures.adjusted_equity
    made.balance("USDT").cash += wanted.quantize(d("0.01"))
    assume(world.figures().requirement > 0)
    return world


books = st.one_of(multi_currency_books(), option_books(), spot_books())
shares = st.integers(1, 100)


def same(left: Decimal | None, right: Decimal | None) -> bool:
    if left is None or right is None:
        return left is right
    return abs(left - right) <= CLOSE * max(ONE, abs(left))


@settings(max_examples=150, deadline=None)
@given(books, shares)
def test_rd_7_every_step(made: Account, share: int) -> None:
    world = near_the_line(made, share)
    before = world.figures()
    assume(before.ratio is not None and before.ratio <= 1)
    positions = {key: p.quantity for key, p in made.positions.items()}
    found = plan(made, before, world.context)
    if found is None:
        assert all(is_long_option(world, key, q) for key, q in positions.items())
        assert not any(c.liability > 0 for c in before.currencies.values())
        return
    assert isinstance(found, Plan)
    for action in found.actions:
        assert action.quantity > 0
        if action.action == "close":
            assert action.quantity <= abs(positions[f"{action.instrument}/{action.position_side}"])
    command = world.decide()[-1]
    assert isinstance(command, Reduction)
    assert same(command.expected_ratio, found.expected_ratio)
    world.obey(command)
    after = world.figures()
    for key, quantity in positions.items():
        if is_long_option(world, key, quantity):  # RD-4
            assert made.positions[key].quantity == quantity
    if found.takeover:
        assert all(is_long_option(world, key, p.quantity) for key, p in made.positions.items())
        assert after.adjusted_equity >= 0
        # what may be left is a coin held and owed at once that came to nothing (spot mode): it is
        # left out of a takeover, and repays itself in the step after
        assert all(c.equity == 0 for c in after.currencies.values() if c.liability > 0)
        return
    assert same(after.ratio, found.expected_ratio)  # what was expected is what comes
    assert after.requirement <= before.requirement
    assert before.ratio is not None
    assert after.ratio is None or after.ratio >= before.ratio
    for key, quantity in positions.items():
        left = made.positions.get(key)
        assert left is None or 0 < left.quantity / quantity <= 1
    for name, coin in after.currencies.items():
        held = before.currencies.get(name)
        if held is None:
            assert coin.equity >= 0
        elif made.mode == "spot":
            assert coin.cash * held.cash >= 0
            assert 0 <= coin.borrowed <= held.borrowed
        else:
            assert coin.equity * held.equity >= 0


policies = st.fixed_dictionaries(
    {
        "tier_steps_down": st.integers(1, 3),
        "debt_size": st.sampled_from(["tier_step", "smallest"]),
        "sale_order": st.sampled_from(["lowest_rate_first", "highest_rate_first"]),
        "takeover_at_first_tier": st.booleans(),
        "symbol_caps": st.sampled_from([{}, {"*": "400000"}, {"BTC-USDT-SWAP": "100000"}]),
    }
)


def state_of(made: Account) -> str:
    return repr((sorted(made.balances.items()), sorted(made.positions.items())))


@settings(max_examples=100, deadline=None)
@given(books, shares, policies)
def test_rd_7_steps_under_any_settings_until_nothing_is_left_to_do(
    made: Account, share: int, policy: dict[str, Any]
) -> None:
    world = near_the_line(made, share, policy)
    world.caps = Caps()
    seen = {state_of(made)}
    spent: dict[str, Decimal] = {}
    for second in range(60):
        world.now = START + second * 1000
        before = world.figures()
        if before.ratio is None or before.ratio > 1:
            return
        found = world.plan()
        assert found is not None
        world.caps.book("A1", found, world.now)
        if isinstance(found, Capped):
            assert policy["symbol_caps"]
            continue
        world.carry_out(found)
        assert state_of(made) not in seen  # no step comes twice without change
        seen.add(state_of(made))
        after = world.figures()
        if found.takeover:
            assert found.commanded == ()
            continue
        assert same(after.ratio, found.expected_ratio)
        assert after.ratio is None or after.ratio >= before.ratio
        assert after.requirement <= before.requirement
        for name, usd in found.commanded:
            spent[name] = spent.get(name, Decimal(0)) + usd
            cap = policy["symbol_caps"].get(name, policy["symbol_caps"].get("*"))
            assert cap is None or spent[name] <= Decimal(cap) * (second + 1)


@settings(max_examples=60, deadline=None)
@given(books, shares)
def test_h_1_same_input_same_bytes(made: Account, share: int) -> None:
    world = near_the_line(made, share)
    twin = World(made.copy(), raw=raw_with_options())
    found = [c.model_dump_json() for c in world.decide()]
    assert found == [c.model_dump_json() for c in twin.decide()]


@settings(max_examples=100, deadline=None)
@given(books, shares, st.booleans())
def test_es_5_an_obeyed_episode_comes_to_rest(made: Account, share: int, ordered: bool) -> None:
    world = near_the_line(made, share)
    if ordered:
        with_orders(
            made,
            order("o1", "BTC-USDT", "buy", "0.5", "60000"),
            order("o2", "ETH-USDT", "sell", "5", "3000", auto_borrow=False),
        )
    world.run()
    figures = world.figures()
    assert world.decide() == []
    assert not world.episode.pending
    assert figures.ratio is None or figures.ratio > 1
    assert [c.sequence for c in world.commands if c.episode_id == "A1#1"] == list(
        range(1, 1 + sum(c.episode_id == "A1#1" for c in world.commands))
    )
    assert len({c.command_id for c in world.commands}) == len(world.commands)
    assert "episode stuck" not in kinds(world.commands)


@settings(max_examples=60, deadline=None)
@given(st.one_of(multi_currency_books(), option_books()), st.integers(30, 100))
def test_rd_6_no_smaller_size_suffices(made: Account, share: int) -> None:
    world = near_the_line(made, share)
    trial = Trial(made, world.figures(), world.context)
    legs = derivative_legs(trial)
    steps = [leg_step(leg) for leg in legs]
    steps += [step for pair in delta_neutral_pairs(legs) if (step := pair_step(pair))]
    for step in steps:
        whole = trial.value(step.moves(step.count))
        count, outcome = smallest(trial, step, whole)
        assert 1 <= count <= step.count
        if count < step.count:
            assert trial.suffices(outcome)
        if count > 1:
            assert not trial.suffices(trial.value(step.moves(count - 1)))
        for probe in {1, count // 3, count // 2, count * 2 // 3, count * 9 // 10} - {0, count}:
            assert not trial.suffices(trial.value(step.moves(probe)))
