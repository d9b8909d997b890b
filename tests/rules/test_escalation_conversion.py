"""IN-4: with auto-borrow off, what is owed above the quota is converted, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account
from monitor.conversion import excesses, plan_conversion
from monitor.escalation import Context
from monitor.reduction import Caps, Plan
from monitor.reference import load_reference
from monitor.schema import Command, Reduction
from tests.rules.reduction_world import (
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
Entries = Mapping[str, Mapping[str, Any]]
QUOTAS: Entries = {"USDT": {"interest_free_quota": "20000"}}
BATCH = "auto_exchange auto_exchange"


class Converting(World):
    """An account with auto-borrow off, in a market with quotas."""

    def __init__(
        self,
        made: Account,
        policy: Mapping[str, Any] | None = None,
        currencies: Entries | None = None,
        without: tuple[str, ...] = (),
    ) -> None:
        made.auto_borrow = False
        super().__init__(made, policy)
        raw = raw_reference(policy)
        for name, changed in (QUOTAS if currencies is None else currencies).items():
            raw["currencies"][name].update(changed)
        for name in without:
            del raw["instruments"][name]
        self.reference = load_reference(raw)
        self.book = price_book(self.reference, self.changed)
        self.caps: Caps | None = None

    @property
    def context(self) -> Context:
        return replace(super().context, caps=self.caps)

    def owed(self, coin: str = "USDT") -> Decimal:
        return self.figures().currencies[coin].liability

    def executed(self, command: Command, share: str = "1") -> bool:
        """Fill every action of a batch; return whether the last fill confirmed it."""
        done = False
        assert isinstance(command, Reduction)
        for action in command.actions:
            done = self.fill(command.command_id, action, action.quantity * d(share))
        return done


def sales(command: Command) -> list[tuple[str, str, str]]:
    assert isinstance(command, Reduction)
    return [(a.action, a.instrument or "", str(a.quantity.normalize())) for a in command.actions]


HOLDING = {"USDT": "-25000", "BTC": "1", "ETH": "5"}
"""5,000 USDT above a quota of 20,000; discount rates: BTC 0.95, ETH 0.9."""


# -- the worked batch -----------------------------------------------------------------------------


def test_in_4_a_batch_reaches_the_quota_with_its_fee_included() -> None:
    # 5,000 / (60,000 × 0.999) = 0.083417 BTC, in lots of 0.0001: 0.0835, which brings 5,004.99
    world = Converting(account(HOLDING))
    opened, batch = world.decide()
    assert kinds([opened, batch]) == ["episode opened", BATCH]
    assert opened.rules == ("ES-2", "IN-4")
    assert batch.rules == ("IN-4",)
    assert batch.band == "normal"
    assert sales(batch) == [("sell", "BTC-USDT", "0.0835")]
    assert isinstance(batch, Reduction)
    (action,) = batch.actions
    assert (action.side, action.currency) == ("sell", "BTC")
    assert action.notional_usd == 5010
    assert action.fee_usd == d("5.01")
    assert action.why == "5000 USDT owed above the quota"
    assert {"BTC-USD/index", "USDT-USD/index"} <= set(batch.prices)
    assert world.executed(batch)
    assert world.owed() == d("19995.01")
    assert batch.expected_ratio == world.figures().ratio
    assert kinds(world.move()) == ["episode closed"]


def test_in_4_lowest_rate_first_by_the_setting() -> None:
    # 5,000 / (3,000 × 0.999) = 1.66833 ETH, in lots of 0.001
    world = Converting(account(HOLDING), {"conversion_order": "lowest_rate_first"})
    assert sales(world.decide()[-1]) == [("sell", "ETH-USDT", "1.669")]


@pytest.mark.parametrize("sale_order", ["lowest_rate_first", "highest_rate_first"])
def test_in_4_the_order_of_reductions_is_another_setting(sale_order: str) -> None:
    world = Converting(account(HOLDING), {"sale_order": sale_order})
    assert sales(world.decide()[-1])[0][1] == "BTC-USDT"


def test_in_4_of_one_rate_the_liquidity_rank_decides() -> None:
    same: Entries = {
        **QUOTAS,
        "ETH": {"discount_tiers": [{"up_to": "1000", "rate": "0.95"}], "liquidity_rank": 0},
    }
    assert sales(Converting(account(HOLDING), currencies=same).decide()[-1])[0][1] == "ETH-USDT"


def test_in_4_one_asset_after_the_other_in_one_batch() -> None:
    # 0.05 BTC bring 2,997; the other 2,003 take 2,003 / 2,997 = 0.66834 ETH
    world = Converting(account({**HOLDING, "BTC": "0.05", "ETH": "15"}))
    batch = world.decide()[-1]
    assert sales(batch) == [("sell", "BTC-USDT", "0.05"), ("sell", "ETH-USDT", "0.669")]
    assert world.executed(batch)
    assert world.owed() <= 20_000


def test_in_4_through_a_common_quote() -> None:
    world = Converting(
        account({"ETH": "-1", "SOL": "100"}), currencies={"ETH": {"interest_free_quota": "0.5"}}
    )
    batch = world.decide()[-1]
    # 0.5 / 0.999 = 0.5005 ETH → 0.501, for 1,503 USDT: 15.045 SOL → 15.05
    assert sales(batch) == [("sell", "SOL-USDT", "15.05"), ("buy", "ETH-USDT", "0.501")]
    assert world.executed(batch)
    assert world.owed("ETH") <= d("0.5")


# -- when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cash", "asked"), [("-20000", False), ("-20000.01", True)])
def test_in_4_only_above_the_quota(cash: str, asked: bool) -> None:
    found = Converting(account({**HOLDING, "USDT": cash})).decide()
    assert kinds(found) == (["episode opened", BATCH] if asked else [])


def test_in_4_with_auto_borrow_on_nothing_is_converted() -> None:
    world = Converting(account(HOLDING))
    world.account.auto_borrow = True
    assert world.decide() == []


def test_in_4_switching_auto_borrow_off_takes_effect_at_once() -> None:
    world = Converting(account(HOLDING))
    world.account.auto_borrow = True
    world.decide()
    world.account.auto_borrow = False
    assert kinds(world.move()) == ["episode opened", BATCH]


def test_in_4_spot_mode_has_no_quota_and_no_conversion() -> None:
    made = account({"BTC": "1"}, borrowed={"USDT": "25000"}, mode="spot")
    assert Converting(made).decide() == []


@pytest.mark.parametrize("covers", ["unrealised", "all"])
def test_in_4_an_unrealised_loss_counts_whatever_the_quota_covers(covers: str) -> None:
    # 100 contracts lose 25,000 at 35,000; IN-2: off, the quota covers the whole liability
    made = account({"ETH": "30"}, [(SWAP, "100", "60000")])
    world = Converting(made, {"quota_covers": covers})
    assert world.decide() == []
    found = world.move({f"{SWAP}/mark": "35000"})
    assert kinds(found) == ["episode opened", BATCH]
    assert sales(found[-1]) == [("sell", "ETH-USDT", "1.669")]


@pytest.mark.parametrize(
    ("cash", "last"), [("-55826.4", BATCH), ("-55826.5", "reduction unhedged")]
)
def test_in_4_none_at_or_below_1(cash: str, last: str) -> None:
    # 57,000 − x against x × (0.02 + 1.02 × 0.001): exactly 1 at 57,000 / 1.02102 = 55,826.53…
    world = Converting(account({"USDT": cash, "BTC": "1"}))
    if last == BATCH:
        assert world.figures().ratio > 1  # type: ignore[operator]
    else:
        world.account.balances["USDT"].cash = d("-55826.54")
    assert kinds(world.decide())[-1] == last


def test_in_4_none_in_a_liquidation_stage_that_goes_on_above_1() -> None:
    world = Converting(account({"USDT": "-55830", "BTC": "1"}), {"liquidation_exit": "1.5"})
    step = world.decide()[-1]
    assert kinds([step]) == ["reduction unhedged"]
    world.account.balances["USDT"].cash = d(-55_500)  # 1.28: the step is still out
    assert world.move() == []
    world.episode.reduction = None
    assert kinds(world.move()) == ["reduction unhedged"]


def test_in_4_waits_for_the_cancels_that_come_first() -> None:
    made = with_orders(account(HOLDING), order("o", "BTC-USDT", "buy", "0.1", "60000"))
    world = Converting(made)
    found = world.decide()
    assert kinds(found) == ["episode opened", "order_cancel OC-2"]
    assert world.move() == []
    world.obey(found[-1])
    assert kinds(world.move()) == [BATCH]


def test_px_4_no_conversion_on_a_stale_price() -> None:
    world = Converting(account(HOLDING))
    world.now += 10_001
    assert kinds(world.decide()) == ["episode opened"]
    assert world.deadline() == world.now + 5_000
    assert kinds(world.move()) == [BATCH]


def test_in_4_no_conversion_while_out_of_sync() -> None:
    world = Converting(account(HOLDING))
    world.account.out_of_sync = True
    assert kinds(world.decide()) == ["episode opened"]
    world.account.out_of_sync = False
    assert kinds(world.move()) == [BATCH]


# -- what is sold ---------------------------------------------------------------------------------


def test_in_4_assets_with_rate_0_are_never_sold() -> None:
    nothing: Entries = {**QUOTAS, "BTC": {"discount_tiers": [], "minimum_rate": "0"}}
    made = account({**HOLDING, "ETH": "20"})
    assert sales(Converting(made, currencies=nothing).decide()[-1])[0][1] == "ETH-USDT"
    first_slice: Entries = {
        **QUOTAS,
        "BTC": {"discount_tiers": [{"up_to": "1", "rate": "0"}], "minimum_rate": "0"},
    }
    made = account({**HOLDING, "ETH": "20"})
    assert sales(Converting(made, currencies=first_slice).decide()[-1])[0][1] == "ETH-USDT"


def test_in_4_assets_switched_off_and_owed_ones_are_never_sold() -> None:
    made = account({**HOLDING, "ETH": "-0.1", "SOL": "500"})
    made.collateral_off = ("BTC",)
    assert sales(Converting(made).decide()[-1]) == [("sell", "SOL-USDT", "50.06")]


def test_in_4_what_the_quota_counts_is_not_sold_for_it() -> None:
    """Selling USDC would lower the quota by all of it, and the debt by all but the fee."""
    adds = {"USDT": {"interest_free_quota": "20000", "quota_adds_available_of": ["USDC"]}}
    made = account({"USDT": "-30000", "USDC": "8000", "BTC": "1"})  # 2,000 above 28,000
    world = Converting(made, currencies=adds)
    batch = world.decide()[-1]
    assert sales(batch) == [("sell", "BTC-USDT", "0.0334")]
    assert world.executed(batch)
    assert excesses(world.account, world.figures(), world.reference) == []


def test_in_4_with_nothing_to_sell_nothing_is_said() -> None:
    world = Converting(account({"USDT": "-25000", "BTC": "1"}), without=("BTC-USDT",))
    assert [e.amount for e in excesses(world.account, world.figures(), world.reference)] == [5_000]
    assert world.decide() == []


def test_in_4_frozen_assets_are_not_sold() -> None:
    made = with_orders(
        account({**HOLDING, "BTC": "0.1", "ETH": "15"}),
        order("s", "BTC-USDT", "sell", "0.09", "61000"),
    )
    assert sales(Converting(made).decide()[-1])[0] == ("sell", "BTC-USDT", "0.01")


def test_in_4_the_largest_excess_in_usd_first() -> None:
    made = account({"USDT": "-25000", "ETH": "-2", "BTC": "1"})
    world = Converting(made)  # 5,000 against 6,000 USD of ETH, which has no quota
    batch = world.decide()[-1]
    assert sales(batch) == [("buy", "ETH-BTC", "2.002")]  # brings 1.999998
    assert world.executed(batch)
    assert sales(world.move()[-1])[0][1] == "BTC-USDT"


def test_in_4_a_coin_that_cannot_be_bought_is_passed_over() -> None:
    made = account({"USDT": "-25000", "ETH": "-2", "BTC": "1"})
    world = Converting(made, without=("ETH-BTC", "ETH-USDT"))
    assert sales(world.decide()[-1])[0][1] == "BTC-USDT"


# -- one at a time --------------------------------------------------------------------------------


def test_in_4_one_batch_at_a_time() -> None:
    world = Converting(account(HOLDING))
    batch = world.decide()[-1]
    world.transfer("withdrawal", "USDT", d(1000))
    assert world.move() == []
    assert not world.executed(batch, "0.5")
    assert world.move() == []
    assert world.executed(batch, "0.5")
    following = world.move()[-1]
    assert kinds([following]) == [BATCH]
    assert isinstance(following, Reduction)
    assert following.step == 2


def test_in_4_only_fills_that_bear_its_id_confirm_it() -> None:
    world = Converting(account(HOLDING))
    batch = world.decide()[-1]
    assert isinstance(batch, Reduction)
    assert not world.fill("another", batch.actions[0])
    assert world.episode.reduction is not None
    assert world.fill(batch.command_id, batch.actions[0])
    assert world.episode.reduction is None


def test_in_4_a_final_order_that_bears_its_id_ends_it() -> None:
    world = Converting(account(HOLDING))
    batch = world.decide()[-1]
    assert isinstance(batch, Reduction)
    world.fill(batch.command_id, batch.actions[0], d("0.05"), order_id="x")
    ended = order("x", "BTC-USDT", "sell", "0.0835", None, filled_quantity=d("0.05"))
    assert world.new_order(ended, batch.command_id, "cancelled")
    assert sales(world.move()[-1]) == [("sell", "BTC-USDT", "0.0335")]


# -- deadlines ------------------------------------------------------------------------------------


def test_es_6_a_batch_goes_again_unchanged_and_is_stuck_after_its_attempts() -> None:
    world = Converting(account(HOLDING))
    first = world.decide()[-1]
    for attempt in (2, 3):
        (again,) = world.move({"BTC-USD/index": "60010"}, later_ms=5_000)
        wanted = first.model_copy(update={"attempt": attempt})
        assert again.model_dump_json() == wanted.model_dump_json()
    assert kinds(world.move(later_ms=5_000)) == ["episode stuck"]
    assert world.move(later_ms=5_000) == []
    assert world.deadline() == first.expires_at
    world.transfer("deposit", "USDT", d(1))
    assert kinds(world.move()) == [BATCH]


def test_es_6_a_batch_that_expires_is_decided_anew() -> None:
    world = Converting(account(HOLDING))
    world.decide()
    for _ in range(3):
        world.move(later_ms=5_000)
    found = world.move(later_ms=15_000)
    assert kinds(found) == [BATCH]
    assert isinstance(found[0], Reduction)
    assert (found[0].attempt, found[0].step) == (1, 2)


def test_es_6_a_batch_that_is_no_longer_needed_is_not_sent_again() -> None:
    world = Converting(account(HOLDING))
    batch = world.decide()[-1]
    world.transfer("deposit", "USDT", d(5_000))
    assert world.move(later_ms=5_000) == []
    assert world.deadline() == batch.expires_at
    assert kinds(world.move(later_ms=25_000)) == ["episode closed"]


def test_in_4_a_batch_under_way_when_liquidation_begins_is_waited_for_until_its_deadline() -> None:
    world = Converting(account({"USDT": "-55000", "BTC": "1"}))
    assert kinds(world.decide()) == ["episode opened", "warning entered", BATCH]
    assert kinds(world.move({"BTC-USD/index": "58500"})) == ["warning worsened"]  # 575 of 1,156
    assert world.episode.liquidation
    assert world.move(later_ms=4_990) == []
    assert kinds(world.move(later_ms=9)) == ["reduction unhedged"]


def test_in_4_a_batch_under_way_is_no_reduction_of_the_stage() -> None:
    made = account({"USDT": "-55000", "BTC": "1"})
    world = Converting(with_orders(made, order("r", "BTC-USDT", "sell", "0.001", "60000")))
    batch = world.decide()[-1]
    assert kinds([batch]) == [BATCH]
    assert kinds(world.move({"BTC-USD/index": "58500"})) == [
        "warning worsened",
        "order_cancel ES-4",
    ]
    assert world.move({"BTC-USD/index": "60000"}) == []
    world.end_order("r")
    assert world.executed(batch)
    assert kinds(world.move()) == [
        "episode cancel_sufficient",
        "warning cleared",
        "episode closed",
    ]


# -- caps -----------------------------------------------------------------------------------------


def test_rd_6_caps_make_batches_smaller() -> None:
    world = Converting(account(HOLDING), {"symbol_caps": {"BTC-USDT": "1000"}})
    world.caps = Caps()
    batch = world.decide()[-1]
    assert batch.rules == ("IN-4", "RD-6")
    assert sales(batch) == [("sell", "BTC-USDT", "0.0166")]  # 996 USD
    assert world.executed(batch)
    assert world.move() == []  # the second is used up
    assert world.episode.capped
    assert world.deadline() == (world.now // 1000 + 1) * 1000
    assert kinds(world.move(later_ms=1_000)) == [BATCH]


def test_rd_6_caps_come_to_the_quota_in_the_end() -> None:
    world = Converting(account(HOLDING), {"symbol_caps": {"*": "1000"}})
    world.caps = Caps()
    spent: dict[int, Decimal] = {}
    for _ in range(40):
        for command in world.move(later_ms=400):
            if isinstance(command, Reduction):
                second = world.now // 1000
                spent[second] = spent.get(second, d(0)) + command.actions[0].notional_usd
                world.executed(command)
    assert world.owed() <= 20_000
    assert not world.episode.open
    assert len(spent) == 6
    assert all(usd <= 1000 for usd in spent.values())


# -- at large -------------------------------------------------------------------------------------

amounts = st.decimals("0.01", "1", places=3)


@settings(max_examples=60, deadline=None)
@given(
    st.decimals("-60000", "0", places=2),
    st.decimals("-15", "15", places=3),
    amounts,
    st.decimals("0", "300", places=2),
    st.sampled_from(["highest_rate_first", "lowest_rate_first"]),
)
def test_in_4_no_batch_turns_anything_over_and_all_come_to_rest(
    usdt: Decimal, eth: Decimal, btc: Decimal, sol: Decimal, first: str
) -> None:
    made = account({"USDT": str(usdt), "ETH": str(eth), "BTC": str(btc), "SOL": str(sol)})
    world = Converting(made, {"conversion_order": first})
    for _ in range(12):
        before = world.figures()
        found = plan_conversion(made, before, world.context)
        if found is None:
            break
        assert isinstance(found, Plan)
        for action in found.actions:
            world.fill("c", action)
        after = world.figures()
        assert after.ratio is None or after.ratio > 1
        assert after.ratio == found.expected_ratio
        for name, coin in after.currencies.items():
            held = before.currencies[name].equity if name in before.currencies else d(0)
            assert coin.equity * held >= 0
        assert sum(e.usd for e in excesses(made, after, world.reference)) < sum(
            e.usd for e in excesses(made, before, world.reference)
        )
    else:
        raise AssertionError("still converting after 12 batches")
