"""RD-7, ES-7: takeover at joint bankruptcy prices."""

import pytest

from monitor.reduction import Plan, plan
from monitor.reduction.legs import derivative_legs
from monitor.reduction.takeover import is_due
from monitor.reduction.trial import Trial
from tests.rules.reduction_world import World, account, d, kinds


def planned(world: World) -> Plan:
    return world.planned()


def test_rd_7_takeover_of_one_linear_long() -> None:
    world = World(account({"USDT": "200"}, [("BTC-USDT-SWAP", "1000", "60000")]))
    found = planned(world)
    assert found.takeover
    # s = 200 / 600,000: 60,000 × (1 − s) = 59,980
    (position,) = found.actions
    assert (position.instrument, position.side) == ("BTC-USDT-SWAP", "sell")
    assert position.quantity == 1000
    assert position.bankruptcy_price == 59980
    assert found.expected_ratio is None


def test_rd_7_the_loss_is_shared_by_notional_and_ends_at_zero() -> None:
    made = account(
        {"USDT": "400", "BTC": "-0.5", "ETH": "10"},
        [("BTC-USDT-SWAP", "300", "60100"), ("ETH-USDT-SWAP", "-400", "3000")],
    )
    world = World(made)
    found = planned(world)
    assert found.takeover
    names = [(a.instrument or a.currency, a.side) for a in found.actions]
    assert names == [
        ("BTC-USDT-SWAP", "sell"),
        ("ETH-USDT-SWAP", "buy"),
        ("BTC", "buy"),
        ("ETH", "sell"),
        ("USDT", "sell"),
    ]
    equity = d(400) - d(300) - d("0.5") * 60000 + d(10) * 3000
    notional = d(180000) + d(120000) + d(30000)
    share = equity / notional
    long, short, debt, held, cash = found.actions
    assert long.bankruptcy_price is not None
    assert long.bankruptcy_price - 60000 * (1 - share) < d("0.1")
    assert short.bankruptcy_price is not None
    assert 0 <= 3000 * (1 + share) - short.bankruptcy_price < d("0.1")
    assert debt.bankruptcy_price == 60000 * (1 + share)
    assert held.bankruptcy_price == 3000
    # what the coins come to at these prices is nothing
    total = cash.quantity + held.quantity * 3000 - debt.quantity * 60000 * (1 + share)
    assert abs(total) < d("1e-40")


def test_rd_7_an_obeyed_takeover_leaves_nothing_and_closes_the_episode() -> None:
    made = account(
        {"USDT": "400", "BTC": "-0.5", "ETH": "10", "SOL": "3"},
        [("BTC-USDT-SWAP", "300", "60100"), ("ETH-USDT-SWAP", "-400", "3000")],
    )
    made.collateral_off = ("SOL",)
    world = World(made)
    world.run()
    assert not world.account.positions
    assert world.figures().adjusted_equity == 0
    assert world.account.balances["SOL"].cash == 3  # carries no risk: it stays
    assert kinds(world.commands)[-3:] == ["reduction takeover", "warning cleared", "episode closed"]


def test_rd_7_takeover_of_inverse_contracts() -> None:
    world = World(account({"BTC": "0.005"}, [("BTC-USD-SWAP", "9000", "60000")]))
    found = planned(world)
    (position,) = found.actions
    share = d("0.005") * 60000 / 900000
    assert position.bankruptcy_price is not None
    assert 0 <= position.bankruptcy_price - 60000 / (1 + share) < d("0.1")


def test_rd_7_takeover_in_spot_mode() -> None:
    made = account({"BTC": "0.84"}, borrowed={"USDT": "51000"}, mode="spot")
    world = World(made)
    found = planned(world)
    assert [(a.currency, a.side, a.quantity) for a in found.actions] == [
        ("BTC", "sell", d("0.84")),
        ("USDT", "buy", d(51000)),
    ]
    world.run()
    assert world.account.balances["USDT"].is_empty()
    assert kinds(world.commands)[-1] == "episode closed"


def test_rd_7_a_coin_taken_over_waits_for_its_repayment_in_spot_mode() -> None:
    made = account({"BTC": "0.84"}, borrowed={"USDT": "51000"}, mode="spot")
    world = World(made)
    command = world.decide()[-1]
    world.transfer("adjustment", "BTC", d("-0.84"), command.command_id)
    assert not world.transfer("adjustment", "USDT", d(51000), command.command_id)
    assert world.transfer("repay", "USDT", d(51000), command.command_id)


def test_rd_7_a_coin_brought_to_zero_ends_its_action_though_amounts_were_rounded() -> None:
    world = World(account({"USDT": "100.7"}, [("BTC-USDT-SWAP", "700", "60000")]))
    command = world.decide()[-1]
    assert kinds([command]) == ["reduction takeover"]
    assert world.obey(command)


def test_rd_7_a_coin_held_and_owed_in_equal_parts_repays_itself_after_the_takeover() -> None:
    made = account({"BTC": "0.1", "ETH": "-1"}, borrowed={"BTC": "0.1"}, mode="spot")
    world = World(made)
    taken = planned(world)
    assert [(a.currency, a.side) for a in taken.actions] == [("ETH", "buy")]
    world.run()
    steps = [kind for kind in kinds(world.commands) if kind.startswith("reduction")]
    assert steps == ["reduction takeover", "reduction same_coin_repayment"]
    assert world.figures().requirement == 0
    assert kinds(world.commands)[-1] == "episode closed"


@pytest.mark.parametrize(("cash", "due"), [("300", True), ("300.01", False)])
def test_rd_7_due_when_closing_every_leg_leaves_nothing(cash: str, due: bool) -> None:
    world = World(account({"USDT": cash}, [("BTC-USDT-SWAP", "1000", "60000")]))
    trial = Trial(world.account, world.figures(), world.context)
    assert is_due(trial, derivative_legs(trial)) is due


def test_rd_7_due_counts_what_the_collateral_brings() -> None:
    # ETH counts 0.9 and sells at 0.999 of its index: adjusted equity is negative, but selling
    # covers the debt
    covered = World(account({"USDT": "-29900", "ETH": "10"}))
    assert covered.figures().adjusted_equity < 0
    assert planned(covered).phase == "unhedged"
    short = World(account({"USDT": "-30000", "ETH": "10"}))
    assert planned(short).takeover


@pytest.mark.parametrize(("cash", "taken"), [("2699.99", True), ("2700", False)])
def test_rd_7_setting_takeover_at_first_tier(cash: str, taken: bool) -> None:
    world = World(
        account({"USDT": cash}, [("BTC-USDT-SWAP", "1000", "60000")]),
        {"takeover_at_first_tier": True},
    )
    assert planned(world).takeover is taken


def test_rd_7_nothing_to_reduce_is_no_plan() -> None:
    world = World(account({"USDT": "5"}))
    assert plan(world.account, world.figures(), world.context) is None


@pytest.mark.parametrize(("owed", "due"), [("53000", False), ("54000", True)])
def test_rd_7_due_counts_the_surplus_of_a_coin_that_repays_itself_first(
    owed: str, due: bool
) -> None:
    # 0.9 BTC are left of 1 held and 0.1 owed: they sell for 53,946 USDT, though they count 51,300
    made = account({"BTC": "1"}, borrowed={"BTC": "0.1", "USDT": owed}, mode="spot")
    world = World(made)
    assert world.figures().adjusted_equity < 0
    assert is_due(Trial(made, world.figures(), world.context), []) is due
