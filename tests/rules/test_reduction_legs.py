"""RD-2, RD-3, RD-6, RD-7 of derivative legs: netting, pairs, tier steps, sizes, checks."""

from decimal import Decimal

import pytest

from monitor.reduction import Plan
from monitor.reduction.checks import passes
from monitor.reduction.legs import derivative_legs, leg_step
from monitor.reduction.pairs import delta_neutral_pairs, pair_step
from monitor.reduction.size import smallest
from monitor.reduction.trial import Trial
from monitor.reference import load_reference
from tests.rules.reduction_world import (
    World,
    account,
    contract,
    d,
    order,
    raw_reference,
    with_orders,
)


def planned(world: World) -> Plan:
    return world.planned()


def trial_of(world: World) -> Trial:
    return Trial(world.account, world.figures(), world.context)


def brief(found: Plan) -> list[tuple[str, str, str, str]]:
    """(action, instrument, side, quantity) of each action."""
    return [
        (a.action, a.instrument or "", a.side or "", format(a.quantity.normalize(), "f"))
        for a in found.actions
    ]


# -- RD-2 -----------------------------------------------------------------------------------------


def test_rd_2_a_opposite_positions_are_netted_by_the_smaller_without_fee_or_lots() -> None:
    world = World(
        account(
            {"USDT": "1100"},
            [
                ("BTC-USDT-SWAP/long", "250.5", "60000"),
                ("BTC-USDT-SWAP/short", "-150.5", "60000"),
                ("ETH-USDT-SWAP/long", "10", "3000"),
                ("ETH-USDT-SWAP/short", "-30", "3000"),
            ],
        )
    )
    found = planned(world)
    assert found.phase == "opposite"
    assert brief(found) == [
        ("close", "BTC-USDT-SWAP", "sell", "150.5"),
        ("close", "BTC-USDT-SWAP", "buy", "150.5"),
        ("close", "ETH-USDT-SWAP", "sell", "10"),
        ("close", "ETH-USDT-SWAP", "buy", "10"),
    ]
    assert [a.position_side for a in found.actions] == ["long", "short", "long", "short"]
    assert all(a.fee_usd == 0 for a in found.actions)
    before = world.figures().adjusted_equity
    world.run()
    assert world.figures().ratio == found.expected_ratio
    assert world.figures().adjusted_equity == before


def test_rd_2_a_not_in_net_mode() -> None:
    world = World(
        account(
            {"USDT": "600"}, [("BTC-USDT-SWAP", "250", "60000"), ("ETH-USDT-SWAP", "-30", "3000")]
        )
    )
    assert planned(world).phase == "unhedged"


def test_rd_2_b_a_pair_loses_equal_delta_on_both_legs() -> None:
    # a lot of the linear swap is 0.01 BTC, one of the inverse 100 / 60,000 = 0.001667 BTC
    world = World(
        account(
            {"USDT": "2000", "BTC": "0.01"},
            [("BTC-USDT-SWAP", "800", "60000"), ("BTC-USD-SWAP", "-3000", "60000")],
        )
    )
    found = planned(world)
    assert found.phase == "delta_neutral"
    long, short = found.actions
    assert (long.instrument, long.side, short.side) == ("BTC-USDT-SWAP", "sell", "buy")
    assert short.quantity == long.quantity * 6
    assert long.notional_usd == short.notional_usd


def test_rd_2_b_the_largest_usd_delta_goes_first() -> None:
    positions = [
        ("BTC-USDT-SWAP", "100", "60000"),  # 1 BTC: 60,000 USD
        ("BTC-USDT-FUT", "-100", "60000"),
        ("ETH-USDT-SWAP", "300", "3000"),  # 30 ETH: 90,000 USD
        ("ETH-USDT-FUT", "-300", "3000"),
    ]
    raw = raw_reference()
    raw["instruments"]["ETH-USDT-FUT"] = contract("ETH-USDT", "ETH", "future", contract_value="0.1")
    world = World(account({"USDT": "700"}, positions), prices={"ETH-USDT-FUT/mark": "3000"})
    world.reference = load_reference(raw)
    names = [pair[0].name for pair in delta_neutral_pairs(derivative_legs(trial_of(world)))]
    assert names == ["ETH-USDT-SWAP", "BTC-USDT-SWAP"]
    assert planned(world).actions[0].instrument == "ETH-USDT-SWAP"


def test_rd_2_b_largest_long_with_largest_short_ties_by_instrument() -> None:
    raw = raw_reference()
    raw["instruments"]["BTC-USDT-FU2"] = contract("BTC-USDT", "BTC", "future")
    world = World(
        account(
            {"USDT": "9000"},
            [
                ("BTC-USDT-FUT", "-500", "60000"),
                ("BTC-USDT-FU2", "-500", "60000"),
                ("BTC-USDT-SWAP", "700", "60000"),
            ],
        ),
        prices={"BTC-USDT-FU2/mark": "60000"},
    )
    world.reference = load_reference(raw)
    trial = trial_of(world)
    (pair,) = delta_neutral_pairs(derivative_legs(trial))
    assert [leg.name for leg in pair] == ["BTC-USDT-SWAP", "BTC-USDT-FU2"]


def test_rd_2_b_the_coarser_lot_counts_and_the_other_takes_the_nearest_half_up() -> None:
    raw = raw_reference()
    raw["instruments"]["BTC-USDT-SWAP"]["lot"] = "10"  # 0.1 BTC
    raw["instruments"]["BTC-USDT-FUT"]["lot"] = "4"  # 0.04 BTC
    world = World(
        account(
            {"USDT": "500"},
            [("BTC-USDT-SWAP", "100", "60000"), ("BTC-USDT-FUT", "-99", "60000")],
        )
    )
    world.reference = load_reference(raw)
    trial = trial_of(world)
    (pair,) = delta_neutral_pairs(derivative_legs(trial))
    step = pair_step(pair)
    assert step is not None
    assert step.count == 9  # 0.99 BTC hold 9 lots of 0.1
    # 1 lot: 0.1 / 0.04 = 2.5 lots, half up to 3; 9 lots: 22.5 to 23, that is 92 of 99 contracts
    sizes = [[getattr(m, "quantity", None) for m in step.moves(n)] for n in (1, 2, 9)]
    assert sizes == [[10, 12], [20, 20], [90, 92]]


def test_rd_2_b_less_than_a_lot_is_no_pair() -> None:
    raw = raw_reference()
    raw["instruments"]["BTC-USDT-SWAP"]["lot"] = "10"
    world = World(
        account(
            {"USDT": "100"},
            [("BTC-USDT-SWAP", "100", "60000"), ("BTC-USDT-FUT", "-9", "60000")],
        )
    )
    world.reference = load_reference(raw)
    trial = trial_of(world)
    (pair,) = delta_neutral_pairs(derivative_legs(trial))
    assert pair_step(pair) is None
    assert planned(world).phase == "unhedged"


def test_rd_2_b_a_pair_needs_no_index_of_its_underlying() -> None:
    # PX-3: swap and future settle in USDT; without an index the mark says what a coin is worth
    positions = [("BTC-USDT-SWAP", "100", "60000"), ("BTC-USDT-FUT", "-100", "60000")]
    world = World(account({"USDT": "300"}, positions))
    del world.book.prices["BTC-USD/index"]
    (leg, _) = derivative_legs(trial_of(world))
    assert leg.underlying_usd == 60000
    assert planned(world).phase == "delta_neutral"


def test_rd_2_c_most_relief_per_loss_first() -> None:
    # ETH in tier 2 relieves 1 % for the same fee rate, BTC in tier 1 only 0.4 %
    world = World(
        account(
            {"USDT": "5000"},
            [("BTC-USDT-SWAP", "900", "60000"), ("ETH-USDT-SWAP", "1500", "3000")],
        )
    )
    found = planned(world)
    assert found.phase == "unhedged"
    assert found.actions[0].instrument == "ETH-USDT-SWAP"
    assert found.actions[0].why is not None
    assert "relief" in found.actions[0].why


def test_rd_2_c_debts_stand_among_the_legs() -> None:
    # selling ETH (rate 0.9) for the USDT owed gains: loss ≤ 0 ranks before all
    world = World(account({"USDT": "-30000", "ETH": "11.7"}, [("BTC-USDT-SWAP", "300", "60000")]))
    found = planned(world)
    assert found.phase == "unhedged"
    assert [a.action for a in found.actions] == ["sell"]
    assert found.actions[0].instrument == "ETH-USDT"


# -- RD-3 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contracts", "step"),
    [
        ("1000", "1000"),  # tier 1
        ("1000.5", "1000.5"),  # tier 2: the whole leg
        ("2000", "2000"),
        ("2001", "1001"),  # tier 3 down to the bound of tier 1
        ("4000", "3000"),
        ("4000.1", "2001"),  # tier 4 down to 2,000: 2,000.1 rounded up to the lot
        ("9000", "7000"),  # beyond the last tier
        ("0.3", "0.3"),  # less than a lot
    ],
)
def test_rd_3_tier_step_of_a_derivative(contracts: str, step: str) -> None:
    world = World(account({"USDT": "100000"}, [("BTC-USDT-SWAP", contracts, "60000")]))
    (leg,) = derivative_legs(trial_of(world))
    assert leg.step == d(step)


def test_rd_3_the_tier_is_the_familys_and_the_step_at_most_the_leg() -> None:
    raw = raw_reference()
    raw["instruments"]["BTC-USDT-FU2"] = contract("BTC-USDT", "BTC", "future")
    world = World(
        account(
            {"USDT": "90000"}, [("BTC-USDT-FUT", "300", "60000"), ("BTC-USDT-FU2", "1800", "60000")]
        ),
        prices={"BTC-USDT-FU2/mark": "60000"},
    )
    world.reference = load_reference(raw)
    legs = {leg.name: leg for leg in derivative_legs(trial_of(world))}
    # 2,100 together are tier 3: 1,100 to come off, the smaller leg has 300
    assert legs["BTC-USDT-FUT"].step == 300
    assert legs["BTC-USDT-FU2"].step == 1100


@pytest.mark.parametrize(("steps", "step"), [(1, "1000"), (2, "2000"), (3, "3000")])
def test_rd_3_setting_tier_steps_down(steps: int, step: str) -> None:
    world = World(
        account({"USDT": "100000"}, [("BTC-USDT-SWAP", "3000", "60000")]),
        {"tier_steps_down": steps},
    )
    (leg,) = derivative_legs(trial_of(world))
    assert leg.step == d(step)


# -- RD-6 -----------------------------------------------------------------------------------------


def slow_smallest(trial: Trial) -> tuple[int, Decimal | None]:
    """The slow obvious version: every number of lots from 1."""
    (leg,) = derivative_legs(trial)
    step = leg_step(leg)
    for count in range(1, step.count + 1):
        outcome = trial.value(step.moves(count))
        if trial.suffices(outcome):
            return count, outcome.figures.ratio
    return step.count, trial.value(step.moves(step.count)).figures.ratio


@pytest.mark.parametrize(
    ("contracts", "cash"),
    [
        ("150", "400"),
        ("150", "100"),
        ("1100", "6900"),  # enough just at the bound of tier 1
        ("1100", "3000"),
        ("1100", "2000"),
        ("2300", "27000"),
        ("2300", "13000"),
        ("2300", "9000"),
        ("4100", "120000"),
        ("4100", "50000"),
    ],
)
def test_rd_6_the_smallest_size_is_that_of_trying_every_lot(contracts: str, cash: str) -> None:
    raw = raw_reference()
    raw["instruments"]["BTC-USDT-SWAP"]["lot"] = "5"
    world = World(account({"USDT": cash}, [("BTC-USDT-SWAP", contracts, "60000")]))
    world.reference = load_reference(raw)
    trial = trial_of(world)
    (leg,) = derivative_legs(trial)
    step = leg_step(leg)
    count, outcome = smallest(trial, step, trial.value(step.moves(step.count)))
    assert (count, outcome.figures.ratio) == slow_smallest(trial)


def test_rd_6_the_tier_step_when_no_size_suffices() -> None:
    world = World(account({"USDT": "8000"}, [("BTC-USDT-SWAP", "4500", "60000")]))
    found = planned(world)
    assert found.actions[0].quantity == 2500
    assert found.expected_ratio is not None
    assert found.expected_ratio < 1
    assert (found.actions[0].from_tier, found.actions[0].to_tier) == (4, 2)


def test_rd_6_the_expected_ratio_is_the_ratio_after_the_fills() -> None:
    world = World(
        account(
            {"USDT": "5000", "BTC": "0.1"},
            [("BTC-USDT-SWAP", "1500", "60500"), ("BTC-USD-SWAP", "-9000", "60000")],
        )
    )
    step = world.decide()[-1]
    world.obey(step)
    ratio = world.figures().ratio
    assert ratio is not None
    assert abs(ratio - getattr(step, "expected_ratio", d(0))) < d("1e-40")


# -- RD-7 -----------------------------------------------------------------------------------------


def test_rd_7_a_step_that_lowers_the_ratio_does_not_pass() -> None:
    # 0.05 of the requirement is left: the fee of 0.05 % weighs more than the relief of 0.45 %
    world = World(account({"USDT": "140"}, [("BTC-USDT-SWAP", "1000", "60000")]))
    trial = trial_of(world)
    (leg,) = derivative_legs(trial)
    assert not passes(trial, trial.value([leg.close(d(500))]))
    world = World(account({"USDT": "1000"}, [("BTC-USDT-SWAP", "1000", "60000")]))
    trial = trial_of(world)
    assert passes(trial, trial.value([leg.close(d(500))]))


def test_rd_7_a_balance_must_not_turn_over() -> None:
    # closing pays 3 USDT of fee out of 2 that are held
    world = World(account({"USDT": "2", "BTC": "0.0003"}, [("BTC-USDT-SWAP", "10", "60000")]))
    trial = trial_of(world)
    (leg,) = derivative_legs(trial)
    outcome = trial.value([leg.close(d(10))])
    assert outcome.figures.currencies["USDT"].equity == -1
    assert not passes(trial, outcome)


def test_rd_7_realising_a_loss_turns_nothing_over() -> None:
    # cash 900 and an unrealised loss of 600: closing leaves 300 less the fee, cash and equity alike
    world = World(account({"USDT": "2500"}, [("BTC-USDT-SWAP", "1000", "60090")]))
    trial = trial_of(world)
    (leg,) = derivative_legs(trial)
    assert passes(trial, trial.value([leg.close(d(1000))]))


def test_rd_7_the_requirement_must_not_grow() -> None:
    # 900 of the order's 1,900 contracts open; closing 500 of the long lets 1,400 open, the group
    # falls from 1,900 to 1,900: as much is gone as is opened, and nothing is relieved
    made = account({"USDT": "2000"}, [("BTC-USDT-SWAP", "1000", "60000")])
    with_orders(made, order("o1", "BTC-USDT-SWAP", "sell", "1900", "60000"))
    world = World(made)
    trial = trial_of(world)
    (leg,) = derivative_legs(trial)
    outcome = trial.value([leg.close(d(500))])
    assert outcome.figures.orders["o1"].opening == 1400
    assert outcome.relief == 0
    assert not passes(trial, outcome)  # the fee lowers the ratio


def test_rd_7_a_growing_requirement_does_not_pass_though_a_negative_ratio_looks_better() -> None:
    # the fee of 3 USDT carries the debt over the bound of its tier (2 % to 3 % of a million)
    made = account({"USDT": "-999999", "BTC": "17.5"}, [("BTC-USDT-SWAP", "10", "60000")])
    world = World(made)
    trial = trial_of(world)
    (leg,) = derivative_legs(trial)
    outcome = trial.value([leg.close(d(10))])
    before, after = trial.figures.ratio, outcome.figures.ratio
    assert before is not None
    assert after is not None
    assert before < after < 0
    assert outcome.relief < 0
    assert not passes(trial, outcome)
