"""How Faust's consumer hands records over: at once where nothing keeps them, raced with a stop else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from mode.utils.locks import Event

from streams.intake.faust_transport import _Consumer


class Scene:
    """A consumer as Faust has it while it reads, with one agent's queue."""

    def __init__(self, *, flows: bool = True, room: int = 0) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue(maxsize=room)
        self.consumer = _Consumer.__new__(_Consumer)
        self.consumer.app = SimpleNamespace(  # type: ignore[assignment]
            flow_control=SimpleNamespace(is_active=lambda: flows),
            topics=[SimpleNamespace(queue=self.queue)],
        )
        self.consumer._loop = asyncio.get_running_loop()
        self.consumer._stopped, self.consumer._crashed = Event(), Event()
        self.suspend = Event()

    async def deliver(self, record: int) -> Any:
        return await self.consumer.wait_first(self.queue.put(record), self.suspend.wait())


async def test_what_nothing_keeps_is_delivered_without_a_turn_of_the_loop() -> None:
    scene = Scene()
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1

    asyncio.get_running_loop().call_soon(turn)
    for record in range(5):
        await scene.deliver(record)
    assert (scene.queue.qsize(), turns) == (5, 0)


@pytest.mark.parametrize("flows", [True, False], ids=["full", "stopped"])
async def test_what_may_have_to_wait_ends_with_a_stop_of_the_flow(flows: bool) -> None:
    scene = Scene(flows=flows, room=1)
    await scene.queue.put(0)
    waiting = asyncio.create_task(scene.deliver(1))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    scene.suspend.set()
    await asyncio.wait_for(waiting, 5)
    assert scene.queue.qsize() == 1


async def test_an_error_of_the_delivery_is_not_lost() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    scene = Scene()
    with pytest.raises(ZeroDivisionError):
        await scene.consumer.wait_first(broken(), scene.suspend.wait())
