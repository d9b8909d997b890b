"""What the dashboard counts of itself and sees of the others, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.dashboard.source import Source

__all__ = ["Metrics", "Timed", "route_of"]

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_Family = GaugeMetricFamily | CounterMetricFamily


class Metrics:
    """One registry a dashboard; requests are counted here, all else is read when it is asked for."""

    def __init__(self, source: Source) -> None:
        # When a counter was made says nothing here, and doubles their number.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "liqmon_dashboard_requests_total",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "liqmon_dashboard_request_seconds",
            "Seconds from a request to the begin of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_Seen(source))


class _Seen(Collector):
    """The source as it stands at the moment of a scrape."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterator[_Family]:
        """Yield every figure."""
        source, market = self._source, self._source.market
        yield _gauge(
            "liqmon_dashboard_stream_readers", "Readers of the live stream.", len(source.hub)
        )
        yield _counter(
            "liqmon_dashboard_stream_dropped_total",
            "Readers of the live stream let go for being too slow.",
            source.hub.dropped,
        )
        yield _counter("liqmon_dashboard_ticks_total", "Ticks read since the start.", market.ticks)
        yield _counter(
            "liqmon_dashboard_commands_total",
            "Commands seen going out since the start.",
            source.commands_seen,
        )
        yield _counter(
            "liqmon_dashboard_distances_total",
            "Distances to a level worked out.",
            source.distances.made,
        )
        yield _gauge(
            "liqmon_dashboard_redis_up",
            "Whether Redis answers the dashboard.",
            float(source.cache.state == "ok"),
        )
        yield _gauge(
            "liqmon_dashboard_kafka_up",
            "Whether a broker answers the dashboard.",
            float(source.follower.state == "ok"),
        )
        yield _gauge(
            "liqmon_dashboard_episodes_open",
            "Episodes seen opened and not closed.",
            source.history.open_episodes,
        )
        if market.last_tick is not None:
            yield _gauge(
                "liqmon_dashboard_last_tick_age_seconds",
                "Age of the newest tick read.",
                market.age(market.last_tick) / 1000,
            )
        bands = GaugeMetricFamily(
            "liqmon_dashboard_accounts", "Accounts by band, as shown.", labels=("band",)
        )
        for band, count in source.standing.bands().items():
            bands.add_metric((band,), count)
        yield bands
        beats = GaugeMetricFamily(
            "liqmon_dashboard_heartbeat_age_seconds",
            "Age of each worker's last heartbeat.",
            labels=("worker",),
        )
        for worker in source.standing.workers():
            beats.add_metric((worker["worker"],), worker["age_ms"] / 1000)
        yield beats


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def route_of(scope: Scope) -> str:
    """Return the path with names in the place of what was asked for; `other` where none is known.

    Labels must stay few, whatever paths are tried.
    """
    path: str = scope["path"]
    if scope.get("route") is None:
        return "/static" if path.startswith("/static/") else "other"
    for name, value in scope.get("path_params", {}).items():
        path = path.replace(f"/{value}", f"/{{{name}}}", 1)
    return path


class Timed:
    """Counts and times every request by its route, as the path is declared."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = route_of(scope)
                status = str(message["status"])
                self._metrics.requests.labels(route, scope["method"], status).inc()
                self._metrics.seconds.labels(route).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, sending)
