"""RD-6: the bankruptcy price of a leg, the mark at which adjusted equity is 0."""

from monitor.reduction.bankruptcy import leg_bankruptcy_price
from monitor.reduction.legs import derivative_legs
from monitor.reduction.trial import Trial
from tests.rules.reduction_world import World, account, d


def trial_of(world: World) -> Trial:
    return Trial(world.account, world.figures(), world.context)


def test_rd_6_bankruptcy_price_of_a_linear_long_and_short() -> None:
    for contracts, price, rounded in (
        ("1000", "59750.03", "59750.1"),
        ("-1000", "60249.97", "60249.9"),
    ):
        world = World(account({"USDT": "2499.7"}, [("BTC-USDT-SWAP", contracts, "60000")]))
        found = world.planned()
        assert found.actions[0].bankruptcy_price == d(rounded)
        world.move({"BTC-USDT-SWAP/mark": price})
        assert world.figures().adjusted_equity == 0


def test_rd_6_bankruptcy_price_of_an_inverse_contract() -> None:
    world = World(account({"BTC": "0.05"}, [("BTC-USD-SWAP", "9000", "60000")]))
    price = world.planned().actions[0].bankruptcy_price
    # 15 BTC at 60,000; 0.05 BTC are lost where 900,000 / p = 15.05
    assert price == d("59800.7")
    assert d("59800.6") < d(900_000) / d("15.05") <= price


def test_rd_6_a_bankruptcy_price_is_at_least_a_tick() -> None:
    # 10 BTC short at 30,000 and 299,999.7 owed: bankrupt above 0.03, the tick is 0.1
    made = account({"USDT": "-299999.7"}, [("BTC-USDT-SWAP", "-1000", "30000")])
    trial = trial_of(World(made, prices={"BTC-USDT-SWAP/mark": "30000"}))
    (leg,) = derivative_legs(trial)
    assert leg_bankruptcy_price(trial, leg.close(d(1))) == d("0.1")


def test_rd_6_no_bankruptcy_price_above_zero() -> None:
    made = account({"USDT": "-50000", "BTC": "1.2"}, [("ETH-USDT-SWAP", "3", "3000")])
    world = World(made, {"liquidation_exit": "2.5"}, {"BTC-USD/index": "60000"})
    trial = trial_of(world)
    (leg,) = derivative_legs(trial)
    assert world.figures().adjusted_equity > leg.mark * leg.size * leg.quantity
    assert leg_bankruptcy_price(trial, leg.close(d(1))) is None


def test_rd_6_no_bankruptcy_price_of_sides_that_hedge_each_other() -> None:
    # both sides move with the mark: no mark makes a difference
    positions = [("BTC-USDT-SWAP/long", "100", "60000"), ("BTC-USDT-SWAP/short", "-100", "60000")]
    trial = trial_of(World(account({"USDT": "400"}, positions)))
    for leg in derivative_legs(trial):
        assert leg_bankruptcy_price(trial, leg.close(d(1))) is None


def test_rd_6_the_larger_side_decides_where_both_are_held() -> None:
    # net 50 contracts long, 0.5 BTC: 400 USDT last for 800 USDT of mark
    positions = [("BTC-USDT-SWAP/long", "150", "60000"), ("BTC-USDT-SWAP/short", "-100", "60000")]
    trial = trial_of(World(account({"USDT": "400"}, positions)))
    prices = [leg_bankruptcy_price(trial, leg.close(d(1))) for leg in derivative_legs(trial)]
    assert prices == [d(59200), d(59200)]
