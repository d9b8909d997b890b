"""/metrics, /healthz and /readyz of a worker, served by a thread that asks the event loop."""

from __future__ import annotations

import asyncio
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.exceptions import CommandError
from streams.metrics.catalogue import METRICS
from streams.metrics.collector import collect
from streams.metrics.health import Verdict, alive, ready
from streams.metrics.meters import Meters
from streams.metrics.standstill import Standstills
from streams.settings import Settings

__all__ = ["LoopStuck", "MetricsServer", "make_registry"]

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 3.0
"""A loop that has not answered by then does not turn (H-8)."""

_Found = TypeVar("_Found")
_STATUS = {
    200: "200 OK",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    503: "503 Service Unavailable",
}


class LoopStuck(Exception):
    """Raised when the event loop does not answer in time."""


class _FromLoop:
    """Asks the event loop from another thread; everything read there is read between two turns."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds

    def ask(self, question: Callable[[], _Found]) -> _Found:
        """Return the answer. Raises `LoopStuck`."""

        async def answer() -> _Found:
            return question()

        coroutine = answer()
        try:
            asked = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as error:  # the loop is closed
            coroutine.close()
            raise LoopStuck(str(error)) from error
        try:
            return asked.result(self._seconds)
        except TimeoutError:
            asked.cancel()
            raise LoopStuck(f"the event loop has not answered in {self._seconds:g} s") from None


class _WorkerCollector(Collector):
    def __init__(
        self, figures: Callable[[], list[Metric]], meters: Meters, loop: _FromLoop
    ) -> None:
        self._figures, self._meters, self._loop = figures, meters, loop

    def describe(self) -> Iterable[Metric]:
        """Return nothing: figures are made only when they are asked for."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return all figures; of a loop that is stuck only that it is."""
        try:
            return self._loop.ask(self._figures)
        except LoopStuck:
            lag = METRICS["liqmon_loop_lag_seconds"]
            turned = self._meters.last_turn
            seconds = time.monotonic() - turned if turned is not None else ANSWER_SECONDS
            no = METRICS["liqmon_alive"]
            return [
                GaugeMetricFamily(lag.name, lag.text, value=seconds),
                GaugeMetricFamily(no.name, no.text, value=0),
            ]


def make_registry(
    settings: Settings,
    meters: Meters,
    standstills: Standstills,
    loop: asyncio.AbstractEventLoop,
    *,
    seconds: float = ANSWER_SECONDS,
) -> CollectorRegistry:
    """Return a registry of the worker's own: its figures, and those of its process."""
    registry = CollectorRegistry()
    registry.register(
        _WorkerCollector(
            lambda: collect(settings, meters, standstills, loop.time()),
            meters,
            _FromLoop(loop, seconds),
        )
    )
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking a name server what this machine is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name of its base)
        """Nothing is logged per scrape."""


class MetricsServer:
    """Listens from `start` to `stop`."""

    def __init__(
        self,
        settings: Settings,
        meters: Meters,
        standstills: Standstills,
        loop: asyncio.AbstractEventLoop,
        *,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._settings, self._meters, self._standstills = settings, meters, standstills
        self._loop = loop
        self._asking = _FromLoop(loop, seconds)
        self._metrics: Callable[..., Any] = make_wsgi_app(
            make_registry(settings, meters, standstills, loop, seconds=seconds)
        )
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen; raises `CommandError` when the address cannot be had."""
        host, port = self._settings.metrics_host, self._settings.metrics_port
        kind = _Server6 if ":" in host else _Server
        try:
            server = kind((host, port), _Quiet)
        except OSError as error:
            raise CommandError(
                f"LIQMON_METRICS_HOST={host}, LIQMON_METRICS_PORT={port}: "
                f"cannot listen there: {error}"
            ) from error
        server.set_app(self._answer)
        self._server = server
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        log.info("metrics_listening", host=host, port=server.server_port)

    def stop(self) -> None:
        """Listen no more. Not to be called in the event loop's thread while it is being asked."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return _say(start_response, 405, {"error": "only GET and HEAD"})
        if path == "/metrics":
            found: Iterable[bytes] = self._metrics(environ, start_response)
            return found
        if path == "/healthz":
            return self._judge(
                start_response, "alive", lambda: alive(self._standstills, self._loop.time())
            )
        if path == "/readyz":
            return self._judge(start_response, "ready", lambda: ready(self._meters))
        return _say(start_response, 404, {"error": "there are /metrics, /healthz and /readyz"})

    def _judge(
        self, start_response: Callable[..., Any], name: str, question: Callable[[], Verdict]
    ) -> Iterable[bytes]:
        try:
            verdict = self._asking.ask(question)
        except LoopStuck as error:
            verdict = Verdict((str(error),))
        body: dict[str, Any] = {name: bool(verdict), "reasons": list(verdict.reasons)}
        if verdict.note:
            body["note"] = verdict.note
        return _say(start_response, 200 if verdict else 503, body)


def _say(start_response: Callable[..., Any], status: int, body: dict[str, Any]) -> Iterable[bytes]:
    value = json.dumps(body).encode() + b"\n"
    start_response(
        _STATUS[status],
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(value))),
            ("Cache-Control", "no-store"),
        ],
    )
    return [value]
