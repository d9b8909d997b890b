"""The engine against the second reading of the rules, over whole simulated crashes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from streams.simulator import Faults
from streams.verify import History, check
from tests.verify.simulated import TOPIC_OF, Run

RUNS: dict[str, tuple[int, dict[str, Any]]] = {
    "undisturbed": (3, {}),
    "late, lost and partial answers": (5, {"faults": Faults(drop=0.2, late=0.2, partial=0.2)}),
    "stale prices": (7, {"max_age": 8}),
    "an exit above the level": (
        9,
        {"policy": {"liquidation_exit": "1.3", "worsened": ["2", "1.5"], "attempts": 2}},
    ),
    "other settings": (
        11,
        {
            "policy": {
                "spot_cancel_scope": "all",
                "sale_order": "highest_rate_first",
                "tier_steps_down": 1,
                "takeover_at_first_tier": True,
            }
        },
    ),
}


@cache
def history(name: str) -> History:
    """Return a run's topics."""
    seed, options = RUNS[name]
    return Run(seed, 120, **options).play(400)


@pytest.mark.parametrize("name", list(RUNS))
def test_h_1_every_command_of_a_simulated_crash_follows_from_its_inputs(name: str) -> None:
    report = check(history(name))

    assert report.clean, "\n".join(report.lines())
    assert report.commands["reduction"] > 5
    assert report.episodes_closed > 5


@cache
def small() -> History:
    """Return a run with few commands."""
    return Run(4, 60).play(300)


def _without(run: History, topic: str, command_id: str) -> History:
    records = [r for r in run.of(topic) if command_id.encode() not in (r.value or b"")]
    return History({**run.topics, topic: records})


def test_a_command_of_each_kind_is_missed_when_it_is_dropped() -> None:
    run = small()
    kinds: dict[tuple[str, str], str] = {}
    for topic in TOPIC_OF.values():
        for record in run.of(topic):
            command = json.loads(record.value or b"")
            says = command.get("state") or command.get("phase") or command.get("reason")
            kinds[topic, says] = command["command_id"]  # the last of its kind
    assert check(run).clean
    assert {topic for topic, _ in kinds} == set(TOPIC_OF.values())

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
