"""What the embedded servers have in common: a port, a log, and a life steered by signals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from streams.embedded.process import GuardedProcess, free_port, require_free

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Server"]


class Server(ABC):
    """One server process on loopback that keeps its port over restarts."""

    def __init__(self, name: str, data_dir: Path, port: int | None) -> None:
        self.data_dir = data_dir
        self.port = free_port() if port is None else port
        self.log = data_dir / f"{name.lower()}.log"
        self._process = GuardedProcess(name, self.log)

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Prepare the data directory and return the command that serves it."""

    @abstractmethod
    def _answers(self) -> bool:
        """Say whether the server takes requests."""

    @property
    def running(self) -> bool:
        """Whether the process is there (a paused one is)."""
        return self._process.running

    @property
    def pid(self) -> int | None:
        """The process id of the server itself."""
        return self._process.pid

    def start(self, timeout: float = 60) -> None:
        """Start on the same port as before; return when the server takes requests.

        Raises StartError, with the end of the log, when it does not within `timeout` seconds.
        """
        self.launch()
        self.wait_ready(timeout)

    def launch(self) -> None:
        """Start the process and return at once; `wait_ready` does the rest."""
        require_free(self.port)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._process.spawn(self._command())

    def wait_ready(self, timeout: float = 60) -> None:
        """Return when the server takes requests; raise StartError when it does not."""
        self._process.wait_ready(self._answers, timeout)

    def stop(self, timeout: float = 10) -> None:
        """End it in order, or with SIGKILL after `timeout` seconds. May be called twice."""
        self._process.stop(timeout)

    def kill(self) -> None:
        """Send SIGKILL; what the operating system holds of its files survives."""
        self._process.kill()

    def pause(self) -> None:
        """Send SIGSTOP: connections stay open and nothing answers."""
        self._process.pause()

    def resume(self) -> None:
        """Send SIGCONT after `pause`."""
        self._process.resume()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
