"""A clean history with one command dropped, altered, delayed or doubled must be found out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from streams.verify import History, Record, VerifyReport, check
from tests.verify.scene import NAMESPACE, TOPIC_OF, Scene
from tests.verify.worked import (
    BORROWER,
    REFERENCE,
    SPOT,
    figures,
    spot_episode,
    swap_episode,
)

EPISODES: list[Callable[[], Scene]] = [spot_episode, swap_episode]
COMMANDS = [(number, index) for number, count in ((0, 8), (1, 3)) for index in range(count)]


def places(history: History) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield topic, offset and content of every command in the order of its sequence."""
    found = [
        (topic, record.offset, json.loads(record.value or b""))
        for topic in TOPIC_OF.values()
        for record in history.of(topic)
    ]
    yield from sorted(found, key=lambda item: item[2]["sequence"])


def replaced(history: History, topic: str, offset: int, *contents: dict[str, Any]) -> History:
    """Return the history with one record replaced by others (by none: dropped)."""
    records: list[Record] = []
    for record in history.of(topic):
        if record.offset != offset:
            records.append(record)
            continue
        for content in contents:
            value = json.dumps(content, separators=(",", ":")).encode()
            records.append(record._replace(value=value))
    return History({**history.topics, topic: records})


def command(number: int, index: int) -> tuple[History, str, int, dict[str, Any]]:
    """Return a worked history and the place of one of its commands."""
    history = EPISODES[number]().history()
    topic, offset, content = list(places(history))[index]
    return history, topic, offset, content


def rules(report: VerifyReport) -> set[str]:
    """Return the rules that were found broken."""
    return {violation.rule for violation in report.violations}


def test_the_worked_episodes_hold_every_kind_of_command() -> None:
    kinds = {c["kind"] for make in EPISODES for _, _, c in places(make().history())}

    assert kinds == set(TOPIC_OF)
    assert [len(list(places(make().history()))) for make in EPISODES] == [8, 3]


@pytest.mark.parametrize(("number", "index"), COMMANDS)
def test_a_dropped_command_is_found(number: int, index: int) -> None:
    history, topic, offset, _ = command(number, index)

    report = check(replaced(history, topic, offset))

    assert not report.clean


@pytest.mark.parametrize(("number", "index"), COMMANDS)
@pytest.mark.parametrize("field", ["ratio", "adjusted_equity", "maintenance_margin"])
def test_an_altered_figure_is_found(number: int, index: int, field: str) -> None:
    history, topic, offset, content = command(number, index)
    altered = {**content, field: format(Decimal(content[field]) + Decimal("1e-20"), "f")}

    report = check(replaced(history, topic, offset, altered))

    assert "figures" in rules(report)


@pytest.mark.parametrize(("number", "index"), COMMANDS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("decided_at", 0),
        ("expires_at", 1),
        ("band", "normal_"),
        ("mode", "portfolio"),
        ("episode_id", "A#7"),
        ("sequence", 77),
        ("stale_prices", ["BTC-USD/index"]),
    ],
)
def test_an_altered_field_is_found(number: int, index: int, field: str, value: Any) -> None:
    history, topic, offset, content = command(number, index)

    report = check(replaced(history, topic, offset, {**content, field: value}))

    assert not report.clean


@pytest.mark.parametrize(("number", "index"), COMMANDS)
def test_a_command_doubled_under_a_new_id_is_found(number: int, index: int) -> None:
    history, topic, offset, content = command(number, index)
    other = {**content, "command_id": str(NAMESPACE)}

    report = check(replaced(history, topic, offset, content, other))

    assert "message" in rules(report)


@pytest.mark.parametrize(("number", "index"), COMMANDS)
def test_an_exact_copy_is_counted_and_allowed(number: int, index: int) -> None:
    history, topic, offset, content = command(number, index)

    report = check(replaced(history, topic, offset, content, content))

    assert report.clean
    assert report.duplicates == 1


@pytest.mark.parametrize(("number", "index"), COMMANDS)
def test_a_re_send_with_other_bytes_is_found(number: int, index: int) -> None:
    history, topic, offset, content = command(number, index)
    same = {**content, "attempt": 2}

    assert check(replaced(history, topic, offset, content, same)).clean
    report = check(replaced(history, topic, offset, content, {**same, "rules": ["ES-6"]}))
    assert "message" in rules(report)


@pytest.mark.parametrize(
    ("number", "path", "value", "rule"),
    [
        (0, ("order_ids", 0), "o2", "decision"),
        (0, ("actions", 0, "quantity"), "0.6406", "reduction"),
        (0, ("actions", 0, "instrument"), "ETH-USDT", "reduction"),
        (0, ("actions", 1, "quantity"), "20001.85", "reduction"),
        (0, ("actions", 1, "bankruptcy_price"), "1.02", "reduction"),
        (0, ("expected_ratio",), "9.13", "reduction"),
        (0, ("phase",), "full", "reduction"),
        (0, ("level",), "1.5", "decision"),
        (1, ("actions", 0, "quantity"), "99", "reduction"),
        (1, ("actions", 0, "side"), "buy", "reduction"),
        (1, ("actions", 0, "notional_usd"), "56501", "reduction"),
        (1, ("actions", 0, "bankruptcy_price"), "55999.7", "reduction"),
        (1, ("step",), 2, "reduction"),
    ],
)
def test_altered_content_is_found(
    number: int, path: tuple[Any, ...], value: Any, rule: str
) -> None:
    history = EPISODES[number]().history()
    topic, offset, content = next(place for place in places(history) if path[0] in place[2])
    target: Any = content
    for key in path[:-1]:
        target = target[key]
    assert target[path[-1]] != value
    target[path[-1]] = value

    report = check(replaced(history, topic, offset, content))

    assert rule in rules(report)


def test_a_price_that_is_not_the_ticks_is_found() -> None:
    history, topic, offset, content = command(0, 1)
    content["prices"]["BTC-USD/index"] = "32499"

    assert rules(check(replaced(history, topic, offset, content))) & {"prices", "figures"}


def test_prices_that_never_stood_together_are_found() -> None:
    history, topic, offset, content = command(0, 1)
    scene = spot_episode()
    later = scene.tick("USDT-USD", 1)
    content["inputs"]["ticks"]["USDT-USD/index"] = later

    with_tick = History({**history.topics, "ticks": scene.history().of("ticks")})

    assert "prices" in rules(check(replaced(with_tick, topic, offset, content)))


def test_an_older_book_than_the_last_decisions_is_found() -> None:
    history, topic, offset, content = command(0, 6)
    content["inputs"]["book"] = {"accounts": 0}

    assert "order" in rules(check(replaced(history, topic, offset, content)))


def _delayed() -> Scene:
    """The warning of the spot episode decided one tick late, with the figures of that tick."""
    scene = Scene(REFERENCE)
    scene.tick("USDT-USD", 1)
    scene.tick("BTC-USD", 60000)
    scene.event("accounts", "A", **BORROWER)
    scene.heartbeat()
    scene.tick("BTC-USD", 32500)
    scene.tick("BTC-USD", 32400)
    warned = figures("1752", "600", "30.6", "spot", "warning")
    scene.command("episode", "A", 1, SPOT, state="opened", **warned)
    scene.command("warning", "A", 1, SPOT, state="entered", level="3", **warned)
    scene.heartbeat()
    return scene


def test_a_command_sent_at_a_later_tick_than_the_crossing_is_found() -> None:
    report = check(_delayed().history())

    assert rules(report) == {"crossing"}
    [violation] = report.violations
    assert "tick offset 2" in violation.where


def test_no_command_at_all_is_found() -> None:
    scene = _delayed()
    for topic in ("episodes", "warnings"):
        scene.topics.pop(topic)

    assert rules(check(scene.history())) == {"crossing"}


def test_a_warning_never_cleared_is_found() -> None:
    scene = spot_episode()
    for topic in ("episodes", "warnings"):
        scene.topics[topic].pop()

    assert rules(check(scene.history())) == {"crossing"}
