"""OC-1, OC-4, ES-4 to ES-6: cancels, reduction steps, confirmations, deadlines."""

from decimal import ROUND_DOWN

import pytest

from monitor.account import OpenOrder
from monitor.schema import Action, EpisodeNotice, OrderCancel, Reduction
from tests.rules.reduction_world import World, account, d, kinds, order, with_orders


def swap_world(cash: str, *orders: OpenOrder, contracts: str = "1000", **policy: object) -> World:
    """1,000 contracts (10 BTC, 600,000 USD, tier 1) need 600,000 × (0.004 + 0.0005) = 2,700."""
    made = account({"USDT": cash}, [("BTC-USDT-SWAP", contracts, "60000")])
    return World(with_orders(made, *orders), policy)


def small_world(cash: str, *orders: OpenOrder, **policy: object) -> World:
    """500 contracts need 1,350 USD; 10 more stay in tier 1 and ask 6,000 USD at leverage 1."""
    return swap_world(cash, *orders, contracts="500", **policy)


def cancel(found: object) -> OrderCancel:
    assert isinstance(found, OrderCancel)
    return found


def reduction(found: object) -> Reduction:
    assert isinstance(found, Reduction)
    return found


BUY = order("o1", "BTC-USDT-SWAP", "buy", "10", "60000")
REDUCE = order("o2", "BTC-USDT-SWAP", "sell", "10", "60500", reduce_only=True)


# -- OC-1 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spare", "holds"), [("0", False), ("-0.01", True)])
def test_oc_1_at_the_line_and_just_below(spare: str, holds: bool) -> None:
    # maintenance 600,000 × 0.004 = 2,400, tier by positions alone; the order adds 400 contracts at
    # 60,000 (240,000 USD, leverage 1) and a fee of 120
    adding = order("o1", "BTC-USDT-SWAP", "buy", "400", "60000", leverage=d(10))
    world = swap_world(str(d(2400 + 24000 + 120) + d(spare)), adding)
    assert ("order_cancel OC-1" in kinds(world.decide())) is holds


def test_oc_1_opens_an_episode_in_the_normal_band() -> None:
    adding = order("o1", "BTC-USDT-SWAP", "buy", "400", "60000")
    world = swap_world("100000", adding)
    found = world.decide()
    assert kinds(found) == ["episode opened", "order_cancel OC-1"]
    assert found[1].band == "normal"
    assert cancel(found[1]).order_ids == ("o1",)
    assert world.obey(found[1])
    assert kinds(world.move()) == ["episode closed"]


def test_oc_1_names_spot_orders_that_need_borrowing_and_spares_others() -> None:
    made = account({"USDT": "-1000", "BTC": "0.1", "ETH": "1"})
    made.borrow_leverage = {"*": d(2)}
    with_orders(
        made,
        order("s1", "BTC-USDT", "buy", "0.1", "60000"),
        order("s2", "ETH-USDT", "sell", "0.5", "3000"),
        order("s3", "BTC-USDT", "buy", "0.1", "60000", reduce_only=True),
        order("s4", "BTC-USDT", "buy", "0.1", "60000", command_id="c"),
    )
    found = World(made).decide()
    assert kinds(found)[-1] == "order_cancel OC-1"
    assert cancel(found[-1]).order_ids == ("s1",)


@pytest.mark.parametrize(("scope", "named"), [("auto_borrow", ("s1",)), ("all", ("s1", "s2"))])
def test_oc_1_spot_mode_scope(scope: str, named: tuple[str, ...]) -> None:
    made = account({"USDT": "100", "BTC": "0.1"}, mode="spot")
    with_orders(
        made,
        order("s1", "BTC-USDT", "buy", "0.2", "60000"),
        order("s2", "BTC-USDT", "sell", "0.05", "60000", auto_borrow=False),
    )
    found = World(made, {"spot_cancel_scope": scope}).decide()
    assert cancel(found[-1]).order_ids == named


def test_oc_4_reduce_only_orders_are_spared_by_oc_1_and_taken_by_es_4() -> None:
    world = small_world("3000", BUY, REDUCE)
    found = world.decide()
    assert cancel(found[-1]).reason == "OC-1"
    assert cancel(found[-1]).order_ids == ("o1",)
    found = world.move({"BTC-USDT-SWAP/mark": "59660"})
    assert kinds(found)[-1] == "order_cancel ES-4"
    assert cancel(found[-1]).order_ids == ("o1", "o2")
    assert [pending.reason for pending in world.episode.cancels] == ["ES-4"]


def test_oc_1_a_new_order_is_cancelled_by_a_further_command() -> None:
    world = small_world("3000", BUY)
    first = cancel(world.decide()[-1])
    world.new_order(order("o9", "BTC-USDT-SWAP", "buy", "10", "60000"))
    found = world.move()
    assert kinds(found) == ["order_cancel OC-1"]
    assert cancel(found[0]).order_ids == ("o1", "o9")
    assert found[0].sequence == first.sequence + 1
    assert world.move() == []


def test_oc_1_deadline_when_it_no_longer_holds_sends_nothing_again() -> None:
    world = small_world("3000", BUY)
    world.decide()
    world.transfer("deposit", "USDT", d(5000))
    assert kinds(world.wait(5_000)) == ["warning cleared"]
    assert [pending.quiet for pending in world.episode.cancels] == [True]
    assert world.end_order("o1")
    assert kinds(world.move()) == ["episode closed"]


def test_oc_1_given_up_orders_are_not_named_again() -> None:
    world = small_world("3000", BUY)
    world.decide()
    for _ in range(2):
        assert kinds(world.move(later_ms=5_000)) == ["order_cancel OC-1"]
    assert kinds(world.move(later_ms=5_000)) == ["episode stuck"]
    assert world.move(later_ms=60_000) == []
    assert world.episode.given_up == ["o1"]
    assert world.episode.open


# -- ES-4 -----------------------------------------------------------------------------------------


def test_es_4_cancel_first_and_sufficient() -> None:
    # 1,000 + 500 contracts stand in tier 2: 900,000 × 0.0105 = 9,450; alone 2,700
    world = swap_world("5000", order("o1", "BTC-USDT-SWAP", "buy", "500", "60000"), REDUCE)
    found = world.decide()
    assert kinds(found) == ["episode opened", "warning entered", "order_cancel ES-4"]
    assert cancel(found[-1]).order_ids == ("o1", "o2")
    assert not world.end_order("o1")
    assert world.move() == []  # out of danger, but one order is still open
    assert world.end_order("o2")
    assert kinds(world.move()) == ["episode cancel_sufficient"]
    assert world.account.positions["BTC-USDT-SWAP/net"].quantity == 1000


def test_es_4_cancel_sufficient_touches_no_position() -> None:
    world = swap_world("5000", order("o1", "BTC-USDT-SWAP", "buy", "500", "60000"))
    world.obey(world.decide()[-1])
    assert kinds(world.move()) == ["episode cancel_sufficient"]
    assert not world.episode.liquidation
    assert world.move() == []
    assert not [c for c in world.commands if isinstance(c, Reduction)]


def test_es_4_not_sufficient_goes_on_to_a_reduction() -> None:
    world = swap_world("2500", BUY)
    world.obey(world.decide()[-1])
    assert kinds(world.move()) == ["reduction unhedged"]


def test_es_4_a_stage_that_needed_a_reduction_says_nothing_of_the_cancel() -> None:
    world = swap_world("2500", BUY)
    world.run()
    assert kinds(world.commands)[2:] == ["order_cancel ES-4", "reduction unhedged"]
    assert not world.episode.liquidation


def test_es_4_executors_orders_are_left_alone() -> None:
    world = swap_world("2500", order("x1", "BTC-USDT-SWAP", "sell", "10", None, command_id="c"))
    assert kinds(world.decide())[-1] == "reduction unhedged"


def test_es_4_waits_while_a_cancel_names_every_open_order() -> None:
    world = swap_world("2500", BUY)
    world.decide()
    assert world.move({"BTC-USDT-SWAP/mark": "59990"}) == []


def test_es_4_an_order_that_appears_while_a_reduction_is_pending_is_cancelled_at_once() -> None:
    world = swap_world("2500")
    step = reduction(world.decide()[-1])
    world.new_order(order("o5", "BTC-USDT-SWAP", "buy", "10", "60000"))
    assert kinds(world.move()) == ["order_cancel ES-4"]
    world.end_order("o5")
    assert world.move() == []  # the reduction is still out
    assert world.obey(step)


def test_es_4_filled_order_is_confirmed_by_its_fills() -> None:
    world = swap_world("2500", BUY)
    world.decide()
    open_order = world.account.orders["o1"]
    open_order.filled_quantity = d(10)
    assert not world.end_order("o1", "filled")
    action = Action(
        action="close", instrument="BTC-USDT-SWAP", side="buy", quantity=d(10), notional_usd=d(0)
    )
    assert not world.fill("other", action, d(9), order_id="o1")
    assert [pending.order_ids for pending in world.episode.cancels] == [["o1"]]
    assert world.fill("other", action, d(1), order_id="o1")
    assert world.episode.cancels == []


# -- ES-5 -----------------------------------------------------------------------------------------


def test_es_5_one_step_at_a_time_and_the_next_after_its_fills() -> None:
    world = swap_world("8000", contracts="4500")
    first = reduction(world.decide()[-1])
    assert world.move() == []
    action = first.actions[0]
    assert not world.fill(first.command_id, action, action.quantity - 1)
    assert world.move() == []
    assert world.fill(first.command_id, action, d(1))
    second = reduction(world.move()[-1])
    assert (first.step, second.step) == (1, 2)
    assert second.sequence > first.sequence


def test_es_5_fills_of_others_do_not_confirm() -> None:
    world = swap_world("2500")
    step = reduction(world.decide()[-1])
    assert not world.fill("another", step.actions[0])
    assert world.episode.reduction is not None


def test_es_5_a_final_order_of_the_executor_confirms_once_its_fills_were_seen() -> None:
    world = swap_world("2500")
    step = reduction(world.decide()[-1])
    asked = step.actions[0].quantity
    done = order("x1", "BTC-USDT-SWAP", "sell", str(asked), None, filled_quantity=d(60))
    assert not world.new_order(done, step.command_id, "cancelled")
    assert world.move() == []
    assert not world.fill(step.command_id, step.actions[0], d(20), order_id="x1")
    assert world.fill(step.command_id, step.actions[0], d(40), order_id="x1")
    assert asked > 60
    assert world.episode.reduction is None


def test_es_5_stops_above_the_exit_level_and_clears_later() -> None:
    world = swap_world("2500")
    world.run()
    assert kinds(world.commands) == ["episode opened", "warning entered", "reduction unhedged"]
    ratio = world.figures().ratio
    assert ratio is not None
    assert ratio > 1
    assert not world.episode.liquidation
    assert world.episode.open
    world.transfer("deposit", "USDT", d(20000))
    assert kinds(world.move()) == ["warning cleared", "episode closed"]


def test_es_5_exit_level_above_one_goes_on_between_the_levels() -> None:
    policy = {"liquidation_exit": "1.1"}
    world = swap_world("2500", **policy)
    step = reduction(world.decide()[-1])
    assert step.expected_ratio is not None
    assert step.expected_ratio > d("1.1")
    outside = swap_world("2800", **policy)  # 1.037: the stage has not begun
    assert kinds(outside.decide()) == ["episode opened", "warning entered"]


def test_es_5_between_the_levels_a_begun_stage_reduces_further() -> None:
    world = swap_world("2500", liquidation_exit="1.1")
    step = reduction(world.decide()[-1])
    world.obey(step)
    world.transfer("withdrawal", "USDT", d(20))
    ratio = world.figures().ratio
    assert ratio is not None
    assert 1 < ratio < d("1.1")
    assert kinds(world.move()) == ["reduction unhedged"]


def test_es_5_a_repayment_shortened_on_the_wire_is_confirmed() -> None:
    made = account({"BTC": "0.88"}, borrowed={"USDT": "50000"}, mode="spot")
    world = World(made, prices={"USDT-USD/index": "0.9997"})
    step = reduction(world.decide()[-1])
    sell, repay = step.actions
    assert not world.fill(step.command_id, sell)
    short = repay.quantity.quantize(d("1e-20"), ROUND_DOWN)
    assert short < repay.quantity
    assert not world.transfer("repay", "USDT", short - 1, step.command_id)
    assert world.transfer("repay", "USDT", d(1), step.command_id)


def test_es_5_a_final_order_of_one_side_does_not_end_the_other_side() -> None:
    made = account(
        {"USDT": "600"},
        [("BTC-USDT-SWAP/long", "250", "60000"), ("BTC-USDT-SWAP/short", "-150", "60000")],
    )
    world = World(made)
    step = reduction(world.decide()[-1])
    long, short = step.actions
    assert not world.fill(step.command_id, long, d(100), free=True, order_id="x1")
    ended = order(
        "x1",
        "BTC-USDT-SWAP",
        "sell",
        "150",
        None,
        position_side="long",
        filled_quantity=d(100),
    )
    assert not world.new_order(ended, step.command_id, "cancelled")
    assert world.fill(step.command_id, short, free=True)


# -- ES-6 -----------------------------------------------------------------------------------------


def test_es_6_the_same_command_again_unchanged_but_for_its_attempt() -> None:
    world = swap_world("2500")
    first = world.decide()[-1]
    assert world.move(later_ms=4_999) == []
    again = world.move({"BTC-USDT-SWAP/mark": "59995"}, later_ms=1)
    assert len(again) == 1
    assert again[0].model_dump_json() == first.model_copy(update={"attempt": 2}).model_dump_json()
    assert world.move(later_ms=4_999) == []
    assert world.move(later_ms=1)[0].attempt == 3


def test_es_6_stuck_after_the_attempts_then_a_new_step_on_an_account_event() -> None:
    world = swap_world("2500")
    step = world.decide()[-1]
    for _ in range(2):
        world.move(later_ms=5_000)
    found = world.move(later_ms=5_000)
    assert kinds(found) == ["episode stuck"]
    assert isinstance(found[0], EpisodeNotice)
    assert world.move(later_ms=5_000) == []
    assert world.deadline() == step.expires_at
    world.transfer("withdrawal", "USDT", d(1))
    following = world.move()
    assert kinds(following) == ["reduction unhedged"]
    assert reduction(following[0]).step == 2


def test_es_6_stuck_then_a_new_step_when_the_last_attempt_expired() -> None:
    world = swap_world("2500")
    step = world.decide()[-1]
    for _ in range(3):
        world.move(later_ms=5_000)
    assert world.move(later_ms=14_999) == []
    assert kinds(world.move(later_ms=1)) == ["reduction unhedged"]
    assert world.now == step.expires_at


def test_es_6_a_cancel_out_of_attempts_goes_on_to_a_reduction() -> None:
    world = swap_world("2500", BUY)
    world.decide()
    for _ in range(2):
        assert kinds(world.move(later_ms=5_000)) == ["order_cancel ES-4"]
    assert kinds(world.move(later_ms=5_000)) == ["episode stuck", "reduction unhedged"]


def test_es_6_out_of_danger_at_the_deadline_waits_without_sending_again() -> None:
    world = swap_world("2500")
    step = world.decide()[-1]
    assert world.move({"BTC-USDT-SWAP/mark": "60500"}, later_ms=5_000) == []
    assert world.deadline() == step.expires_at
    assert world.move({"BTC-USDT-SWAP/mark": "60000"}) == []  # as decided: it waits on
    assert kinds(world.move({"BTC-USDT-SWAP/mark": "60000"}, later_ms=24_999)) == [
        "reduction unhedged"
    ]


def test_es_6_above_the_warning_exit_the_pending_action_is_dropped_when_it_expires() -> None:
    world = swap_world("2500")
    world.decide()
    assert kinds(world.move({"BTC-USDT-SWAP/mark": "61500"})) == ["warning cleared"]
    assert world.move(later_ms=5_000) == []
    assert kinds(world.move(later_ms=25_000)) == ["episode closed"]


def test_es_6_deadlines_follow_the_time_scale() -> None:
    world = swap_world("2500", time_scale="60")
    world.decide()
    assert world.deadline() == world.now + 300_000


def test_es_6_no_resend_past_the_expiry() -> None:
    world = swap_world("2500")
    world.decide()
    found = world.move(later_ms=31_000)  # nobody looked for longer than the command lives
    assert kinds(found) == ["reduction unhedged"]
    assert reduction(found[0]).attempt == 1
    assert reduction(found[0]).step == 2
