"""Listens, and stops when told to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import structlog
import uvicorn

from streams.dashboard.app import create_app
from streams.dashboard.guard import is_loopback
from streams.dashboard.source import Source
from streams.exceptions import CommandError
from streams.settings import Settings

__all__ = ["NotLoopback", "listening", "run", "serve", "url_of"]

_log = structlog.get_logger(__name__)

_STOP_SECONDS = 3
_BACKLOG = 128


class NotLoopback(CommandError):
    """Raised when the API would be open to others without a token."""

    exit_code = 2


class _Server(uvicorn.Server):
    """Signals are the command's own business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening(settings: Settings, host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0: any free one.

    Raises `NotLoopback` where anybody could ask without a token, and `CommandError` when the
    address cannot be had.
    """
    if settings.api_token is None and not is_loopback(host):
        raise NotLoopback(
            f"--host {host}: without LIQMON_API_TOKEN only this machine is served, "
            "such as 127.0.0.1"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise CommandError(f"{host}:{port}: cannot listen there: {error}") from None


def url_of(listener: socket.socket) -> str:
    """Return where the page is."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(settings: Settings, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    app = create_app(settings)
    source: Source = app.state.source
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # a token may stand in the query
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_STOP_SECONDS,
        lifespan="on",
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    stopping = asyncio.ensure_future(stop.wait())
    _log.info("dashboard_listening", url=url_of(listener))
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        # Live streams would otherwise hold the server until its patience ends.
        source.hub.close()
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        listener.close()


async def run(settings: Settings, host: str, port: int, stop: asyncio.Event) -> int:
    """Listen and serve until `stop`; raises what `listening` raises."""
    await serve(settings, listening(settings, host, port), stop)
    return 0
