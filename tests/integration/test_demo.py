"""`liqmon demo` as its user runs it: a process of its own, ended in every way."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.intake, pytest.mark.timeout(400)]

_SMALL = ("--accounts", "500", "--duration", "12", "--speed", "2")
# Only against a hang: how long a start takes depends on what else the machine does.
_LONG = 180


def _environment(data: Path) -> dict[str, str]:
    # Settings of the tests' own surroundings are no business of the demo.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIQMON_")}
    intake = os.environ.get("LIQMON_INTAKE", "faust")
    own = {"LIQMON_DATA_DIR": str(data), "LIQMON_INTAKE": intake}
    return {**kept, **own, "LIQMON_SECURITY_PROTOCOL": "SSL"}


@contextmanager
def _demo(data: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a demo whose processes all bear `data` in their command lines."""
    running = subprocess.Popen(
        [sys.executable, "-m", "streams", "demo", "--no-browser", *(options or _SMALL)],
        env=_environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        if running.stdout is not None:
            running.stdout.close()


def _read_until(running: "subprocess.Popen[str]", pattern: str) -> str:
    """Read lines up to the first that matches; everything up to the end when none does."""
    assert running.stdout is not None
    seen = ""
    for line in running.stdout:
        seen += line
        if re.search(pattern, line):
            return seen
    pytest.fail(f"{pattern!r} did not come:\n{seen}")


def _processes(data: Path) -> list[str]:
    """Return pid and command line of everything that has to do with this data directory."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,args="],  # noqa: S607 - wherever the system has it
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.strip() for line in listed.stdout.splitlines() if str(data) in line]


def _none_left(data: Path) -> None:
    """Fail when a process is left; what was killed a moment ago may take one to be gone."""
    deadline = time.monotonic() + 20
    while (left := _processes(data)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def _rest(running: "subprocess.Popen[str]") -> str:
    output, _ = running.communicate(timeout=_LONG)
    return output


def test_a_run_after_an_interrupted_one_ends_clean_and_leaves_nothing(tmp_path: Path) -> None:
    with _demo(tmp_path) as interrupted:
        _read_until(interrupted, r"ticks/s")
        assert len(_processes(tmp_path)) >= 5  # Kafka, Redis, worker, exchange, replay
        interrupted.send_signal(signal.SIGINT)
        assert "interrupted" in _rest(interrupted)
        assert interrupted.returncode == 130
    _none_left(tmp_path)
    assert list(tmp_path.iterdir()) == []

    with _demo(tmp_path) as whole:
        output = _rest(whole)
        assert whole.returncode == 0, output
    assert "check over the topics: clean" in output
    assert re.search(r"accounts +500\n", output)
    found = re.search(r"commands +(\d+) warnings, (\d+) order cancels, (\d+) reductions", output)
    assert found is not None
    assert all(int(count) > 0 for count in found.groups()), output
    _none_left(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_signal_while_everything_starts_leaves_nothing(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with _demo(tmp_path) as running:
        _read_until(running, r"starting: ")
        running.send_signal(number)
        running.send_signal(number)  # an impatient user must not cut the cleaning short
        _rest(running)
        assert running.returncode == code
    _none_left(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_dies_ends_the_demo_with_its_log(tmp_path: Path) -> None:
    with _demo(tmp_path) as running:
        _read_until(running, r"ticks/s")
        exchange = [line for line in _processes(tmp_path) if "child exchange" in line]
        # The guard bears the command line too; the one without it in front is the process itself.
        process = next(line for line in exchange if "guard.py" not in line)
        os.kill(int(process.split()[0]), signal.SIGKILL)
        output = _rest(running)
        assert running.returncode == 1
    assert "exchange ended with exit code 137" in output
    kept = re.search(r"logs and report: (.+)", output)
    assert kept is not None
    assert (Path(kept[1]) / "logs" / "exchange.log").is_file()
    _none_left(tmp_path)


def test_nothing_survives_a_demo_that_is_killed(tmp_path: Path) -> None:
    with _demo(tmp_path) as running:
        _read_until(running, r"ticks/s")
        running.kill()
    _none_left(tmp_path)


def test_a_file_that_is_no_recording_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a,b\n1,2\n")
    with _demo(tmp_path, "--replay", str(wrong), "--accounts", "10") as running:
        output = _rest(running)
    assert running.returncode == 1
    assert "wrong.csv" in output
    assert "Traceback" not in output
    _none_left(tmp_path)
    assert list(tmp_path.iterdir()) == [wrong]
