"""How a result is shown: table, ratios, picture."""

from __future__ import annotations

import importlib
import io
from pathlib import Path

import pytest
from rich.console import Console

from streams.bench.engine import plan as engine_plan
from streams.bench.machine import describe_machine
from streams.bench.part import BenchError
from streams.bench.pipeline import plan as pipeline_plan
from streams.bench.pipeline.roles.__main__ import ROLES
from streams.bench.plot import draw
from streams.bench.ratios import Ratios
from streams.bench.result import PartResult, Result, Sizes, figure
from streams.bench.table import print_result

SIZES = Sizes(accounts=100, ticks=1_000)


def result(*parts: PartResult) -> Result:
    return Result(
        benchmark="engine",
        started="2026-01-01T00:00:00+00:00",
        machine=describe_machine(),
        sizes=SIZES,
        parts=list(parts),
    )


def calm(count: int, mean: float) -> PartResult:
    figures = (
        figure("tick.mean", "a tick, mean", "µs", [mean, mean * 2, mean * 3]),
        figure("tick.batched", "a tick in batches, mean", "µs", [mean, mean * 2, mean * 3]),
        figure("screen", "of that the screen", "µs", [mean, mean * 2, mean * 3]),
        figure("numpy", "NumPy full recompute by a tick", "µs", [mean * 1_500]),
    )
    return PartResult(part=f"calm-{count}", title=f"{count} accounts", figures=figures)


def test_a_figure_is_the_median_of_its_runs() -> None:
    assert figure("k", "n", "s", [5.0, 1.0, 3.0]).value == 3.0


@pytest.mark.parametrize("runs", [[], [1.0, float("nan")], [float("inf")]])
def test_what_was_not_found_is_no_figure(runs: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        figure("k", "n", "s", runs)


def test_the_table_shows_medians_spread_errors_and_what_is_to_reach() -> None:
    found = result(calm(100, 2.0), PartResult(part="gap", title="a gap", error="no memory"))
    found.ratios = engine_plan.ratios(found.parts, SIZES)
    text = io.StringIO()
    print_result(found, Console(file=text, width=200))
    shown = text.getvalue()
    assert "4 µs" in shown
    assert "3: 2 to 6" in shown
    assert "not measured: no memory" in shown
    assert "at least 500" in shown


def test_ratios_are_of_what_was_measured_and_say_whether_they_are_reached() -> None:
    found = {r.name: r for r in engine_plan.ratios([calm(100, 1.0)], SIZES)}
    assert found["NumPy full recompute / tick"].value == 750
    assert found["NumPy full recompute / tick"].reached is True
    assert found["the screen by a tick, mean, µs (100 accounts)"].reached is True
    assert "exact assessment, µs" not in found
    made = Ratios([calm(100, 1.0)])
    made.at_least("enough", "calm-100", "tick.mean", 3)
    assert made.found[0].reached is False


def test_every_role_of_the_pipeline_and_every_part_can_be_loaded() -> None:
    functions = [part.function for part in pipeline_plan.parts(SIZES)]
    functions += [part.function for part in engine_plan.parts(SIZES)]
    for place in (*functions, *ROLES.values()):
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "cost.png"
    draw(result(calm(10, 1.0), calm(100, 2.0)), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("streams.bench.plot.importlib.import_module", missing)
    with pytest.raises(BenchError, match=r"liqmon\[bench\]"):
        draw(result(calm(10, 1.0)), tmp_path / "cost.png")


def test_a_plot_needs_a_calm_market(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(BenchError, match="calm"):
        draw(result(), tmp_path / "cost.png")
