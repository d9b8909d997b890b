"""The process of one part: `python -m streams.bench.child FOLDER`.

Reads `job.json` there, writes `progress.json` while it measures and `figures.json` at the end.
What it prints goes to the log.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

from streams.bench.part import BenchError, Job, Measure, Teller, read_file, write_file

__all__ = ["main"]


def main(folder: Path) -> int:
    """Run the part's function; return the exit code."""
    job = read_file(folder / "job.json", Job)
    if job is None:
        sys.stderr.write(f"{folder}: no job.json there\n")
        return 2
    try:
        module, _, name = job.function.partition(":")
        measure: Measure = getattr(import_module(module), name)
        figures = measure(job.sizes, Teller(folder))
    except BenchError as error:
        (folder / "error").write_text("; ".join(error.errors))
        return 1
    # Whatever it is, the other parts shall not be lost with it; the log keeps where it happened.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        (folder / "error").write_text(f"{type(error).__name__}: {error}")
        return 1
    write_file(folder / "figures.json", figures)
    return 0


if __name__ == "__main__":
    code = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of client libraries that still wait for a broker must not hold the process.
    os._exit(code)
