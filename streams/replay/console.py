"""`liqmon replay` on a terminal: progress while it runs, figures when it ends."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from streams.replay.exceptions import ReplayError
from streams.replay.publisher import Progress, ProgressCallback
from streams.replay.recorded import RecordedStream, open_stream
from streams.replay.run import ReplayReport, ReplaySettings, replay_stream

_LINE_SECONDS = 5.0
_INTERRUPTED = 130
_STOP_SECONDS = 1.5


def run_replay(settings: ReplaySettings) -> int:
    """Replay a file with progress on stderr and figures at its end.

    Returns the exit code: 0 done, 1 bad input or no Kafka (the reason on stderr), 130 interrupted.
    """
    try:
        # Before the loop: here Ctrl-C ends even the look through a very large file at once.
        stream = open_stream(settings.file, settings.symbol_map, raw=settings.raw)
        with show_progress(settings.file.name) as progress:
            report = asyncio.run(_until_signal(stream, settings, progress))
    except ReplayError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("interrupted\n")
        return _INTERRUPTED
    sys.stderr.write(describe(report))
    return _INTERRUPTED if report.played.stopped else 0


async def _until_signal(
    stream: RecordedStream, settings: ReplaySettings, progress: ProgressCallback
) -> ReplayReport:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    playing = loop.create_task(replay_stream(stream, settings, progress=progress, stop=stop))

    def end() -> None:
        stop.set()
        # Reading or writing a topic of a broker that is gone does not look at `stop`.
        loop.call_later(_STOP_SECONDS, playing.cancel)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    return await playing


def describe(report: ReplayReport) -> str:
    """Return the figures of a replay as lines of text."""
    played = report.played
    points = report.points + report.interpolated
    in_all = " so far" if played.stopped else f", {points:,} in all"
    lines = [
        (
            f"{report.layout}: {len(report.series)} series, {report.points:,} recorded prices, "
            f"{report.interpolated:,} interpolated{in_all}"
        ),
        (
            f"published {played.published:,} ticks of {len(report.symbols)} symbols and "
            f"{played.beats:,} repeats in {played.seconds:.1f} s ({played.rate:,.0f} ticks/s)"
        ),
    ]
    if played.shift_ms:
        lines.append(
            f"times moved forward by {played.shift_ms / 1000:,.3f} s, past what the topic held"
        )
    if report.unmapped:
        counts = ", ".join(f"{name} ({count:,})" for name, count in report.unmapped.items())
        lines.append(f"series that feed no symbol: {counts}")
    if report.bad.count:
        lines.append(f"{report.bad.count:,} bad rows left out, the first:")
        lines.extend(f"  {sample}" for sample in report.bad.samples)
    if played.stopped:
        lines.append("interrupted")
    return "".join(f"{line}\n" for line in lines)


@contextmanager
def show_progress(name: str) -> Iterator[ProgressCallback]:
    """Give a progress callback: a bar when stderr is a terminal, else a line every few seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(name)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} % {task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=1.0, figures="opening")

        def update(progress: Progress) -> None:
            bar.update(task, completed=progress.fraction, figures=_figures(progress))

        yield update


def _lines(name: str) -> ProgressCallback:
    shown = -1.0

    def write(progress: Progress) -> None:
        nonlocal shown
        now = asyncio.get_running_loop().time()
        if shown >= 0 and now - shown < _LINE_SECONDS:
            return
        shown = now
        sys.stderr.write(f"{name} {progress.fraction:4.0%} {_figures(progress)}\n")

    return write


def _figures(progress: Progress) -> str:
    at = datetime.fromtimestamp(progress.recorded_ns / 1e9, tz=UTC)
    of = "" if progress.total is None else f" of {progress.total:,}"
    late = f", {progress.late:.1f} s late" if progress.late > 1 else ""
    return f"{at:%Y-%m-%d %H:%M:%S} {progress.published:,}{of} ticks {progress.rate:,.0f}/s{late}"
