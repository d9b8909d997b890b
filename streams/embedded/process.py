"""A service process on this machine: guarded, logged, and steered by signals."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from streams.embedded.exceptions import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["LOOPBACK", "GuardedProcess", "free_port", "require_free"]

LOOPBACK = "127.0.0.1"

_GUARD = Path(__file__).with_name("guard.py")
_PROBE_SECONDS = 0.03
_TAIL_BYTES = 4096
# Below the ports that the system hands out to clients: a client that retries a port of that range
# while the service is down can connect to itself, and then the service cannot take it back.
_PORTS = range(20_000, 32_000)


def free_port(but: int | None = None) -> int:
    """Return a loopback port that nothing listens on right now, and that is not `but`."""
    chooser = random.Random()
    for _ in range(200):
        port = chooser.choice(_PORTS)
        if port == but:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    msg = f"no free port between {_PORTS.start} and {_PORTS.stop - 1} on {LOOPBACK}"
    raise StartError(msg)


def require_free(port: int) -> None:
    """Raise StartError when something listens on this loopback port."""
    with socket.socket() as probe:
        # As servers do: connections of the last run that are still closing are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            msg = f"port {port} on {LOOPBACK} cannot be used: {error.strerror}"
            raise StartError(msg) from error


class GuardedProcess:
    """One command that dies with this process, SIGKILL included; its output goes to `log`."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self.pid: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._paused = False

    @property
    def running(self) -> bool:
        """Whether the command has not ended (a paused one runs)."""
        return self._guard is not None and self._guard.poll() is None

    def spawn(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Start the command; return once it has a pid."""
        if self.running:
            msg = f"{self.name} is already running, pid {self.pid}"
            raise StartError(msg)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(  # noqa: S603 - commands of this package
                [sys.executable, "-I", "-S", str(_GUARD), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=None if env is None else {**os.environ, **env},
                # Ctrl-C in a terminal reaches every process of the group: workers shall still
                # find their broker while they shut down.
                start_new_session=True,
            )
        assert self._guard.stdout is not None  # noqa: S101 - asked for above
        line = self._guard.stdout.readline()
        if not line.strip():
            self._guard.wait()
            raise self.failure(f"{command[0]} cannot be started")
        self.pid = int(line)
        self._paused = False

    def wait_ready(self, ready: Callable[[], bool], timeout: float) -> None:
        """Return when `ready` says so; raise StartError when the process ends or time is up."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                raise self.failure(f"it ended with exit code {self.exit_code}")
            if time.monotonic() > deadline:
                self.kill()
                raise self.failure(f"it was not ready within {timeout:g} s")
            time.sleep(_PROBE_SECONDS)

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, 128 + n after signal n; None while it runs."""
        return None if self._guard is None else self._guard.poll()

    def failure(self, reason: str) -> StartError:
        """Make the error that names the log file and shows its end."""
        return StartError(
            f"{self.name} did not start: {reason}; log file {self.log}, which ends with:\n"
            f"{self.tail()}"
        )

    def tail(self) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return "(no log)"
        with self.log.open("rb") as log:
            log.seek(0, os.SEEK_END)
            size = log.tell()
            log.seek(max(0, size - _TAIL_BYTES))
            return log.read().decode(errors="replace").strip() or "(empty)"

    def stop(self, timeout: float) -> None:
        """Ask the command to end, and kill it when it has not within `timeout` seconds."""
        if self._guard is None:
            return
        if self._paused:
            self.resume()
        self._signal(signal.SIGTERM)
        try:
            self._guard.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        if self._guard is None:
            return
        self._signal(signal.SIGKILL)
        self._guard.wait()
        self._close()

    def pause(self) -> None:
        """Send SIGSTOP: the process stays, answers nothing and keeps its connections."""
        self._signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Send SIGCONT."""
        self._signal(signal.SIGCONT)
        self._paused = False

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _close(self) -> None:
        guard, self._guard, self.pid = self._guard, None, None
        if guard is not None:
            for pipe in (guard.stdin, guard.stdout):
                if pipe is not None:
                    pipe.close()
