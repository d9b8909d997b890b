"""/healthz, /readyz and /metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.dashboard.api.answers import SourceOf, answered
from streams.dashboard.metrics import Metrics

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Response:
    """The process answers."""
    return answered({"status": "ok"})


@router.get("/readyz")
async def readyz(source: SourceOf) -> Response:
    """200 when everything that answers are made of is there; else 503 and what is missing."""
    missing = source.missing()
    found = answered({"status": "unready" if missing else "ready", "missing": missing})
    found.status_code = 503 if missing else 200
    return found


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """What Prometheus scrapes."""
    found: Metrics = request.app.state.metrics
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)
