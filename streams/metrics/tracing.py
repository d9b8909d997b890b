"""One span a decision that sent commands: append of its cause → decided → durable → published.

Only with LIQMON_OTLP_ENDPOINT; without it nothing of OpenTelemetry is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.exceptions import CommandError
from streams.metrics.underway import OnItsWay
from streams.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["DecisionTracer", "make_tracer"]

FLUSH_MS = 3_000


class DecisionTracer:
    """Turns what arrived into spans; the exporter works in a thread of its own."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("liqmon")

    def record(self, found: OnItsWay) -> None:
        """Record one decision, from the append of its cause to the acknowledgement of its commands."""
        begun = found.appended or found.decided
        # Two machines' clocks: a span may not end before it begins.
        span = self._tracer.start_span(
            "decision", start_time=min(begun, found.decided), attributes=_attributes(found)
        )
        span.add_event("decided", timestamp=found.decided)
        if found.durable:
            span.add_event("durable", timestamp=found.durable)
        span.add_event("published", timestamp=found.published)
        span.end(end_time=max(found.published, begun))

    def close(self) -> None:
        """Send what waits, for at most three seconds, and stop."""
        self._provider.force_flush(FLUSH_MS)
        self._provider.shutdown()


def _attributes(found: OnItsWay) -> dict[str, Any]:
    cause = found.cause
    attributes: dict[str, Any] = {
        "liqmon.account_id": found.account_id,
        "liqmon.episode_id": found.episode_id,
        "liqmon.command_ids": found.command_ids,
        "liqmon.command_kinds": found.kinds,
        "liqmon.cause": cause.kind,
        "messaging.system": "kafka",
        "messaging.destination.partition.id": str(found.partition),
    }
    if cause.symbol is not None:
        attributes["liqmon.symbol"] = cause.symbol
    if cause.id is not None:
        attributes["liqmon.event_id"] = cause.id
    return attributes


def make_tracer(settings: Settings, exporter: SpanExporter | None = None) -> DecisionTracer | None:
    """Return what the settings ask for, None without an endpoint.

    `exporter` replaces the one that sends to the endpoint. Raises `CommandError` when the extra
    `tracing` is not installed.
    """
    if settings.otlp_endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise CommandError(
            f"LIQMON_OTLP_ENDPOINT={settings.otlp_endpoint}: needs the extra `tracing` "
            f"(pip install 'liqmon[tracing]'): {error}"
        ) from error
    provider = TracerProvider(
        resource=Resource.create(
            {"service.name": "liqmon-worker", "service.instance.id": settings.worker_id}
        ),
        shutdown_on_exit=False,
    )
    sends_to = settings.otlp_endpoint.rstrip("/")
    if not sends_to.endswith("/v1/traces"):
        sends_to += "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter(sends_to)))
    return DecisionTracer(provider)
