"""Owners follow each other in any way, and old ones go on as if they still owned the partition."""

import asyncio
import random
from collections import Counter

import pytest

from tests.integration.journal.world import Worker, World, delayed_requests, read_topic
from tests.unit.journal.pretend import Event, settle

pytestmark = pytest.mark.integration


class Crowd:
    """Workers on one partition, each with its own position in the same events."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = random.Random(seed)
        self.events = [
            Event(n, f"a{self.rng.randrange(6)}", b"c%d" % n if self.rng.random() < 0.3 else None)
            for n in range(400)
        ]
        self.positions: dict[Worker, int] = {}
        self.gone: list[Worker] = []

    @property
    def workers(self) -> list[Worker]:
        return [*self.positions, *self.gone]

    @property
    def committed(self) -> int:
        """The offset where the group's next owner begins."""
        last = (w.counters.acknowledged_offsets[-1:] for w in self.workers)
        return max((offset + 1 for offsets in last for offset in offsets), default=0)

    async def join(self, name: str) -> Worker:
        """Let a new owner claim; all that anybody acknowledged must be in what it finds."""
        worker = await self.world.worker(name).begin()
        for other in self.workers:
            for event in other.counters.acknowledged:
                assert worker.counters.applied.get(event.account, -1) >= event.offset
        self.positions[worker] = self.committed
        return worker

    def step(self, worker: Worker) -> None:
        """Let a worker, or what was one, take its next few events."""
        start = self.positions[worker]
        self.positions[worker] = end = min(len(self.events), start + self.rng.randrange(1, 25))
        worker.fold(*self.events[start:end])

    async def own(self, worker: Worker) -> None:
        """Work for a while, with what zombies there are."""
        while self.positions[worker] < len(self.events) and self.rng.random() < 0.85:
            self.step(worker)
            await asyncio.sleep(self.rng.choice([0, 0, 0.001, 0.004]))
            if self.rng.random() < 0.4:
                self.step(self.rng.choice(list(self.positions)))

    async def part(self, worker: Worker) -> None:
        """End an ownership: in order, in a crash, or not at all."""
        how = self.rng.choice(["flush", "crash", "linger", "late request"])
        if how == "linger":
            return
        if how == "late request":
            async with delayed_requests(self.world, worker.journal) as released:
                self.step(worker)
                await settle()
                await self.join("usurper")
                released.set()
            return
        if how == "flush":
            await worker.writer.flush(10)
        await self.leave(worker)

    async def leave(self, worker: Worker) -> None:
        self.positions.pop(worker)
        self.gone.append(worker)
        await worker.close()


@pytest.mark.parametrize("seed", range(4))
async def test_h_5_h_7_every_event_counts_once_and_all_output_is_journaled(
    world: World, seed: int
) -> None:
    crowd = Crowd(world, seed)
    for turn in range(12):
        worker = await crowd.join(f"w{turn}")
        await crowd.own(worker)
        if worker.writer.lost is None:
            await crowd.part(worker)
    last = await crowd.join("last")
    last.fold(*crowd.events[crowd.positions[last] :])
    await last.writer.flush(10)
    assert last.counters.counts == Counter(event.account for event in crowd.events)
    fenced = [w for w in crowd.workers if isinstance(w.writer.lost, world.package.JournalFenced)]
    assert fenced, "nobody was fenced: this run proves nothing"
    for worker in list(crowd.positions):
        await crowd.leave(worker)

    journaled = {
        (key, command.value)
        for _, key, record in await world.journal_records()
        for command in getattr(record, "commands", ())
    }
    output = await read_topic(world.bootstrap, world.out)
    published = {(key, value) for _, key, value in output}
    decided = {(e.account.encode(), e.command) for e in crowd.events if e.command is not None}
    assert published <= journaled
    assert published == decided
