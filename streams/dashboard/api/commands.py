"""GET /api/v1/commands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Response

from streams.cache_scripts import COMMANDS_KEY
from streams.dashboard.api.answers import SourceOf, answered
from streams.dashboard.api.models import CommandsPage
from streams.dashboard.source import Source

__all__ = ["router"]

router = APIRouter(tags=["commands"])

KindName = Literal["warning", "order_cancel", "reduction", "auto_exchange", "episode"]
_READ_FROM_CACHE = 5_000


@router.get("/commands", response_model=CommandsPage)
async def commands(
    source: SourceOf,
    kind: KindName | None = None,
    account: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    before: Annotated[str | None, Query(max_length=300)] = None,
) -> Response:
    """What went out, newest first; `before` is what the page before gave as `next`."""
    if source.follower.caught_up:
        found, following = source.history.page(
            kind=kind, account=account, limit=limit, before=before
        )
        bodies = [msgspec.Raw(entry.body) for entry in found]
        return answered({"commands": bodies, "next": following, "source": "topics"})
    cached = await _cached(source, kind, account, limit)
    return answered({"commands": cached, "next": None, "source": "cache"})


async def _cached(
    source: Source, kind: str | None, account: str | None, limit: int
) -> list[msgspec.Raw]:
    """Return what Redis keeps, while no broker has told."""
    read = limit if kind is None and account is None else _READ_FROM_CACHE
    entries: list[tuple[bytes, dict[bytes, bytes]]] = await source.cache.ask(
        lambda client: client.xrevrange(COMMANDS_KEY, count=read)
    )
    found: list[Any] = []
    for _, fields in entries:
        if kind is not None and fields.get(b"kind") != kind.encode():
            continue
        if account is not None and fields.get(b"account_id") != account.encode():
            continue
        found.append(msgspec.Raw(fields[b"command"]))
        if len(found) == limit:
            break
    return found
