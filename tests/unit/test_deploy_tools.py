"""Alert rules by promtool, the chart by Helm and kubeconform, the site by MkDocs (`make test-ops`).

Nothing is installed here. What a missing tool leaves unchecked is skipped with its name; with
LIQMON_OPS_TOOLS=required it fails.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).resolve().parents[2]
_PROMETHEUS = _ROOT / "deploy" / "prometheus"
_CHECK = _ROOT / "deploy" / "helm" / "check.sh"
_CHART = _ROOT / "deploy" / "helm" / "liqmon"
_NOT_CHECKED = 3


def _missing(words: str) -> None:
    if os.environ.get("LIQMON_OPS_TOOLS") == "required":
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture
def promtool() -> str:
    """Return the program of Debian's package `prometheus`."""
    found = shutil.which("promtool")
    if found is None:
        _missing("promtool is not on the PATH (Debian: prometheus)")
    return found or ""


def _run(*command: str | Path, folder: Path = _ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_rules_are_rules(promtool: str) -> None:
    done = _run(promtool, "check", "rules", _PROMETHEUS / "rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_in_its_world_and_is_quiet_when_all_is_well(promtool: str) -> None:
    done = _run(promtool, "test", "rules", "rules_test.yml", folder=_PROMETHEUS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("liqmon_tick_lag_records > 10000", "liqmon_tick_lag_records > 100000"),
        ("liqmon_redis_available == 0", "liqmon_redis_available == 1"),
        ("expr: liqmon_ready == 0\n        for: 1m", "expr: liqmon_ready == 0\n        for: 1s"),
    ],
)
def test_a_wrong_rule_is_found(promtool: str, tmp_path: Path, right: str, wrong: str) -> None:
    rules = (_PROMETHEUS / "rules.yml").read_text()
    assert right in rules
    (tmp_path / "rules.yml").write_text(rules.replace(right, wrong))
    shutil.copy(_PROMETHEUS / "rules_test.yml", tmp_path)
    assert _run(promtool, "test", "rules", "rules_test.yml", folder=tmp_path).returncode != 0


def _checked(folder: Path, script: Path = _CHECK) -> subprocess.CompletedProcess[str]:
    done = _run("bash", script, folder)
    if done.returncode == _NOT_CHECKED:
        _missing(re.findall(r"^NOT CHECKED: (.*)$", done.stdout, re.MULTILINE)[0])
    return done


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return every manifest of the largest of the chart's test values, validated."""
    folder = tmp_path_factory.mktemp("rendered")
    done = _checked(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    newest = max(folder.glob("whole-*.yaml"))
    return [one for one in yaml.safe_load_all(newest.read_text()) if one]


def _pods(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in manifests
        if one["kind"] in {"Deployment", "StatefulSet", "Job"}
    }


def test_the_chart_is_rendered_and_valid(rendered: list[dict[str, Any]]) -> None:
    assert {one["kind"] for one in rendered} == {
        *("ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Job", "NetworkPolicy"),
        *("PodDisruptionBudget", "PrometheusRule", "Service", "ServiceAccount"),
        *("ServiceMonitor", "StatefulSet"),
    }


def test_a_pod_has_no_more_rights_than_it_needs(rendered: list[dict[str, Any]]) -> None:
    pods = _pods(rendered)
    assert len(pods) == 4
    for name, pod in pods.items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "@sha256:" in container["image"]
            assert container["resources"]["limits"]["memory"]
            for item in container["env"]:
                if re.search("PASSWORD|TOKEN", item["name"]):
                    assert set(item["valueFrom"]) == {"secretKeyRef"}, item["name"]


def test_what_runs_for_long_is_probed_and_stops_in_time(rendered: list[dict[str, Any]]) -> None:
    for name, pod in _pods(rendered).items():
        if name.endswith("-topics"):
            continue
        (container,) = pod["containers"]
        assert {"startupProbe", "livenessProbe"} <= set(container)
        assert pod["terminationGracePeriodSeconds"] >= 15
    (container,) = _pods(rendered)["liqmon-worker"]["containers"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}


def test_topics_are_made_before_anything_else(rendered: list[dict[str, Any]]) -> None:
    (job,) = [one for one in rendered if one["kind"] == "Job"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["topics"]


def test_alerts_in_the_chart_have_the_runbook_that_was_asked_for(
    rendered: list[dict[str, Any]],
) -> None:
    (rules,) = [one for one in rendered if one["kind"] == "PrometheusRule"]
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]
    assert alerts
    for alert in alerts:
        url = alert["annotations"]["runbook_url"]
        assert url.startswith("https://wiki.example/liqmon/docs/operations.md#")


def test_a_misspelt_key_in_the_chart_is_found(tmp_path: Path) -> None:
    shutil.copytree(_CHART, tmp_path / "liqmon")
    shutil.copy(_CHECK, tmp_path)
    template = tmp_path / "liqmon" / "templates" / "worker.yaml"
    template.write_text(template.read_text().replace("livenessProbe:", "livenesProbe:"))
    done = _run("bash", tmp_path / "check.sh", tmp_path / "out")
    if done.returncode == _NOT_CHECKED:
        _missing(done.stdout.splitlines()[-1])
    assert done.returncode == 1
    assert "livenesProbe" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the documentation site, built strictly."""
    if importlib.util.find_spec("material") is None:
        _missing("mkdocs-material is not installed (the extra `docs`)")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"),
            *("-f", str(_ROOT / "deploy/docs/mkdocs.yml"), "-d", str(folder)),
        ],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_has_every_page(site: Path) -> None:
    pages = {path.stem for path in (_ROOT / "docs").glob("*.md")}
    assert {path.stem for path in site.glob("*.html")} == {*pages, "404"}


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.glob("*.html"))
    assert pages
    for page in pages:
        loaded = re.findall(
            r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"([^\"]+)\"", page.read_text()
        )
        assert loaded
        assert not [one for one in loaded if re.match(r"(https?:)?//", one)], page.name


def test_links_to_files_of_the_repository_are_names_only(site: Path) -> None:
    text = (site / "rules.html").read_text()
    assert "monitor/prices.py" in text
    assert 'href="../monitor' not in text
