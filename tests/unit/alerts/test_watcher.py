"""What is told once, again when worse, later after quiet hours, and anew after a recovery."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.schema import Command
from streams.alerts.copies import Copies
from streams.alerts.matching import Facts
from streams.alerts.watcher import Watcher
from tests.support.alerts import cancel, episode, reduced, rule, warned

NIGHT = {"timezone": "UTC", "start": "22:00", "end": "07:00"}
DAY = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp() * 1000)
EVENING = int(datetime(2026, 3, 10, 23, tzinfo=UTC).timestamp() * 1000)
MORNING = int(datetime(2026, 3, 11, 7, tzinfo=UTC).timestamp() * 1000)


class Desk:
    """A watcher with rules, and what it told."""

    def __init__(self, **rules: dict[str, Any]) -> None:
        self.suppressed: Counter[str] = Counter()
        self.watcher = Watcher(self._count)
        self.watcher.use(
            {name: rule(**changes) for name, changes in (rules or {"all": {}}).items()}
        )

    def _count(self, reason: str) -> None:
        self.suppressed[reason] += 1

    def told(self, command: Command, at: int = DAY, **more: Any) -> bool:
        return self.watcher.feed(command, at, **more) is not None

    def all(self, *commands: Command, at: int = DAY) -> list[bool]:
        return [self.told(command, at) for command in commands]


def falling(*ratios: str) -> list[Command]:
    """Reductions of one episode at these ratios."""
    return [reduced(sequence=n, ratio=ratio) for n, ratio in enumerate(ratios, 1)]


@pytest.mark.parametrize(
    ("repeat", "ratios", "told"),
    [
        # from what was last told, not from what was last seen
        ({"step": "0.1"}, ["0.98", "0.95", "0.89", "0.88", "0.79"], [1, 0, 0, 1, 0]),
        ({"step": "0.1"}, ["0.98", "0.88"], [1, 1]),
        ({"step": "0.1"}, ["0.98", "0.8801"], [1, 0]),
        ({"step": "0.1"}, ["0.98", "1.2", "0.9"], [1, 0, 0]),
        ({"step": "0.1"}, ["0.1", "-0.2"], [1, 1]),
        ({"step": "0.01"}, ["0.98", "0.97", "0.96"], [1, 1, 1]),
        ({"when": "always"}, ["0.98", "0.98", "2"], [1, 1, 1]),
        ({"when": "never"}, ["0.98", "0.5", "-3"], [1, 0, 0]),
    ],
)
def test_a_repeat_must_be_worse_by_the_step(
    repeat: dict[str, str], ratios: list[str], told: list[int]
) -> None:
    assert Desk(all={"repeat": repeat}).all(*falling(*ratios)) == [bool(one) for one in told]


def test_no_ratio_is_the_best_of_all() -> None:
    desk = Desk()
    commands = [
        cancel(sequence=1, ratio=None),
        cancel(sequence=2, ratio=None),
        cancel(sequence=3, ratio="1.5"),
        cancel(sequence=4, ratio=None),
    ]
    assert desk.all(*commands) == [True, False, True, False]


def test_a_graver_state_is_always_told() -> None:
    states = ["opened", "stuck", "stuck", "bankrupt", "stuck"]
    notices = [episode(state, sequence=n) for n, state in enumerate(states, 1)]
    assert Desk().all(*notices) == [True, True, False, True, False]
    desk = Desk()
    assert desk.all(reduced(sequence=1), reduced(sequence=2, phase="takeover")) == [True, True]
    assert Desk().all(cancel(sequence=1), cancel(sequence=2, reason="ES-4")) == [True, True]


def test_each_kind_and_account_and_position_is_a_matter_of_its_own() -> None:
    desk = Desk()
    isolated: dict[str, Any] = {"position": "BTC-USDT-SWAP/isolated/long"}
    assert desk.all(
        warned("a"),
        warned("b"),
        reduced("a", 2),
        cancel("a", 3),
        episode("opened", "a", 4),
        warned("a", 5, **isolated),
        warned("a", 6, state="worsened", ratio="2.45"),
        warned("a", 7, state="worsened", ratio="2.45", **isolated),
    ) == [True] * 6 + [False, False]


def test_a_cleared_warning_arms_again_within_the_episode() -> None:
    desk = Desk()
    assert desk.all(
        warned(sequence=1, ratio="2"),
        warned(sequence=2, ratio="2.5"),
        warned(sequence=3, state="cleared"),
        warned(sequence=4, ratio="2.9"),
        warned(sequence=5, ratio="2.85", state="worsened"),
    ) == [True, False, True, True, False]


def test_a_cleared_warning_arms_no_other_kind() -> None:
    desk = Desk()
    assert desk.all(
        cancel(sequence=1), warned(sequence=2, state="cleared"), cancel(sequence=3)
    ) == [True, True, False]


def test_a_closed_episode_and_a_new_one_arm_every_kind() -> None:
    desk = Desk()
    assert (
        desk.all(warned(sequence=1), reduced(sequence=2), episode("closed", sequence=3))
        == [True] * 3
    )
    assert desk.all(warned(sequence=1, episode_number=2), reduced(sequence=2, episode_number=2))
    # the closing may be read after the next episode's first commands: they are on other topics
    again = Desk()
    assert again.all(
        reduced(sequence=1, ratio="0.5"), reduced(sequence=1, episode_number=2, ratio="0.99")
    ) == [True, True]


def test_recoveries_arm_although_the_rule_does_not_tell_them() -> None:
    desk = Desk(all={"states": ["entered"], "kinds": ["warning"]})
    assert desk.all(
        warned(sequence=1),
        warned(sequence=2, state="cleared"),
        warned(sequence=3),
    ) == [True, False, True]


def test_with_bands_or_a_size_good_news_comes_where_the_matter_was_told() -> None:
    desk = Desk(all={"bands": ["liquidation"]})
    assert desk.all(warned("a", 1), warned("a", 2, state="cleared"), episode("closed", "a", 3)) == [
        False,
        False,
        False,
    ]
    assert desk.all(reduced("b", 1), episode("closed", "b", 2)) == [True, True]
    # without either it always comes: what was told before a restart may be forgotten
    assert Desk().told(episode("closed", "c"))


def test_a_cancel_that_was_enough_is_told_although_it_is_no_worse() -> None:
    desk = Desk()
    assert desk.all(
        episode("opened", sequence=1),
        episode("cancel_sufficient", sequence=2, ratio="1.5"),
        episode("stuck", sequence=3, ratio="1.5"),
    ) == [True, True, True]


def test_copies_are_told_once_and_late_ones_not_at_all() -> None:
    always = {"all": {"repeat": {"when": "always"}}}
    desk = Desk(**always)
    first, second = reduced(sequence=1), reduced(sequence=2)
    resent = reduced(sequence=1, attempt=2)
    assert desk.all(first, first, second, resent, resent) == [True, False, True, True, False]
    assert desk.suppressed == {"copy": 2}
    late = Desk(**always)
    assert late.all(second, first) == [True, False]


def test_a_command_is_told_once_by_the_first_rule_that_says_so() -> None:
    desk = Desk(b={}, a={"kinds": ["reduction"]}, c={})
    alert = desk.watcher.feed(reduced(), DAY)
    assert alert is not None
    assert alert.rule_id == "a"
    assert desk.suppressed == {"other_rule": 2}
    alert = desk.watcher.feed(warned(sequence=2), DAY)
    assert alert is not None
    assert alert.rule_id == "b"


def test_what_is_too_old_is_not_told_and_does_not_count_as_told() -> None:
    desk = Desk()
    assert not desk.told(reduced(sequence=1), too_old=True)
    assert desk.told(reduced(sequence=2))
    assert not desk.told(reduced(sequence=3))
    assert not desk.told(episode("closed", sequence=4), too_old=True)
    assert desk.told(reduced(sequence=5))  # the recovery armed, old or not
    assert desk.suppressed == {"too_old": 2, "repeat": 1}


def test_what_no_attempt_delivered_is_told_with_the_next() -> None:
    desk = Desk()
    alert = desk.watcher.feed(reduced(sequence=1), DAY)
    assert alert is not None
    desk.watcher.undelivered(alert)
    assert desk.told(reduced(sequence=2))
    assert not desk.told(reduced(sequence=3))


def test_an_unknown_main_account_is_counted() -> None:
    desk = Desk(all={"accounts": {"main_accounts": ["fund"]}})
    assert desk.watcher.asks_for_facts(warned())
    assert not desk.told(warned(sequence=1))
    assert desk.told(warned(sequence=2), facts=Facts(main_account_id="fund"))
    assert desk.suppressed == {"unknown_main_account": 1}


def test_what_comes_in_quiet_hours_is_told_when_they_end() -> None:
    desk = Desk(all={"quiet": [NIGHT]})
    assert desk.all(warned("a"), reduced("b"), at=EVENING) == [False, False]
    assert desk.suppressed == {"quiet": 2}
    assert desk.watcher.released(EVENING + 3_600_000) == []
    assert desk.watcher.released(MORNING - 1) == []
    released = desk.watcher.released(MORNING)
    # worst first: 0.98 before 2.5
    assert [(one.command.account_id, one.held) for one in released] == [("b", True), ("a", True)]
    assert desk.watcher.released(MORNING + 60_000) == []
    # they count as told
    assert not desk.told(reduced("b", 2), MORNING + 1)
    assert desk.told(reduced("b", 3, ratio="0.8"), MORNING + 2)


def test_of_one_matter_the_last_that_was_worse_waits() -> None:
    desk = Desk(all={"quiet": [NIGHT]})
    desk.all(*falling("0.98", "0.97", "0.8", "0.75"), at=EVENING)
    assert [one.command.ratio for one in desk.watcher.released(MORNING)] == [Decimal("0.8")]


def test_what_is_over_before_quiet_hours_end_is_not_told() -> None:
    desk = Desk(all={"quiet": [NIGHT]})
    desk.all(warned(sequence=1), warned(sequence=2, state="cleared"), at=EVENING)
    desk.all(reduced("b", 1), episode("closed", "b", 2), at=EVENING)
    assert desk.watcher.released(MORNING) == []


def test_what_was_told_before_quiet_hours_is_said_to_be_over_after_them() -> None:
    desk = Desk(all={"quiet": [NIGHT]})
    assert desk.told(warned(sequence=1, ratio="2.9"))
    desk.all(
        warned(sequence=2, state="worsened", ratio="1.9"),
        warned(sequence=3, state="cleared"),
        at=EVENING,
    )
    released = desk.watcher.released(MORNING)
    assert [getattr(one.command, "state", None) for one in released] == ["cleared"]


def test_other_rules_go_on_in_quiet_hours() -> None:
    desk = Desk(desk={"quiet": [NIGHT]}, bankrupt={"kinds": ["episode"], "states": ["bankrupt"]})
    assert not desk.told(warned(sequence=1), EVENING)
    alert = desk.watcher.feed(episode("bankrupt", sequence=2), EVENING)
    assert alert is not None
    assert alert.rule_id == "bankrupt"


def test_a_rule_that_is_gone_takes_what_it_told_and_held_with_it() -> None:
    desk = Desk(a={"quiet": [NIGHT]})
    desk.told(warned(sequence=1), EVENING)
    desk.watcher.use({"b": rule()})
    assert desk.watcher.released(MORNING) == []
    desk.watcher.use({"a": rule()})
    assert desk.told(warned(sequence=2), MORNING)


def _story(steps: list[tuple[str, Decimal]]) -> list[Command]:
    """One account's commands; a new episode after each closing."""
    number, commands = 1, list[Command]()
    for sequence, (what, ratio) in enumerate(steps, 1):
        match what:
            case "warn":
                commands.append(warned("a", sequence, number, state="worsened", ratio=ratio))
            case "reduce":
                commands.append(reduced("a", sequence, number, ratio=ratio))
            case "clear":
                commands.append(warned("a", sequence, number, state="cleared"))
            case _:
                commands.append(episode("closed", "a", sequence, number))
                number += 1
    return commands


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["warn", "reduce", "clear", "close"]),
            st.decimals("-1", "3", places=2, allow_nan=False),
        ),
        max_size=25,
    ),
    st.integers(0, 25),
)
def test_read_back_from_the_start_a_watcher_goes_on_as_if_it_had_never_stopped(
    steps: list[tuple[str, Decimal]], cut: int
) -> None:
    commands = _story(steps)
    whole, first, second = Desk(), Desk(), Desk()
    expected = whole.all(*commands)
    before = first.all(*commands[:cut])
    second.all(*commands[:cut])  # the same, told to nobody
    assert before + second.all(*commands[cut:]) == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(st.decimals("-2", "1", places=2, allow_nan=False), min_size=1, max_size=30))
def test_what_is_told_of_one_episode_falls_by_the_step_each_time(ratios: list[Decimal]) -> None:
    desk = Desk(all={"repeat": {"step": "0.25"}})
    told = [
        ratio
        for sequence, ratio in enumerate(ratios, 1)
        if desk.told(reduced(sequence=sequence, ratio=ratio))
    ]
    assert told[0] == ratios[0]
    assert all(later <= earlier - Decimal("0.25") for earlier, later in pairwise(told))
    assert min(ratios) > told[-1] - Decimal("0.25")


def test_copies_forget_the_oldest() -> None:
    copies = Copies(remembered=2)
    one, two, three = (reduced(name) for name in "abc")
    assert [copies.repeats(command) for command in (one, two, three)] == [False] * 3
    assert copies.repeats(three)
    assert not copies.repeats(one)
