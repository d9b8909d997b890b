"""Every command to every reader, of pictures the newest only, and no reader holds up the rest."""

from __future__ import annotations

import asyncio

import pytest

from streams.dashboard.source.history import Entry
from streams.dashboard.source.hub import MOST_READERS, MOST_WAITING, Full, Hub
from tests.unit.dashboard.test_history import _entry


def _ids(events: list[bytes]) -> list[str]:
    return [e.decode().split("\n")[0] for e in events if e.startswith(b"id: ")]


def _events(*entries: Entry) -> list[str]:
    return [f"id: {entry.event_id}" for entry in entries]


async def test_the_backlog_comes_before_what_is_new() -> None:
    hub = Hub()
    reader = hub.open([_entry(1), _entry(2)])
    hub.command(_entry(3))
    assert _ids(await reader.news()) == _events(_entry(1), _entry(2), _entry(3))


async def test_of_pictures_only_the_newest_waits() -> None:
    hub = Hub()
    reader = hub.open()
    for number in range(5):
        hub.latest("overview", b"%d" % number)
    hub.command(_entry(1))
    picture, command = await reader.news()
    assert picture == b"event: overview\ndata: 4\n\n"
    assert command.endswith(b"\n\n")


async def test_a_slow_reader_is_let_go_and_the_others_are_not() -> None:
    hub = Hub()
    slow, quick = hub.open(), hub.open()
    got = 0
    for number in range(MOST_WAITING + 1):
        hub.command(_entry(number))
        got += len(await quick.news())
    assert got == MOST_WAITING + 1
    assert await slow.news() == []
    assert (slow.closed, quick.closed, hub.dropped, len(hub)) == (True, False, 1, 1)


async def test_readers_are_so_many_and_no_more() -> None:
    hub = Hub()
    readers = [hub.open() for _ in range(MOST_READERS)]
    with pytest.raises(Full):
        hub.open()
    hub.leave(readers[0])
    hub.open()


async def test_closing_wakes_whoever_waits() -> None:
    hub = Hub()
    waiting = asyncio.ensure_future(hub.open().news())
    await asyncio.sleep(0)
    hub.close()
    async with asyncio.timeout(5):
        assert await waiting == []
