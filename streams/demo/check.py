"""The child process that checks the run from its topics."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from streams.demo.plan import CheckStatus, Folder, Plan
from streams.verify import VerifyReport, Violation, verify

__all__ = ["read_report", "run_check"]

_COUNTERS = (
    "commands",
    "notices",
    "cancels",
    "reductions",
    "dead_letters",
    "crossings_excused",
    "unjudged",
)
_DERIVED = ("crossings_checked", "clean")


async def run_check(plan: Plan, folder: Folder, stop: asyncio.Event) -> int:
    """Check the topics and leave the report in the data directory."""

    def show(doing: str, done: int, total: int) -> None:
        folder.write("check", CheckStatus(doing, done, total))

    checking = asyncio.create_task(verify(plan.brokers, progress=show))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({checking, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not checking.done():
        checking.cancel()
        return 1
    part = folder.path / "report.part"
    part.write_text(checking.result().to_json())
    part.replace(report_path(folder))
    return 0


def report_path(folder: Folder) -> Path:
    """Return where the report is."""
    return folder.path / "report.json"


def read_report(folder: Folder) -> VerifyReport:
    """Return the report as `run_check` left it."""
    content: dict[str, Any] = json.loads(report_path(folder).read_text())
    for name in _DERIVED:
        content.pop(name, None)
    for name in _COUNTERS:
        content[name] = Counter(content[name])
    content["shortfall"] = Decimal(content["shortfall"])
    content["violations"] = [
        Violation(**{**found, "detail": tuple(found["detail"])}) for found in content["violations"]
    ]
    return VerifyReport(**content)
