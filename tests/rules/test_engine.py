"""The engine: event in, commands out (H-1, H-3, H-4, H-6; PX-3, PX-4)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from monitor.account import Account, EventSource
from monitor.engine import Decision, Engine, Incoming, TickBatch
from monitor.escalation import Episode
from monitor.reference import Reference, load_reference
from monitor.schema import Cause, Command, OrderCancel, Reduction, Tick
from monitor.watch.screen import Found
from tests.rules.reduction_world import (
    PRICES,
    START,
    account,
    d,
    kinds,
    order,
    raw_reference,
    with_orders,
)
from tests.support.books import Book

CALM = {"max_age_seconds": {"*": "1000000"}}
SWAP, MARK = "BTC-USDT-SWAP", "BTC-USDT-SWAP/mark"


def reference(policy: Mapping[str, Any] | None = None) -> Reference:
    return load_reference(raw_reference({**CALM, **(policy or {})}))


class Desk:
    """An engine with its market; what it commands is kept, in order."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        *,
        policy: Mapping[str, Any] | None = None,
        prices: Mapping[str, str | None] | None = None,
        arm: bool = True,
    ) -> None:
        # Interest has tests of its own; here it would only add deadlines.
        self.engine = Engine(reference({"interest_booking": "exchange", **(policy or {})}))
        self.now = START
        self.commands: list[Command] = []
        self._offset = 0
        for key, price in {**PRICES, **(prices or {})}.items():
            if price is not None:
                self.tick(key, price)
        for name, made in accounts.items():
            made.account_id = name
            self.engine.adopt(made, Episode(), 0)
        if arm:
            self.arm()

    def arm(self) -> list[str]:
        self.engine.armed.add(0)
        return self.examine("recovery")

    def examine(self, kind: Any) -> list[str]:
        cause = Cause(kind=kind, ts=self.now)
        return self._heard(self.engine.examine(list(self.engine.entries), cause))

    def tick(self, key: str, price: str, later_ms: int = 1) -> list[str]:
        self.now += later_ms
        return self.tick_at(key, price, self.now, self.now)

    def tick_at(self, key: str, price: str, ts: int, now: int | None) -> list[str]:
        return self._heard(self.engine.ticks([self._made_tick(key, price, ts)], now))

    def batch(self, *prices: tuple[str, str]) -> TickBatch[Tick]:
        """Return ticks as they come at the next offsets, a millisecond each."""
        made = []
        for key, price in prices:
            self.now += 1
            made.append(self._made_tick(key, price, self.now))
        return TickBatch.of(made)

    def _made_tick(self, key: str, price: str, ts: int) -> tuple[Tick, int]:
        self._offset += 1
        symbol, _, kind = key.rpartition("/")
        made = {"symbol": symbol, "kind": kind, "price": price, "ts": ts}
        return Tick.model_validate(made), self._offset

    def due(self, later_ms: int) -> list[str]:
        self.now += later_ms
        return self._heard(self.engine.due(self.now))

    def made(self, account_id: str, topic: str, **message: Any) -> Incoming:
        """Return an event as it comes at the next offset."""
        self._offset += 1
        made = Book(self.engine.reference, account_id)
        event = made.event(topic, **{"ts": self.now, **message})
        return Incoming(event, EventSource(topic, 0, self._offset), event.model_dump_json())

    def send(self, account_id: str, topic: str, **message: Any) -> Decision:
        incoming = self.made(account_id, topic, **message)
        decision = self.engine.event(*incoming, self.now)
        self._heard([decision])
        return decision

    def band(self, account_id: str) -> str | None:
        return self.engine.band(self.engine.entries[account_id])

    def _heard(self, decisions: Sequence[Decision]) -> list[str]:
        found = [command for decision in decisions for command in decision.commands]
        self.commands += found
        return [f"{c.account_id} {kind}" for c, kind in zip(found, kinds(found), strict=True)]


def long(cash: str, *orders: Any) -> Account:
    """1,000 contracts = 10 BTC, needing 2,700 at 60,000: 8,100 of equity is a ratio of 3, 2,700 of 1."""
    return with_orders(account({"USDT": cash}, [(SWAP, "1000", "60000")]), *orders)


OPENED, WARNED, REDUCED = "episode opened", "warning entered", "reduction unhedged"


# -- the chain --------------------------------------------------------------------------------


def test_a_tick_leads_to_the_commands_of_those_it_concerns_alone() -> None:
    desk = Desk({"near": long("8200"), "far": long("90000"), "idle": account({"USDT": "5"})})
    assert desk.commands == []
    assert desk.tick(MARK, "59980") == [f"near {OPENED}", f"near {WARNED}"]
    assert [desk.band(name) for name in ("near", "far", "idle")] == ["warning", "normal", "normal"]
    assert desk.engine.bands() == {"warning": 1, "normal": 2}


def test_an_account_event_leads_to_commands_too() -> None:
    desk = Desk({"a": long("9000")})
    decision = desk.send("a", "transfers", account_seq=1, kind="withdrawal", amount="1000")
    assert decision.dirty
    assert kinds(decision.commands) == [OPENED, WARNED]
    assert decision.commands[0].cause.kind == "transfer"
    assert desk.commands[0].inputs.book["transfers"] > 0


def test_what_the_exchange_answers_leads_to_the_next_step() -> None:
    desk = Desk({"a": long("2000", order("o", SWAP, "buy", "1", "10"))})
    assert desk.commands[-1].kind == "order_cancel"
    ended = {"order_id": "o", "instrument": SWAP, "status": "cancelled", "version": 2}
    said = kinds(desk.send("a", "orders", account_seq=1, **ended).commands)
    assert said == [REDUCED]
    step = desk.commands[-1]
    assert isinstance(step, Reduction)
    (action,) = step.actions
    filled = {
        "instrument": SWAP,
        "side": action.side,
        "price": "60000",
        "quantity": str(action.quantity),
        "command_id": step.command_id,
    }
    decision = desk.send("a", "fills", account_seq=2, **filled)
    assert decision.dirty
    assert desk.engine.entries["a"].episode.reduction is None
    assert not desk.engine.entries["a"].episode.liquidation
    assert (desk.engine.figures("a").ratio or 0) > 1


def test_a_repeat_is_not_dirty_and_says_nothing() -> None:
    desk = Desk({"a": long("8000")})
    decision = desk.send("a", "transfers", account_seq=0, amount="1")
    assert not decision.dirty
    assert decision.commands == []


def test_h_6_an_account_of_an_unready_partition_is_commanded_nothing() -> None:
    desk = Desk({"a": long("1000")}, arm=False)
    assert desk.tick(MARK, "59990") == []
    assert desk.send("a", "transfers", account_seq=1, amount="1").commands == []
    assert desk.engine.sweep(10, desk.now) + desk.engine.sweep(10, desk.now) == []
    assert desk.arm() == [f"a {OPENED}", f"a {WARNED}", f"a {REDUCED}"]


def test_a_released_partition_is_forgotten() -> None:
    desk = Desk({"a": long("8200"), "b": long("8200")})
    desk.engine.release(0)
    assert desk.engine.entries == {}
    assert desk.engine.armed == set()
    assert desk.tick(MARK, "50000") == []
    desk.engine.adopt(long("8200"), Episode(), 1)  # a slot is used again
    desk.engine.armed.add(1)
    assert desk.examine("recovery")[:2] == [f"A1 {OPENED}", f"A1 {WARNED}"]


def test_h_8_a_partition_is_released_in_parts_and_commands_nothing_meanwhile() -> None:
    desk = Desk({name: long("8200") for name in "abc"})
    assert desk.engine.release(0, 2)
    assert (len(desk.engine.entries), desk.engine.armed) == (1, set())
    assert desk.tick(MARK, "50000") == []
    assert not desk.engine.release(0, 2)
    assert (desk.engine.entries, desk.engine.partitions) == ({}, {})
    assert not desk.engine.release(0, 2)


def test_time_never_runs_backwards() -> None:
    desk = Desk({"a": long("8200")})
    desk.tick_at("SOL-USD/index", "101", START + 60_000, None)  # the event clock
    desk.tick_at(MARK, "59980", START + 1_000, None)
    assert [command.decided_at for command in desk.commands] == [START + 60_000] * 2


def test_px_5_an_older_tick_reaches_nobody() -> None:
    desk = Desk({"a": long("8200")})
    assert desk.tick_at(MARK, "50000", START - 1, desk.now) == []
    assert desk.engine.prices.dropped == 1
    assert desk.band("a") == "normal"


def test_a_market_order_is_judged_at_every_tick() -> None:
    """It freezes what it would cost at the index, so no box holds."""
    made = order("o", "BTC-USDT", "buy", "0.5")
    desk = Desk({"a": with_orders(account({"USDT": "30100", "BTC": "1"}), made)})
    before = desk.engine.assessed
    desk.tick("BTC-USD/index", "60000.01")
    desk.tick("BTC-USD/index", "60000.02")
    assert desk.engine.assessed == before + 2


# -- PX-3: missing prices ----------------------------------------------------------------------


def test_px_3_the_first_price_of_a_symbol_has_the_accounts_that_waited_looked_at() -> None:
    accounts = {"waits": long("5000"), "other": account({"BTC": "1", "USDC": "-18000"})}
    desk = Desk(accounts, prices={MARK: None})
    assert desk.engine.bands() == {"unpriced": 1, "normal": 1}
    assert desk.tick("BTC-USD/index", "19500") == ["other episode opened", "other warning entered"]
    assert desk.tick(MARK, "60000") == [f"waits {OPENED}", f"waits {WARNED}"]


def test_px_2_a_coin_comes_to_be_priced_through_another() -> None:
    """No balance of USDT is held: only a position that settles in it."""
    held = account({"BTC": "0.2"}, [(SWAP, "-100", "60000")])
    desk = Desk({"a": held}, prices={"USDT-USD/index": None, "USDT-BTC/index": "0.00001666"})
    assert desk.band("a") == "normal"
    desk.tick(MARK, "60500")
    assert desk.engine.prices.route("USDT") == ("USDT-BTC/index", "BTC-USD/index")
    # at 20 USD a USDT the loss of 500 is 10,000, and its own index says so from now on
    assert desk.tick("USDT-USD/index", "20")[:2] == [f"a {OPENED}", f"a {WARNED}"]
    assert "USDT-BTC/index" not in desk.commands[0].prices


def test_px_2_a_better_bridge_appears() -> None:
    """SOL goes through BTC until USDT has a price of its own; the account holds no USDT."""
    pairs = {"SOL-USD/index": None, "SOL-BTC/index": "0.0016", "SOL-USDT/index": "10"}
    held = account({"SOL": "100", "USDC": "-5000"})
    desk = Desk({"a": held}, prices={"USDT-USD/index": None, **pairs})
    assert desk.band("a") == "normal"  # 96 USD a SOL
    assert desk.tick("USDT-USD/index", "1")[:2] == [f"a {OPENED}", f"a {WARNED}"]  # 10 USD


# -- changed reference sets --------------------------------------------------------------------


def switched(desk: Desk, raw: dict[str, Any]) -> list[str]:
    desk.engine.use(load_reference(raw))
    return desk.examine("reference")


def test_a_changed_threshold_takes_effect() -> None:
    desk = Desk({"a": long("9000")})  # 3.33
    assert switched(desk, raw_reference({**CALM, "warning": "4", "warning_exit": "4.1"})) == [
        f"a {OPENED}",
        f"a {WARNED}",
    ]
    assert desk.commands[-1].inputs.reference == desk.engine.reference.sha256
    # 10,000 would clear a warning of 3, but not this one
    assert desk.tick(MARK, "60100") == []
    assert switched(desk, raw_reference(CALM)) == ["a warning cleared", "a episode closed"]


def test_a_changed_tier_takes_effect_and_moves_the_box() -> None:
    desk = Desk({"a": long("9000")})
    raw = copy.deepcopy(raw_reference(CALM))
    raw["instruments"][SWAP]["position_tiers"][0]["maintenance"] = "0.0045"  # needs 3,000: 3.0
    assert switched(desk, raw) == [f"a {OPENED}", f"a {WARNED}"]
    assert desk.engine.missed_crossings == 0


def test_h_8_a_switch_itself_looks_at_nobody_and_a_tick_decides_by_the_new_set() -> None:
    """8,200 of equity are 3.04 of maintenance and fee; by the new set the warning begins at 3.2."""
    desk = Desk({"a": long("8200"), "b": long("9200")})
    assessed = desk.engine.assessed
    desk.engine.use(
        load_reference(raw_reference({**CALM, "warning": "3.2", "warning_exit": "3.3"}))
    )
    assert desk.engine.assessed == assessed
    assert desk.engine.bands() == {"normal": 2}
    # 59,980 leaves the old box of "a" alone; what is said of it is by the new levels.
    assert desk.tick(MARK, "59980") == [f"a {OPENED}", f"a {WARNED}"]
    assert desk.commands[-1].inputs.reference == desk.engine.reference.sha256
    assert desk.examine("reference") == []  # "b" is above 3.2; "a" was told
    assert desk.engine.missed_crossings == 0


def test_h_3_between_a_switch_and_the_look_the_sweep_counts_no_miss() -> None:
    desk = Desk({"a": long("9000"), "b": long("90000")})
    raw = raw_reference({**CALM, "warning": "4", "warning_exit": "4.1", "worsened": ["2"]})
    desk.engine.use(load_reference(raw))
    desk.engine.sweep(1, desk.now)
    desk.engine.sweep(9, desk.now)
    assert desk.engine.missed_crossings == 0


def test_px_3_an_instrument_that_vanishes_makes_its_holders_unpriced_and_no_others() -> None:
    eth = account({"USDT": "4000"}, [("ETH-USDT-SWAP", "1000", "3000")])
    desk = Desk({"btc": long("8200"), "eth": eth})
    raw = raw_reference(CALM)
    del raw["instruments"][SWAP]
    switched(desk, raw)
    assert (desk.band("btc"), desk.band("eth")) == (None, "warning")
    assert desk.engine.figures("btc").unpriced == (f"{SWAP}/reference",)
    assert desk.tick(MARK, "10000") == []
    switched(desk, raw_reference(CALM))
    assert desk.band("btc") == "liquidation"


# -- H-4 --------------------------------------------------------------------------------------


def test_h_4_a_message_that_is_refused_stops_nothing() -> None:
    desk = Desk({"a": long("9000")})
    bad = desk.send("a", "transfers", account_seq=1, currency="XYZ")
    assert [refusal.reason for refusal in bad.refused] == ["unknown currency XYZ"]
    assert bad.dirty  # its number is used up: the record must say so
    assert kinds(
        desk.send("a", "transfers", account_seq=2, kind="withdrawal", amount="1000").commands
    ) == [OPENED, WARNED]


def test_h_4_one_unpriced_account_holds_up_nobody() -> None:
    desk = Desk(
        {"blind": account({"SOL": "-1"}), "a": long("8200")}, prices={"SOL-USD/index": None}
    )
    assert desk.tick(MARK, "59980") == [f"a {OPENED}", f"a {WARNED}"]
    assert desk.band("blind") is None


# -- PX-4: stale prices ------------------------------------------------------------------------


def test_px_4_no_reduction_on_a_stale_price_and_one_as_soon_as_it_is_fresh() -> None:
    desk = Desk({"a": long("8200")}, policy={"max_age_seconds": {"*": "10"}})
    desk.now += 20_000
    assert desk.tick(MARK, "59300") == [f"a {OPENED}", f"a {WARNED}"]
    assert desk.tick(MARK, "59290") == []
    assert desk.tick("USDT-USD/index", "1") == [f"a {REDUCED}"]
    assert [list(command.stale_prices) for command in desk.commands] == [["USDT-USD/index"]] * 2 + [
        []
    ]


def test_px_4_cancels_go_out_on_stale_prices() -> None:
    made = order("o", "SOL-USDT", "buy", "1", "1")
    desk = Desk({"a": long("8200", made)}, policy={"max_age_seconds": {"*": "10"}})
    desk.now += 20_000
    assert desk.tick(MARK, "59300")[-1] == "a order_cancel ES-4"
    assert "USDT-USD/index" in desk.commands[-1].stale_prices


# -- deadlines --------------------------------------------------------------------------------


def test_es_6_a_deadline_is_met_without_any_tick() -> None:
    desk = Desk({"a": long("2000")})
    assert desk.commands[-1].kind == "reduction"
    assert desk.due(4_999) == []
    assert desk.due(1) == [f"a {REDUCED}"]
    assert desk.commands[-1].attempt == 2


def test_es_6_a_tick_of_any_symbol_brings_the_time_that_meets_a_deadline() -> None:
    desk = Desk({"a": long("2000")})
    assert desk.tick("SOL-USD/index", "101", later_ms=4_999) == []
    assert desk.tick("SOL-USD/index", "101.1", later_ms=1) == [f"a {REDUCED}"]


@pytest.mark.parametrize("time_scale", ["1", "0.0001", "960"])
@pytest.mark.parametrize("hindrance", ["disarmed", "stale", "unpriced", "out of sync"])
def test_due_never_turns_for_ever(hindrance: str, time_scale: str) -> None:
    policy: dict[str, Any] = {"time_scale": time_scale}
    if hindrance == "stale":
        policy["max_age_seconds"] = {"*": "0.001"}
    desk = Desk({"a": long("2000")}, policy=policy)
    entry = desk.engine.entries["a"]
    if hindrance == "disarmed":
        desk.engine.armed.clear()
    elif hindrance == "unpriced":
        raw = raw_reference({**CALM, **policy})
        del raw["instruments"][SWAP]
        desk.engine.use(load_reference(raw))
    elif hindrance == "out of sync":
        entry.account.out_of_sync = True
    for _ in range(20):
        desk.due(int(7_000 * max(Decimal(1), Decimal(time_scale))))
        assert entry.deadline is None or entry.deadline > desk.now
    assert len(desk.engine.deadlines) < 50


def test_a_deadline_that_was_hindered_is_met_afterwards() -> None:
    desk = Desk({"a": long("2000")})
    desk.engine.armed.clear()
    assert desk.due(5_000) == []
    desk.engine.armed.add(0)
    assert desk.due(1_000) == [f"a {REDUCED}"]


def test_es_3_once_warned_the_band_follows_the_ratio_without_an_exact_look() -> None:
    """Between the warning and its exit nothing is said; the engine looks again at the next level."""
    desk = Desk({"a": long("8200")})
    assert desk.tick(MARK, "59980") != []
    entry = desk.engine.entries["a"]
    assert desk.engine.band(entry) == "warning"
    assessed = desk.engine.assessed
    for price, band in (("60010", "normal"), ("59980", "warning"), ("60010", "normal")):
        assert desk.tick(MARK, price) == []
        assert desk.engine.band(entry) == band
        assert desk.engine.bands() == {band: 1}
    assert desk.engine.assessed == assessed


def heir_of(desk: Desk) -> Desk:
    """The next owner of a desk's accounts, at the same prices; not armed."""
    heir = Desk({}, arm=False)
    for key, price in desk.engine.prices.prices.items():
        heir.tick(key, str(price.price))
    heir.now = max(heir.now, desk.now)
    heir.engine.adopt_all([entry.record() for entry in desk.engine.entries.values()], 0)
    return heir


@pytest.mark.parametrize(
    ("price", "band", "said"),
    [
        ("59980", "warning", []),
        ("60010", "normal", []),  # above the warning, not its exit
        ("61500", "normal", ["a warning cleared", "a episode closed"]),
        ("59300", "liquidation", ["a warning worsened", f"a {REDUCED}"]),
    ],
)
def test_es_3_h_9_a_new_owner_decides_exactly_only_where_a_warning_that_stands_is_not_all(
    price: str, band: str, said: list[str]
) -> None:
    desk = Desk({"a": long("8200")})
    desk.tick(MARK, "59980")
    heir = heir_of(desk)
    heir.tick(MARK, price)
    assert heir.arm() == said
    assert heir.band("a") == band
    assert heir.engine.assessed == bool(said)
    assert not heir.engine.entries["a"].watched.unseen
    assert heir.tick(MARK, "58000") != []  # it is guarded


def test_es_3_a_warning_level_that_a_new_policy_lowers_is_no_step_down() -> None:
    desk = Desk({"a": long("8200")})
    desk.tick(MARK, "59980")
    desk.engine.use(reference({"interest_booking": "exchange", "warning": "2.9"}))
    assert desk.examine("reference") == []
    assert desk.tick(MARK, "59970") == []  # 7,900 / 2,698.65 is 2.93
    assert desk.tick(MARK, "59955") == []  # 2.88
    assert desk.band("a") == "warning"
    assert desk.tick(MARK, "59715") == ["a warning worsened"]  # 2


@pytest.mark.parametrize("owner", ["same", "new"])
def test_es_3_a_warning_of_an_earlier_policy_is_cleared_above_the_exit(owner: str) -> None:
    desk = Desk({"a": long("8200")})
    desk.tick(MARK, "59980")
    if owner == "new":
        desk = heir_of(desk)
    desk.engine.use(reference({"interest_booking": "exchange", "warning": "2.9"}))
    if owner == "same":
        assert desk.examine("reference") == []
    said = desk.tick(MARK, "61500") + (desk.arm() if owner == "new" else [])
    assert said == ["a warning cleared", "a episode closed"]


def test_es_6_a_new_owner_decides_exactly_while_anything_is_pending() -> None:
    desk = Desk({"a": long("2600")})
    assert isinstance(desk.commands[-1], Reduction)
    desk.tick(MARK, "60300")  # in the band of the warning, a reduction under way
    heir = heir_of(desk)
    heir.arm()
    assert heir.engine.assessed == 1


def test_es_3_a_warning_that_was_cleared_is_entered_again_at_its_tick_while_the_episode_is_open() -> (
    None
):
    """The reduction is not confirmed yet when the ratio is above the exit and falls again: 7,600 / 2,722."""
    desk = Desk({"a": long("2600")})
    assert isinstance(desk.commands[-1], Reduction)
    assert desk.tick(MARK, "60700") == ["a warning cleared"]
    assert desk.engine.entries["a"].open
    assert desk.tick(MARK, "60590") == []  # 3.12: below the exit, above the warning
    assert desk.tick(MARK, "60500") == [f"a {WARNED}"]


# -- H-3: the sweep ---------------------------------------------------------------------------


def test_h_3_the_sweep_finds_and_counts_what_the_watch_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk({"a": long("8200"), "b": long("90000")})
    deaf = Found(tick=0, slots=[], looked=0, place=-1)
    monkeypatch.setattr(desk.engine.watch, "run", lambda *_: deaf)
    assert desk.tick(MARK, "59980") == []  # the watch is broken
    found = [c for _ in range(3) for s in desk.engine.sweep(1, desk.now) for c in s.commands]
    assert kinds(found) == [OPENED, WARNED]
    assert {command.cause.kind for command in found} == {"sweep"}
    assert desk.engine.missed_crossings == 1
    for _ in range(6):
        desk.engine.sweep(1, desk.now)
    assert desk.engine.missed_crossings == 1  # its answer won


def test_h_3_the_sweep_of_a_sound_watch_counts_nothing_and_reaches_everybody() -> None:
    desk = Desk({f"a{n}": long(str(8_000 + 20 * n)) for n in range(10)})
    for price in ("59990", "59950", "60010", "59900"):
        desk.tick(MARK, price)
    looked = desk.engine.assessed
    for _ in range(11):
        desk.engine.sweep(1, desk.now)
    assert desk.engine.assessed == looked + 10
    assert desk.engine.missed_crossings == 0


def test_h_3_the_sweep_leaves_at_rest_whom_it_finds_as_noted() -> None:
    """It looks at everybody in turn: what it decoded would push out what others use."""
    desk = Desk({f"a{n}": long(str(9_000 + 20 * n)) for n in range(10)})
    for entry in desk.engine.entries.values():
        entry.rest()
    looked = desk.engine.assessed
    for _ in range(11):
        desk.engine.sweep(1, desk.now)
    assert desk.engine.assessed == looked + 10
    assert all(entry._account is None for entry in desk.engine.entries.values())


def test_h_3_a_stage_that_ends_in_the_sweep_is_no_miss() -> None:
    """The reduction expires while the account has long recovered: time, not a price, ends the stage."""
    desk = Desk({"a": long("2600")})
    assert isinstance(desk.commands[-1], Reduction)
    desk.tick(MARK, "60100")  # 3,600: above 1
    desk.due(5_000)  # out of danger at its deadline
    desk.now += 30_000
    desk.engine.sweep(1, desk.now)
    desk.engine.sweep(1, desk.now)
    assert not desk.engine.entries["a"].episode.liquidation
    assert desk.engine.missed_crossings == 0


# -- ES-7 at its edge ---------------------------------------------------------------------------


def test_es_7_equity_that_leaves_exactly_0_is_bankrupt_at_that_tick() -> None:
    """At 0 the account is in liquidation already; it is bankrupt only below."""
    desk = Desk({"a": long("6000")})
    desk.tick(MARK, "59400")
    assert desk.engine.figures("a").adjusted_equity == 0
    assert "episode bankrupt" not in kinds(desk.commands)
    assert desk.tick(MARK, "59399") == ["a episode bankrupt"]


# -- OC-1 between levels ------------------------------------------------------------------------


def test_oc_1_an_order_that_comes_to_need_borrowing_is_named_at_that_tick() -> None:
    """The account is short already; the PnL of the swap turns the second coin's order into borrowing."""
    orders = (
        order("a", "SOL-USDC", "buy", "300", "100"),
        order("b", "BTC-USDT", "buy", "0.1", "10000"),
    )
    raw = raw_reference(CALM)
    raw["instruments"]["SOL-USDC"] = {**raw["instruments"]["SOL-USDT"], "quote": "USDC"}
    held = with_orders(account({"BTC": "0.4", "USDT": "1100"}, [(SWAP, "10", "60000")]), *orders)
    desk = Desk({}, prices={})
    desk.engine.use(load_reference(raw))
    desk.engine.adopt(held, Episode(), 0)
    desk.examine("recovery")
    cancels = [c for c in desk.commands if isinstance(c, OrderCancel)]
    assert [(c.reason, c.order_ids) for c in cancels] == [("OC-1", ("a",))]
    desk.tick(MARK, "58500")  # a loss of 150: USDT 950 against the 1,000 of `b`
    cancels = [c for c in desk.commands if isinstance(c, OrderCancel)]
    assert [(c.reason, c.order_ids) for c in cancels[1:]] == [("OC-1", ("a", "b"))]
    assert d("3.15") < (cancels[1].ratio or d(0))  # far from every level
