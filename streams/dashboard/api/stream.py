"""GET /api/v1/stream: server-sent events; it goes on after `Last-Event-ID`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Query
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from streams.dashboard.api.answers import ApiError, SourceOf
from streams.dashboard.source import Source
from streams.dashboard.source.hub import Full, Reader
from streams.dashboard.source.words import encode

__all__ = ["EventStream", "router"]

_log = structlog.get_logger(__name__)

router = APIRouter(tags=["stream"])

BEAT_SECONDS = 10.0
"""Without news a comment goes out, so that whatever stands between does not close the line."""
SLOW_SECONDS = 15.0
"""A reader that takes nothing for so long is let go."""
_AGAIN_MS = 2_000


@router.get(
    "/stream", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}}
)
async def stream(
    source: SourceOf,
    last_event_id: Annotated[str | None, Header()] = None,
    after: Annotated[
        str | None, Query(max_length=300, description="`event_id` of the last command known.")
    ] = None,
) -> Response:
    """Events `overview` and `accounts` (the nearest 50) each second, and each `command`.

    A command's id is what a reader that comes back goes on after; rather twice than never.
    """
    known = last_event_id or after
    try:
        reader = source.hub.open(source.history.after(known) if known else ())
    except Full as error:
        raise ApiError(503, str(error)) from None
    reader.put_latest("overview", encode(source.overview()))
    return EventStream(source, reader)


class EventStream(Response):
    """Writes a reader's events until either side goes."""

    media_type = "text/event-stream"

    def __init__(self, source: Source, reader: Reader) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._source, self._reader = source, reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer until the client leaves, is too slow, or the server stops."""
        writing = asyncio.ensure_future(self._write(send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._source.hub.leave(self._reader)
            for task in (writing, leaving):
                task.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await _send(send, b"retry: %d\n\n" % _AGAIN_MS)
        with contextlib.suppress(TimeoutError):
            while not self._reader.closed:
                try:
                    async with asyncio.timeout(BEAT_SECONDS):
                        events = await self._reader.news()
                except TimeoutError:
                    events = [b": beat\n\n"]
                if events:
                    await _send(send, b"".join(events))
            with contextlib.suppress(OSError):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        self._source.hub.dropped += 1
        _log.info("stream_reader_too_slow")


async def _send(send: Send, body: bytes) -> None:
    """Raises TimeoutError when the client does not take it."""
    async with asyncio.timeout(SLOW_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
