"""RD-2 to RD-4, RD-6 and RD-7 of options: only short ones are reduced, by their delta and tier."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from monitor.options import coin_delta
from monitor.reduction.legs import Leg, derivative_legs
from monitor.reduction.pairs import delta_neutral_pairs, pair_step
from monitor.reduction.trial import Trial
from tests.rules.reduction_world import (
    EXPIRY,
    START,
    World,
    account,
    contract,
    d,
    isolated,
    order,
    raw_with_options,
    with_orders,
)


def world_of(
    cash: dict[str, str],
    positions: list[tuple[str, str, str]],
    prices: dict[str, str] | None = None,
    policy: dict[str, Any] | None = None,
    raw: dict[str, Any] | None = None,
) -> World:
    made = raw if raw is not None else raw_with_options(policy)
    return World(account(cash, positions), prices=prices, raw=made)


def trial_of(world: World) -> Trial:
    return Trial(world.account, world.figures(), world.context)


def legs_of(world: World) -> dict[str, Leg]:
    return {leg.name: leg for leg in derivative_legs(trial_of(world))}


# -- RD-4 -----------------------------------------------------------------------------------------


def test_rd_4_long_options_are_no_legs() -> None:
    world = world_of({"BTC": "1"}, [("BTC-C", "5", "0.05"), ("BTC-P", "-5", "0.05")])
    assert list(legs_of(world)) == ["BTC-P"]


def test_rd_4_an_account_with_long_options_alone_has_nothing_to_reduce() -> None:
    world = world_of({"USDT": "1"}, [("BTC-C", "5", "0.05"), ("BTC-USDT-P", "5", "3000")])
    assert world.plan() is None


def test_rd_4_isolated_positions_are_no_legs_and_stay() -> None:
    world = world_of({"USDT": "700"}, [("BTC-USDT-SWAP", "300", "60000")])
    key = isolated(world.account, "BTC-USDT-SWAP", "-300", "60000", "100")
    before = world.account.isolated[key].quantity
    found = world.planned()
    assert [a.side for a in found.actions] == ["sell"]  # no pair with the isolated short
    assert found.phase == "unhedged"
    world.carry_out(found)
    assert world.account.isolated[key].quantity == before


# -- RD-2 -----------------------------------------------------------------------------------------


def test_rd_2_the_delta_of_a_short_option_is_black_76s_by_its_mark() -> None:
    world = world_of({"BTC": "1"}, [("BTC-C", "-5", "0.05"), ("BTC-P", "-4", "0.05")])
    legs = legs_of(world)
    entry = world.reference.instruments["BTC-C"]
    call = coin_delta(entry, d("0.05"), d(60000), START)
    assert d("0.5") < call < d("0.53")  # at the money
    assert legs["BTC-C"].delta == -5 * d("0.1") * call
    # a short put is long: N(d1) − 1 with the sign turned
    assert legs["BTC-P"].delta == -4 * d("0.1") * (call - 1)
    assert legs["BTC-P"].delta > 0


def test_rd_2_the_forward_of_the_delta_is_the_same_expiry_futures_mark() -> None:
    raw = raw_with_options()
    raw["instruments"]["BTC-USDT-DATED"] = contract("BTC-USDT", "BTC", "future", expiry=EXPIRY)
    positions = [("BTC-C", "-5", "0.05")]
    plain = world_of({"BTC": "1"}, positions, raw=raw)
    dated = world_of({"BTC": "1"}, positions, {"BTC-USDT-DATED/mark": "62000"}, raw=raw)
    entry = dated.reference.instruments["BTC-C"]
    assert legs_of(dated)["BTC-C"].long_delta == d("0.1") * coin_delta(
        entry, d("0.05"), d(62000), START
    )
    assert legs_of(dated)["BTC-C"].unit_delta > legs_of(plain)["BTC-C"].unit_delta


def test_rd_2_b_a_short_call_pairs_with_a_long_swap_at_equal_delta() -> None:
    # 50 × 0.1 BTC × about 0.52 against 3 BTC
    world = world_of(
        {"USDT": "15000", "BTC": "0.01"},
        [("BTC-USDT-SWAP", "300", "60000"), ("BTC-USDT-C", "-50", "3000")],
    )
    found = world.planned()
    assert found.phase == "delta_neutral"
    call, swap = found.actions  # the coarser lot first
    assert (swap.instrument, swap.side) == ("BTC-USDT-SWAP", "sell")
    assert (call.instrument, call.side) == ("BTC-USDT-C", "buy")
    unit = legs_of(world)["BTC-USDT-C"].unit_delta
    assert abs(swap.quantity * d("0.01") - call.quantity * unit) <= d("0.005")
    assert call.notional_usd == call.quantity * d("0.1") * 60000  # MM-2: at the index
    assert call.fee_usd == call.quantity * d("0.1") * 3000 * d("0.0005")


def test_rd_2_b_a_short_put_is_a_long_leg() -> None:
    world = world_of(
        {"USDT": "40000"}, [("BTC-USDT-SWAP", "-200", "60000"), ("BTC-USDT-P", "-50", "3000")]
    )
    ((long, short),) = delta_neutral_pairs(derivative_legs(trial_of(world)))
    assert (long.name, short.name) == ("BTC-USDT-P", "BTC-USDT-SWAP")
    assert {a.side for a in world.planned().actions} == {"buy"}  # both are short positions


def test_rd_2_b_two_short_options_hedge_each_other() -> None:
    world = world_of(
        {"USDT": "20000"}, [("BTC-USDT-C", "-20", "3000"), ("BTC-USDT-P", "-30", "3000")]
    )
    found = world.planned()
    assert found.phase == "delta_neutral"
    assert {a.instrument for a in found.actions} == {"BTC-USDT-C", "BTC-USDT-P"}


def test_rd_2_b_long_options_and_balances_are_no_legs() -> None:
    # a long put (short delta) and a spot balance beside a long swap: nothing to pair
    world = world_of(
        {"USDT": "-17500", "BTC": "0.3"},
        [("BTC-USDT-SWAP", "100", "60000"), ("BTC-USDT-P", "1", "3000")],
    )
    assert list(delta_neutral_pairs(derivative_legs(trial_of(world)))) == []
    assert world.planned().phase == "unhedged"


def test_rd_2_b_an_option_without_delta_is_no_leg_of_a_pair() -> None:
    raw = raw_with_options()
    raw["instruments"]["BTC-USDT-C"]["strike"] = "900000"
    world = world_of(
        {"USDT": "4000"},
        [("BTC-USDT-SWAP", "20", "60000"), ("BTC-USDT-C", "-20", "0.0000001")],
        {"BTC-USDT-C/mark": "0.0000001"},
        raw=raw,
    )
    assert legs_of(world)["BTC-USDT-C"].delta == 0
    found = world.planned()
    assert found.phase == "unhedged"
    assert found.actions[0].instrument == "BTC-USDT-C"


def test_rd_2_b_the_pair_with_the_larger_usd_delta_goes_first() -> None:
    # short call: about 5.2 BTC against 3 of the swap (180,000 USD); ETH: 50 coins, 150,000 USD
    raw = raw_with_options()
    raw["instruments"]["ETH-USDT-FUT"] = contract("ETH-USDT", "ETH", "future", contract_value="0.1")
    positions = [
        ("BTC-USDT-SWAP", "300", "60000"),
        ("BTC-USDT-C", "-100", "3000"),
        ("ETH-USDT-SWAP", "500", "3000"),
        ("ETH-USDT-FUT", "-500", "3000"),
    ]
    world = world_of({"USDT": "1"}, positions, {"ETH-USDT-FUT/mark": "3000"}, raw=raw)
    pairs = delta_neutral_pairs(derivative_legs(trial_of(world)))
    assert [long.name for long, _ in pairs] == ["BTC-USDT-SWAP", "ETH-USDT-SWAP"]


def test_rd_2_a_opposite_options_are_not_netted() -> None:
    world = world_of(
        {"USDT": "1500"}, [("BTC-USDT-C/long", "5", "3000"), ("BTC-USDT-C/short", "-5", "3000")]
    )
    found = world.planned()
    assert found.phase == "unhedged"
    (action,) = found.actions
    assert (action.side, action.position_side) == ("buy", "short")
    world.carry_out(found)
    assert "BTC-USDT-C/long" in world.account.positions


def test_rd_2_c_a_short_option_is_bought_back_and_its_premium_paid() -> None:
    # 10 × 0.1 BTC: maintenance 0.03 + 0.05 BTC, fee 0.0005 BTC, of cash 0.05 + 0.04
    world = world_of({"BTC": "0.09"}, [("BTC-C", "-10", "0.06")])
    before = world.figures()
    assert before.maintenance_margin == d("0.08") * 60000
    assert before.liquidation_fee == d("0.0005") * 60000
    assert before.adjusted_equity == d("0.04") * 60000 * d("0.95")
    found = world.planned()
    (action,) = found.actions
    assert (found.phase, action.action, action.side) == ("unhedged", "close", "buy")
    # n contracts leave equity 0.04 − n × 0.1 × 0.05 × 0.0005: 6 suffice, 5 do not
    assert action.quantity == 6
    assert action.notional_usd == 6 * d("0.1") * 60000
    assert action.fee_usd == 6 * d("0.1") * d("0.05") * d("0.0005") * 60000
    world.carry_out(found)
    assert world.figures().ratio == found.expected_ratio
    assert world.account.balances["BTC"].cash == d("0.09") - d("0.03") * d("1.0005")
    assert world.account.positions["BTC-C/net"].quantity == -4


def test_rd_2_c_a_debt_of_a_short_options_value_stands_among_the_legs() -> None:
    # USDT owed for the premium that a buy-back would cost; BTC (0.95) sold for it gains
    world = world_of({"BTC": "0.17"}, [("BTC-USDT-C", "-10", "3000")])
    assert world.figures().currencies["USDT"].liability == 3000
    found = world.planned()
    assert [a.action for a in found.actions] == ["sell"]


# -- RD-3 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contracts", "steps", "step", "tier"),
    [
        ("1000", 2, "1000", 1),
        ("2000", 2, "2000", 2),
        ("2001", 2, "1001", 3),
        ("4000", 2, "3000", 3),
        ("4000.5", 2, "2001", 4),
        ("9000", 2, "7000", 4),  # beyond the last tier
        ("3000", 1, "1000", 3),
        ("0.5", 2, "0.5", 1),  # dust below a lot
    ],
)
def test_rd_3_tier_step_of_a_short_option(contracts: str, steps: int, step: str, tier: int) -> None:
    world = world_of(
        {"BTC": "10000"},
        [("BTC-C", f"-{contracts}", "0.05"), ("BTC-P", "7000", "0.05")],  # long: no part of it
        policy={"tier_steps_down": steps},
    )
    leg = legs_of(world)["BTC-C"]
    assert (leg.step, leg.tier, leg.group_size) == (d(step), tier, d(contracts))


def test_rd_3_the_tier_is_that_of_all_short_options_of_the_family() -> None:
    world = world_of({"BTC": "10000"}, [("BTC-C", "-1500", "0.05"), ("BTC-P", "-700", "0.05")])
    legs = legs_of(world)
    assert {leg.group_size for leg in legs.values()} == {d(2200)}
    assert {name: leg.step for name, leg in legs.items()} == {"BTC-C": d(1200), "BTC-P": d(700)}


def test_rd_3_bought_options_on_order_do_not_count() -> None:
    made = account({"BTC": "10000"}, [("BTC-C", "-1500", "0.05")])
    with_orders(
        made,
        order("o1", "BTC-P", "buy", "900", "0.05"),
        order("o2", "BTC-P", "sell", "300", "0.05"),
    )
    world = World(made, raw=raw_with_options())
    assert legs_of(world)["BTC-C"].group_size == 1800


# -- RD-6 -----------------------------------------------------------------------------------------


def test_rd_6_bankruptcy_price_of_a_short_option_in_coin() -> None:
    # 0.04 BTC of equity on 1 BTC of options: at a mark of 0.09 nothing is left
    world = world_of({"BTC": "0.09"}, [("BTC-C", "-10", "0.06")])
    price = world.planned().actions[0].bankruptcy_price
    assert price == d("0.09")
    world.move({"BTC-C/mark": "0.09"})
    assert world.figures().adjusted_equity == 0


def test_rd_6_bankruptcy_price_of_a_short_option_in_usdt_is_rounded_down_to_its_tick() -> None:
    world = world_of({"USDT": "5000.3"}, [("BTC-USDT-C", "-10", "3000")])
    assert world.planned().actions[0].bankruptcy_price == d("5000")  # 5,000.3 in ticks of 0.5


def test_rd_6_the_tier_step_when_no_size_suffices() -> None:
    world = world_of({"BTC": "18"}, [("BTC-C", "-2500", "0.05")])
    found = world.planned()
    action = found.actions[0]
    assert action.quantity == 1500
    assert (action.from_tier, action.to_tier) == (3, 1)
    assert found.expected_ratio is not None
    assert found.expected_ratio < 1


# -- RD-7, takeover -------------------------------------------------------------------------------


def test_rd_7_takeover_of_a_coin_margined_short_option() -> None:
    # closing costs 0.05 × 1.0005; 0.05001 leaves nothing. s = 0.00001 × 60,000 / 60,000
    world = world_of({"BTC": "0.05001"}, [("BTC-C", "-10", "0.06")])
    found = world.planned()
    assert found.takeover
    option = found.actions[0]
    assert (option.instrument, option.side, option.quantity) == ("BTC-C", "buy", d(10))
    assert option.bankruptcy_price == d("0.05")  # mark + s = 0.05001, down to the tick
    assert option.notional_usd == 60000
    assert len(found.actions) == 1  # at the exact price no coin is left
    assert found.expected_ratio is None


@pytest.mark.parametrize("usdt", ["1", "0.98"])
def test_rd_7_takeover_of_a_usdt_margined_short_option(usdt: str) -> None:
    # E = 3,001 − 3,000 USDT, N = 60,000 USD: mark + s × index, both in USDT, is 3,001
    world = world_of({"USDT": "3001"}, [("BTC-USDT-C", "-10", "3000")], {"USDT-USD/index": usdt})
    found = world.planned()
    assert found.takeover
    assert [a.instrument for a in found.actions] == ["BTC-USDT-C"]
    assert found.actions[0].bankruptcy_price == 3001
    world.carry_out(found)
    assert world.figures().total_equity == 0


def test_rd_7_the_loss_is_shared_by_notional_between_option_and_swap() -> None:
    world = world_of(
        {"USDT": "3030"},
        [("BTC-USDT-C", "-10", "3000"), ("BTC-USDT-SWAP", "100", "60000")],
    )
    # E = 3,030 − 3,000, N = 60,000 + 60,000: s = 0.00025
    option, swap = world.planned().actions
    assert option.bankruptcy_price == 3015  # 3,000 + s × 60,000
    assert swap.bankruptcy_price == 59985  # 60,000 × (1 − s)


def test_rd_7_takeover_leaves_long_options_and_nothing_else() -> None:
    # the long call is worth 30 USDT and no part of what is taken: E = 500 − 600, N = 120,000 + 100
    made = account(
        {"USDT": "500", "SOL": "3"},
        [
            ("BTC-USDT-C", "10", "3000"),
            ("BTC-USDT-SWAP", "200", "60300"),
        ],
    )
    made.collateral_off = ("SOL",)
    world = World(made, prices={"BTC-USDT-C/mark": "30"}, raw=raw_with_options())
    found = world.planned()
    assert found.takeover
    assert [a.instrument or a.currency for a in found.actions] == ["BTC-USDT-SWAP", "USDT"]
    share = d(-100) / 120100
    swap = found.actions[0]
    assert swap.bankruptcy_price is not None
    assert 0 <= swap.bankruptcy_price - 60000 * (1 - share) < d("0.1")
    world.carry_out(found)
    assert list(made.positions) == ["BTC-USDT-C/net"]
    assert world.figures().adjusted_equity == 30
    assert world.figures().requirement == 0
    assert world.plan() is None


def test_rd_7_a_debt_that_only_a_long_option_covers_is_taken_with_the_rest() -> None:
    # USDT: cash −50, the long option +60, so nothing is owed by equity; it is by cash
    world = world_of(
        {"USDT": "-50", "BTC": "0.001"},
        [("BTC-USDT-C", "1", "3000"), ("BTC-USDT-SWAP", "10", "60000")],
        {"BTC-USDT-C/mark": "600"},
        {"takeover_at_first_tier": True},
    )
    assert world.figures().currencies["USDT"].liability == 0
    world.move({"BTC-USD/index": "1000"})
    found = world.planned()
    assert found.takeover
    # E = −50 + 1, N = 6,000 + 50
    share = d(-49) / d(6050)
    swap, held, owed = found.actions
    assert swap.bankruptcy_price is not None
    assert 0 <= swap.bankruptcy_price - 60000 * (1 - share) < d("0.1")
    assert (held.currency, held.side, held.quantity) == ("BTC", "sell", d("0.001"))
    assert (owed.currency, owed.side) == ("USDT", "buy")
    assert owed.bankruptcy_price == 1 + share


@pytest.mark.parametrize(("cash", "taken"), [("7829.99", True), ("7830", False)])
def test_rd_7_setting_takeover_at_first_tier_of_a_short_option(cash: str, taken: bool) -> None:
    # at the first tier's factor: 0.03 × 60,000 + 3,000 + fee 30 = 4,830, beside the value of 3,000
    world = world_of(
        {"USDT": cash},
        [("BTC-USDT-C", "-10", "3000")],
        policy={"takeover_at_first_tier": True},
    )
    assert world.planned().takeover is taken


def test_rd_7_takeover_price_of_an_option_is_at_least_a_tick() -> None:
    # E = 0.001 − 0.1, N = 60,000: 0.0001 + s would lie below 0
    raw = raw_with_options()
    world = world_of(
        {"USDT": "-5900", "BTC": "0.001"},
        [("BTC-C", "-10", "0.06")],
        {"BTC-C/mark": "0.0001"},
        raw=raw,
    )
    found = world.planned()
    assert found.takeover
    assert found.actions[0].bankruptcy_price == d("0.0001")


def test_rd_6_pair_sizes_of_an_option_count_lots_of_the_coarser_leg() -> None:
    world = world_of(
        {"USDT": "15000"}, [("BTC-USDT-SWAP", "300", "60000"), ("BTC-USDT-C", "-50", "3000")]
    )
    (pair,) = delta_neutral_pairs(derivative_legs(trial_of(world)))
    step = pair_step(pair)
    assert step is not None
    # a lot of the option is 0.0525 BTC, of the swap 0.01: 5.25, 10.5 (half up) and 15.75 lots
    assert d("0.0525") <= legs_of(world)["BTC-USDT-C"].unit_delta < d("0.05251")
    sizes = [[getattr(m, "quantity", Decimal(0)) for m in step.moves(n)] for n in (1, 2, 3)]
    assert sizes == [[1, 5], [2, 11], [3, 16]]
    assert step.count == 50
