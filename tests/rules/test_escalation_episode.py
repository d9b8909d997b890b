"""ES-1 to ES-3, ES-8: bands, episodes and warnings."""

from uuid import UUID, uuid5

import msgspec
import pytest

from monitor.escalation import NAMESPACE, Episode, command_id, decide, episode_id
from monitor.margin import Figures
from monitor.schema import EpisodeNotice, Reduction, WarningCommand
from tests.rules.reduction_world import START, World, account, d, kinds


def swap_world(cash: str = "8000", **policy: object) -> World:
    """1,000 contracts = 10 BTC: at 60,000 they need 600,000 × (0.004 + 0.0005) = 2,700 USD.

    A ratio of exactly 3 is 8,100 of equity, of exactly 1 it is 2,700.
    """
    return World(account({"USDT": cash}, [("BTC-USDT-SWAP", "1000", "60000")]), policy)


@pytest.mark.parametrize(
    ("cash", "expected"),
    [
        ("8100.01", []),
        ("8100", ["episode opened", "warning entered"]),  # exactly 3 is in the band
        ("2700.01", ["episode opened", "warning entered"]),
        ("2700", ["episode opened", "warning entered", "reduction unhedged"]),  # exactly 1
    ],
)
def test_es_1_levels_belong_to_the_worse_band(cash: str, expected: list[str]) -> None:
    assert kinds(swap_world(cash).decide()) == expected


def test_es_1_levels_by_mode() -> None:
    levels = {"warning": {"multi_currency": "4", "default": "3"}, "warning_exit": "5"}
    assert kinds(swap_world("10000", **levels).decide()) == ["episode opened", "warning entered"]
    assert swap_world("10000", warning={"spot": "4"}, warning_exit="5").decide() == []


def test_es_1_no_ratio_is_normal() -> None:
    world = World(account({"USDT": "5"}))
    assert world.figures().ratio is None
    assert world.decide() == []


def test_es_2_sequence_counter_and_ids() -> None:
    world = swap_world("8000")
    opened, warning = world.decide()
    assert (opened.episode_id, opened.sequence, warning.sequence) == ("A1#1", 1, 2)
    assert opened.command_id == str(uuid5(NAMESPACE, "A1#1|1"))
    assert command_id(episode_id("A1", 1), 2) == warning.command_id
    assert UUID(warning.command_id).version == 5
    world.transfer("deposit", "USDT", d(2000))
    assert kinds(world.move()) == ["warning cleared", "episode closed"]
    assert world.commands[-1].sequence == 4
    world.transfer("withdrawal", "USDT", d(2000))
    again = world.move()
    assert [(c.episode_id, c.sequence) for c in again] == [("A1#2", 1), ("A1#2", 2)]


def test_es_2_commands_carry_what_they_were_decided_from() -> None:
    world = swap_world("8000")
    warning = world.decide()[1]
    assert warning.ratio == d(8000) / d(2700)
    assert (warning.adjusted_equity, warning.maintenance_margin) == (d(8000), d(2400))
    assert warning.liquidation_fee == d(300)
    assert warning.prices == {"BTC-USDT-SWAP/mark": d(60000), "USDT-USD/index": d(1)}
    assert warning.inputs.book == {"accounts": 7}
    assert set(warning.inputs.ticks) == set(warning.prices)
    assert warning.inputs.reference == world.reference.sha256
    assert warning.decided_at == START
    assert warning.expires_at == START + 30_000
    assert (warning.attempt, warning.band, warning.cause.kind) == (1, "warning", "tick")


def test_es_2_expiry_follows_the_time_scale() -> None:
    warning = swap_world("8000", time_scale="60").decide()[1]
    assert warning.expires_at == START + 30_000 * 60


def levels(world: World) -> list[tuple[str, str]]:
    found = [c for c in world.commands if isinstance(c, WarningCommand)]
    return [(c.state, str(c.level)) for c in found]


def test_es_3_each_level_once_and_no_chatter_at_the_line() -> None:
    world = swap_world("8000")
    world.decide()
    for mark in ("59999", "59900", "59999", "60000", "60005", "59850", "59700"):
        world.move({"BTC-USDT-SWAP/mark": mark})
    # 59,700 leaves 5,000 of 2,686.5: 1.86
    assert levels(world) == [("entered", "3"), ("worsened", "2")]


def test_es_3_a_jump_over_several_levels_says_the_lowest_and_uses_up_the_rest() -> None:
    world = swap_world("8000")
    world.decide()
    world.move({"BTC-USDT-SWAP/mark": "59510"})  # 3,100 of 2,678: 1.157
    world.move({"BTC-USDT-SWAP/mark": "59700"})
    world.move({"BTC-USDT-SWAP/mark": "59560"})
    assert levels(world) == [("entered", "3"), ("worsened", "1.2")]


def test_es_3_entering_far_down_uses_up_the_levels_above() -> None:
    world = swap_world("4000")  # 1.48
    world.decide()
    world.move({"BTC-USDT-SWAP/mark": "60100"})  # 5,000 of 2,704: 1.85
    world.move({"BTC-USDT-SWAP/mark": "60000"})
    assert levels(world) == [("entered", "1.5")]
    world.move({"BTC-USDT-SWAP/mark": "59920"})  # 3,200 of 2,696: 1.19
    assert levels(world)[-1] == ("worsened", "1.2")


def test_es_3_a_warning_level_that_was_set_lower_since_is_no_step_down() -> None:
    world = swap_world("7200")  # 2.67
    assert kinds(world.decide()) == ["episode opened", "warning entered"]
    world.reference = swap_world(warning="2.8").reference
    assert world.decide() == []
    world.transfer("withdrawal", "USDT", d(1800))  # 2
    assert kinds(world.decide()) == ["warning worsened"]


@pytest.mark.parametrize(("cash", "cleared"), [("8505", False), ("8505.01", True)])
def test_es_3_cleared_only_above_the_exit_level(cash: str, cleared: bool) -> None:
    world = swap_world("8000")
    world.decide()
    world.transfer("deposit", "USDT", d(cash) - d(8000))  # 8,505 is exactly 3.15
    assert kinds(world.move()) == (["warning cleared", "episode closed"] if cleared else [])


def test_es_3_a_warning_goes_out_before_the_first_reduction() -> None:
    found = swap_world("2000").decide()
    assert kinds(found) == ["episode opened", "warning entered", "reduction unhedged"]
    assert isinstance(found[1], WarningCommand)
    assert found[1].level == d("1.2")


def test_es_3_an_account_without_risk_clears() -> None:
    world = swap_world("8000")
    world.decide()
    del world.account.positions["BTC-USDT-SWAP/net"]
    assert kinds(world.move()) == ["warning cleared", "episode closed"]


def test_es_8_same_input_same_bytes() -> None:
    runs = []
    for _ in range(2):
        world = swap_world("2000")
        world.run()
        runs.append([command.model_dump_json() for command in world.commands])
    assert runs[0] == runs[1]
    assert len(runs[0]) == 3


def test_es_8_an_episode_read_back_from_its_bytes_decides_the_same() -> None:
    world = swap_world("2000")
    world.decide()
    twin = msgspec.json.decode(msgspec.json.encode(world.episode), type=Episode)
    assert twin == world.episode
    world.now += 5_000
    here = world.decide()
    there = decide(world.account, twin, world.figures(), world.context)
    assert [c.model_dump_json() for c in here] == [c.model_dump_json() for c in there]
    assert kinds(here) == ["reduction unhedged"]
    assert twin == world.episode


def test_px_3_nothing_is_decided_without_a_price_or_settings() -> None:
    world = swap_world("2000")
    figures = Figures("A1", "multi_currency", unpriced=("BTC-USDT-SWAP/mark",))
    assert decide(world.account, world.episode, figures, world.context) == []
    world.account.known = False
    assert world.decide() == []
    assert world.episode == Episode()


def test_px_3_a_deadline_that_cannot_be_met_is_put_off() -> None:
    world = swap_world("2000")
    world.decide()
    world.now += 5_000
    figures = Figures("A1", "multi_currency", unpriced=("BTC-USDT-SWAP/mark",))
    assert decide(world.account, world.episode, figures, world.context) == []
    assert world.deadline() == world.now + 5_000


def test_px_4_stale_prices_warn_but_do_not_reduce() -> None:
    world = swap_world("2000")
    world.now += 10_001
    found = world.decide()
    assert kinds(found) == ["episode opened", "warning entered"]
    assert found[1].stale_prices == ("BTC-USDT-SWAP/mark", "USDT-USD/index")
    assert world.deadline() == world.now + 5_000
    fresh = world.move()
    assert kinds(fresh) == ["reduction unhedged"]
    assert fresh[0].stale_prices == ()


def test_px_4_exactly_the_maximum_age_is_not_stale() -> None:
    world = swap_world("2000")
    world.now += 10_000
    assert kinds(world.decide())[-1] == "reduction unhedged"


def test_px_4_stale_prices_stop_a_reductions_resend_until_they_are_back() -> None:
    world = swap_world("2000", max_age_seconds={"*": "4"})
    world.decide()
    assert world.wait(5_000) == []
    assert world.deadline() == world.now + 5_000
    again = world.move()
    assert [(c.kind, c.attempt) for c in again] == [("reduction", 2)]


def test_px_4_a_stale_price_that_only_the_trades_need_stops_the_reduction() -> None:
    # ETH is owed and SOL held; they meet in USDT, which the account does not hold
    world = World(account({"ETH": "-10", "SOL": "380"}))  # 400 of 630.6: in liquidation
    held = world.book.prices["USDT-USD/index"]
    world.book.prices["USDT-USD/index"] = msgspec.structs.replace(held, ts=START - 10_001)
    assert "USDT-USD/index" not in world.figures().symbols
    found = world.decide()
    assert kinds(found) == ["episode opened", "warning entered"]
    assert found[1].band == "liquidation"
    found = world.move()
    assert kinds(found) == ["reduction unhedged"]
    assert found[0].prices["USDT-USD/index"] == 1
    assert "USDT-USD/index" in found[0].inputs.ticks


def test_out_of_sync_accounts_are_warned_and_not_reduced() -> None:
    world = swap_world("2000")
    world.account.out_of_sync = True
    assert kinds(world.decide()) == ["episode opened", "warning entered"]
    world.account.out_of_sync = False
    assert isinstance(world.move()[0], Reduction)


def test_es_7_bankrupt_once_with_the_shortfall() -> None:
    world = swap_world("-1000", max_age_seconds={"*": "1"})
    world.now += 2_000  # stale: no takeover, but the fact is told
    found = world.decide()
    assert kinds(found) == ["episode opened", "warning entered", "episode bankrupt"]
    assert isinstance(found[-1], EpisodeNotice)
    assert found[-1].shortfall == d(1000)
    assert world.wait(1) == []


def test_es_7_bankrupt_again_with_a_takeover_when_the_shortfall_grew() -> None:
    world = swap_world("-1000", max_age_seconds={"*": "1"})
    world.now += 2_000
    world.decide()
    found = world.move({"BTC-USDT-SWAP/mark": "59900"})
    assert kinds(found) == ["episode bankrupt", "reduction takeover"]
    assert isinstance(found[0], EpisodeNotice)
    assert found[0].shortfall == d(2000)


def test_es_7_no_second_notice_with_a_takeover_at_the_same_shortfall() -> None:
    world = swap_world("-1000", max_age_seconds={"*": "1"})
    world.now += 2_000
    world.decide()
    assert kinds(world.move()) == ["reduction takeover"]


def test_es_7_before_a_takeover() -> None:
    found = swap_world("-1000").decide()
    assert kinds(found)[-2:] == ["episode bankrupt", "reduction takeover"]
