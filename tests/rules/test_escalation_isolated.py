"""MR-3: an episode for each isolated position, beside the account's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from monitor.account import Account, IsolatedPosition, OpenOrder, isolated_key
from monitor.escalation import Episode, decide_isolated, next_deadline, observe
from monitor.margin import Figures
from monitor.schema import (
    AccountEvent,
    Command,
    EpisodeNotice,
    Fill,
    OrderCancel,
    PositionSide,
    Reduction,
)
from tests.rules.reduction_world import World, account, d, kinds, order, with_orders

SWAP, MARK = "BTC-USDT-SWAP", "BTC-USDT-SWAP/mark"
KEY = f"{SWAP}/isolated/net"


def isolated(
    quantity: str, margin: str, side: PositionSide = "net", instrument: str = SWAP, **more: Any
) -> IsolatedPosition:
    entry = "60000" if instrument.startswith("BTC") else "3000"
    return IsolatedPosition(instrument, side, d(quantity), d(entry), d(margin), "USDT", **more)


def holding(made: Account, *positions: IsolatedPosition) -> Account:
    made.isolated = {isolated_key(p.instrument, p.side): p for p in positions}
    return made


class IsolatedWorld(World):
    """One account with its isolated positions: each look decides on all of them."""

    def __init__(
        self,
        made: Account,
        policy: Mapping[str, Any] | None = None,
        prices: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(made, policy, prices)
        self.episodes: dict[str, Episode] = {}

    def decide(self) -> list[Command]:
        found = super().decide()
        apart = decide_isolated(self.account, self.episodes, self.figures(), self.context)
        self.commands += apart
        return found + apart

    def event(self, made: AccountEvent) -> bool:
        own = super().event(made)
        apart = [observe(self.account, episode, made) for episode in self.episodes.values()]
        return own or any(apart)

    def close(self, command: Command, quantity: str | None = None) -> bool:
        """Fill (a part of) a command's one action as the executor does."""
        assert isinstance(command, Reduction)
        (action,) = command.actions
        assert action.instrument is not None
        price = self.book.mark(action.instrument)
        if action.action == "takeover":
            assert action.bankruptcy_price is not None
            price = action.bankruptcy_price
        amount = action.quantity if quantity is None else d(quantity)
        return self.event(
            Fill(
                **self._stamp(),
                fill_id=f"f{self._offset}",
                order_id=f"x{self._offset}",
                instrument=action.instrument,
                side="buy" if action.side == "buy" else "sell",
                position_side=action.position_side or "net",
                margin_mode="isolated",
                price=price,
                quantity=amount,
                fee=d(0),
                fee_currency="USDT",
                command_id=command.command_id,
            )
        )


def apart(name: str, side: str = "buy", quantity: str = "10", **more: Any) -> OpenOrder:
    """An isolated order on the swap, 600 USDT of margin for each contract at leverage 1."""
    return order(name, SWAP, side, quantity, "60000", margin_mode="isolated", **more)


def world(margin: str = "2000", *orders: OpenOrder, **policy: Any) -> IsolatedWorld:
    """100 contracts = 1 BTC: at 60,000 they need 60,000 × (0.004 + 0.0005) = 270 USD."""
    made = with_orders(account({"USDT": "100000"}), *orders)
    return IsolatedWorld(holding(made, isolated("100", margin)), policy)


# -- its own figures, its own ids -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        ("810.01", []),
        ("810", ["episode opened", "warning entered"]),  # exactly 3
        ("270.01", ["episode opened", "warning entered"]),
        ("270", ["episode opened", "warning entered", "reduction full"]),  # exactly 1
    ],
)
def test_mr_3_the_levels_of_the_accounts_mode_on_its_own_ratio(
    margin: str, expected: list[str]
) -> None:
    assert kinds(world(margin).decide()) == expected


def test_mr_3_commands_bear_its_key_its_id_and_its_own_figures() -> None:
    opened, warning = world("540").decide()
    assert {opened.position, warning.position} == {KEY}
    assert warning.episode_id == f"A1/{KEY}#1"
    assert (warning.ratio, warning.adjusted_equity) == (d(2), d(540))
    assert (warning.maintenance_margin, warning.liquidation_fee) == (d(240), d(30))
    assert set(warning.prices) == {MARK, "USDT-USD/index"}
    assert set(warning.inputs.ticks) == set(warning.prices)
    assert warning.band == "warning"


def test_mr_3_the_account_is_told_nothing_of_it() -> None:
    made = world("100")
    found = made.decide()
    assert {command.position for command in found} == {KEY}
    assert not made.episode.open
    assert made.figures().ratio is None


def test_mr_3_after_the_accounts_own_in_order_of_keys() -> None:
    made = account({"USDT": "2000"}, [(SWAP, "1000", "60000")])
    held = (isolated("100", "540"), isolated("100", "270", instrument="ETH-USDT-SWAP"))
    found = IsolatedWorld(holding(made, *held)).decide()
    own = [command.position for command in found]
    assert own == [None] * 3 + [KEY] * 2 + ["ETH-USDT-SWAP/isolated/net"] * 2


def test_mr_3_it_clears_and_closes_and_its_counter_goes_on() -> None:
    made = world("540")
    made.decide()
    assert kinds(made.move({MARK: "60400"})) == ["warning cleared", "episode closed"]
    assert made.episodes[KEY] == Episode(n=1)
    again = made.move({MARK: "60000"})
    assert [(c.episode_id, c.sequence) for c in again] == [
        (f"A1/{KEY}#2", 1),
        (f"A1/{KEY}#2", 2),
    ]


def test_mr_3_a_position_that_never_had_an_episode_leaves_no_record() -> None:
    made = world("5000")
    assert made.decide() == []
    assert made.episodes == {}


# -- its own orders -------------------------------------------------------------------------------


def test_mr_3_it_cancels_its_own_orders_only() -> None:
    made = world(
        "200",
        apart("a"),
        apart("b", "sell", "5", reduce_only=True),
        order("c", SWAP, "buy", "1", "60000"),
        order("d", "ETH-USDT-SWAP", "buy", "1", "3000", margin_mode="isolated"),
        apart("x", command_id="c"),
    )
    found = made.decide()
    assert kinds(found) == ["episode opened", "warning entered", "order_cancel ES-4"]
    assert isinstance(found[-1], OrderCancel)
    assert found[-1].order_ids == ("a", "b")
    assert found[-1].position == KEY


def test_mr_3_long_short_orders_of_its_side() -> None:
    made = with_orders(
        account({"USDT": "100000"}),
        apart("a", position_side="long"),
        apart("b", position_side="short"),
    )
    made.position_mode = "long_short"
    held = holding(made, isolated("100", "200", "long"), isolated("-100", "5000", "short"))
    found = IsolatedWorld(held).decide()
    assert isinstance(found[-1], OrderCancel)
    assert found[-1].order_ids == ("a",)
    assert found[-1].episode_id == f"A1/{SWAP}/isolated/long#1"


def test_mr_3_a_cancel_by_itself_raises_no_isolated_ratio() -> None:
    """Isolated orders are in no isolated ratio."""
    made = world("200", apart("a"))
    made.decide()
    assert made.move() == []
    assert made.end_order("a")
    assert kinds(made.move()) == ["reduction full"]


def test_mr_3_recovered_while_its_cancel_was_out() -> None:
    made = world("200", apart("a"))
    made.decide()
    made.end_order("a")
    assert kinds(made.move({MARK: "60400"})) == ["episode cancel_sufficient"]


def test_es_4_of_the_account_names_isolated_orders_too() -> None:
    made = with_orders(
        account({"USDT": "9000"}, [(SWAP, "1000", "60000")]),
        apart("a"),
        order("c", SWAP, "sell", "1", "61000", reduce_only=True),
    )
    found = IsolatedWorld(holding(made, isolated("100", "5000"))).decide()
    # 9,000 − 6,030 frozen by the isolated order − 0.3 = 2,969.7 of 2,700: a warning
    assert kinds(found) == ["episode opened", "warning entered"]
    made = with_orders(
        account({"USDT": "8000"}, [(SWAP, "1000", "60000")]),
        apart("a"),
        order("c", SWAP, "sell", "1", "61000", reduce_only=True),
    )
    found = IsolatedWorld(holding(made, isolated("100", "5000"))).decide()
    assert isinstance(found[-1], OrderCancel)
    assert found[-1].reason == "ES-4"
    assert found[-1].order_ids == ("a", "c")
    assert found[-1].position is None


# -- its own steps --------------------------------------------------------------------------------


def test_mr_3_a_step_is_confirmed_by_its_fills_and_a_gone_position_closes_its_episode() -> None:
    made = world("270")
    step = made.decide()[-1]
    assert isinstance(step, Reduction)
    (action,) = step.actions
    assert (action.action, action.instrument, action.quantity) == ("close", SWAP, d(100))
    assert step.expected_ratio is None
    assert made.move() == []
    assert not made.close(step, "40")
    assert made.move() == []
    assert made.close(step, "60")
    assert made.account.isolated == {}
    found = made.move()
    assert kinds(found) == ["warning cleared", "episode closed"]
    assert {command.position for command in found} == {KEY}
    assert (found[0].ratio, found[0].prices) == (None, {})
    assert made.episodes[KEY] == Episode(n=1)


def test_mr_3_one_step_at_a_time_by_tiers() -> None:
    # 4,500 contracts stand in tier 4 (0.05): 2.7 M × 0.0505 = 136,350; the bound of tier 2 is 2,000
    made = IsolatedWorld(holding(account({"USDT": "10"}), isolated("4500", "100000")))
    first = made.decide()[-1]
    assert kinds([first]) == ["reduction tier"]
    assert isinstance(first, Reduction)
    assert (first.actions[0].from_tier, first.actions[0].to_tier) == (4, 3)
    assert first.actions[0].quantity == 500  # RD-6: at 4,000 the rate is 0.02
    assert made.close(first)
    assert made.move() == []
    assert not made.episodes[KEY].liquidation
    ratio = made.figures().isolated[KEY].ratio
    assert ratio is not None
    assert 1 < ratio == first.expected_ratio


def test_mr_3_bankrupt_by_its_own_equity_and_taken_over() -> None:
    made = world("2000")
    made.decide()
    found = made.move({MARK: "57990"})
    assert kinds(found)[-2:] == ["episode bankrupt", "reduction takeover"]
    notice, step = found[-2:]
    assert isinstance(notice, EpisodeNotice)
    assert notice.shortfall == 10
    assert isinstance(step, Reduction)
    assert step.actions[0].bankruptcy_price == 58_000
    assert made.close(step)
    assert kinds(made.move()) == ["warning cleared", "episode closed"]
    assert made.account.balances["USDT"].cash == 100_000


def test_mr_3_a_position_closed_by_its_holder_ends_what_is_pending() -> None:
    made = world("270", max_age_seconds={"*": "1000"})
    made.decide()
    del made.account.isolated[KEY]
    assert kinds(made.wait(1)) == ["warning cleared", "episode closed"]
    assert not made.episodes[KEY].pending


def test_mr_3_no_conversion_and_no_oc_of_its_own() -> None:
    made = world("5000", apart("a", quantity="200"))  # 120,060 frozen of 100,000
    made.account.auto_borrow = False
    found = made.decide()
    assert kinds(found) == ["episode opened", "order_cancel OC-2"]
    assert {command.position for command in found} == {None}


# -- deadlines, prices, bytes ---------------------------------------------------------------------


def test_es_6_a_step_goes_again_and_is_stuck() -> None:
    made = world("270")
    first = made.decide()[-1]
    for attempt in (2, 3):
        (again,) = made.move(later_ms=5_000)
        assert (
            again.model_dump_json()
            == first.model_copy(update={"attempt": attempt}).model_dump_json()
        )
    stuck = made.move(later_ms=5_000)
    assert kinds(stuck) == ["episode stuck"]
    assert stuck[0].position == KEY
    assert next_deadline(made.episodes[KEY]) == first.expires_at
    made.transfer("deposit", "USDT", d(1))
    assert kinds(made.move()) == ["reduction full"]


def test_es_6_a_cancel_goes_again_and_is_given_up() -> None:
    made = world("270", apart("a"))
    made.decide()
    for _ in range(2):
        assert kinds(made.move(later_ms=5_000)) == ["order_cancel ES-4"]
    assert kinds(made.move(later_ms=5_000)) == ["episode stuck", "reduction full"]


def test_px_4_no_step_on_a_stale_price_of_its_own() -> None:
    made = world("270")
    made.now += 10_001
    assert kinds(made.decide()) == ["episode opened", "warning entered"]
    assert next_deadline(made.episodes[KEY]) == made.now + 5_000
    assert kinds(made.move()) == ["reduction full"]


def test_out_of_sync_it_is_warned_and_not_reduced() -> None:
    made = world("270")
    made.account.out_of_sync = True
    assert kinds(made.decide()) == ["episode opened", "warning entered"]


def test_px_3_nothing_is_decided_on_an_unpriced_account_and_deadlines_are_put_off() -> None:
    made = world("270")
    made.decide()
    made.now += 5_000
    unpriced = Figures("A1", "multi_currency", unpriced=(MARK,))
    assert decide_isolated(made.account, made.episodes, unpriced, made.context) == []
    assert next_deadline(made.episodes[KEY]) == made.now + 5_000


def test_es_8_episodes_read_back_from_their_bytes_decide_the_same() -> None:
    made = world("270", apart("a"))
    made.decide()
    raw = msgspec.json.encode(made.episodes)
    twins = msgspec.json.decode(raw, type=dict[str, Episode])
    assert twins == made.episodes
    made.now += 5_000
    here = made.decide()
    there = decide_isolated(made.account, twins, made.figures(), made.context)
    assert [c.model_dump_json() for c in here] == [c.model_dump_json() for c in there] != []


# -- margin positions -----------------------------------------------------------------------------


def test_mr_3_a_margin_position_by_its_debt() -> None:
    # 1 BTC bought on 60,000 USDT: 60,000 × 0.02 + 60,000 × 1.02 × 0.001 = 1,261.2
    held = isolated("1", "1261.2", instrument="BTC-USDT", liability=d(60_000))
    held.liability_currency = "USDT"
    made = IsolatedWorld(holding(account({"USDT": "10"}), held))
    found = made.decide()
    assert kinds(found) == ["episode opened", "warning entered", "reduction full"]
    assert found[0].ratio == 1
    step = found[-1]
    assert isinstance(step, Reduction)
    assert step.position == "BTC-USDT/isolated/net"
    assert (step.actions[0].side, step.actions[0].quantity) == ("sell", d(1))
