"""Parts one after another, each in a process of its own; Ctrl-C keeps what is measured."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from streams.bench.machine import describe_machine
from streams.bench.part import Job, Part, Teller, read_file, write_file
from streams.bench.result import Figure, PartResult, Result, Sizes
from streams.embedded.process import GuardedProcess

__all__ = ["Show", "run_parts"]

_LOOK_SECONDS = 0.1

Show = Callable[[int, float, str], None]
"""(number of the part, its share done, what it does): called a few times a second."""


def run_parts(
    benchmark: str, parts: Sequence[Part], sizes: Sizes, show: Show, folder: Path | None = None
) -> Result:
    """Run every part and return what was found, whatever becomes of single ones.

    SIGINT and SIGTERM end the part at work; the result then says `stopped`. Logs of parts that
    failed stay where their error says; all else in `folder` (a fresh one if not given) is removed.
    """
    result = Result(
        benchmark=benchmark,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=describe_machine(),
        sizes=sizes,
    )
    root = Path(tempfile.mkdtemp(prefix="liqmon-bench-")) if folder is None else folder
    try:
        with _interruptible():
            for number, part in enumerate(parts):
                result.parts.append(_run(part, root / part.name, number, show))
    except KeyboardInterrupt:
        result.stopped = True
    finally:
        _tidy(root, result)
    return result


def _run(part: Part, folder: Path, number: int, show: Show) -> PartResult:
    folder.mkdir(parents=True)
    write_file(folder / "job.json", Job(part.function, part.sizes))
    teller = Teller(folder)
    child = GuardedProcess(part.name, folder / "log")
    result = PartResult(part=part.name, title=part.title)
    began = time.monotonic()
    show(number, 0.0, "starting")
    try:
        child.spawn([sys.executable, "-m", "streams.bench.child", str(folder)])
        while child.running:
            told = teller.told()
            show(number, told.fraction, told.doing)
            time.sleep(_LOOK_SECONDS)
    finally:
        child.kill()
        result.seconds = round(time.monotonic() - began, 1)
        shutil.rmtree(folder / "data", ignore_errors=True)
    found = read_file(folder / "figures.json", list[Figure])
    if found is None:
        result.error = _reason(folder, child)
    else:
        result.figures = tuple(found)
    show(number, 1.0, "done" if result.error is None else "failed")
    return result


def _reason(folder: Path, child: GuardedProcess) -> str:
    told = folder / "error"
    reason = told.read_text() if told.exists() else "its process was ended from outside"
    return f"{reason} (log {child.log})"


def _tidy(root: Path, result: Result) -> None:
    """Remove all but the logs of parts that failed."""
    failed = {part.part for part in result.parts if part.error is not None}
    for folder in root.iterdir() if root.exists() else ():
        if folder.name not in failed:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        for path in folder.iterdir():
            if path.suffix != ".log" and path.name != "log":
                path.unlink(missing_ok=True)
    if not failed:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does."""

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
