"""`liqmon bench pipeline`, small: real processes on a broker of its own, and none left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

LONG = 350


def bench(folder: Path, *parts: str) -> subprocess.Popen[str]:
    only = [word for part in parts for word in ("--only", part)]
    sizes = ["--accounts", "40", "--ticks", "2000", "--runs", "1"]
    return subprocess.Popen(
        [sys.executable, "-m", "streams", "bench", "pipeline", *sizes, *only, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
    )


def processes(folder: Path) -> list[str]:
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,args="],  # noqa: S607 - wherever the system has it
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.strip() for line in listed.stdout.splitlines() if str(folder) in line]


def none_left(folder: Path) -> None:
    """Fail when a process or a file is left; what was killed a moment ago may take one to be gone."""
    deadline = time.monotonic() + 20
    while (left := processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    assert list(folder.iterdir()) == []


def whole(folder: Path, *parts: str) -> dict[str, dict[str, Any]]:
    """Return part → key → figure."""
    with bench(folder, *parts) as running:
        output, errors = running.communicate(timeout=LONG)
    assert running.returncode == 0, output + errors
    result = json.loads(output)
    return {p["part"]: {f["key"]: f for f in p["figures"]} for p in result["parts"]}


def test_start_and_events_are_measured_and_nothing_is_left(tmp_path: Path) -> None:
    found = whole(tmp_path, "start", "events-faust-intake", "events-aiokafka-produce")
    assert found["start"]["ready"]["value"] > 0
    assert found["events-faust-intake"]["events"]["value"] > 0
    assert found["events-aiokafka-produce"]["events"]["value"] > 0
    none_left(tmp_path)


def test_ticks_come_through_a_worker_as_commands(tmp_path: Path) -> None:
    found = whole(tmp_path, "ticks")["ticks"]
    assert found["backlog"]["value"] > 0
    assert found["loop"]["value"] > 0
    assert found["sustained"]["value"] >= 0
    none_left(tmp_path)


def test_interrupted_it_leaves_no_process(tmp_path: Path) -> None:
    with bench(tmp_path, "latency") as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "waiting until the worker is ready" in line:
                break
        assert len(processes(tmp_path)) >= 4  # the part, Kafka, Redis, the worker
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert json.loads(output)["stopped"]
    none_left(tmp_path)
