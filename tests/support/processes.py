"""This project's own commands as processes of a test: started, signalled, and always ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Command", "Liqmon"]

_PROJECT = Path(__file__).resolve().parents[2]


class Command:
    """`python -m streams …` with its output in a log; killed when the block ends."""

    def __init__(self, name: str, folder: Path, env: Mapping[str, str], *arguments: str) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._env = {**os.environ, **env, "PYTHONUNBUFFERED": "1"}
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, or start again after `kill`; the log goes on."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streams", *self._arguments],
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """SIGKILL: nothing is said, nothing is flushed."""
        self._running.kill()
        self._running.wait()

    def pause(self) -> None:
        """SIGSTOP."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._running.send_signal(signal.SIGCONT)

    def wait(self, seconds: float) -> int:
        """Return the exit code once it has ended by itself. Raises TimeoutExpired."""
        return self._running.wait(seconds)

    def end(self, seconds: float) -> int:
        """SIGTERM; return the exit code. Raises TimeoutExpired when it does not end."""
        self._running.send_signal(signal.SIGTERM)
        return self._running.wait(seconds)

    @property
    def alive(self) -> bool:
        """Whether the process runs (or is stopped)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running.pid

    @property
    def tail(self) -> str:
        """The end of the log, for messages."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.alive:
            self.resume()
            self._running.kill()
            self._running.wait()


class Liqmon:
    """`python -m streams …` in a folder and with an environment of its own; what it says is captured."""

    def __init__(self, folder: Path, env: Mapping[str, str], *command: str) -> None:
        self._folder = folder
        self.environment = {**os.environ, **env, "PYTHONPATH": str(_PROJECT)}
        self._command = command

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it; whoever does so ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "streams", *self._command, *arguments],
            cwd=self._folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, output and errors once it has ended. Raises TimeoutExpired after a minute."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err
