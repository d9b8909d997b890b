"""RD-5: steps of portfolio accounts, by hand and on seeded books of any shape (RD-4, RD-6, RD-7)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from monitor.margin.portfolio.unit import maintenance_of
from monitor.reduction import Capped, Caps, Plan, plan
from monitor.reduction.checks import passes
from monitor.reduction.legs import derivative_legs, leg_step
from monitor.reduction.takeover import is_due
from monitor.reduction.trial import Trial
from monitor.reduction.units import smallest_in_unit, unit_step, without
from monitor.schema import Reduction
from tests.rules.portfolio_world import (
    CLOSE,
    NOW,
    PRICES,
    Desk,
    d,
    held,
    in_danger,
    in_liquidation,
    risk_reversal,
    same,
    seeded,
)
from tests.rules.reduction_world import kinds

seeds = st.integers(0, 10**9)


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


def test_rd_5_what_buying_an_option_back_costs_hedges_in_its_turn() -> None:
    """Short puts against long calls: a few puts less raise the margin, all of them less lower it,

    as the premium paid for them turns the spot into a debt, which offsets the calls' delta.
    """
    made = held({"BTC-USD-251226-90000-P": "-388", "BTC-USD-251226-100000-C": "388"}, BTC="0.1")
    desk = in_liquidation(
        made, "0.862", volatility_shocks=[{"days": "365", "up": "0.2", "down": "0.25"}]
    )
    trial = Trial(made, desk.figures(), desk.context)
    (leg,) = derivative_legs(trial)
    few, whole = (trial.value(leg_step(leg).moves(count)) for count in (10, 388))
    assert few.relief < 0 < whole.relief
    found = desk.planned()
    assert found.phase == "unhedged"
    (action,) = found.actions
    assert (action.instrument, action.quantity) == ("BTC-USD-251226-90000-P", d(388))
    assert found.expected_ratio is not None
    assert found.expected_ratio > d("0.9")
    desk.carry_out(found)
    assert same(desk.figures().ratio, found.expected_ratio)


@pytest.mark.parametrize(("share", "contracts"), [("0.3", 50), ("0.95", 6)])
def test_rd_7_where_a_whole_leg_does_not_pass_its_half_or_less_of_it_is_closed(
    share: str, contracts: int
) -> None:
    """The fee of 100 contracts, 0.00005 BTC, would leave the coin owing; that of 50 does not."""
    made = held({"BTC-USD-SWAP": "100"}, BTC="0.00003")
    desk = in_liquidation(made, share)
    trial = Trial(made, desk.figures(), desk.context)
    (leg,) = derivative_legs(trial)
    assert not passes(trial, trial.value(leg_step(leg).moves(100)))
    found = desk.planned()
    assert found.phase == "unhedged"
    assert [a.quantity for a in found.actions] == [contracts]


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
def test_rd_5_a_unit_without_a_part_of_a_leg_is_what_the_next_assessment_finds(seed: int) -> None:
    desk = seeded(seed)
    trial = Trial(desk.account, desk.figures(), desk.context)
    for leg in derivative_legs(trial):
        step, underlying = leg_step(leg), leg.instrument.underlying
        unit = trial.figures.risk_units[underlying]
        for count in {1, -(-step.count // 2), step.count}:
            left = trial.value(step.moves(count)).figures.risk_units.get(underlying)
            found = maintenance_of(unit.grid, without(unit.holdings, step.moves(count)))
            assert same(found, left.maintenance_margin if left is not None else d(0))


def assert_takeover_is_the_last_resort(desk: Desk) -> None:
    trial = Trial(desk.account, desk.figures(), desk.context)
    assume(in_danger(trial.figures))
    legs = derivative_legs(trial)
    assume(not is_due(trial, legs))
    found = desk.plan()
    if not isinstance(found, Plan) or not found.takeover:
        return
    for leg in legs:
        step = leg_step(leg)
        for count in (step.count, -(-step.count // 2)):
            assert not passes(trial, trial.value(step.moves(count)))


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_rd_7_no_takeover_where_a_whole_leg_or_half_of_it_could_be_closed(seed: int) -> None:
    assert_takeover_is_the_last_resort(seeded(seed))


@settings(max_examples=40, deadline=None)
@given(seeds)
@example(11)  # these rise first and fall later
@example(381)
@example(638)
def test_rd_7_no_takeover_of_a_risk_reversal_that_could_be_closed(seed: int) -> None:
    assert_takeover_is_the_last_resort(risk_reversal(seed))


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
