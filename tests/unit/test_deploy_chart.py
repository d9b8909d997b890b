"""The Helm chart, as far as that can be told without Helm; `test_deploy_tools.py` renders it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from streams.alerts.settings import ALERT_SETTINGS
from streams.settings import PREFIX, Settings

_ROOT = Path(__file__).resolve().parents[2]
_CHART = _ROOT / "deploy" / "helm" / "liqmon"
_VALUES: dict[str, Any] = yaml.safe_load((_CHART / "values.yaml").read_text())
_TEMPLATES = "\n".join(path.read_text() for path in sorted(_CHART.glob("templates/*")))


def test_the_chart_is_of_the_version_that_it_installs() -> None:
    chart = yaml.safe_load((_CHART / "Chart.yaml").read_text())
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_rules_and_dashboards_in_the_chart_are_those_of_the_repository() -> None:
    for name, target in {
        "rules.yml": "prometheus/rules.yml",
        "desk.json": "grafana/desk.json",
        "operations.json": "grafana/operations.json",
    }.items():
        assert (_CHART / "files" / name).resolve() == (_ROOT / "deploy" / target).resolve()


def test_every_setting_that_the_chart_passes_on_exists() -> None:
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *ALERT_SETTINGS)}
    passed = set(re.findall(rf"^\s*- name: ({PREFIX}\w+)$", _TEMPLATES, re.MULTILINE))
    assert len(passed) > 20
    assert passed <= known


def test_every_value_that_a_template_reads_has_a_default() -> None:
    for path in sorted(set(re.findall(r"\.Values\.([A-Za-z.]+)", _TEMPLATES))):
        found: Any = _VALUES
        for part in path.split("."):
            assert part in found, path
            found = found[part]


def test_defaults_are_those_of_the_settings() -> None:
    defaults = Settings.model_fields
    assert _VALUES["kafka"]["partitions"] == defaults["partitions"].default
    assert _VALUES["worker"]["sessionTimeout"] == defaults["session_timeout"].default
    assert _VALUES["worker"]["heartbeatInterval"] == defaults["heartbeat_interval"].default


def test_a_worker_has_time_to_flush_before_it_is_killed() -> None:
    from streams.worker.ownership import FLUSH_SHARE

    session, grace = (
        _VALUES["worker"][name] for name in ("sessionTimeout", "terminationGracePeriodSeconds")
    )
    assert grace > 2 * FLUSH_SHARE * session + 10


def test_a_probe_waits_longer_than_a_loop_that_stands_still_is_waited_for() -> None:
    from streams.metrics.server import ANSWER_SECONDS

    worker = (_CHART / "templates" / "worker.yaml").read_text()
    waits = [int(seconds) for seconds in re.findall(r"timeoutSeconds: (\d+)", worker)]
    assert len(waits) == 3
    assert min(waits) > ANSWER_SECONDS


def test_the_schema_of_the_values_is_one() -> None:
    schema = json.loads((_CHART / "values.schema.json").read_text())
    for name, part in schema["properties"].items():
        assert name in _VALUES
        for key in part.get("properties", ()):
            assert key in _VALUES[name], f"{name}.{key}"
