"""One owned partition: what its records hold, and what is durable when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import streams.journal
from monitor.account import Account
from monitor.engine import Decision, Engine
from monitor.escalation import Episode
from monitor.reference import load_reference
from streams.intake import Received
from streams.journal import PartitionWriter, PauseGuard, Recovery
from streams.topics import Topics
from streams.worker.messages import notice_out
from streams.worker.partition import OwnedPartition
from tests.rules.reduction_world import raw_reference
from tests.rules.test_engine import MARK, Desk, long
from tests.support.outputs import interest
from tests.unit.journal.pretend import MemoryJournal, MemoryOutlet, eventually, settle

POSITION = "BTC-USDT-SWAP/isolated/net"


class Journal(MemoryJournal):
    """Says whether an append is in flight."""

    @property
    def appending(self) -> bool:
        return self.gate.waiting > 0


class Room:
    """A partition with its writer among pretended neighbours."""

    def __init__(self) -> None:
        self.engine = Engine(load_reference(raw_reference()))
        self.owned = OwnedPartition(
            0,
            Topics(),
            engine=lambda: self.engine,
            acknowledge=lambda _: None,
            lost=lambda *_: None,
            changed=lambda _: None,
        )
        self.journal = Journal(streams.journal)
        self.outlet = MemoryOutlet()
        self.writer: PartitionWriter[Received] = PartitionWriter(
            self.journal,  # type: ignore[arg-type]
            self.owned,
            self.outlet,
            now=lambda: 1_000,
            guard=PauseGuard(6.0),
        )

    def adopt(self, *names: str) -> None:
        for name in names:
            self.engine.adopt(Account(name, known=True), Episode(), 0)

    def change(self, *names: str) -> None:
        for name in names:
            self.owned.take(Decision(name, 0, dirty=True), None, 1_000)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    found = Room()
    await found.writer.begin(Recovery())
    found.owned.writer = found.writer
    yield found
    found.journal.gate.release()
    found.outlet.gate.release()
    await found.writer.close()


def test_mr_3_the_journal_keeps_the_episodes_of_isolated_positions() -> None:
    first, second = Room(), Room()
    first.engine.adopt(
        Account("a", known=True), Episode(n=3), 0, {POSITION: Episode(n=2, open=True, sequence=7)}
    )
    state, _ = first.owned.snapshot("a")
    second.owned.adopt([state])
    entry = second.engine.entries["a"]
    assert entry.isolated == {POSITION: Episode(n=2, open=True, sequence=7)}
    assert entry.episode == Episode(n=3)
    assert second.owned.snapshot("a")[0] == state


def test_mr_3_a_record_from_before_isolated_positions_is_still_read() -> None:
    room = Room()
    room.owned.adopt([b'{"account":{"account_id":"a","known":true},"episode":{}}'])
    assert room.engine.entries["a"].isolated == {}
    assert b"isolated" not in room.owned.snapshot("a")[0]


def test_es_2_an_account_given_up_never_counts_its_episodes_back() -> None:
    room = Room()
    room.engine.adopt(Account("a", known=True), Episode(n=3), 0, {POSITION: Episode(n=2)})
    room.owned.adopt([room.owned.out_of_sync("a", "too large")])
    assert room.engine.entries["a"].episode.n == 4
    assert room.engine.entries["a"].isolated[POSITION].n == 3


async def test_h_10_what_is_folded_is_durable_only_when_its_append_is_acknowledged(
    room: Room,
) -> None:
    room.adopt("a", "b", "c")
    assert room.owned.durable_from_now()()  # nothing was folded
    room.journal.gate.hold()
    room.change("a")
    await settle()  # its append is in flight
    flying = room.owned.durable_from_now()
    room.change("b")
    waiting = room.owned.durable_from_now()
    await settle()
    assert not flying()
    assert not waiting()
    room.journal.gate.release()
    await eventually(lambda: waiting() and flying())


async def test_h_10_a_partition_that_is_never_quiet_still_becomes_durable(room: Room) -> None:
    names = [f"a{number}" for number in range(4)]
    room.adopt(*names)
    room.outlet.gate.hold()
    stop = False

    async def busy() -> None:
        while not stop:
            room.change(*names)
            await asyncio.sleep(0)

    task = asyncio.create_task(busy())
    await settle()
    assert not room.writer.settled
    durable = room.owned.durable_from_now()
    await eventually(durable)
    stop = True
    await task


async def test_h_10_a_partition_that_is_lost_is_durable_never(room: Room) -> None:
    room.adopt("a")
    room.journal.gate.hold()
    room.change("a")
    durable = room.owned.durable_from_now()
    await room.writer.close()
    room.journal.gate.release()
    await settle()
    assert not durable()


async def test_in_6_notices_go_out_with_the_record_of_their_account(room: Room) -> None:
    room.adopt("a")
    notice = interest("i-1", account_id="a")
    room.owned.take(Decision("a", room.owned.number, notices=[notice], dirty=True), None, 0)
    expected = notice_out(notice, Topics())
    assert (expected.topic, expected.key) == ("interest", b"a")
    await eventually(lambda: room.outlet.published == [expected.value])
    (record,) = room.journal.of(b"a")
    assert len(record["commands"]) == 1  # H-7: it stands in the journal first


async def test_h_6_a_span_grows_although_something_is_always_on_its_way(room: Room) -> None:
    room.adopt("a", "b")
    room.owned.span.ready = True
    room.journal.gate.hold()
    room.change("a")
    await settle()
    room.owned.folded["fills"] = 7
    room.owned.cover(10)
    assert room.owned.span.tick == -1
    room.owned.folded["fills"] = 8
    room.change("b")
    room.owned.cover(11)
    room.journal.gate.release()
    await settle()
    room.journal.gate.hold()
    room.change("a")
    await settle()
    room.owned.cover(12)
    assert (room.owned.span.tick, room.owned.span.book) == (10, {"fills": 7})


async def test_h_6_a_span_does_not_grow_while_a_tick_is_under_way(room: Room) -> None:
    """What is folded then comes after a tick that is not done, and not after the last one done."""
    desk = Desk({"a": long("8200")})
    room.engine, room.owned.span.ready = desk.engine, True
    batch = desk.batch((MARK, "59980"))
    moments = iter((False,))
    taken, _ = desk.engine.turn(batch, 0, None, lambda: next(moments, True))
    room.owned.folded["fills"] = 7
    room.owned.cover(10)
    assert (room.owned.span.tick, room.owned.span.book) == (-1, {})
    desk.engine.turn(batch, taken, None)
    room.owned.cover(11)
    assert (room.owned.span.tick, room.owned.span.book) == (11, {"fills": 7})


async def test_what_is_decided_does_not_wait_for_more(room: Room) -> None:
    room.adopt("a", "b")
    room.writer.linger = 30.0
    room.change("a")
    await settle()
    assert room.journal.groups == []
    room.owned.take(Decision("b", 0, notices=[interest("i1")], dirty=True), None, 1_000)
    await eventually(lambda: room.journal.groups)


async def test_a_group_waits_until_no_topic_has_more_in_line(room: Room) -> None:
    room.adopt("a")
    room.writer.linger = room.writer.longest_linger = 30.0
    room.owned.expect("fills", more=True)
    room.owned.expect("orders", more=True)
    room.change("a")
    room.owned.expect("orders", more=False)
    await settle()
    assert room.owned.in_line == {"fills"}
    assert room.journal.groups == []
    room.owned.expect("fills", more=False)
    await eventually(lambda: len(room.journal.groups) == 1)
