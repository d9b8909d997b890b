"""OC-2, OC-3, OC-4, IN-5: orders that a single coin, or a borrow limit, cannot bear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from monitor.account import Account, IsolatedPosition, OpenOrder
from monitor.escalation import Context
from monitor.limits import Totals
from monitor.reference import load_reference
from monitor.schema import Command, OrderCancel
from tests.rules.reduction_world import (
    START,
    World,
    account,
    d,
    kinds,
    order,
    price_book,
    raw_reference,
    with_orders,
)

SWAP = "BTC-USDT-SWAP"


class Coins(World):
    """A world with totals, occasions and a reference set of its own."""

    def __init__(
        self,
        made: Account,
        policy: Mapping[str, Any] | None = None,
        currencies: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(made, policy)
        raw = raw_reference(policy)
        for name, changed in (currencies or {}).items():
            raw["currencies"][name].update(changed)
        self.reference = load_reference(raw)
        self.book = price_book(self.reference, self.changed)
        self.totals: Totals | None = None
        self.funding = False

    @property
    def context(self) -> Context:
        return replace(super().context, totals=self.totals, funding=self.funding)


def cancels(commands: list[Command]) -> list[tuple[str, tuple[str, ...]]]:
    return [(c.reason, c.order_ids) for c in commands if isinstance(c, OrderCancel)]


def buy(name: str, usdt: str, created: int = 0, **more: Any) -> OpenOrder:
    """A limit buy of BTC that freezes `usdt` USDT."""
    quantity = d(usdt) / 60_000
    return order(
        name, "BTC-USDT", "buy", str(quantity), "60000", created_ts=START + created, **more
    )


def no_borrow(cash: Mapping[str, str], *orders: OpenOrder, **more: Any) -> Account:
    """A multi_currency account with auto-borrow off."""
    made = with_orders(account(cash, **more), *orders)
    made.auto_borrow = False
    return made


# -- OC-2 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cash", "named"),
    [
        ("6000", ()),  # exactly 0 is left: nothing is short
        ("5999.99", ("c",)),
        ("4000", ("c",)),  # 1,000 + 3,000 stay
        ("3999.99", ("c", "b")),
        ("999.99", ("c", "b", "a")),
    ],
)
def test_oc_2_newest_first_until_nothing_is_short(cash: str, named: tuple[str, ...]) -> None:
    made = no_borrow(
        {"USDT": cash, "ETH": "10"}, buy("a", "1000"), buy("c", "2000", 2), buy("b", "3000", 1)
    )
    found = Coins(made).decide()
    assert cancels(found) == ([("OC-2", named)] if named else [])


def test_oc_2_of_one_creation_time_the_higher_id_is_newer() -> None:
    made = no_borrow({"USDT": "1500"}, buy("a", "1000"), buy("c", "1000"), buy("b", "1000"))
    assert cancels(Coins(made).decide()) == [("OC-2", ("c", "b"))]


def test_oc_2_opens_an_episode_in_the_normal_band_that_closes_when_it_no_longer_holds() -> None:
    world = Coins(no_borrow({"USDT": "500", "ETH": "10"}, buy("a", "1000")))
    found = world.decide()
    assert kinds(found) == ["episode opened", "order_cancel OC-2"]
    assert found[0].rules == ("ES-2", "OC-2")
    assert found[0].band == "normal"
    assert world.move() == []
    assert world.obey(found[1])
    assert kinds(world.move()) == ["episode closed"]


def test_oc_2_coins_in_order_of_name_in_one_cancel() -> None:
    made = no_borrow(
        {"USDT": "500", "BTC": "1", "SOL": "1"},
        buy("a", "1000"),
        order("b", "SOL-USDT", "sell", "2", "100"),
        order("c", "BTC-USDT", "sell", "1", "60000"),
    )
    assert cancels(Coins(made).decide()) == [("OC-2", ("b", "a"))]


def test_oc_2_counts_equity_and_the_fees_of_derivatives_orders() -> None:
    # 100 contracts lose 400 at 59,600; equity 100 − 0.05 % of 59,600 × 10 contracts = 2.98 frozen
    made = no_borrow(
        {"USDT": "402.9", "ETH": "10"},
        order("o", SWAP, "buy", "10", "59600", leverage=d(100)),
        positions=[(SWAP, "100", "60000")],
    )
    world = Coins(made)
    assert world.decide() == []
    assert cancels(world.move({f"{SWAP}/mark": "59600"})) == [("OC-2", ("o",))]


def test_oc_2_does_not_concern_an_account_that_may_borrow() -> None:
    made = account({"USDT": "500", "ETH": "10"})
    assert cancels(Coins(with_orders(made, buy("a", "1000"))).decide()) == []


def test_oc_2_spot_mode_goes_by_cash_and_by_the_orders_without_auto_borrow() -> None:
    made = with_orders(
        account({"USDT": "2000", "BTC": "1"}, borrowed={"USDT": "1500"}, mode="spot"),
        buy("a", "1000", 1, auto_borrow=False),
        buy("b", "800", 2, auto_borrow=False),
        buy("x", "5000", 3),
    )
    world = Coins(made)
    assert cancels(world.decide()) == []  # 1,800 of 2,000: what is borrowed is not counted
    world.transfer("withdrawal", "USDT", d(201))
    assert cancels(world.move()) == [("OC-2", ("b",))]


def test_oc_2_switching_auto_borrow_off_takes_effect_at_once() -> None:
    """OV-5: the orders that borrowing would have paid for go."""
    world = Coins(with_orders(account({"USDT": "500", "ETH": "10"}), buy("a", "1000")))
    assert world.decide() == []
    world.account.auto_borrow = False
    assert cancels(world.move()) == [("OC-2", ("a",))]


def test_oc_2_names_isolated_orders_that_freeze_the_coin() -> None:
    made = no_borrow(
        {"USDT": "599", "ETH": "10"},
        order("i", SWAP, "buy", "1", "60000", margin_mode="isolated", created_ts=START + 5),
    )
    world = Coins(made)
    assert world.figures().orders["i"].frozen == d("600.3")  # margin 600 and a fee of 0.3
    assert cancels(world.decide()) == [("OC-2", ("i",))]


def test_oc_2_goes_out_on_stale_prices() -> None:
    world = Coins(no_borrow({"USDT": "500", "ETH": "10"}, buy("a", "1000")))
    world.now += 20_000
    found = world.decide()
    assert cancels(found) == [("OC-2", ("a",))]
    assert "USDT-USD/index" in found[-1].stale_prices


# -- OC-4 -----------------------------------------------------------------------------------------


def test_oc_4_reduce_only_orders_are_passed_over_and_older_ones_go_instead() -> None:
    made = no_borrow(
        {"USDT": "2500", "ETH": "10"},
        buy("a", "1000", 1),
        buy("b", "1000", 2),
        buy("r", "1000", 3, reduce_only=True),
        buy("x", "100", 4, command_id="c"),
    )
    assert cancels(Coins(made).decide()) == [("OC-2", ("b",))]


def test_oc_4_where_only_reduce_only_orders_are_left_nothing_is_asked() -> None:
    made = no_borrow({"USDT": "500", "ETH": "10"}, buy("r", "1000", reduce_only=True))
    assert Coins(made).decide() == []


def test_oc_4_by_oc_3_too() -> None:
    made = with_orders(
        account({"ETH": "3000"}), buy("a", "600", reduce_only=True), buy("b", "5000000")
    )
    assert cancels(Coins(made).decide()) == [("OC-3", ("b",))]


# -- OC-3 -----------------------------------------------------------------------------------------


def borrower(usdt: str, *more: OpenOrder) -> Account:
    """Owes nothing; its order would borrow `usdt` USDT. 2,000 ETH are worth 5.4 M as collateral."""
    return with_orders(account({"ETH": "2000"}), buy("o", usdt), *more)


@pytest.mark.parametrize(("usdt", "past"), [("4000000", False), ("4000001", True)])
def test_oc_3_position_tier(usdt: str, past: bool) -> None:
    """BL-1: the last tier ends at 4,000,000."""
    found = Coins(borrower(usdt)).decide()
    assert cancels(found) == ([("OC-3", ("o",))] if past else [])


def test_oc_3_position_tier_at_the_leverage_in_use() -> None:
    tiers = [
        {"up_to": "1000", "initial": "0.1", "maintenance": "0.02", "max_leverage": "10"},
        {"up_to": "5000", "initial": "0.2", "maintenance": "0.03", "max_leverage": "5"},
    ]
    made = borrower("1001")
    made.borrow_leverage = {"*": d(5)}
    world = Coins(made, currencies={"USDT": {"borrow_tiers": tiers}})
    assert world.decide() == []
    made.borrow_leverage = {"*": d(6)}  # 1,000 at most
    assert cancels(world.move()) == [("OC-3", ("o",))]


LIMITED = {"USDT": {"vip_caps": {"5": "10000"}, "platform_pool": "50000"}}


@pytest.mark.parametrize(
    ("main", "everybody", "past"),
    [
        ("10000", "50000", False),  # exactly at both limits
        ("10000.01", "50000", True),
        ("10000", "50000.01", True),
    ],
)
def test_oc_3_main_account_and_platform(main: str, everybody: str, past: bool) -> None:
    """BL-2 and BL-3, by what all of them borrow."""
    made = borrower("5000")
    made.main_account_id, made.vip_level = "M", "5"
    world = Coins(made, currencies=LIMITED)
    world.totals = Totals(START, {"M": {"USDT": d(main)}}, {"USDT": d(everybody)})
    assert cancels(world.decide()) == ([("OC-3", ("o",))] if past else [])


@pytest.mark.parametrize("totals", [None, Totals(START, complete=False)])
def test_oc_3_an_unknown_total_never_cancels(totals: Totals | None) -> None:
    made = borrower("5000")
    made.vip_level = "5"
    world = Coins(made, currencies=LIMITED)
    world.totals = totals
    assert world.decide() == []


def test_oc_3_unless_the_account_by_itself_is_past_the_limit() -> None:
    made = borrower("10001")
    made.vip_level = "5"
    assert cancels(Coins(made, currencies=LIMITED).decide()) == [("OC-3", ("o",))]


def test_oc_3_a_vip_level_that_is_not_listed_may_borrow_nothing() -> None:
    assert cancels(Coins(borrower("1"), currencies=LIMITED).decide()) == [("OC-3", ("o",))]


def test_oc_3_names_all_orders_that_need_borrowing_in_that_coin_and_no_others() -> None:
    made = borrower(
        "4000001",
        buy("p", "10"),
        order("q", "ETH-USDT", "sell", "1", "3000"),
        order("x", "BTC-USDT", "buy", "0.1", "60000", command_id="c"),
    )
    assert cancels(Coins(made).decide()) == [("OC-3", ("o", "p"))]


def test_oc_3_a_liability_past_the_limit_without_orders_that_need_more_cancels_nothing() -> None:
    made = with_orders(
        account({"ETH": "3000", "USDT": "-4000001"}), order("q", "ETH-USDT", "sell", "1", "3000")
    )
    assert cancels(Coins(made).decide()) == []


def test_oc_3_spot_mode_by_the_orders_with_auto_borrow() -> None:
    made = with_orders(
        account({"ETH": "2000", "USDT": "100"}, mode="spot"),
        buy("o", "4000101"),
        buy("n", "50", auto_borrow=False),
    )
    assert cancels(Coins(made).decide()) == [("OC-3", ("o",))]


# -- the first that names something new -----------------------------------------------------------


def test_oc_1_is_heard_before_oc_3_and_the_rest_at_the_next_look() -> None:
    # short by OC-1: 400 ETH carry no 4 M; past BL-1 as well, which names the same order
    made = with_orders(account({"ETH": "400"}), buy("o", "4000001"))
    world = Coins(made)
    assert cancels(world.decide()) == [("OC-1", ("o",))]
    assert world.episode.look_again == 0
    assert world.move() == []


def test_oc_3_after_oc_2_at_the_next_millisecond() -> None:
    made = with_orders(
        account({"ETH": "2000", "USDT": "40"}, mode="spot"),
        buy("o", "4000101"),
        buy("n", "50", auto_borrow=False),
    )
    world = Coins(made)
    assert cancels(world.decide()) == [("OC-2", ("n",))]
    assert world.deadline() == world.now + 1
    found = world.wait(1)
    assert cancels(found) == [("OC-3", ("o",))]
    assert world.deadline() == world.now + 4_999  # the older cancel's deadline
    assert [pending.reason for pending in world.episode.cancels] == ["OC-2", "OC-3"]
    world.end_order("n")
    assert [pending.reason for pending in world.episode.cancels] == ["OC-3"]


def test_es_4_takes_the_place_of_every_other_cancel() -> None:
    made = with_orders(
        account({"ETH": "2000", "USDT": "40"}, mode="spot"),
        buy("o", "4000101"),
        buy("n", "50", auto_borrow=False),
        order("r", "ETH-USDT", "sell", "1", "3000", reduce_only=True),
    )
    world = Coins(made)
    world.decide()
    world.wait(1)
    made.balances["ETH"].cash, made.balances["USDT"].borrowed = d(1), d(3000)
    assert cancels(world.move()) == [("ES-4", ("n", "o", "r"))]
    assert [pending.reason for pending in world.episode.cancels] == ["ES-4"]


# -- deadlines ------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["OC-2", "OC-3", "IN-5"])
def test_es_6_a_cancel_goes_again_and_is_given_up(reason: str) -> None:
    if reason == "OC-3":
        world = Coins(borrower("4000001"))
        name = "o"
    else:
        world = Coins(no_borrow({"USDT": "500", "ETH": "10"}, buy("a", "1000")))
        name = "a"
    world.funding = reason == "IN-5"
    first = world.decide()[-1]
    world.funding = False
    for attempt in (2, 3):
        (again,) = world.move(later_ms=5_000)
        assert (
            again.model_dump_json()
            == first.model_copy(update={"attempt": attempt}).model_dump_json()
        )
        assert cancels([again]) == [(reason, (name,))]
    assert kinds(world.move(later_ms=5_000)) == ["episode stuck"]
    assert world.move(later_ms=60_000) == []
    assert world.episode.given_up == [name]
    assert world.end_order(name) is False  # nothing waits for it any more
    assert kinds(world.move()) == ["episode closed"]


def test_es_6_a_cancel_whose_cause_is_gone_is_not_sent_again() -> None:
    world = Coins(no_borrow({"USDT": "500", "ETH": "10"}, buy("a", "1000")))
    world.decide()
    world.transfer("deposit", "USDT", d(500))
    assert world.move(later_ms=5_000) == []
    assert [pending.quiet for pending in world.episode.cancels] == [True]
    assert kinds(world.move(later_ms=25_000)) == ["episode closed"]


# -- IN-5 -----------------------------------------------------------------------------------------


def test_in_5_funding_that_leaves_orders_short_cancels_them() -> None:
    made = no_borrow({"USDT": "1000", "ETH": "10"}, buy("a", "600"), buy("b", "300", 1))
    world = Coins(made)
    assert world.decide() == []
    world.transfer("funding", "USDT", d(-150))
    world.funding = True
    found = world.move()
    assert kinds(found) == ["episode opened", "order_cancel IN-5"]
    assert cancels(found) == [("IN-5", ("b",))]
    assert found[1].rules == ("IN-5", "OC-2")
    assert found[0].rules == ("ES-2", "IN-5")


def test_in_5_what_is_pending_by_oc_2_is_not_named_twice() -> None:
    made = no_borrow({"USDT": "800", "ETH": "10"}, buy("a", "600"), buy("b", "300", 1))
    world = Coins(made)
    assert cancels(world.decide()) == [("OC-2", ("b",))]
    world.transfer("funding", "USDT", d(-10))
    world.funding = True
    assert world.move() == []  # 790 − 600 is enough
    world.transfer("funding", "USDT", d(-200))
    assert cancels(world.move()) == [("IN-5", ("b", "a"))]


def test_in_5_an_account_that_may_borrow_owes_the_funding_and_keeps_its_orders() -> None:
    made = with_orders(account({"USDT": "1000", "ETH": "10"}), buy("a", "900"))
    world = Coins(made)
    world.transfer("funding", "USDT", d(-500))
    world.funding = True
    assert world.move() == []
    assert world.figures().currencies["USDT"].potential_borrowing == 400


# -- OC-1 and what is apart -----------------------------------------------------------------------


def test_oc_1_isolated_orders_go_only_where_they_need_borrowing() -> None:
    def short(usdt: str) -> list[tuple[str, tuple[str, ...]]]:
        adding = order("c", "ETH-USDT-SWAP", "buy", "500", "3000")
        apart = order("i", SWAP, "buy", "1", "60000", margin_mode="isolated")
        made = with_orders(account({"USDT": usdt, "ETH": "1"}), adding, apart)
        key = f"{SWAP}/isolated/net"
        made.isolated[key] = IsolatedPosition(SWAP, "net", d(1), d(60_000), d(600), "USDT")
        return cancels(Coins(made).decide())

    assert short("50000") == [("OC-1", ("c",))]
    assert short("1") == [("OC-1", ("c", "i"))]
