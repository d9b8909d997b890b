"""A process beside the measuring one: started, paused, resumed, asked, and always ended."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from streams.bench.part import BenchError, read_file, write_file
from streams.bench.pipeline.job import Done, MemberJob, Ready
from streams.embedded.process import GuardedProcess

__all__ = ["Member"]

_LOOK_SECONDS = 0.02
_ASK_SECONDS = 0.1
"""How often a worker is asked whether it is ready: each answer takes a thread of it."""
_REST_SECONDS = 2.0
_SETTLED_SECONDS = 900.0
_TAKES = "liqmon_redis_available"
_WAITING = ("liqmon_redis_waiting_accounts", "liqmon_totals_waiting_accounts")
_READY_SECONDS = 300.0
_ROUND_SECONDS = 300.0
_STOP_SECONDS = 20.0


class Member:
    """`python -m streams.bench.pipeline.roles FOLDER`; a context manager that ends it."""

    def __init__(self, name: str, folder: Path, job: MemberJob) -> None:
        self.name = name
        self.job = job
        self.started_ns = 0
        self._folder = folder
        self._process = GuardedProcess(name, folder.parent.parent / f"{name}.log")

    def start(self) -> None:
        """Start it; `started_ns` is the moment before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_file(self._folder / "member.json", self.job)
        self.started_ns = time.monotonic_ns()
        command = [sys.executable, "-m", "streams.bench.pipeline.roles", str(self._folder)]
        self._process.spawn(command)

    def wait_ready(self) -> int:
        """Return the moment (ns) at which it was ready; raises `BenchError` when it does not come."""
        if self.job.metrics_port:
            self._wait(self._answers_ready, _READY_SECONDS, "ready", each=_ASK_SECONDS)
            return time.monotonic_ns()
        path = self._folder / "ready.json"
        self._wait(path.exists, _READY_SECONDS, "ready")
        ready = read_file(path, Ready)
        return 0 if ready is None else ready.at_ns

    def wait_settled(self) -> None:
        """Return once a ready worker has done what follows a start: all accounts counted for the totals and
        written to Redis; raises `BenchError`.
        """
        time.sleep(_REST_SECONDS)
        self._wait(self._answers_settled, _SETTLED_SECONDS, "settled", each=_REST_SECONDS)

    def wait_round(self, number: int) -> Done:
        """Return when the records of a round were taken; raises `BenchError`."""
        path = self._folder / f"round-{number}.json"
        self._wait(path.exists, _ROUND_SECONDS, f"through round {number + 1}")
        done = read_file(path, Done)
        if done is None:
            raise BenchError(f"{self.name}: {path} is gone")
        return done

    def pause(self) -> None:
        """Let it do nothing, and keep its connections."""
        self._process.pause()

    def resume(self) -> int:
        """Let it go on; return the moment (ns) before."""
        now = time.monotonic_ns()
        self._process.resume()
        return now

    def stop(self) -> None:
        """Ask it to leave as it would in production."""
        self._process.stop(_STOP_SECONDS)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def check(self) -> None:
        """Raise `BenchError` when it has ended by itself."""
        if not self._process.running:
            last = " | ".join(line.strip() for line in self._process.tail().splitlines()[-3:])
            raise BenchError(f"{self.name} ended with code {self._process.exit_code}: {last}")

    def _wait(
        self,
        reached: Callable[[], bool],
        seconds: float,
        what: str,
        *,
        each: float = _LOOK_SECONDS,
    ) -> None:
        until = time.monotonic() + seconds
        while not reached():
            self.check()
            if time.monotonic() > until:
                raise BenchError(f"{self.name} was not {what} within {seconds:g} s")
            time.sleep(each)

    def _answers_ready(self) -> bool:
        return self._ask("readyz") is not None

    def _answers_settled(self) -> bool:
        families = text_string_to_metric_families(self._ask("metrics") or "")
        found = {family.name: family.samples[0].value for family in families if family.samples}
        return bool(found.get(_TAKES)) and all(found.get(name) == 0 for name in _WAITING)

    def _ask(self, what: str) -> str | None:
        """Return what the worker answers; None where that is no good answer."""
        url = f"http://127.0.0.1:{self.job.metrics_port}/{what}"
        try:
            with urllib.request.urlopen(url, timeout=2.0) as answer:
                return str(answer.read(), "utf-8")
        except (urllib.error.URLError, OSError):
            return None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
