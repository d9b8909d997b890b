"""One reader of the stream, from the server's side."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.dashboard.api import stream
from streams.dashboard.api.stream import EventStream
from streams.dashboard.source import Source
from streams.settings import Settings
from tests.unit.dashboard.test_history import _entry


class _Client:
    """Takes what is sent, until it takes nothing more or leaves."""

    def __init__(self, takes: int = 1_000) -> None:
        self.sent: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self.left = asyncio.Event()
        self._takes = takes

    async def send(self, message: Any) -> None:
        if len(self.sent) >= self._takes:
            await asyncio.Event().wait()
        self.sent.append(message)
        self._news.set()

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def has(self, text: bytes, count: int = 1) -> None:
        """Return once so much was sent."""
        async with asyncio.timeout(10):
            while self.body.count(text) < count:
                self._news.clear()
                await self._news.wait()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


@pytest.fixture
def source() -> Source:
    return Source(Settings(brokers="127.0.0.1:9", redis_url="none"))


async def _ends(task: asyncio.Future[None]) -> None:
    async with asyncio.timeout(10):
        await task


async def test_events_go_out_until_the_client_leaves(source: Source) -> None:
    client, reader = _Client(), source.hub.open([_entry(1)])
    task = asyncio.ensure_future(EventStream(source, reader)({}, client.receive, client.send))
    await client.has(b"event: command")
    assert client.sent[0]["status"] == 200
    assert (b"content-type", b"text/event-stream; charset=utf-8") in client.sent[0]["headers"]
    assert client.body.startswith(b"retry: ")
    client.left.set()
    await _ends(task)
    assert len(source.hub) == 0


async def test_without_news_a_comment_keeps_the_line_open(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.01)
    client, reader = _Client(), source.hub.open()
    task = asyncio.ensure_future(EventStream(source, reader)({}, client.receive, client.send))
    await client.has(b": beat\n\n", 3)
    client.left.set()
    await _ends(task)


async def test_a_client_that_takes_nothing_is_let_go(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SLOW_SECONDS", 0.05)
    client, reader = _Client(takes=2), source.hub.open([_entry(1)])
    await _ends(asyncio.ensure_future(EventStream(source, reader)({}, client.receive, client.send)))
    assert (source.hub.dropped, len(source.hub)) == (1, 0)


async def test_a_server_that_stops_ends_the_stream(source: Source) -> None:
    client, reader = _Client(), source.hub.open()
    task = asyncio.ensure_future(EventStream(source, reader)({}, client.receive, client.send))
    await asyncio.sleep(0)
    source.hub.close()
    await _ends(task)
    assert client.sent[-1]["more_body"] is False
