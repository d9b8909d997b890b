"""Cost of a tick against the number of accounts, as a picture (PNG)."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from streams.bench.part import BenchError
from streams.bench.result import Result

__all__ = ["draw", "require_plot"]

_CURVES = (
    ("python", "Python scan of all accounts", "o", "#9467bd"),
    ("numpy", "NumPy full recompute", "s", "#d62728"),
    ("watch_list", "watch list, sweep each second (sees crossings late)", "^", "#ff7f0e"),
    ("tick.batched", "liqmon, in batches, without exact decisions", "o", "#1f77b4"),
    ("screen", "of that the screen", "v", "#17becf"),
)


def require_plot() -> Any:
    """Return matplotlib's `pyplot`; raises `BenchError` that names the extra when it is missing."""
    try:
        matplotlib = importlib.import_module("matplotlib")
    except ImportError:
        raise BenchError(
            "--plot needs matplotlib, which is not installed: it comes with the extra `bench` "
            "(pip install 'liqmon[bench]')"
        ) from None
    matplotlib.use("Agg")
    return importlib.import_module("matplotlib.pyplot")


def draw(result: Result, path: Path) -> None:
    """Draw the parts in a calm market; raises `BenchError` when there are none."""
    pyplot = require_plot()
    found = {
        int(part.part.rpartition("-")[2]): part
        for part in result.parts
        if part.part.startswith("calm-") and part.figures
    }
    if not found:
        raise BenchError("--plot: no part in a calm market was measured")
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for key, label, marker, colour in _CURVES:
        points = [(count, part.value(key)) for count, part in sorted(found.items())]
        drawn = [(count, value) for count, value in points if value is not None and value > 0]
        if drawn:
            counts, values = zip(*drawn, strict=True)
            axes.plot(counts, values, marker=marker, color=colour, label=label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="accounts",
        ylabel="cost of a tick, µs",
        title="Calm market, 40 symbols: cost of a tick",
    )
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=140)
    pyplot.close(figure)
