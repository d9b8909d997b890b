"""Account events into their partitions: order, waiting, and what a defect leaves (H-4, H-7)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

import streams.journal
from monitor.account import Account, take
from monitor.engine import Engine
from monitor.escalation import Episode
from monitor.reference import load_reference
from streams.intake import Received
from streams.journal import PartitionWriter, PauseGuard, Recovery
from streams.settings import Settings
from streams.worker.folding import EVENTS_AT_ONCE, Folding
from streams.worker.partition import OwnedPartition
from streams.worker.runtime import Runtime, wall
from tests.rules.reduction_world import raw_reference
from tests.unit.journal.pretend import MemoryOutlet, eventually
from tests.unit.streams.test_partition import Journal


class Source:
    """An intake of which the test hands over the records."""

    def __init__(self) -> None:
        self.generation = 1
        self.acknowledged: list[tuple[int, int]] = []

    def acknowledge(self, events: Sequence[Received]) -> None:
        self.acknowledged += [(event.partition, event.offset) for event in events]

    def behind(self, _: Received) -> int:
        return 0


class Room:
    """Two partitions with their writers among pretended neighbours."""

    def __init__(self) -> None:
        self.runtime = Runtime(Settings(redis_url="none"))
        self.engine = self.runtime.engine = Engine(load_reference(raw_reference()))
        self.source, self.outlet = Source(), MemoryOutlet()
        self.partitions = {number: self._partition(number) for number in range(2)}
        self.ticking = SimpleNamespace(events=0, idle_polls=0, last_ts=None, appended_until=0)
        ownership = SimpleNamespace(
            partitions=self.partitions, is_armed=lambda _: True, arm=lambda _: None
        )
        neighbours: list[Any] = [ownership, self.ticking, self.source]
        self.folding = Folding(self.runtime, *neighbours)

    def _partition(self, number: int) -> OwnedPartition:
        owned = OwnedPartition(
            number,
            self.runtime.topics,
            engine=self.runtime.present_engine,
            acknowledge=self.source.acknowledge,
            lost=lambda *_: None,
            changed=lambda _: None,
        )
        owned.writer = PartitionWriter(
            Journal(streams.journal),  # type: ignore[arg-type]
            owned,
            self.outlet,
            now=self.runtime.now,
            guard=PauseGuard(60.0),
        )
        owned.open.set()
        return owned

    def adopt(self, *names: str, partition: int = 0) -> None:
        for name in names:
            account = Account(name, known=True, account_seq=1)
            self.engine.adopt(account, Episode(), partition)

    def deposit(self, name: str, offset: int, *, partition: int = 0, **more: Any) -> Received:
        message = {
            "account_id": name,
            "account_seq": offset + 2,
            "transfer_id": f"t{offset}",
            "kind": "deposit",
            "currency": "USDT",
            "amount": "1",
            "ts": wall(),
            **more,
        }
        return Received(
            self.runtime.topics.name("transfers"),
            partition,
            offset,
            name.encode(),
            json.dumps(message).encode(),
            wall(),
            self.source.generation,
        )

    def cash(self, name: str) -> str:
        return str(self.engine.entries[name].read().balance("USDT").cash)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    found = Room()
    writers = [owned.writer for owned in found.partitions.values() if owned.writer is not None]
    for writer in writers:
        await writer.begin(Recovery())
    yield found
    for writer in writers:
        await writer.close()


async def test_h_7_events_of_many_partitions_are_acknowledged_in_the_order_of_each(
    room: Room,
) -> None:
    room.adopt("a")
    room.adopt("b", partition=1)
    count = EVENTS_AT_ONCE + 10
    events = [
        room.deposit(name, offset, partition=partition)
        for offset in range(count)
        for partition, name in enumerate("ab")
    ]
    while events:
        events = room.folding.take(events)
    await eventually(lambda: len(room.source.acknowledged) == 2 * count)
    for number in range(2):
        offsets = [offset for partition, offset in room.source.acknowledged if partition == number]
        assert offsets == list(range(count))
    assert room.cash("a") == room.cash("b") == str(count)
    assert room.ticking.events == 2 * count


async def test_a_partition_that_is_not_open_waits_alone(room: Room) -> None:
    room.adopt("a")
    room.adopt("b", partition=1)
    room.partitions[0].open.clear()
    events = [room.deposit("a", 0), room.deposit("b", 0, partition=1), room.deposit("a", 1)]
    assert room.folding.take(events) == [events[0], events[2]]
    assert room.cash("b") == "1"
    room.partitions[0].open.set()
    assert room.folding.take([events[0], events[2]]) == []
    assert room.cash("a") == "2"


async def test_what_follows_an_event_that_waits_for_ticks_does_not_overtake_it(room: Room) -> None:
    """On the event clock: the first is ahead of all ticks that are taken, the second is not."""
    room.runtime.settings = Settings(redis_url="none", clock="event")
    room.adopt("a")
    room.engine.now = room.ticking.last_ts = wall()
    early = room.deposit("a", 0, ts=wall() + 60_000)
    filler = [room.deposit("b", offset, partition=1) for offset in range(EVENTS_AT_ONCE)]
    after = room.deposit("a", 1)
    left = room.folding.take([early, *filler, after])
    assert [(event.partition, event.offset) for event in left][-1] == (0, 1)
    assert early in left
    assert room.cash("a") == "0"


async def test_what_was_read_before_a_rebalance_is_not_folded(room: Room) -> None:
    room.adopt("a")
    event = room.deposit("a", 0)
    room.source.generation += 1
    assert room.folding.take([event]) == []
    assert room.cash("a") == "0"
    assert room.source.acknowledged == []


async def test_h_4_a_defect_costs_one_event_and_no_other(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.adopt("a", "bad", "z")

    def broken(account: Account, *args: Any) -> Any:
        if account.account_id == "bad":
            raise ZeroDivisionError("a defect")
        return take(account, *args)

    monkeypatch.setattr("monitor.engine.posting.take", broken)
    events = [room.deposit(name, offset) for offset, name in enumerate(("a", "bad", "z"))]
    assert room.folding.take(events) == []
    # Acknowledged only once the dead letter is on its way from the journal, and in order.
    await eventually(lambda: len(room.source.acknowledged) == 3 and room.outlet.published)
    assert [offset for _, offset in room.source.acknowledged] == [0, 1, 2]
    (letter,) = [json.loads(value) for value in room.outlet.published]
    assert letter["kind"] == "dead_letter"
    assert "a defect" in letter["reason"]
    assert letter["offset"] == 1
    writer = room.partitions[0].writer
    assert writer is not None
    assert writer.lost is None
    assert room.engine.entries["bad"].out_of_sync
