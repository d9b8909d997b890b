"""The engine against the second reading of the rules, over whole simulated crashes."""

from __future__ import annotations

import json
from functools import cache, partial
from typing import Any

import pytest

from streams.simulator import Faults
from streams.verify import History, check
from tests.verify.simulated import (
    TOPIC_OF,
    Run,
    holds,
    with_small_caps,
    without_auto_borrow,
    without_quota,
)

ANSWERS_LATE = Faults(drop=0.2, late=0.2, partial=0.2)
SMALL = 30
"""Of accounts that are picked: many are drawn for each."""

RUNS: dict[str, tuple[int, int, dict[str, Any]]] = {
    "undisturbed": (3, 120, {}),
    "late, lost and partial answers": (5, 120, {"faults": ANSWERS_LATE}),
    "stale prices": (7, 120, {"max_age": 8}),
    "an exit above the level": (
        9,
        120,
        {"policy": {"liquidation_exit": "1.3", "worsened": ["2", "1.5"], "attempts": 2}},
    ),
    "other settings": (
        11,
        120,
        {
            "policy": {
                "spot_cancel_scope": "all",
                "sale_order": "highest_rate_first",
                "tier_steps_down": 1,
                "takeover_at_first_tier": True,
            }
        },
    ),
    "isolated positions": (
        22,
        SMALL,
        {"kept": partial(holds, kinds=("isolated",)), "faults": ANSWERS_LATE},
    ),
    "hedge mode and options": (
        24,
        50,
        {"options": True, "kept": partial(holds, kinds=("options", "hedge"))},
    ),
    "everything, by other settings": (
        26,
        SMALL,
        {
            "options": True,
            "kept": partial(holds, kinds=("options", "isolated", "hedge")),
            "policy": {
                "anticipate_funding": True,
                "liquidation_exit": "1.2",
                "worsened": ["2", "1.5"],
                "tier_steps_down": 1,
            },
        },
    ),
    "caps and small debts": (
        27,
        120,
        {"options": True, "policy": {"symbol_caps": {"*": "500"}, "debt_size": "smallest"}},
    ),
    "forced conversions": (
        28,
        SMALL,
        {"changed": without_auto_borrow, "reference": without_quota, "options": True},
    ),
    "forced conversions within caps": (
        31,
        SMALL,
        {
            "changed": without_auto_borrow,
            "reference": without_quota,
            "policy": {
                "symbol_caps": {"*": "300"},
                "conversion_order": "lowest_rate_first",
            },
        },
    ),
    "limits shared with others": (30, 120, {"reference": with_small_caps}),
}


@cache
def history(name: str) -> History:
    """Return a run's topics."""
    seed, accounts, options = RUNS[name]
    return Run(seed, accounts, **options).play(400)


@pytest.mark.parametrize("name", list(RUNS))
def test_h_1_every_command_of_a_simulated_crash_follows_from_its_inputs(name: str) -> None:
    report = check(history(name))

    assert report.clean, "\n".join(report.lines())
    assert report.commands["reduction"] > 5
    assert report.episodes_closed > 5


SCENES: dict[str, tuple[int, dict[str, Any]]] = {
    "as they come": (4, {}),
    "isolated": (33, {"kept": partial(holds, kinds=("isolated",))}),
    "converted": (34, {"changed": without_auto_borrow, "reference": without_quota}),
}


@cache
def small(name: str = "as they come") -> History:
    """Return a run with few commands."""
    seed, options = SCENES[name]
    return Run(seed, 60 if name == "as they come" else 12, **options).play(300)


def _without(run: History, topic: str, command_id: str) -> History:
    records = [r for r in run.of(topic) if command_id.encode() not in (r.value or b"")]
    return History({**run.topics, topic: records})


@pytest.mark.parametrize("name", list(SCENES))
def test_a_command_of_each_kind_is_missed_when_it_is_dropped(name: str) -> None:
    run = small(name)
    kinds: dict[tuple[str, str], str] = {}
    for topic in set(TOPIC_OF.values()):
        for record in run.of(topic):
            command = json.loads(record.value or b"")
            says = command.get("state") or command.get("phase") or command.get("reason")
            kinds[topic, says] = command["command_id"]  # the last of its kind
    assert check(run).clean
    assert {"reductions", "episodes"} <= {topic for topic, _ in kinds}

    unseen = [
        kind
        for kind, command_id in kinds.items()
        if check(_without(run, kind[0], command_id)).clean
    ]

    assert unseen == []


def test_two_processes_find_what_one_finds() -> None:
    run = small()
    last = next(json.loads(r.value or b"") for r in reversed(run.of("warnings")))
    for searched in (run, _without(run, "warnings", last["command_id"])):
        alone, shared = check(searched), check(searched, aside_from=1)

        assert sorted(shared.lines()) == sorted(alone.lines())
        assert shared.crossings_excused == alone.crossings_excused
        assert shared.assessed == alone.assessed
