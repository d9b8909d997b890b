"""`python -m streams.bench.pipeline.roles FOLDER`: one process, as `member.json` there says."""

from __future__ import annotations

import faulthandler
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Protocol

from streams.bench.part import read_file
from streams.bench.pipeline.job import MemberJob
from streams.bench.pipeline.roles.report import Report

__all__ = ["ROLES", "main"]

_HERE = "streams.bench.pipeline.roles"
ROLES = {
    "worker": f"{_HERE}.worker:run",
    "tick-loop": f"{_HERE}.plain:run_ticks",
    "aiokafka": f"{_HERE}.plain:run_events",
    "aiokafka-produce": f"{_HERE}.plain:run_events_produced",
    "relay": f"{_HERE}.relay:run",
    "faust": f"{_HERE}.faust_agents:run_bare",
    "faust-table": f"{_HERE}.faust_agents:run_table",
    "quixstreams": f"{_HERE}.quix:run_stateless",
    "quixstreams-state": f"{_HERE}.quix:run_stateful",
}


class Role(Protocol):
    """Runs until it is ended; tells the report what it takes."""

    def __call__(self, job: MemberJob, report: Report) -> None: ...


def main(folder: Path) -> int:
    """Run a role; return the exit code."""
    job = read_file(folder / "member.json", MemberJob)
    if job is None:
        sys.stderr.write(f"{folder}: no member.json there\n")
        return 2
    module, _, name = ROLES[job.role].partition(":")
    role: Role = getattr(import_module(module), name)
    role(job, Report(folder, job))
    return 0


if __name__ == "__main__":
    faulthandler.enable()  # a crash below Python shall leave more than its exit code
    code = main(Path(sys.argv[1]))
    sys.stderr.flush()
    os._exit(code)
