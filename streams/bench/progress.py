"""A bar on the terminal, lines elsewhere, both on standard error: the result alone is on output."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from streams.bench.part import Part
from streams.bench.running import Show

__all__ = ["showing"]


@contextmanager
def showing(parts: Sequence[Part]) -> Iterator[Show]:
    """Show how far the parts are until the block ends."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(parts)
        return
    columns = (
        TextColumn("{task.fields[part]}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=max(1, len(parts)), part="", doing="")

        def show(number: int, fraction: float, doing: str) -> None:
            title = f"{number + 1}/{len(parts)} {parts[number].title}"
            bar.update(task, completed=number + fraction, part=title, doing=doing)

        yield show


def _lines(parts: Sequence[Part]) -> Show:
    last: list[tuple[int, str]] = []

    def show(number: int, fraction: float, doing: str) -> None:
        del fraction
        if last != [(number, doing)]:
            last[:] = [(number, doing)]
            sys.stderr.write(f"{number + 1}/{len(parts)} {parts[number].title}: {doing}\n")
            sys.stderr.flush()

    return show
