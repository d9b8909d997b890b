"""GET /api/v1/overview."""

from __future__ import annotations

from fastapi import APIRouter, Response

from streams.dashboard.api.answers import SourceOf, answered
from streams.dashboard.api.models import Overview

__all__ = ["router"]

router = APIRouter(tags=["overview"])


@router.get("/overview", response_model=Overview)
async def overview(source: SourceOf) -> Response:
    """Bands, prices, workers and commands as they stand; names what is away.

    `history` is only here: the stream's overviews go on with it.
    """
    return answered({**source.overview(), "history": list(source.standing.history)})
