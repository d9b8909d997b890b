"""From the start of a worker's process to ready, with three journal records an account."""

from __future__ import annotations

import compileall
from pathlib import Path

import monitor
import streams
from streams.bench.accounts import states
from streams.bench.part import Teller
from streams.bench.pipeline.messages import TickMessages
from streams.bench.pipeline.stage import on_stage
from streams.bench.result import Figure, Sizes, figure

__all__ = ["measure"]

_PREFIX = "start-"
_COPIES = 3


def measure(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Start a worker, wait until every partition is ready, stop it, and again.

    The first start warns every account that stands in the warning band; whoever follows finds these warned.
    """
    _compile()
    with on_stage(sizes, teller) as stage:
        accounts = states(sizes.accounts, sizes.seed)
        stage.furnish(
            _PREFIX, accounts, TickMessages(sizes.seed), copies=_COPIES, share=(0.05, 0.3)
        )
        seconds = []
        for run in range(sizes.runs + 1):
            teller.tell(0.3 + 0.7 * run / (sizes.runs + 1), f"a worker starts, run {run}")
            worker = stage.member(stage.job("worker", _PREFIX, name=f"worker-{run}", session=6.0))
            with worker:
                seconds.append((worker.wait_ready() - worker.started_ns) / 1e9)
                worker.stop()
    words = f"{sizes.accounts:,} accounts, {_COPIES} journal records each, every account assessed"
    first, *later = seconds
    return [
        figure("ready", "process start to ready", "s", later, words),
        figure("first", "the same where nobody was warned before", "s", [first], words),
    ]


def _compile() -> None:
    """Have Python's byte code beside the sources, as an installed package has it."""
    for package in (monitor, streams):
        compileall.compile_dir(Path(package.__file__ or "").parent, quiet=2)
