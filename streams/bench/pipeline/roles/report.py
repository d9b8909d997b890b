"""What a role tells the measuring process: that it is ready, and when a round is taken."""

from __future__ import annotations

import time
from pathlib import Path

from streams.bench.part import write_file
from streams.bench.pipeline.job import Done, MemberJob, Ready

__all__ = ["Report"]

_NEVER = 1 << 62


class Report:
    """Counts records; costs one comparison a record."""

    def __init__(self, folder: Path, job: MemberJob) -> None:
        self._folder = folder
        self._marks = [job.warm] if job.warm else []
        for size in job.rounds:
            self._marks.append(size + (self._marks[-1] if self._marks else 0))
        self._warms = bool(job.warm)
        self._reached = 0
        self._count = 0
        self._next = self._marks[0] if self._marks else _NEVER

    def ready(self) -> None:
        """Say that what comes from now on is read."""
        write_file(self._folder / "ready.json", Ready(time.monotonic_ns()))

    def took(self, count: int = 1) -> None:
        """Say that so many more records are taken."""
        self._count += count
        if self._count >= self._next:
            self._mark()

    def _mark(self) -> None:
        now = time.monotonic_ns()
        while self._count >= self._next:
            number, self._reached = self._reached - self._warms, self._reached + 1
            left = self._marks[self._reached :]
            self._next = left[0] if left else _NEVER
            if number < 0:
                write_file(self._folder / "ready.json", Ready(now))
            else:
                write_file(self._folder / f"round-{number}.json", Done(self._count, now))
