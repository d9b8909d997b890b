"""RD-1 and debts: same-coin repayment, tier steps, full repayment, choice of collateral, routes."""

from decimal import Decimal

import pytest

from monitor.account import Balance
from monitor.reduction import Plan
from monitor.reduction.debts import debts_of, repayment
from monitor.reduction.moves import Trade
from monitor.reduction.trial import Trial
from monitor.reference import load_reference
from tests.rules.reduction_world import World, account, currency, d, raw_reference, spot


def planned(world: World) -> Plan:
    return world.planned()


def brief(found: Plan) -> list[tuple[str, str, str]]:
    """(action, instrument or currency, quantity) of each action."""
    return [
        (a.action, a.instrument or a.currency or "", format(a.quantity.normalize(), "f"))
        for a in found.actions
    ]


# -- RD-1 -----------------------------------------------------------------------------------------


def test_rd_1_a_what_is_held_pays_debt_and_interest_of_the_same_coin() -> None:
    made = account({"BTC": "2"}, borrowed={"BTC": "1"}, mode="spot")
    made.balances["BTC"] = Balance(d(2), d(1), d("0.01"))
    found = planned(World(made))
    assert found.phase == "same_coin_repayment"
    assert brief(found) == [("repay", "BTC", "1.01")]
    assert found.actions[0].notional_usd == d("60600")
    assert found.expected_ratio is None


def test_rd_1_a_all_such_coins_in_one_command_and_no_more_than_is_held() -> None:
    made = account({"BTC": "0.4", "ETH": "9"}, borrowed={"BTC": "1", "ETH": "3"}, mode="spot")
    made.balances["USDT"] = Balance(d(50000), d(0), d(0))
    assert brief(planned(World(made))) == [("repay", "BTC", "0.4"), ("repay", "ETH", "3")]


def test_rd_1_a_negative_cash_has_nothing_to_repay_with() -> None:
    made = account({"USDT": "-100", "BTC": "1"}, borrowed={"USDT": "50000"}, mode="spot")
    assert planned(World(made)).phase != "same_coin_repayment"


def test_rd_1_b_a_debt_of_1_2_m_comes_down_to_1_m() -> None:
    world = World(account({"BTC": "21.55"}, borrowed={"USDT": "1200000"}, mode="spot"))
    found = planned(world)
    assert found.phase == "tier"
    sell, repay = found.actions
    # 200,000 / 0.999 / 60,000 = 3.33667 BTC, up to the lot of 0.0001
    assert (sell.action, sell.instrument, sell.quantity) == ("sell", "BTC-USDT", d("3.3367"))
    assert sell.notional_usd == d("3.3367") * 60000
    assert sell.fee_usd == d("3.3367") * 60000 * d("0.001")
    assert sell.bankruptcy_price is None
    assert (repay.action, repay.currency) == ("repay", "USDT")
    assert repay.quantity == d("3.3367") * 60000 * d("0.999")
    assert (repay.from_tier, repay.to_tier) == (2, 1)
    equity = d("21.55") * 60000 * d("0.95") - 1200000
    assert repay.bankruptcy_price == 1 + equity / 1200000


def test_rd_1_b_after_the_step_the_debt_is_in_the_tier_below() -> None:
    world = World(account({"BTC": "21.4"}, borrowed={"USDT": "1200000"}, mode="spot"))
    world.obey(world.decide()[-1])
    left = world.account.balances["USDT"]
    assert left.cash == 0
    assert d(999_990) < left.borrowed <= d(1_000_000)
    assert world.figures().currencies["USDT"].borrow_tier == 1


def test_rd_1_b_tier_by_tier_then_c_full() -> None:
    # the lower tiers do not suffice: every step's fee and haircut stays
    made = account({"SOL": "31000"}, borrowed={"USDT": "2400000"}, mode="spot")
    policy = {"liquidation_exit": "2.9"}
    world = World(made, policy)
    phases = []
    for _ in range(4):
        found = [c for c in world.move() if c.kind == "reduction"]
        if not found:
            break
        phases.append(getattr(found[0], "phase", ""))
        world.obey(found[0])
    assert phases[:2] == ["tier", "tier"]


def test_rd_1_b_the_debt_with_the_most_relief_per_loss_first() -> None:
    # both sales gain (SOL counts 0.8), so the larger relief goes first: 15 BTC at 4 % down to 10 at
    # 2 % relieves 24,000 of maintenance, 900,000 USDT at 2 % only 18,000
    made = account({"SOL": "22600"}, borrowed={"USDT": "900000", "BTC": "15"}, mode="spot")
    found = planned(World(made))
    assert [a.instrument or a.currency for a in found.actions] == ["SOL-USDT", "BTC-USDT", "BTC"]
    assert (found.phase, found.actions[0].from_tier, found.actions[0].to_tier) == ("tier", 2, 1)


def test_rd_1_c_full_liquidation_from_the_lowest_tier() -> None:
    world = World(account({"BTC": "0.88"}, borrowed={"USDT": "50000"}, mode="spot"))
    found = planned(world)
    assert found.phase == "full"
    # 50,000 / 0.999 / 60,000 = 0.83417…: rounded up it would turn the debt positive
    assert brief(found)[0] == ("sell", "BTC-USDT", "0.8341")
    assert found.actions[1].action == "repay"
    assert found.actions[1].quantity == d("0.8341") * 60000 * d("0.999")


def test_rd_1_negative_cash_is_repaid_by_the_purchase_itself() -> None:
    made = account({"USDT": "-10000", "BTC": "0.88"}, borrowed={"USDT": "40000"}, mode="spot")
    found = planned(World(made))
    received = d("0.8341") * 60000 * d("0.999")
    assert found.actions[1].quantity == received - 10000


def test_rd_1_accounts_with_auto_repay_get_no_repay_action() -> None:
    made = account({"BTC": "0.88"}, borrowed={"USDT": "50000"}, mode="spot", auto_repay=True)
    world = World(made)
    found = planned(world)
    assert [a.action for a in found.actions] == ["sell"]
    world.run()
    assert world.figures().ratio == found.expected_ratio


# -- choice of collateral -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "sold"),
    [
        ("lowest_rate_first", ["SOL-USDT", "ETH-USDT", "BTC-USDT"]),
        ("highest_rate_first", ["BTC-USDT", "ETH-USDT", "SOL-USDT"]),
    ],
)
def test_rd_6_collateral_is_sold_by_its_discount_rate(order: str, sold: list[str]) -> None:
    made = account(
        {"SOL": "100", "ETH": "5", "BTC": "0.5"}, borrowed={"USDT": "48000"}, mode="spot"
    )
    found = planned(World(made, {"sale_order": order}))
    assert [a.instrument for a in found.actions if a.action == "sell"] == sold


def test_rd_6_rate_zero_switched_off_and_owed_coins_are_never_sold() -> None:
    made = account({"USDT": "-50000", "BTC": "0.5", "ETH": "11", "SOL": "-1", "USDC": "900"})
    made.collateral_off = ("ETH",)
    figures = World(made).figures()
    trial = Trial(made, figures, World(made).context)
    debt = next(debt for debt in debts_of(trial, figures) if debt.currency == "USDT")
    moves = repayment(trial, made, figures, debt, debt.amount)
    assert [move.name for move in moves if isinstance(move, Trade)] == ["BTC-USDT"]


def test_rd_6_a_coin_held_and_owed_at_once_is_not_sold() -> None:
    made = account({"BTC": "1", "ETH": "2"}, borrowed={"BTC": "0.4", "USDT": "10000"}, mode="spot")
    # 2 ETH do not cover 10,000 USDT: BTC would be next in the order, were it not owed itself
    world = World(made)
    trial = Trial(made, world.figures(), world.context)
    debt = next(debt for debt in debts_of(trial, trial.figures) if debt.currency == "USDT")
    moves = repayment(trial, made, trial.figures, debt, debt.amount)
    assert [move.name for move in moves if isinstance(move, Trade)] == ["ETH-USDT"]


def test_rd_6_buys_where_only_the_inverse_pair_exists() -> None:
    # owing ETH and holding BTC: ETH-BTC is bought with BTC
    world = World(account({"ETH": "-10", "BTC": "0.53"}))
    found = planned(world)
    assert found.phase == "unhedged"
    # 10 / 0.999 = 10.01001: the lot above would turn the debt positive
    assert brief(found) == [("buy", "ETH-BTC", "10.01")]


def test_rd_6_through_a_common_quote_sell_and_buy() -> None:
    # SOL and ETH meet in USDT only
    world = World(account({"ETH": "-10", "SOL": "390"}))
    found = planned(world)
    assert [a.instrument for a in found.actions] == ["SOL-USDT", "ETH-USDT"]
    sell, buy = found.actions
    assert buy.quantity == d("10.010")
    assert sell.quantity * 100 * d("0.999") >= buy.quantity * 3000
    assert (sell.quantity - d("0.01")) * 100 * d("0.999") < buy.quantity * 3000
    assert "USDT-USD/index" in found.symbols


def test_rd_6_first_common_quote_is_usdt_then_usdc() -> None:
    raw = raw_reference()
    raw["instruments"]["SOL-USDC"] = spot("SOL", "USDC", "0.01")
    raw["instruments"]["ETH-USDC"] = spot("ETH", "USDC", "0.001")
    world = World(account({"ETH": "-10", "SOL": "390"}))
    world.reference = load_reference(raw)
    assert [a.instrument for a in planned(world).actions] == ["SOL-USDT", "ETH-USDT"]
    del raw["instruments"]["SOL-USDT"]
    world.reference = load_reference(raw)
    assert [a.instrument for a in planned(world).actions] == ["SOL-USDC", "ETH-USDC"]


def test_rd_6_a_debt_that_cannot_be_traded_is_no_candidate() -> None:
    raw = raw_reference()
    raw["currencies"]["XYZ"] = currency("0.5")
    world = World(account({"XYZ": "65", "SOL": "-50"}), prices={"XYZ-USD/index": "160"})
    world.reference = load_reference(raw)
    found = planned(world)
    assert found.phase == "takeover"


def test_rd_6_every_coin_is_sold_up_to_its_balance_in_lots() -> None:
    # 0.83339 BTC is held: the lots of 0.0001 leave dust
    world = World(account({"USDT": "-50000", "BTC": "0.83339", "USDC": "2600"}))
    found = planned(world)
    assert brief(found) == [("sell", "BTC-USDT", "0.8333")]


def test_rd_6_multi_currency_sells_at_most_cash_and_equity() -> None:
    # 0.5 BTC of cash, 0.2 of it lost on an inverse short: less than 0.3 may go for 20,000 USDT
    made = account({"BTC": "0.5", "USDT": "-20000"}, [("BTC-USD-SWAP", "-300", "42857.142857")])
    world = World(made)
    figures = world.figures()
    assert d("0.2999") < figures.currencies["BTC"].equity < d("0.3")
    assert _sold(world, "USDT") == d("0.2999")
    made.balances["BTC"].cash = d("0.25")
    made.positions["BTC-USD-SWAP/net"].entry_price = d("70000")
    assert world.figures().currencies["BTC"].equity > d("0.3")
    assert _sold(world, "USDT") == d("0.25")


def _sold(world: World, owed: str) -> Decimal:
    figures = world.figures()
    trial = Trial(world.account, figures, world.context)
    debt = next(debt for debt in debts_of(trial, figures) if debt.currency == owed)
    (move,) = repayment(trial, world.account, figures, debt, debt.amount)
    assert isinstance(move, Trade)
    return move.quantity


def test_rd_6_debt_size_smallest() -> None:
    made = account({"BTC": "20.8"}, borrowed={"USDT": "1150000"}, mode="spot")
    whole = planned(World(made))
    small = planned(World(made, {"debt_size": "smallest"}))
    assert small.actions[0].quantity < whole.actions[0].quantity
    assert small.expected_ratio is not None
    assert small.expected_ratio > 1
    policy = {"debt_size": "smallest"}
    world = World(made, policy)
    world.obey(world.decide()[-1])
    ratio = world.figures().ratio
    assert ratio == small.expected_ratio


def test_rd_6_same_instrument_is_commanded_once() -> None:
    # two coins through one quote: one purchase of the owed coin
    raw = raw_reference()
    del raw["instruments"]["ETH-BTC"]
    world = World(account({"ETH": "-10", "SOL": "250", "BTC": "0.22"}))
    world.reference = load_reference(raw)
    found = planned(world)
    names = [a.instrument for a in found.actions]
    assert names == ["SOL-USDT", "BTC-USDT", "ETH-USDT"]
    assert found.expected_ratio == _expected_by_hand(world, found)


def _expected_by_hand(world: World, found: Plan) -> Decimal | None:
    for action in found.actions:
        world.fill("c", action)
    return world.figures().ratio
