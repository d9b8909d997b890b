"""The engine beyond the cross ratio: single coins, totals, caps and isolated positions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from monitor.account import Account, isolated_key
from monitor.account.interest import HOUR_MS, hour_of
from monitor.escalation import Episode
from monitor.interest import hour_prices
from monitor.limits import Totals
from monitor.reference import load_reference
from monitor.schema import OrderCancel, Reduction
from tests.rules.reduction_world import START, account, d, order, raw_reference, with_orders
from tests.rules.test_engine import CALM, MARK, SWAP, Desk, long
from tests.rules.test_escalation_isolated import isolated

KEY = isolated_key(SWAP, "net")
BATCH = "auto_exchange auto_exchange"


def desk_with(
    accounts: Mapping[str, Account],
    currencies: Mapping[str, Mapping[str, Any]] | None = None,
    policy: Mapping[str, Any] | None = None,
) -> Desk:
    """A desk whose reference set has changed currencies."""
    raw = raw_reference({**CALM, "interest_booking": "exchange", **(policy or {})})
    for name, changed in (currencies or {}).items():
        raw["currencies"][name].update(changed)
    desk = Desk({})
    desk.engine.use(load_reference(raw))
    for name, made in accounts.items():
        made.account_id = name
        desk.engine.adopt(made, Episode(), 0)
    desk.examine("recovery")
    return desk


def off(made: Account) -> Account:
    made.auto_borrow = False
    return made


# -- OC-2, IN-4: what ticks do to a coin far from every level --------------------------------------


def test_oc_2_an_order_that_a_loss_leaves_short_is_named_at_that_tick() -> None:
    made = account({"USDT": "1000", "ETH": "10"}, [(SWAP, "10", "60000")])
    desk = Desk({"a": off(with_orders(made, order("o", "BTC-USDT", "buy", "0.015", "60000")))})
    assert desk.commands == []
    assert desk.tick(MARK, "59000") == []  # 900 left, 900 frozen
    assert desk.tick(MARK, "58999.9") == ["a episode opened", "a order_cancel OC-2"]


def test_in_4_a_loss_past_the_quota_is_converted_at_that_tick() -> None:
    made = account({"USDT": "1000", "ETH": "10"}, [(SWAP, "10", "60000")])
    quota = {"USDT": {"interest_free_quota": "500"}}
    desk = desk_with({"a": off(made)}, quota)
    assert desk.tick(MARK, "45000") == []  # a loss of 1,500: 500 are owed
    assert desk.tick(MARK, "44999.9") == ["a episode opened", f"a {BATCH}"]


def test_in_4_a_falling_quota_is_seen_at_that_tick() -> None:
    """The quota of USDT counts USDC, which a loss takes."""
    raw = raw_reference(CALM)
    raw["currencies"]["USDT"].update(
        {"interest_free_quota": "1000", "quota_adds_available_of": ["USDC"]}
    )
    raw["instruments"]["BTC-USDC-SWAP"] = {
        **raw["instruments"][SWAP],
        "family": "BTC-USDC",
        "quote": "USDC",
        "settle": "USDC",
    }
    desk = Desk({}, prices={"BTC-USDC-SWAP/mark": "60000"})
    desk.engine.use(load_reference(raw))
    held = account(
        {"USDT": "-1500", "USDC": "1000", "ETH": "10"}, [("BTC-USDC-SWAP", "10", "60000")]
    )
    desk.engine.adopt(off(held), Episode(), 0)
    desk.examine("recovery")
    assert desk.tick("BTC-USDC-SWAP/mark", "55000") == []  # 500 USDC left: 1,500 are free
    assert desk.tick("BTC-USDC-SWAP/mark", "54999.9") == ["A1 episode opened", f"A1 {BATCH}"]


def test_the_watch_spares_accounts_whose_coins_are_far_from_asking() -> None:
    made = account({"USDT": "50000"}, [(SWAP, "10", "60000")])
    with_orders(made, order("o", "BTC-USDT", "buy", "0.1", "60000"))
    borrows = account({"USDT": "50000"}, [(SWAP, "10", "60000")])
    with_orders(borrows, order("o", "BTC-USDT", "buy", "0.1", "60000"))
    desk = Desk({"a": off(made), "b": borrows})
    looked = desk.engine.assessed
    for price in ("60001", "60100", "59900", "60000"):
        assert desk.tick(MARK, price) == []
    assert desk.engine.assessed == looked


def test_in_4_by_an_account_event_far_from_every_level() -> None:
    desk = desk_with({"a": off(account({"USDT": "100", "BTC": "1"}))})
    decision = desk.send("a", "transfers", account_seq=1, kind="withdrawal", amount="300")
    assert [command.kind for command in decision.commands] == ["episode", "auto_exchange"]


def test_in_4_a_batch_that_becomes_possible_goes_out_at_that_tick() -> None:
    """0.3 USDT are owed: a lot of BTC is worth 6 and would turn the debt over; at 2,000 it is 0.2."""
    desk = desk_with({"a": off(account({"USDT": "-0.3", "BTC": "1"}))})
    assert desk.commands == []
    assert desk.tick("BTC-USD/index", "2000") == ["a episode opened", f"a {BATCH}"]


def test_oc_2_and_oc_3_one_after_the_other() -> None:
    orders = (
        order("n", "BTC-USDT", "buy", "0.001", "60000", auto_borrow=False),
        order("o", "BTC-USDT", "buy", "66.7", "60000"),
    )
    made = with_orders(account({"ETH": "2000", "USDT": "40"}, mode="spot"), *orders)
    desk = Desk({"a": made})
    assert [c.kind for c in desk.commands] == ["episode", "order_cancel"]
    assert desk.due(1) == ["a order_cancel OC-3"]
    assert desk.commands[-1].decided_at == desk.commands[-2].decided_at + 1


# -- IN-5 -----------------------------------------------------------------------------------------


def test_in_5_by_the_funding_event_itself() -> None:
    made = account({"USDT": "1000", "ETH": "10"})
    desk = Desk({"a": off(with_orders(made, order("o", "BTC-USDT", "buy", "0.015", "60000")))})
    desk.send("a", "transfers", account_seq=1, kind="funding", amount="-200", instrument=SWAP)
    (cancel,) = (c for c in desk.commands if isinstance(c, OrderCancel))
    assert (cancel.reason, cancel.cause.kind) == ("IN-5", "transfer")


def test_in_5_any_other_transfer_is_oc_2() -> None:
    made = account({"USDT": "1000", "ETH": "10"})
    desk = Desk({"a": off(with_orders(made, order("o", "BTC-USDT", "buy", "0.015", "60000")))})
    desk.send("a", "transfers", account_seq=1, kind="withdrawal", amount="200")
    (cancel,) = (c for c in desk.commands if isinstance(c, OrderCancel))
    assert cancel.reason == "OC-2"


# -- OC-3: totals ---------------------------------------------------------------------------------

POOL = {"USDT": {"platform_pool": "100000"}}


def test_oc_3_a_total_that_comes_to_exceed_names_whom_it_concerns() -> None:
    borrows = with_orders(account({"ETH": "10"}), order("o", "BTC-USDT", "buy", "0.1", "60000"))
    idle = account({"ETH": "10", "USDT": "-6000"})
    desk = desk_with({"a": borrows, "b": idle}, POOL)
    assert desk.engine.use_totals(Totals(START, platform={"USDT": d(100_000)})) == []
    assert desk.engine.use_totals(None) == []
    named = desk.engine.use_totals(Totals(START, platform={"USDT": d(100_001)}))
    assert named == ["a"]
    assert desk.examine("reference") == ["a episode opened", "a order_cancel OC-3"]


def test_oc_3_with_a_total_past_its_limit_an_order_that_comes_to_need_borrowing_is_named() -> None:
    made = account({"USDT": "7000", "ETH": "10"}, [(SWAP, "10", "60000")])
    with_orders(made, order("o", "BTC-USDT", "buy", "0.1", "60000"))
    desk = desk_with({"a": made}, POOL)
    desk.engine.use_totals(Totals(START, platform={"USDT": d(100_001)}))
    assert desk.examine("reference") == []
    assert desk.tick(MARK, "50000") == []  # 6,000 left, 6,000 frozen
    assert desk.tick(MARK, "49999.9") == ["a episode opened", "a order_cancel OC-3"]


def test_oc_3_a_loss_that_brings_borrowing_past_a_tier_is_seen_at_that_tick() -> None:
    tiers = [{"up_to": "1000", "initial": "0.1", "maintenance": "0.02"}]
    made = account({"USDT": "7000", "ETH": "10"}, [(SWAP, "10", "60000")])
    with_orders(made, order("o", "BTC-USDT", "buy", "0.1", "60000"))
    desk = desk_with({"a": made}, {"USDT": {"borrow_tiers": tiers}})
    assert desk.tick(MARK, "40000") == []  # 5,000 left of 6,000: 1,000 borrowed
    assert desk.tick(MARK, "39999.9") == ["a episode opened", "a order_cancel OC-3"]


# -- RD-6: caps -----------------------------------------------------------------------------------


def steps(desk: Desk) -> list[Reduction]:
    return [command for command in desk.commands if isinstance(command, Reduction)]


def filled(desk: Desk, step: Reduction) -> None:
    (action,) = step.actions
    seq = desk.engine.entries[step.account_id].account.account_seq
    assert seq is not None
    desk.send(
        step.account_id,
        "fills",
        account_seq=seq + 1,
        instrument=SWAP,
        side=action.side,
        price="60000",
        quantity=str(action.quantity),
        command_id=step.command_id,
    )


def test_rd_6_a_capped_account_sends_nothing_and_is_served_in_the_next_second() -> None:
    capped = {"symbol_caps": {SWAP: "60000"}}
    desk = Desk({"a": long("2000"), "b": long("2000")}, policy=capped)
    (first,) = steps(desk)
    assert first.account_id == "a"
    assert first.actions[0].notional_usd == 60_000
    entry = desk.engine.entries["b"]
    assert entry.episode.capped
    assert entry.deadline == (desk.now // 1000 + 1) * 1000
    looked = desk.engine.assessed
    assert desk.tick("SOL-USD/index", "101") == []
    assert desk.engine.assessed == looked
    filled(desk, first)  # `a` needs more, but this second is spent
    assert len(steps(desk)) == 1
    desk.now = entry.deadline
    desk.due(0)
    assert [step.account_id for step in steps(desk)] == ["a", "b"]  # `b` was refused first


def test_rd_6_all_are_served_in_turn_and_no_second_passes_its_cap() -> None:
    capped = {"symbol_caps": {SWAP: "60000"}}
    desk = Desk({name: long("2000") for name in "abcd"}, policy=capped)
    done = 0
    for _ in range(120):
        desk.due(250)
        for step in steps(desk)[done:]:
            done += 1
            filled(desk, step)
    seconds: dict[int, Decimal] = {}
    for step in steps(desk):
        second = step.decided_at // 1000
        seconds[second] = seconds.get(second, d(0)) + step.actions[0].notional_usd
    assert max(seconds.values()) <= 60_000
    assert all(not e.episode.liquidation for e in desk.engine.entries.values())
    turns = [step.account_id for step in steps(desk)]
    assert sorted(turns[:4]) == ["a", "b", "c", "d"]
    assert turns[4:8] == turns[:4]


def test_rd_6_the_own_share_of_a_cap() -> None:
    """H-10: half of the partitions, half of the cap."""
    desk = Desk({"a": long("2000")}, policy={"symbol_caps": {SWAP: "60000"}}, arm=False)
    desk.engine.caps.share = d("0.5")
    desk.arm()
    assert steps(desk)[0].actions[0].notional_usd == 30_000


def test_rd_6_isolated_positions_draw_on_the_same_caps() -> None:
    both = long("2000")
    both.isolated = {KEY: isolated("100", "270")}
    desk = Desk({"a": both}, policy={"symbol_caps": {SWAP: "60000"}})
    assert [step.position for step in steps(desk)] == [None]
    entry = desk.engine.entries["a"]
    assert entry.isolated[KEY].capped
    desk.now = entry.isolated[KEY].not_before
    desk.due(0)
    assert [step.position for step in steps(desk)] == [None, KEY]


# -- MR-3 -----------------------------------------------------------------------------------------


def apart(margin: str) -> Account:
    made = account({"USDT": "10000"})
    made.isolated = {KEY: isolated("100", margin)}
    return made


def test_mr_3_ticks_reach_isolated_positions() -> None:
    desk = Desk({"a": apart("1000")})
    assert desk.tick(MARK, "59809") == []
    assert desk.tick(MARK, "59806") == ["a episode opened", "a warning entered"]
    assert desk.band("a") == "normal"  # the account's own
    assert desk.tick(MARK, "59266") == ["a warning worsened", "a reduction full"]
    assert {command.position for command in desk.commands} == {KEY}


def test_mr_3_deadlines_of_isolated_positions_are_met() -> None:
    desk = Desk({"a": apart("200")})
    assert desk.commands[-1].kind == "reduction"
    assert desk.due(5_000) == ["a reduction full"]
    assert desk.commands[-1].attempt == 2


def test_mr_3_the_answer_is_heard_by_its_own_episode() -> None:
    desk = Desk({"a": apart("200")})
    (step,) = steps(desk)
    decision = desk.send(
        "a",
        "fills",
        account_seq=1,
        instrument=SWAP,
        margin_mode="isolated",
        side="sell",
        price="60000",
        quantity="100",
        command_id=step.command_id,
    )
    assert decision.dirty
    assert [command.kind for command in decision.commands] == ["warning", "episode"]
    assert desk.engine.entries["a"].isolated == {KEY: Episode(n=1)}


def test_mr_3_episodes_are_adopted_with_the_account() -> None:
    desk = Desk({"a": apart("200")})
    entry = desk.engine.entries["a"]
    stored = msgspec.json.encode(entry.isolated)
    other = Desk({}, arm=False)
    read = msgspec.json.decode(stored, type=dict[str, Episode])
    book = msgspec.json.decode(msgspec.json.encode(entry.account), type=Account)
    other.engine.adopt(book, Episode(), 0, read)
    assert other.engine.entries["a"].deadline == entry.deadline
    assert other.arm() == []  # all was said before
    assert other.due(5_000) == ["a reduction full"]
    assert other.commands[-1].command_id == desk.commands[-1].command_id


# -- IN-1: who works between two events ------------------------------------------------------------


def owing() -> Desk:
    """A desk whose account owes 100,001 USDT, and the prices of the next full hour."""
    made = account({"USDT": "-100000", "BTC": "10"})
    rate = {"USDT": {"yearly_rate": "0.0876"}}
    desk = desk_with({"a": made}, rate, {"interest_booking": "monitor"})
    desk.send("a", "transfers", account_seq=1, kind="withdrawal", amount="1")
    hour = hour_of(desk.now) + HOUR_MS
    desk.engine.interest.hours.take(hour_prices(hour, desk.engine.prices, desk.engine.reference))
    return desk


def test_in_1_interest_is_worked_out_by_the_clock_and_once() -> None:
    desk = owing()
    account_ = desk.engine.entries["a"].account
    hour = hour_of(desk.now) + HOUR_MS
    notices = []
    for second in range(0, 400, 10):
        for decision in desk.engine.due(hour + second * 1000):
            assert decision.dirty
            notices += decision.notices
    assert [n.state for n in notices] == ["accrued", "deducted"]
    assert {n.amount for n in notices} == {d("1.00001")}  # 100,001 × 8.76 % / 365 / 24
    assert account_.balances["USDT"].cash == d("-100002.00001")


def test_in_1_an_event_is_booked_after_the_interest_before_it() -> None:
    desk = owing()
    desk.now = hour_of(desk.now) + HOUR_MS + 100_000
    decision = desk.send("a", "transfers", account_seq=2, amount="1")
    assert [n.state for n in decision.notices] == ["accrued"]
    assert desk.engine.entries["a"].account.balances["USDT"].cash == d("-100000")
    assert desk.engine.entries["a"].account.balances["USDT"].accrued_interest == d("1.00001")


def test_h_3_the_sweep_names_orders_by_a_total_that_nobody_was_examined_for() -> None:
    """OC-3: where the account stands is what the watch has; what follows of it is not nothing."""
    borrows = with_orders(account({"ETH": "10"}), order("o", "BTC-USDT", "buy", "0.1", "60000"))
    desk = desk_with({"a": borrows}, POOL)
    desk.engine.totals = Totals(START, platform={"USDT": d(100_001)})
    desk.engine.sweep(1, desk.now)
    (decision,) = desk.engine.sweep(1, desk.now)
    assert [command.kind for command in decision.commands] == ["episode", "order_cancel"]
    assert desk.engine.missed_crossings == 0


@pytest.mark.parametrize("auto_borrow", [True, False])
def test_h_3_the_sweep_counts_no_miss_by_what_coins_ask(auto_borrow: bool) -> None:
    made = account({"USDT": "1000", "ETH": "10"}, [(SWAP, "10", "60000")])
    with_orders(made, order("o", "BTC-USDT", "buy", "0.015", "60000"))
    made.auto_borrow = auto_borrow
    desk = Desk({"a": made})
    for price in ("59500", "59100", "58000", "45000", "30000"):
        desk.tick(MARK, price)
        said = len(desk.commands)
        for _ in range(2):
            desk.engine.sweep(1, desk.now)
        assert len(desk.commands) == said
    assert desk.engine.missed_crossings == 0
