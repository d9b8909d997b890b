"""RD-6: caps on the notional commanded per symbol and second, shared fairly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from monitor.account import Account
from monitor.reduction import Capped, Caps, Plan
from monitor.reduction.capping import Grant, within_caps
from tests.rules.reduction_world import (
    START,
    World,
    account,
    d,
    isolated,
    raw_reference,
    raw_with_options,
)

SWAP = "BTC-USDT-SWAP"
SECOND = 1000


def capped(
    made: Account, caps: Mapping[str, str], ledger: Caps | None = None, **more: Any
) -> World:
    """A world whose symbols are capped; a contract of the swap is 600 USD."""
    raw = more.pop("raw", None) or raw_reference()
    raw["policy"] = {**raw["policy"], "symbol_caps": dict(caps), **more.pop("policy", {})}
    world = World(made, raw=raw, **more)
    world.caps = ledger if ledger is not None else Caps()
    return world


def book(world: World, found: Plan | Capped | None, key: str | None = None) -> None:
    assert found is not None
    assert world.caps is not None
    name = world.account.account_id if key is None else f"{world.account.account_id}/{key}"
    world.caps.book(name, found, world.now)


def long_swap(name: str = "A1", contracts: str = "1000", cash: str = "2499") -> Account:
    made = account({"USDT": cash}, [(SWAP, contracts, "60000")])
    made.account_id = name
    return made


# -- every kind of step ---------------------------------------------------------------------------


def test_rd_6_a_cap_cuts_a_leg_to_whole_lots_and_says_what_was_left() -> None:
    world = capped(long_swap(), {SWAP: "10000"})
    found = world.planned()
    (action,) = found.actions
    assert action.quantity == 16  # of 600 USD
    assert action.capped_usd == 10000
    assert found.cut
    assert found.commanded == ((SWAP, d(9600)),)
    world.carry_out(found)
    assert world.figures().ratio == found.expected_ratio


def test_rd_6_what_a_second_has_left_is_less_by_what_went_out() -> None:
    world = capped(long_swap(), {SWAP: "10000"})
    book(world, world.plan())
    again = world.plan()
    assert again == Capped(
        ((SWAP, again.wanted[0][1]),) if isinstance(again, Capped) else (),
        (START // SECOND + 1) * SECOND,
        world.figures().symbols,
    )
    world.now = again.until - 1
    assert isinstance(world.plan(), Capped)
    world.now += 1
    assert world.planned().actions[0].quantity == 16


@pytest.mark.parametrize(
    ("caps", "quantity"),
    [
        ({}, None),
        ({"ETH-USDT-SWAP": "10000"}, None),  # another symbol's
        ({"*": "6000"}, 10),
        ({"*": "6000", SWAP: "12000"}, 20),  # its own goes before
        ({SWAP: "100000000"}, None),
    ],
)
def test_rd_6_setting_symbol_caps(caps: dict[str, str], quantity: int | None) -> None:
    free = World(long_swap()).planned()
    found = capped(long_swap(), caps).planned()
    if quantity is None:
        assert found == free
        assert not found.cut
        assert found.actions[0].capped_usd is None
        assert found.commanded == ((SWAP, free.actions[0].notional_usd),)
    else:
        assert found.actions[0].quantity == quantity


def test_rd_6_the_own_share_of_a_cap() -> None:
    world = capped(long_swap(), {SWAP: "12000"}, Caps(d("0.25")))
    assert world.planned().actions[0].quantity == 5
    world = capped(long_swap(), {SWAP: "12000"}, Caps(d(0)))
    assert isinstance(world.plan(), Capped)


def test_rd_6_a_pair_is_cut_on_both_legs_by_the_tighter_cap() -> None:
    made = account(
        {"USDT": "2000", "BTC": "0.01"},
        [(SWAP, "800", "60000"), ("BTC-USD-SWAP", "-3000", "60000")],
    )
    world = capped(made, {SWAP: "10000000", "BTC-USD-SWAP": "6000"})
    found = world.planned()
    assert found.phase == "delta_neutral"
    assert [a.quantity for a in found.actions] == [10, 60]  # 6,000 USD each
    assert [a.capped_usd for a in found.actions] == [None, 6000]
    assert found.commanded == (("BTC-USD-SWAP", d(6000)), (SWAP, d(6000)))
    world.carry_out(found)
    assert world.figures().ratio is not None
    assert abs(world.figures().ratio - found.expected_ratio) < d("1e-40")  # type: ignore[operator]


def test_rd_6_opposite_positions_are_netted_in_parts() -> None:
    made = account(
        {"USDT": "1100"},
        [
            (f"{SWAP}/long", "250.5", "60000"),
            (f"{SWAP}/short", "-150.5", "60000"),
            ("ETH-USDT-SWAP/long", "10", "3000"),
            ("ETH-USDT-SWAP/short", "-30", "3000"),
        ],
    )
    world = capped(made, {SWAP: "13000"})
    found = world.planned()
    assert found.phase == "opposite"
    assert [a.quantity for a in found.actions] == [10, 10, 10, 10]  # 2 × 10 × 600 of 13,000
    assert [a.capped_usd for a in found.actions] == [13000, 13000, None, None]
    book(world, found)
    world.carry_out(found)
    assert isinstance(world.plan(), Capped)
    for _ in range(14):
        world.now += SECOND
        book(world, found := world.planned())
        world.carry_out(found)
    assert found.actions[0].quantity == d("10.5")  # the last part of a lot goes with it
    assert f"{SWAP}/short" not in made.positions


def test_rd_6_netting_one_contract_goes_on_while_another_is_capped() -> None:
    made = account(
        {"USDT": "1100"},
        [
            (f"{SWAP}/long", "250", "60000"),
            (f"{SWAP}/short", "-150", "60000"),
            ("ETH-USDT-SWAP/long", "30", "3000"),
            ("ETH-USDT-SWAP/short", "-30", "3000"),
        ],
    )
    world = capped(made, {SWAP: "1200", "ETH-USDT-SWAP": "6000"})
    assert world.caps is not None
    other = Plan("unhedged", (), None, (), (), ((SWAP, d(600)),))
    world.caps.book("A2", other, world.now)
    found = world.planned()
    assert {a.instrument for a in found.actions} == {"ETH-USDT-SWAP"}
    assert found.cut


def test_rd_6_a_debts_trades_are_cut_by_lots() -> None:
    made = account({"USDT": "-29000", "ETH": "10.5"})
    free = World(made).planned()
    world = capped(made, {"ETH-USDT": "1000"})
    found = world.planned()
    assert found.phase == free.phase == "unhedged"
    (action,) = found.actions
    assert (action.instrument, action.side) == ("ETH-USDT", "sell")
    assert action.quantity == d("0.333")  # of 3,000 USD, lots of 0.001
    assert action.capped_usd == 1000
    assert found.commanded == (("ETH-USDT", d(999)),)
    world.carry_out(found)
    assert world.figures().ratio == found.expected_ratio


def test_rd_6_a_spot_tier_is_cut_and_its_repayment_with_it() -> None:
    made = account({"BTC": "21"}, borrowed={"USDT": "1190000"}, mode="spot")
    world = capped(made, {"BTC-USDT": "60000"})
    found = world.planned()
    assert found.phase == "tier"
    sale, repay = found.actions
    assert (sale.quantity, sale.capped_usd) == (d(1), d(60000))
    assert repay.quantity == 60000 * d("0.999")
    assert repay.capped_usd is None
    world.carry_out(found)
    assert made.balances["USDT"].borrowed == 1190000 - 59940
    assert world.figures().ratio == found.expected_ratio


def test_rd_6_both_trades_through_a_quote_are_capped() -> None:
    made = account({"SOL": "1300", "ETH": "-28"})
    world = capped(made, {"ETH-USDT": "6000"})
    found = world.planned()
    assert [a.instrument for a in found.actions] == ["SOL-USDT", "ETH-USDT"]
    assert dict(found.commanded)["ETH-USDT"] <= 6000 < 2 * dict(found.commanded)["ETH-USDT"]
    assert [a.capped_usd for a in found.actions] == [None, 6000]
    world.carry_out(found)
    after = world.figures().ratio
    assert after is not None
    assert found.expected_ratio is not None
    assert abs(after - found.expected_ratio) < d("1e-40")


def test_rd_6_a_short_option_is_capped_by_its_notional_at_the_index() -> None:
    made = account({"BTC": "0.09"}, [("BTC-C", "-10", "0.06")])
    world = capped(made, {"BTC-C": "15000"}, raw=raw_with_options())
    assert world.planned().actions[0].quantity == 2  # of 6,000 USD


def test_rd_6_an_isolated_position_is_capped_as_a_subject_of_its_own() -> None:
    made = account({"USDT": "1000"})
    key = isolated(made, SWAP, "1000", "60000", "2000")
    world = capped(made, {SWAP: "10000"})
    found = world.planned(key)
    (action,) = found.actions
    assert (action.quantity, action.capped_usd) == (d(16), d(10000))
    assert found.cut
    assert found.commanded == ((SWAP, d(9600)),)
    book(world, found, key)
    refused = world.plan(key)
    assert isinstance(refused, Capped)
    assert refused.wanted == ((SWAP, d(600000)),)


@pytest.mark.parametrize("apart", [False, True])
def test_rd_6_a_takeover_is_not_capped_and_takes_nothing_of_a_cap(apart: bool) -> None:
    made = account({"USDT": "200"})
    key = isolated(made, SWAP, "1000", "60000", "200") if apart else None
    if not apart:
        made = long_swap(cash="200")
    found = capped(made, {SWAP: "1"}).planned(key)
    assert found.takeover
    assert found.actions[0].quantity == 1000
    assert (found.commanded, found.cut) == ((), False)


def test_rd_6_repaying_out_of_the_same_coin_trades_nothing() -> None:
    made = account({"BTC": "2"}, borrowed={"BTC": "1", "USDT": "50000"}, mode="spot")
    found = capped(made, {"*": "0.01"}).planned()
    assert found.phase == "same_coin_repayment"
    assert found.commanded == ()


# -- a lot larger than the cap --------------------------------------------------------------------


def test_rd_6_a_lot_larger_than_the_cap_gets_through_and_is_carried_over() -> None:
    raw = raw_reference()
    raw["instruments"][SWAP]["lot"] = "25"  # 15,000 USD
    world = capped(long_swap(), {SWAP: "10000"}, raw=raw)
    sent = []
    for second in range(9):
        world.now = START + second * SECOND
        found = world.plan()
        book(world, found)
        if isinstance(found, Plan):
            sent.append((second, found.commanded[0][1]))
            world.carry_out(found)
    # 15,000 of 10,000: 5,000 are carried over, and a second with nothing carried over is waited for
    assert sent == [(second, d(15000)) for second in (0, 2, 4, 6, 8)]


def test_rd_6_a_single_lot_step_larger_than_the_cap_is_not_called_cut() -> None:
    raw = raw_reference()
    raw["instruments"][SWAP]["lot"] = "1000"
    found = capped(long_swap(), {SWAP: "10000"}, raw=raw).planned()
    assert found.actions[0].quantity == 1000
    assert not found.cut
    assert found.actions[0].capped_usd is None


def grant(count: int, lot: str, least: int, room: str) -> Grant | Capped:
    """Ask for `count` lots of which `least` pass RD-7."""
    world = capped(long_swap(), {SWAP: room})
    return within_caps(
        world.context,
        "A1",
        count,
        lambda lots: ((SWAP, lots * d(lot)),),
        lambda lots: lots >= least,
        (),
    )


@pytest.mark.parametrize(
    ("count", "lot", "least", "granted"),
    [
        (10, "10", 1, 10),  # exactly the cap
        (11, "10", 1, 10),
        (10, "101", 1, 1),  # not one fits: one goes
        (10, "101", 4, 4),  # the fewest that pass
        (100, "10", 30, 30),  # 10 fit, and do not pass
        (1, "1000", 1, 1),
        (3, "1000", 3, 3),
    ],
)
def test_rd_6_how_many_lots_a_fresh_second_grants(
    count: int, lot: str, least: int, granted: int
) -> None:
    found = grant(count, lot, least, "100")
    assert isinstance(found, Grant)
    assert found.count == granted
