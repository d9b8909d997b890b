"""Log lines: on standard error, in one format, without secrets."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from streams.logs import configure_logs
from streams.settings import Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _fail(password: str) -> None:
    raise ValueError(f"{len(password)} characters")


def test_json_lines_of_ours_and_of_libraries_have_one_form(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(Settings(log_format="json"))
    structlog.get_logger("a").warning("partition_lost", partition=3)
    logging.getLogger("library").warning("went %s", "wrong")
    captured = capsys.readouterr()
    assert captured.out == ""
    ours, theirs = (json.loads(line) for line in captured.err.splitlines())
    assert (ours["event"], ours["partition"], ours["level"]) == ("partition_lost", 3, "warning")
    assert (theirs["event"], theirs["logger"]) == ("went wrong", "library")
    assert ours.keys() >= {"timestamp"} <= theirs.keys()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_tracebacks_show_no_values_of_variables(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    configure_logs(Settings.model_validate({"log_format": log_format}))
    try:
        _fail("hush" * 3)
    except ValueError:
        structlog.get_logger().exception("failed")
    shown = capsys.readouterr().err
    assert "12 characters" in shown
    assert "hushhush" not in shown


def test_less_severe_lines_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_level="warning"))
    structlog.get_logger().info("quiet")
    logging.getLogger("aiokafka").warning("quiet")
    assert capsys.readouterr().err == ""
