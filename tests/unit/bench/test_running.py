"""Parts run apart: a failing one costs itself, and Ctrl-C keeps what is measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from streams.bench.part import Part
from streams.bench.result import Result, Sizes
from streams.bench.running import run_parts

SMALL = Sizes(accounts=20, ticks=200, runs=1, seconds=1.0)
ACCOUNT = Part("account", "one account", "streams.bench.engine.single:measure", SMALL)
ABSENT = Part("absent", "nothing", "streams.bench.engine.single:absent", SMALL)


def shown(parts: list[Part], folder: Path) -> tuple[Result, list[tuple[int, str]]]:
    seen: list[tuple[int, str]] = []
    result = run_parts("engine", parts, SMALL, lambda n, _, doing: seen.append((n, doing)), folder)
    return result, seen


def test_a_failing_part_costs_itself_and_keeps_its_log(tmp_path: Path) -> None:
    result, seen = shown([ABSENT, ACCOUNT], tmp_path)
    failed, whole = result.parts
    assert failed.figures == ()
    assert failed.error is not None
    assert "absent" in failed.error
    assert (tmp_path / "absent" / "log").exists()
    assert whole.error is None
    assert whole.value("assess")
    assert not (tmp_path / "account").exists()
    assert not result.stopped
    assert (0, "failed") in seen
    assert (1, "done") in seen
    assert result.machine.cores >= 1
    assert "numpy" in result.machine.versions


def test_the_command_gives_json_with_ratios(tmp_path: Path) -> None:
    done = subprocess.run(
        [*command("--only", "account", "--json")], capture_output=True, check=True, cwd=tmp_path
    )
    result = json.loads(done.stdout)
    assert [part["part"] for part in result["parts"]] == ["account"]
    assert result["sizes"]["accounts"] == 20
    assert [ratio["name"] for ratio in result["ratios"]] == ["exact assessment, µs"]
    assert b"one account" in done.stderr


def test_an_unknown_part_is_refused_by_name(tmp_path: Path) -> None:
    done = subprocess.run(
        command("--only", "fal"), capture_output=True, check=False, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "--only fal" in done.stderr
    assert "watch-list" in done.stderr


def test_interrupted_it_says_so_and_gives_what_is_measured(tmp_path: Path) -> None:
    with subprocess.Popen(
        command("--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("2/"):
                break
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    result = json.loads(output)
    assert result["stopped"]
    assert [part["part"] for part in result["parts"]] == ["account"]
    assert result["parts"][0]["figures"]
    assert list(tmp_path.iterdir()) == []


def command(*arguments: str) -> list[str]:
    sizes = ["--accounts", "20", "--ticks", "200", "--runs", "1"]
    return [sys.executable, "-m", "streams", "bench", "engine", *sizes, *arguments]
