"""A result as tables for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from streams.bench.result import Figure, PartResult, Ratio, Result

__all__ = ["print_result", "shown"]

_GIBIBYTE = 1024**3
_SPREAD = 0.005


def print_result(result: Result, console: Console) -> None:
    """Print the machine, every part's figures with the spread of their runs, and the ratios."""
    machine = result.machine
    load = " ".join(f"{average:g}" for average in machine.load)
    console.print(f"[bold]{result.benchmark}[/bold], {result.started}, {machine.processor}")
    console.print(
        f"{machine.cores} cores, {machine.memory_bytes / _GIBIBYTE:.0f} GiB, {machine.system}, "
        f"Python {machine.python}; load before the run {load}"
    )
    console.print(", ".join(f"{name} {found}" for name, found in machine.versions.items()))
    for part in result.parts:
        console.print()
        console.print(_part(part))
        if part.error is not None:
            console.print(f"  not measured: {part.error}", style="red", markup=False)
    if result.ratios:
        console.print()
        console.print(_ratios(result.ratios))
    if result.stopped:
        console.print("stopped before the end; what stands here is whole", style="yellow")


def _part(part: PartResult) -> Table:
    table = Table(
        title=f"{part.title} ({part.seconds:.0f} s)", title_justify="left", box=None, pad_edge=False
    )
    table.add_column("", min_width=40)
    table.add_column("median", justify="right", no_wrap=True)
    table.add_column("runs", no_wrap=True)
    table.add_column("", style="dim")
    for one in part.figures:
        table.add_row(one.name, shown(one), _spread(one), one.note)
    return table


def _ratios(ratios: list[Ratio]) -> Table:
    table = Table(title="within this run", title_justify="left", box=None, pad_edge=False)
    table.add_column("", min_width=40)
    table.add_column("found", justify="right", no_wrap=True)
    table.add_column("to reach")
    for one in ratios:
        colour = "" if one.reached is None else "green" if one.reached else "red"
        table.add_row(one.name, number(one.value), one.wanted, style=colour)
    return table


def shown(one: Figure) -> str:
    """Return a figure's value with its unit."""
    return f"{number(one.value)} {one.unit}".rstrip()


def number(value: float) -> str:
    """Return a number with three significant digits, or whole where it is large."""
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _spread(one: Figure) -> str:
    if len(one.runs) < 2:
        return ""
    low, high = min(one.runs), max(one.runs)
    if abs(high - low) <= _SPREAD * abs(high):
        return f"{len(one.runs)}"
    return f"{len(one.runs)}: {number(low)} to {number(high)}"
