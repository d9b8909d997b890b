"""RD-5: steps of portfolio accounts, by hand and on seeded books of any shape (RD-4, RD-6, RD-7)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance, Position
from monitor.account.state import position_key
from monitor.margin import Figures
from monitor.reduction import Capped, Caps, Plan, plan
from monitor.reduction.legs import derivative_legs, leg_step
from monitor.reduction.trial import Trial
from monitor.reduction.units import smallest_in_unit, unit_step
from monitor.schema import Command, Reduction
from tests.rules.reduction_world import World, kinds
from tests.support.markets import with_ratio
from tests.support.portfolio import (
    NOW,
    any_portfolio_account,
    market,
    portfolio_reference,
    price_book_at,
    raw_portfolio,
)

REFERENCE = portfolio_reference()
PRICES = market(REFERENCE)
CLOSE = Decimal("1e-30")
seeds = st.integers(0, 10**9)


def d(value: str | int) -> Decimal:
    return Decimal(value)


class Desk(World):
    """The small world over the prices of two risk units, all of one time."""

    def __init__(self, made: Account, policy: dict[str, Any] | None = None) -> None:
        super().__init__(
            made, raw=raw_portfolio({"max_age_seconds": {"*": "100000"}, **(policy or {})})
        )
        self.now = NOW
        self.book = price_book_at(PRICES, self.reference)

    def move(self, prices: Mapping[str, str] | None = None, later_ms: int = 1) -> list[Command]:
        """Let time pass; every price is repeated."""
        assert not prices, "the marks of options follow from a whole market"
        self.now += later_ms
        self.book = price_book_at(PRICES, self.reference, self.now)
        return self.decide()


def held(positions: dict[str, str], side: str = "net", **balances: str) -> Account:
    made = Account("A1", known=True, mode="portfolio", auto_borrow=True, account_seq=0)
    made.balances = {coin: Balance(d(cash)) for coin, cash in balances.items()}
    for place, quantity in positions.items():
        name, _, given_side = place.partition("/")
        key = given_side or side
        entry = "0.05" if name.endswith(("-C", "-P")) else PRICES[name]
        made.positions[f"{name}/{key}"] = Position(name, key, d(quantity), d(entry))  # type: ignore[arg-type]
        if given_side:
            made.position_mode = "long_short"
    return made


def in_liquidation(made: Account, share: str, policy: dict[str, Any] | None = None) -> Desk:
    """Give the account the USDT that brings its ratio to `share`."""
    desk = Desk(made, policy)
    with_ratio(made, desk.reference, desk.book, d(share))
    return desk


# -- by hand -----------------------------------------------------------------------------------------


def test_rd_5_opposite_sides_of_one_contract_first() -> None:
    made = held(
        {"BTC-USDT-SWAP/long": "60", "BTC-USDT-SWAP/short": "-50", "BTC-USD-SWAP/short": "-400"}
    )
    found = in_liquidation(made, "0.8").planned()
    assert found.phase == "opposite"
    assert [a.quantity for a in found.actions] == [50, 50]


def test_rd_5_then_the_largest_pair_that_offsets_basis_over_settle_currencies() -> None:
    """Long a perpetual in USDT, short an inverse one and a dated future: equal delta off both."""
    made = held({"BTC-USDT-SWAP": "100", "BTC-USD-SWAP": "-900", "BTC-USD-251226": "-300"})
    desk = in_liquidation(made, "0.5")
    found = desk.planned()
    assert found.phase == "basis"
    assert [a.instrument for a in found.actions] == ["BTC-USDT-SWAP", "BTC-USD-SWAP"]
    assert found.rules == ("RD-5", "RD-6", "RD-7")
    assert all(a.from_tier is None and a.to_tier is None for a in found.actions)
    long, short = (a.quantity for a in found.actions)
    assert abs(long * d("0.01") - short * 100 / d(PRICES["BTC-USD-SWAP"])) < d("0.001")
    before = desk.figures().risk_units["BTC"].charges
    desk.carry_out(found)
    after = desk.figures().risk_units["BTC"].charges
    assert after.mr4 < before.mr4
    assert after.mr9 <= before.mr9


def test_rd_5_a_pair_of_two_coins_is_no_pair() -> None:
    made = held({"BTC-USDT-SWAP": "100", "ETH-USDT-SWAP": "-2000"})
    assert in_liquidation(made, "0.9").planned().phase == "unhedged"


def test_rd_5_a_leg_is_closed_until_its_unit_asks_least_and_no_further() -> None:
    """1 BTC long against a short option's delta: what hedges it stays."""
    made = held({"BTC-USDT-SWAP": "100", "BTC-USD-250131-100000-C": "-100"})
    desk = in_liquidation(made, "0.3")
    trial = Trial(made, desk.figures(), desk.context)
    (leg,) = [one for one in derivative_legs(trial) if not one.is_option]
    step = unit_step(trial, leg_step(leg))
    assert step is not None
    assert 1 <= step.count < 100
    asked = [
        trial.value(leg_step(leg).moves(count)).figures.risk_units["BTC"].maintenance_margin
        for count in (step.count - 1, step.count, step.count + 1, 100)
        if count
    ]
    assert (
        min(asked)
        == trial.value(step.moves(step.count)).figures.risk_units["BTC"].maintenance_margin
    )


def test_rd_5_most_relief_per_loss() -> None:
    """A hedged unit and a bare one: the bare leg lowers most by what its closing costs."""
    made = held({"BTC-USDT-SWAP": "50", "ETH-USD-250328-3300-C": "-3000", "ETH-USDT-SWAP": "500"})
    desk = in_liquidation(made, "0.6")
    found = desk.planned()
    assert found.phase == "unhedged"
    (action,) = found.actions
    assert action.why is not None
    assert action.why.startswith("relief ")
    ranked = {}
    trial = Trial(made, desk.figures(), desk.context)
    for leg in derivative_legs(trial):
        step = unit_step(trial, leg_step(leg))
        if step is not None:
            outcome = trial.value(step.moves(step.count))
            ranked[leg.name] = outcome.relief / outcome.loss
    assert action.instrument == max(ranked, key=lambda name: ranked[name])


def test_rd_5_where_no_leg_alone_helps_a_pair_with_a_short_option_does() -> None:
    """A short straddle in its kink: up and down lose the same, so that either side alone lowers
    nothing of the worst; both together do.
    """
    made = held({"BTC-USD-250131-100000-C": "-200", "BTC-USD-250131-90000-P": "-200"})
    desk = in_liquidation(made, "0.7")
    for _ in range(6):
        found = desk.plan()
        if found is None or desk.figures().ratio is None:
            break
        assert isinstance(found, Plan)
        assert found.phase in ("unhedged", "delta_neutral")
        before = desk.figures()
        desk.carry_out(found)
        after = desk.figures()
        assert after.requirement < before.requirement
        if after.ratio is None or after.ratio > 1:
            break
    else:
        pytest.fail("six steps of a straddle do not bring it above 1")


def test_rd_7_takeover_when_closing_leaves_nothing() -> None:
    made = held({"BTC-USDT-SWAP": "100", "BTC-USD-250328-100000-C": "50"}, USDT="-20000")
    desk = in_liquidation(made, "-0.5")
    found = desk.planned()
    assert found.phase == "takeover"
    desk.carry_out(found)
    assert list(made.positions) == ["BTC-USD-250328-100000-C/net"]  # RD-4
    assert desk.figures().adjusted_equity >= 0


def test_rd_4_long_options_are_no_legs() -> None:
    made = held({"BTC-USD-250328-100000-C": "100"}, USDT="10")
    desk = Desk(made)
    assert plan(made, desk.figures(), desk.context) is None


# -- on seeded books ---------------------------------------------------------------------------------


def seeded(seed: int, policy: dict[str, Any] | None = None) -> Desk:
    rng = Random(seed)
    made = any_portfolio_account(rng, REFERENCE, orders=False)
    made.account_id, made.account_seq = "A1", 0
    if rng.random() < 0.3:
        made.position_mode = "long_short"
        made.positions = {
            position_key(p.instrument, side): Position(
                p.instrument, side, p.quantity, p.entry_price
            )
            for p in made.positions.values()
            for side in (("long",) if p.quantity > 0 else ("short",))
        }  # type: ignore[arg-type]
        for position in list(made.positions.values()):
            if REFERENCE.instruments[position.instrument].kind == "swap" and rng.random() < 0.5:
                side = "short" if position.side == "long" else "long"
                half = -(position.quantity // 2)
                if half:
                    made.positions[f"{position.instrument}/{side}"] = Position(
                        position.instrument,
                        side,
                        half,
                        position.entry_price,  # type: ignore[arg-type]
                    )
    desk = Desk(made, policy)
    assume(desk.figures().requirement > 0)
    with_ratio(made, desk.reference, desk.book, d(rng.randint(5, 100)) / 100)
    return desk


def in_danger(figures: Figures) -> bool:
    return figures.ratio is not None and figures.ratio <= 1


def same(left: Decimal | None, right: Decimal | None) -> bool:
    if left is None or right is None:
        return left is right
    return abs(left - right) <= CLOSE * max(Decimal(1), abs(left))


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_rd_7_every_step_of_a_portfolio_account(seed: int) -> None:
    desk = seeded(seed)
    made, before = desk.account, desk.figures()
    assume(in_danger(before))
    positions = {key: p.quantity for key, p in made.positions.items()}
    found = desk.plan()
    if found is None:
        instruments = desk.reference.instruments
        assert all(
            q > 0 and instruments[key.partition("/")[0]].kind == "option"
            for key, q in positions.items()
        )
        return
    assert isinstance(found, Plan)
    desk.carry_out(found)
    after = desk.figures()
    for key, quantity in positions.items():
        if quantity > 0 and desk.reference.instruments[key.partition("/")[0]].kind == "option":
            assert made.positions[key].quantity == quantity  # RD-4
    if found.takeover:
        assert after.adjusted_equity >= -CLOSE
        return
    assert same(after.ratio, found.expected_ratio)  # what was expected is what comes
    assert after.requirement <= before.requirement
    assert before.ratio is not None
    assert after.ratio is None or after.ratio >= before.ratio
    for key, quantity in positions.items():
        left = made.positions.get(key)
        assert left is None or 0 < left.quantity / quantity <= 1
    for name, coin in after.currencies.items():
        was = before.currencies.get(name)
        assert coin.equity * (was.equity if was is not None else 0) >= 0 or coin.equity >= 0


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_es_5_an_obeyed_portfolio_episode_comes_to_rest(seed: int) -> None:
    desk = seeded(seed)
    desk.run(60)
    figures = desk.figures()
    assert desk.decide() == []
    assert not desk.episode.pending
    if in_danger(figures):  # nothing but long options is left
        assert derivative_legs(Trial(desk.account, figures, desk.context)) == []
    assert "episode stuck" not in kinds(desk.commands)
    steps = [c for c in desk.commands if isinstance(c, Reduction)]
    assert len(steps) < 30


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_rd_6_no_smaller_size_of_a_leg_suffices(seed: int) -> None:
    desk = seeded(seed)
    trial = Trial(desk.account, desk.figures(), desk.context)
    assume(in_danger(trial.figures))
    for leg in derivative_legs(trial):
        step = unit_step(trial, leg_step(leg))
        if step is None:
            continue
        count, outcome = smallest_in_unit(trial, step, trial.value(step.moves(step.count)))
        assert 1 <= count <= step.count
        if count < step.count:
            assert trial.suffices(outcome)
        for probe in {1, count // 2, count - 1} - {0, count}:
            assert not trial.suffices(trial.value(step.moves(probe)))


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_h_1_same_input_same_bytes(seed: int) -> None:
    one, other = seeded(seed), seeded(seed)
    assert [c.model_dump_json() for c in one.decide()] == [
        c.model_dump_json() for c in other.decide()
    ]


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_rd_6_caps_hold_for_portfolio_accounts(seed: int) -> None:
    desk = seeded(seed, {"symbol_caps": {"*": "20000"}})
    desk.caps = Caps()
    spent: dict[str, Decimal] = {}
    for second in range(8):
        desk.now = NOW + second * 1000
        if not in_danger(desk.figures()):
            return
        found = desk.plan()
        if found is None:
            return
        desk.caps.book("A1", found, desk.now)
        if isinstance(found, Capped):
            continue
        desk.carry_out(found)
        if found.takeover:
            return
        for name, usd in found.commanded:
            spent[name] = spent.get(name, Decimal(0)) + usd
            assert spent[name] <= 20_000 * (second + 1)
