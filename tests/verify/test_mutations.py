"""A clean history with one command dropped, altered, delayed or doubled must be found out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from streams.verify import History, Record, VerifyReport, check
from tests.verify.scene import NAMESPACE, TOPIC_OF, Scene
from tests.verify.test_worked_commands import EPISODES
from tests.verify.worked import (
    BORROWER,
    REFERENCE,
    SPOT,
    SWAP,
    figures,
    spot_episode,
    swap_episode,
)
from tests.verify.worked_coins import (
    borrowed_past_the_cap,
    converted,
    order_past_the_cash,
    order_past_the_cash_by_funding,
)
from tests.verify.worked_isolated import isolated_contract, margin_position
from tests.verify.worked_steps import capped, cut_step, small_debt_step, sold_call, swap_holders

COUNTS = (8, 3, 7, 7, 3, 3, 3, 3, 5, 5, 3)
"""Commands of each worked episode."""
COMMANDS = [(number, index) for number, count in enumerate(COUNTS) for index in range(count)]


def places(history: History) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield topic, offset and content of every command in the order of its sequence."""
    found = [
        (topic, record.offset, json.loads(record.value or b""))
        for topic in sorted(set(TOPIC_OF.values()))
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
    assert tuple(len(list(places(make().history()))) for make in EPISODES) == COUNTS


@pytest.mark.parametrize(("number", "index"), COMMANDS)
def test_a_dropped_command_is_found(number: int, index: int) -> None:
    history, topic, offset, _ = command(number, index)

    report = check(replaced(history, topic, offset))

    assert not report.clean


@pytest.mark.parametrize(("number", "index"), COMMANDS)
@pytest.mark.parametrize("field", ["ratio", "adjusted_equity", "maintenance_margin"])
def test_an_altered_figure_is_found(number: int, index: int, field: str) -> None:
    history, topic, offset, content = command(number, index)
    value = Decimal(content[field] or 0) + Decimal("1e-19")  # a ratio where there is none
    altered = {**content, field: format(value, "f")}

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
        ("position", "BTC-USD-SWAP/isolated/net"),
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
    ("make", "path", "value", "rule"),
    [
        (spot_episode, ("order_ids", 0), "o2", "decision"),
        (spot_episode, ("actions", 0, "quantity"), "0.6406", "reduction"),
        (spot_episode, ("actions", 0, "instrument"), "ETH-USDT", "reduction"),
        (spot_episode, ("actions", 1, "quantity"), "20001.85", "reduction"),
        (spot_episode, ("actions", 1, "bankruptcy_price"), "1.02", "reduction"),
        (spot_episode, ("expected_ratio",), "9.13", "reduction"),
        (spot_episode, ("phase",), "full", "reduction"),
        (spot_episode, ("level",), "1.5", "decision"),
        (swap_episode, ("actions", 0, "quantity"), "99", "reduction"),
        (swap_episode, ("actions", 0, "side"), "buy", "reduction"),
        (swap_episode, ("actions", 0, "notional_usd"), "56501", "reduction"),
        (swap_episode, ("actions", 0, "bankruptcy_price"), "55999.7", "reduction"),
        (swap_episode, ("step",), 2, "reduction"),
        (isolated_contract, ("order_ids", 0), "o2", "decision"),
        (isolated_contract, ("actions", 0, "quantity"), "49", "reduction"),
        (isolated_contract, ("actions", 0, "fee_usd"), "13.62", "reduction"),
        (isolated_contract, ("actions", 0, "bankruptcy_price"), "54000.1", "reduction"),
        (isolated_contract, ("phase",), "full", "reduction"),
        (isolated_contract, ("expected_ratio",), "1.66", "reduction"),
        (margin_position, ("actions", 0, "quantity"), "6.666", "reduction"),
        (margin_position, ("actions", 0, "position_side"), "long", "reduction"),
        (margin_position, ("phase",), "unhedged", "reduction"),
        (margin_position, ("actions", 0, "to_tier"), 2, "reduction"),
        (order_past_the_cash, ("order_ids", 0), "o2", "decision"),
        (order_past_the_cash, ("order_ids",), ["o1", "o2"], "decision"),
        (order_past_the_cash, ("reason",), "IN-5", "decision"),
        (order_past_the_cash_by_funding, ("reason",), "OC-2", "decision"),
        (borrowed_past_the_cap, ("reason",), "OC-1", "decision"),
        (converted, ("actions", 0, "quantity"), "0.1668", "reduction"),
        (converted, ("actions", 0, "from_tier"), 1, "reduction"),
        (converted, ("actions", 0, "to_tier"), 2, "reduction"),
        (converted, ("phase",), "unhedged", "reduction"),
        (converted, ("kind",), "reduction", "decision"),
        (sold_call, ("actions", 0, "quantity"), "9", "reduction"),
        (sold_call, ("actions", 1, "quantity"), "2", "reduction"),
        (sold_call, ("actions", 1, "notional_usd"), "6000", "reduction"),
        (sold_call, ("actions", 1, "bankruptcy_price"), "1.0167", "reduction"),
        (sold_call, ("phase",), "unhedged", "reduction"),
        (capped, ("actions", 0, "quantity"), "34", "reduction"),
        (capped, ("actions", 0, "capped_usd"), "60000", "reduction"),
        (capped, ("actions", 0, "capped_usd"), "19000", "reduction"),
        (capped, ("actions", 0, "capped_usd"), None, "reduction"),
        (small_debt_step, ("actions", 0, "quantity"), "0.0046", "reduction"),
        (small_debt_step, ("actions", 1, "quantity"), "141", "reduction"),
    ],
)
def test_altered_content_is_found(
    make: Callable[[], Scene], path: tuple[Any, ...], value: Any, rule: str
) -> None:
    history = make().history()
    topic, offset, content = next(place for place in places(history) if path[0] in place[2])
    if path == ("kind",):
        topic, offset, content = next(p for p in places(history) if p[2]["kind"] != "episode")
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


@pytest.mark.parametrize("make", [order_past_the_cash, borrowed_past_the_cap, converted])
def test_what_orders_or_debts_ask_for_and_nobody_answered_is_found(
    make: Callable[[], Scene],
) -> None:
    scene = make()
    for topic in set(TOPIC_OF.values()):
        scene.topics.pop(topic, None)

    assert rules(check(scene.history())) == {"crossing"}


@pytest.mark.parametrize("make", [isolated_contract, margin_position])
def test_mr_3_a_position_that_nobody_warned_of_is_found(make: Callable[[], Scene]) -> None:
    scene = make()
    for topic in set(TOPIC_OF.values()):
        scene.topics.pop(topic, None)

    report = check(scene.history())

    assert rules(report) == {"crossing"}
    assert report.violations[0].expected.startswith("a warning: ratio 2.")


def test_mr_3_the_episode_of_a_position_that_is_gone_must_close() -> None:
    scene = margin_position()
    for topic in ("episodes", "warnings"):
        scene.topics[topic].pop()

    assert rules(check(scene.history())) == {"crossing"}


def test_rd_6_more_than_the_cap_in_one_second_is_found() -> None:
    apart, together = swap_holders("P", "R"), swap_holders("P", "R")
    for scene in (apart, together):
        cut_step(scene, "P")
        if scene is apart:
            scene.now += 1_000
        cut_step(scene, "R")
        scene.heartbeat()

    assert check(apart.history()).clean
    report = check(together.history())
    assert rules(report) == {"caps"}
    assert report.violations[0].found == "39550 USD"


def test_rd_6_a_step_that_the_caps_may_hold_back_is_counted() -> None:
    scene = swap_holders("P", "R")
    cut_step(scene, "P")
    fallen = figures("1500", "3390", "84.75", "multi_currency", "liquidation")
    scene.command("episode", "R", 1, SWAP, state="opened", **fallen)
    scene.command("warning", "R", 1, SWAP, state="entered", level="1.2", **fallen)
    scene.heartbeat()

    report = check(scene.history())

    assert report.clean, "\n".join(report.lines())
    assert sum(report.unjudged.values()) == 1


def test_rd_6_a_step_that_no_cap_can_hold_back_is_missed() -> None:
    scene = swap_holders("P", "R")
    fallen = figures("1500", "3390", "84.75", "multi_currency", "liquidation")
    for account in ("P", "R"):
        scene.command("episode", account, 1, SWAP, state="opened", **fallen)
        scene.command("warning", account, 1, SWAP, state="entered", level="1.2", **fallen)
    scene.heartbeat()

    assert "decision" in rules(check(scene.history()))


@pytest.mark.parametrize(
    "make", [order_past_the_cash, borrowed_past_the_cap, converted, isolated_contract]
)
def test_an_answer_that_comes_late_is_found(make: Callable[..., Scene]) -> None:
    assert check(make().history()).clean
    assert "crossing" in rules(check(make(late=True).history()))


def test_rd_6_a_whole_step_past_the_cap_that_lots_would_keep_is_found() -> None:
    scene = swap_episode()
    capped_policy = {**REFERENCE["policy"], "symbol_caps": {"BTC-USDT-SWAP": "56000"}}
    uncapped = check(scene.history())
    told = Scene({**REFERENCE, "policy": capped_policy})
    topics = {**scene.topics, "reference": told.topics["reference"]}
    raw = {
        topic: [
            record._replace(
                value=(record.value or b"").replace(
                    scene.reference.encode(), told.reference.encode()
                )
            )
            for record in records
        ]
        for topic, records in topics.items()
    }

    report = check(History(raw))

    assert uncapped.clean
    assert rules(report) == {"reduction"}
    assert report.violations[0].expected == "a step cut to the cap of BTC-USDT-SWAP"
