"""Alert rules, dashboards and their documentation speak of the same metrics, alerts and log events."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.alerts.metrics import AlertMetrics
from streams.metrics import CATALOGUE, METRICS
from streams.metrics.collector import BANDS, PARTITION_STATES
from streams.metrics.meters import COMMAND_KINDS, EPISODE_STATES, RESTART_REASONS

_ROOT = Path(__file__).resolve().parents[2]
_OPERATIONS = (_ROOT / "docs" / "operations.md").read_text()
_RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((_ROOT / "deploy/prometheus/rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
_TESTS = yaml.safe_load((_ROOT / "deploy/prometheus/rules_test.yml").read_text())["tests"]
_BOARDS = {path.stem: path.read_text() for path in (_ROOT / "deploy/grafana").glob("*.json")}
_LABEL_VALUES = {
    "band": BANDS,
    "kind": COMMAND_KINDS,
    "reason": RESTART_REASONS,
    "cause": ("tick", "account"),
}
# The client's own figures of a process, and what Prometheus notes of each scrape.
_OTHERS = {
    "up",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
}
# Where the log events of a worker's process come from.
_WORKER_SOURCES = [
    *(_ROOT / "streams").glob("*/*.py"),
    *(_ROOT / "streams" / name for name in ("cache.py", "follow.py", "ticks.py")),
]
_OF_A_WORKER = {
    *("worker", "journal", "intake", "hours", "totals", "requests", "reference", "metrics"),
    "streams",
}

every_rule = pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
every_board = pytest.mark.parametrize("board", _BOARDS)


def _exposed() -> set[str]:
    """Return every name that a process of liqmon exposes."""
    names = set(_OTHERS)
    for metric in CATALOGUE:
        names.add(metric.name)
        if metric.kind == "histogram":
            names |= {f"{metric.name}_{part}" for part in ("bucket", "sum", "count")}
    for family in AlertMetrics().registry.collect():
        names.add(family.name + ("_total" if family.type == "counter" else ""))
        names.add(family.name + "_bucket")
    dashboard = (_ROOT / "streams/dashboard/metrics.py").read_text()
    for name in re.findall(r'"(liqmon_dashboard_\w+)"', dashboard):
        names |= {name, name + "_bucket"}
    return names


def _names_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:liqmon|process)_\w+|\bup\b", expression))


def _anchors() -> set[str]:
    return {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", _OPERATIONS, re.MULTILINE)
    }


def _expressions(board: str) -> list[str]:
    return [
        target["expr"]
        for panel in json.loads(_BOARDS[board])["panels"]
        for target in panel.get("targets", ())
    ]


@every_rule
def test_every_alert_says_what_it_is_and_where_its_runbook_entry_stands(
    rule: dict[str, Any],
) -> None:
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    page, anchor = rule["annotations"]["runbook_url"].split("#")
    assert page == "docs/operations.md"
    assert anchor == rule["alert"].lower()
    assert anchor in _anchors()


@every_rule
def test_every_runbook_entry_says_what_it_means_where_to_look_and_what_to_do(
    rule: dict[str, Any],
) -> None:
    entry = _OPERATIONS.split(f"\n### {rule['alert']}\n")[1].split("\n### ")[0]
    places = [entry.find(f"**{part}.**") for part in ("Means", "Look", "Do")]
    assert -1 not in places
    assert places == sorted(places)


def test_every_runbook_entry_is_of_an_alert() -> None:
    runbook = _OPERATIONS.split("\n## Runbook\n")[1]
    assert re.findall(r"^### (\w+)$", runbook, re.MULTILINE) == [rule["alert"] for rule in _RULES]


def test_links_within_the_page_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([\w-]+)\)", _OPERATIONS)) <= _anchors()


@every_rule
def test_every_metric_of_an_alert_exists(rule: dict[str, Any]) -> None:
    names = _names_in(rule["expr"])
    assert names
    assert names <= _exposed()


@every_rule
def test_every_alert_is_seen_firing_and_quiet(rule: dict[str, Any]) -> None:
    cases = [
        case
        for test in _TESTS
        for case in test["alert_rule_test"]
        if case["alertname"] == rule["alert"]
    ]
    assert any(case.get("exp_alerts") for case in cases)
    assert (
        sum(not case.get("exp_alerts") for case in cases) >= 2
    )  # its own world's begin, and all well


def test_a_metric_that_is_not_there_would_be_found() -> None:
    assert _names_in("sum(rate(liqmon_wishes_total[5m]))") - _exposed() == {"liqmon_wishes_total"}


def test_every_metric_of_a_worker_is_on_a_dashboard_or_in_an_alert() -> None:
    used = set().union(
        *(_names_in(rule["expr"]) for rule in _RULES),
        *(_names_in(text) for board in _BOARDS for text in _expressions(board)),
    )
    used = {name.removesuffix("_bucket") for name in used}
    assert set(METRICS) - used == {"liqmon_worker_info"}  # the dashboards' variable


@every_board
def test_every_metric_of_a_dashboard_exists(board: str) -> None:
    for expression in _expressions(board):
        names = _names_in(expression)
        assert names
        assert names <= _exposed(), expression


@every_board
def test_labels_in_a_dashboard_have_values_that_occur(board: str) -> None:
    for expression in _expressions(board):
        for label, values in re.findall(r'(\w+)=~?"([\w|]+)"', expression):
            known = set(_LABEL_VALUES.get(label, ())) | (
                {*EPISODE_STATES, *PARTITION_STATES} if label == "state" else set()
            )
            if known:
                assert set(values.split("|")) <= known, expression


@every_board
def test_a_dashboard_is_whole(board: str) -> None:
    read = json.loads(_BOARDS[board])
    panels = read["panels"]
    assert read["uid"] == f"liqmon-{board}"
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert max(x for x, _ in cells) < 24
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["datasource"]["uid"] == "${datasource}"


def test_every_metric_stands_in_the_documentation_as_it_is() -> None:
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} "
        f"| {metric.text} |"
        for metric in CATALOGUE
    ]
    table = _OPERATIONS.split("### Metrics\n")[1].split("### Traces")[0]
    assert re.findall(r"^\| `.*$", table, re.MULTILINE) == rows


def test_every_log_event_of_a_worker_stands_in_the_documentation() -> None:
    found = set()
    for path in _WORKER_SOURCES:
        if path.parent.name in _OF_A_WORKER:
            found |= set(
                re.findall(
                    r'\blog\.(?:info|warning|error|exception|critical)\(\s*"(\w+)"',
                    path.read_text().replace("_log.", "log."),
                )
            )
    table = _OPERATIONS.split("### Logs\n")[1].split("## Changing")[0]
    assert "partition_ready" in found
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == found
