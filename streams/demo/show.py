"""Shows a running demo: a full screen on a terminal, a line every two seconds elsewhere."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from streams.demo.figures import Figures, Shown
from streams.demo.screen import Screen
from streams.demo.stage import Stage
from streams.demo.words import phase_words, utc

__all__ = ["full_screen", "keep_showing"]

_FRAME_SECONDS = 0.5
_LINE_SECONDS = 2.0


def full_screen(console: Console) -> bool:
    """Whether the screen may be taken over."""
    return console.is_terminal and not console.is_dumb_terminal and not os.environ.get("NO_COLOR")


@contextmanager
def keep_showing(console: Console, stage: Stage, figures: Figures) -> Iterator[None]:
    """Show the demo until the block ends."""
    if not full_screen(console):
        task = asyncio.ensure_future(_lines(stage, figures))
        try:
            yield
        finally:
            task.cancel()
        return
    live = Live(
        Screen(stage, figures.look()),
        console=console,
        screen=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with live:
        task = asyncio.ensure_future(_frames(live, stage, figures))
        try:
            yield
        finally:
            task.cancel()


async def _frames(live: Live, stage: Stage, figures: Figures) -> None:
    while True:
        live.update(Screen(stage, figures.look()), refresh=True)
        await asyncio.sleep(_FRAME_SECONDS)


async def _lines(stage: Stage, figures: Figures) -> None:
    while True:
        sys.stdout.write(f"{line(stage, figures.look())}\n")
        sys.stdout.flush()
        await asyncio.sleep(_LINE_SECONDS)


def line(stage: Stage, shown: Shown) -> str:
    """Return everything that matters in one line."""
    if stage.phase == "starting":
        waiting = [
            f"{step.what} {step.detail}".rstrip()
            for step in stage.steps.values()
            if step.done_at is None
        ]
        return f"{stage.elapsed:5.1f} s starting: {', '.join(waiting)}{_bands(shown, ' | ')}"
    if stage.phase == "checking":
        return f"{stage.elapsed:5.1f} s checking: {stage.check.doing} {stage.check.fraction:.0%}"
    at = f"{utc(stage.replay.recorded_ms)} {stage.replay.fraction:.0%}"
    ages = "" if shown.ages is None else f" | age {shown.ages[0]}/{shown.ages[1]} ms"
    counts = shown.commands
    return (
        f"{stage.elapsed:5.1f} s {at} | {shown.tick_rate:,.0f} ticks/s, {shown.lag:,} waiting"
        f"{ages}{_bands(shown, ' | ')} | {counts['warning']:,} warnings, {counts['order_cancel']:,} cancels, "
        f"{counts['reduction']:,} reductions, {shown.bankrupt:,} bankrupt | "
        f"episodes {shown.open_episodes:,} open, {shown.closed_episodes:,} closed | "
        f"{phase_words(stage)}"
    )


def _bands(shown: Shown, before: str) -> str:
    counts = ", ".join(f"{count:,} {band}" for band, count in sorted(shown.bands.items()))
    return before + counts if counts else ""
