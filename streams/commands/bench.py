"""`liqmon bench`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streams.bench.part import BenchError, Part
from streams.bench.plot import draw, require_plot
from streams.bench.progress import showing
from streams.bench.result import PartResult, Ratio, Result, Sizes
from streams.bench.running import run_parts
from streams.bench.table import print_result
from streams.evaluate_table import console
from streams.exceptions import CommandError

__all__ = ["Output", "run_engine", "run_pipeline"]

_STOPPED = 130


class WrongPart(CommandError):
    """Raised when `--only` names a part that there is not."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Output:
    """Where the result goes besides the terminal's table."""

    as_json: bool = False
    plot: Path | None = None


def run_engine(sizes: Sizes, only: Sequence[str], output: Output) -> int:
    """Measure the engine without Kafka; return the exit code."""
    from streams.bench.engine.plan import parts, ratios

    return _run("engine", parts(sizes), ratios, sizes, only, output)


def run_pipeline(sizes: Sizes, only: Sequence[str], output: Output) -> int:
    """Measure a worker on an embedded Kafka; return the exit code."""
    from streams.bench.pipeline.plan import parts, ratios

    return _run("pipeline", parts(sizes), ratios, sizes, only, output)


def _run(
    benchmark: str,
    parts: Sequence[Part],
    ratios: Callable[[list[PartResult], Sizes], list[Ratio]],
    sizes: Sizes,
    only: Sequence[str],
    output: Output,
) -> int:
    """Exit codes: 0 measured, 1 a part was not, 130 stopped."""
    chosen = _chosen(parts, only)
    if output.plot is not None:
        require_plot()  # before an hour of measuring
    with showing(chosen) as show:
        result = run_parts(benchmark, chosen, sizes, show)
    result.ratios = ratios(result.parts, sizes)
    _write(result, output)
    if result.stopped:
        return _STOPPED
    return 1 if any(part.error is not None for part in result.parts) else 0


def _chosen(parts: Sequence[Part], only: Sequence[str]) -> list[Part]:
    chosen = [p for p in parts if not only or p.name in only or p.group in only]
    names = {p.name for p in parts} | {p.group for p in parts if p.group}
    unknown = sorted(set(only) - names)
    if unknown:
        known = ", ".join(sorted(names))
        raise WrongPart(f"--only {unknown[0]}: no such part; there are {known}")
    return chosen


def _write(result: Result, output: Output) -> None:
    if output.as_json:
        text = msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
        sys.stdout.write(text + "\n")
    else:
        print_result(result, console())
    if output.plot is not None and not (result.stopped and not result.parts):
        try:
            draw(result, output.plot)
        except BenchError as error:
            sys.stderr.write(f"{error}\n")
        else:
            sys.stderr.write(f"plot: {output.plot}\n")
