"""MR-3, RD-3, RD-6 and RD-7 of isolated positions: each is reduced by its own tier and ratio."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.reduction.bankruptcy import isolated_bankruptcy_price
from tests.rules.reduction_world import World, account, d, isolated, raw_reference

SWAP, INVERSE, SPOT = "BTC-USDT-SWAP", "BTC-USD-SWAP", "BTC-USDT"


def swap(
    contracts: str, margin: str, policy: dict[str, Any] | None = None, lot: str = "1", **more: Any
) -> tuple[World, str]:
    """A position on the linear swap, entered at its mark: 600 USD a contract."""
    made = account({"USDT": "5"})
    key = isolated(made, SWAP, contracts, "60000", margin, **more)
    raw = raw_reference(policy)
    raw["instruments"][SWAP]["lot"] = lot
    return World(made, raw=raw), key


def margined(
    quantity: str, entry: str, margin: str, prices: dict[str, str] | None = None, **more: Any
) -> tuple[World, str]:
    """A margin position on BTC-USDT that owes what its opening borrowed."""
    policy = more.pop("policy", None)
    long = d(quantity) > 0
    owed = {
        "liability": d(quantity) * d(entry) if long else -d(quantity),
        "liability_currency": "USDT" if long else "BTC",
        **more,
    }
    made = account({"USDT": "5"})
    key = isolated(made, SPOT, quantity, entry, margin, **owed)
    return World(made, policy, prices), key


# -- derivatives ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contracts", "margin", "quantity", "phase"),
    [
        ("1000", "2000", "1000", "full"),  # tier 1: no smaller size changes the ratio
        ("-1000", "2000", "1000", "full"),
        ("2000", "9000", "1000", "tier"),  # tier 2: at 1,000 its rate falls from 1 to 0.4 %
        ("2000", "4000", "2000", "full"),  # 2,000 at 1,000 contracts are below 2,700
        ("2300", "20000", "300", "tier"),  # tier 2 is enough
        ("2300", "10000", "1300", "tier"),  # tier 1 it must be
        ("2300", "4000", "1300", "tier"),  # not enough either: the tier step
        ("4001", "100000", "1", "tier"),
        ("9000", "250000", "5000", "tier"),  # beyond the last tier
        ("0.4", "0.7", "0.4", "full"),  # dust below a lot
    ],
)
def test_rd_3_a_derivative_goes_by_the_tier_of_its_own_size(
    contracts: str, margin: str, quantity: str, phase: str
) -> None:
    world, key = swap(contracts, margin)
    before = world.figures().isolated[key]
    assert before.ratio is not None
    assert before.ratio <= 1
    found = world.planned(key)
    (action,) = found.actions
    assert (found.phase, action.action) == (phase, "close")
    assert action.quantity == d(quantity)
    assert action.side == ("sell" if d(contracts) > 0 else "buy")
    assert action.notional_usd == d(quantity) * 600
    assert action.fee_usd == d(quantity) * d("0.3")
    assert action.from_tier == before.tier
    world.carry_out(found, key)
    after = world.figures().isolated.get(key)
    assert (after is None) == (phase == "full")
    assert action.to_tier == (after.tier if after is not None else None)
    assert found.expected_ratio == (after.ratio if after is not None else None)


def test_rd_3_positions_of_the_same_family_do_not_count() -> None:
    world, key = swap("2300", "10000")
    isolated(world.account, "BTC-USDT-SWAP", "4000", "60000", "400000", side="long")
    world.account.positions.update(account({}, [(SWAP, "4000", "60000")]).positions)
    assert world.planned(key).actions[0].quantity == 1300


@pytest.mark.parametrize(("steps", "quantity"), [(1, "300"), (2, "1300"), (3, "2300")])
def test_rd_3_setting_tier_steps_down(steps: int, quantity: str) -> None:
    world, key = swap("2300", "4000", {"tier_steps_down": steps})
    assert world.planned(key).actions[0].quantity == d(quantity)


@pytest.mark.parametrize(("lot", "quantity"), [("7", "301"), ("300", "300"), ("1301", "1301")])
def test_rd_6_the_first_lot_past_a_tier_bound(lot: str, quantity: str) -> None:
    world, key = swap("2300", "20000", lot=lot)
    assert world.planned(key).actions[0].quantity == d(quantity)


def test_rd_6_a_higher_exit_level_takes_more() -> None:
    # 300 leave 1.38, 1,300 leave 3.22
    world, key = swap("2300", "20000", {"liquidation_exit": "1.5"})
    assert world.planned(key).actions[0].quantity == 1300


def test_rd_6_each_side_in_hedge_mode_by_itself() -> None:
    made = account({"USDT": "5"})
    long = isolated(made, SWAP, "1000", "60000", "2000", side="long")
    short = isolated(made, SWAP, "-1000", "60000", "2000", side="short")
    made.position_mode = "long_short"
    world = World(made)
    for key, side in ((long, "sell"), (short, "buy")):
        found = world.planned(key)
        (action,) = found.actions
        assert (action.side, action.position_side) == (side, key.rpartition("/")[2])
        world.carry_out(found, key)
    assert not made.isolated


def test_rd_7_the_rest_of_the_account_is_left_alone() -> None:
    made = account({"USDT": "5", "BTC": "1"}, [(SWAP, "100", "60000")])
    key = isolated(made, SWAP, "2300", "60000", "20000")
    world = World(made)
    before = world.figures()
    found = world.planned(key)
    world.carry_out(found, key)
    after = world.figures()
    assert after.positions == before.positions
    assert after.currencies["BTC"] == before.currencies["BTC"]
    # 300 contracts' share of the margin comes back, less the fee
    assert made.balances["USDT"].cash == 5 + d(20000) * 300 / 2300 - 300 * d("0.3")


def test_rd_7_no_position_is_no_plan() -> None:
    world, _ = swap("1000", "2000")
    assert world.plan("ETH-USDT-SWAP/isolated/net") is None


# -- margin positions -----------------------------------------------------------------------------


def test_rd_3_a_debt_in_the_first_tier_goes_whole() -> None:
    # owes 60,000 USDT: 1,200 + 61.2; at 55,000 its equity is 1,000
    world, key = margined("1", "60000", "6000", {"BTC-USD/index": "55000"})
    own = world.figures().isolated[key]
    assert (own.equity, own.requirement) == (d(1000), d("1261.2"))
    found = world.planned(key)
    (action,) = found.actions
    assert (found.phase, action.instrument, action.side) == ("full", SPOT, "sell")
    assert (action.quantity, action.notional_usd, action.fee_usd) == (d(1), d(55000), d(55))
    assert (action.from_tier, action.to_tier) == (1, None)
    world.carry_out(found, key)
    assert not world.account.isolated
    assert world.account.balances["USDT"].cash == 5 + 1000 - 55


def test_rd_3_a_debt_comes_down_to_the_bound_of_the_tier_below() -> None:
    # 1,200,000 owed in tier 2 (a million and more): a sixth of 20 BTC, up to the lot
    world, key = margined("20", "60000", "50000", {"BTC-USD/index": "59000"})
    found = world.planned(key)
    (action,) = found.actions
    assert (found.phase, action.quantity) == ("tier", d("3.3334"))
    assert (action.from_tier, action.to_tier) == (2, 1)
    world.carry_out(found, key)
    held = world.account.isolated[key]
    assert 999990 < held.liability <= 1000000
    assert world.figures().isolated[key].ratio == found.expected_ratio
    assert found.expected_ratio is not None
    assert found.expected_ratio > 1


@pytest.mark.parametrize(
    ("quantity", "interest", "step"),
    [
        ("-15", "0", "5"),  # BTC owed: tier 1 ends at 10
        ("-15", "5", "7.5"),  # interest is owed as well: half of 20
        ("-10", "0", "10"),  # exactly the bound is tier 1
        ("-10.0001", "0", "0.0001"),
        ("-25", "0", "15"),  # beyond the last tier, which is the second
    ],
)
def test_rd_3_of_a_short_the_base_is_owed(quantity: str, interest: str, step: str) -> None:
    margin = str(-d(quantity) * 700 + d(interest) * 61000)
    world, key = margined(quantity, "60000", margin, accrued_interest=d(interest))
    found = world.planned(key)
    assert found.actions[0].side == "buy"
    assert found.actions[0].quantity == d(step)


@pytest.mark.parametrize("size", ["tier_step", "smallest"])
def test_rd_6_setting_debt_size_makes_no_difference(size: str) -> None:
    # a share of a position keeps its ratio, so that nothing below the tier bound can suffice
    world, key = margined(
        "20", "60000", "50000", {"BTC-USD/index": "59000"}, policy={"debt_size": size}
    )
    assert world.planned(key).actions[0].quantity == d("3.3334")


# -- takeover -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("margin", "taken"), [("300", True), ("300.01", False)])
def test_rd_7_takeover_when_closing_all_leaves_nothing(margin: str, taken: bool) -> None:
    world, key = swap("1000", margin)
    found = world.planned(key)
    assert found.takeover is taken


@pytest.mark.parametrize(
    ("contracts", "margin", "price"),
    [
        ("1000", "200", "59980"),
        ("1000", "200.3", "59980"),  # 59,979.97 up
        ("-1000", "200.3", "60020"),  # 60,020.03 down
        ("1000", "-300", "60030"),  # more than the margin is gone
    ],
)
def test_rd_7_takeover_at_the_price_where_own_equity_is_0(
    contracts: str, margin: str, price: str
) -> None:
    world, key = swap(contracts, margin)
    found = world.planned(key)
    (action,) = found.actions
    assert (found.phase, action.action) == ("takeover", "takeover")
    assert action.quantity == 1000
    assert action.bankruptcy_price == d(price)
    assert action.fee_usd is None
    assert found.expected_ratio is None
    world.carry_out(found, key)
    assert not world.account.isolated
    assert 0 <= world.account.balances["USDT"].cash - 5 < 1


def test_rd_7_takeover_of_an_inverse_contract() -> None:
    made = account({"BTC": "0.1"})
    key = isolated(made, INVERSE, "9000", "60000", "0.005", margin_currency="BTC")
    action = World(made).planned(key).actions[0]
    assert action.action == "takeover"
    assert action.bankruptcy_price == d("59980.1")  # 900,000 / 15.005, up


def test_rd_7_takeover_of_a_margin_position() -> None:
    world, key = margined("1", "60000", "6000", {"BTC-USD/index": "54000"})
    action = world.planned(key).actions[0]
    assert (action.action, action.side) == ("takeover", "sell")
    assert action.bankruptcy_price == 54000


@pytest.mark.parametrize(("margin", "taken"), [("6209.99", True), ("6210", False)])
def test_rd_7_setting_takeover_at_first_tier(margin: str, taken: bool) -> None:
    # 2,300 contracts at the first tier's 0.4 % and the fee: 6,210
    world, key = swap("2300", margin, {"takeover_at_first_tier": True})
    assert world.planned(key).takeover is taken
    world, key = swap("2300", margin)
    assert not world.planned(key).takeover


@pytest.mark.parametrize(("margin", "taken"), [("45223", True), ("45224", False)])
def test_rd_7_setting_takeover_at_first_tier_of_a_debt(margin: str, taken: bool) -> None:
    # 1,200,000 × 0.02 + 1,200,000 × 1.02 × 0.001 = 25,224; 20,000 are lost
    world, key = margined(
        "20",
        "60000",
        margin,
        {"BTC-USD/index": "59000"},
        policy={"takeover_at_first_tier": True},
    )
    assert world.planned(key).takeover is taken


# -- bankruptcy price -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "margin", "more", "price"),
    [
        ("1", "6000", {}, "54000"),
        ("-1", "6000", {}, "66000"),
        ("1", "0.1", {"margin_currency": "BTC"}, "54545.46"),  # 60,000 / 1.1, up
        ("-1", "0.1", {"margin_currency": "BTC"}, "66666.66"),  # 60,000 / 0.9, down
        ("-1", "6000", {"accrued_interest": d("0.1")}, "60000"),  # 66,000 / 1.1
        ("1", "6000", {"accrued_interest": d(100)}, "54100"),
        ("1", "70000", {}, None),  # it would be below 0
        ("-1", "1", {"margin_currency": "BTC"}, None),  # margin and debt are the same coin
    ],
)
def test_rd_6_bankruptcy_price_of_a_margin_position(
    quantity: str, margin: str, more: dict[str, Any], price: str | None
) -> None:
    world, key = margined(quantity, "60000", margin, **more)
    held = world.account.isolated[key]
    found = isolated_bankruptcy_price(held, world.reference.instruments[SPOT], d(1))
    assert found == (d(price) if price is not None else None)
    if found is not None:
        world.move({"BTC-USD/index": price or ""})
        assert abs(world.figures().isolated[key].equity) < d("0.02")


def test_rd_6_an_inverse_short_may_have_no_bankruptcy_price() -> None:
    made = account({"BTC": "1"})
    key = isolated(made, INVERSE, "-9000", "60000", "15", margin_currency="BTC")
    world = World(made)
    entry = world.reference.instruments[INVERSE]
    assert isolated_bankruptcy_price(made.isolated[key], entry, d(100)) is None


# -- properties -----------------------------------------------------------------------------------

sizes = st.integers(1, 90000).map(lambda n: Decimal(n) / 10)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([SWAP, INVERSE, SPOT]), sizes, st.booleans(), st.integers(0, 100), st.data())
def test_rd_7_every_step_of_an_isolated_position(
    name: str, size: Decimal, short: bool, share: int, data: st.DataObject
) -> None:
    made = account({"USDT": "5", "BTC": "0.001"})
    entry = str(data.draw(st.integers(57000, 63000)))
    quantity = str(-size if short else size)
    more: dict[str, Any] = {"margin_currency": "BTC" if name == INVERSE else "USDT"}
    if name == SPOT:
        quantity = str(d(quantity) / 100)
        more |= {"liability": abs(d(quantity)), "liability_currency": "BTC"}
        if not short:
            more = {"liability": d(quantity) * d(entry), "liability_currency": "USDT"}
    key = isolated(made, name, quantity, entry, "0", **more)
    world = World(made, {"tier_steps_down": data.draw(st.integers(1, 3))})
    own = world.figures().isolated[key]
    price = 60000 if name == INVERSE else 1
    made.isolated[key].margin = (own.requirement * share / 100 - own.equity) / price
    steps = 0
    while key in made.isolated:
        before, held = world.figures().isolated[key], made.isolated[key].quantity
        assume(before.ratio is not None)
        assert before.ratio is not None
        if before.ratio > 1:
            break
        found = world.planned(key)
        (action,) = found.actions
        assert 0 < action.quantity <= abs(held)
        world.carry_out(found, key)
        steps += 1
        assert steps <= 6  # each takes a tier, or all
        after = world.figures().isolated.get(key)
        if found.takeover:
            assert after is None
            continue
        if after is None:
            assert found.expected_ratio is None
            continue
        assert after.quantity * held > 0
        assert abs(after.quantity) < abs(held)
        assert after.requirement <= before.requirement
        assert after.ratio is not None
        assert found.expected_ratio is not None
        assert abs(after.ratio - found.expected_ratio) < d("1e-30")
        assert after.ratio >= before.ratio - d("1e-30")
