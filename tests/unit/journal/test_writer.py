"""The group loop: append, then acknowledge, then publish; and what it does when that fails."""

import asyncio
from types import ModuleType
from typing import Any, Self

import pytest

import streams.journal
from tests.unit.journal.mutants import Mutation, must_fail, parametrize
from tests.unit.journal.pretend import (
    Counters,
    Event,
    MemoryJournal,
    MemoryOutlet,
    eventually,
    settle,
)


class Room:
    """A writer among pretended neighbours, with a clock that a test can turn."""

    def __init__(self, package: ModuleType | Any, **settings: float) -> None:
        self.package = package
        self.journal = MemoryJournal(package)
        self.outlet = MemoryOutlet()
        self.owner = Counters(package)
        self.seconds = 0.0
        self.guard = package.PauseGuard(6.0, lambda: self.seconds)
        self.writer = package.PartitionWriter(
            self.journal,
            self.owner,
            self.outlet,
            now=lambda: 1_000,
            guard=self.guard,
            settings=package.WriterSettings(**settings),
        )

    async def __aenter__(self) -> Self:
        await self.writer.begin(self.package.Recovery())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.journal.gate.release()
        self.outlet.gate.release()
        await self.writer.close()

    def fold(self, *events: Event) -> None:
        self.owner.fold(self.writer, events)


async def acknowledged_only_when_durable(package: Any) -> None:
    async with Room(package) as room:
        room.journal.gate.hold()
        room.fold(Event(0, "a"), Event(1, "b"))
        await settle()
        assert room.owner.acknowledged_offsets == []
        room.journal.gate.release()
        await eventually(lambda: room.owner.acknowledged_offsets == [0, 1])


async def later_events_belong_to_the_next_group(package: Any) -> None:
    async with Room(package) as room:
        room.journal.gate.hold()
        room.fold(Event(0, "a"))
        await settle()
        room.fold(Event(1, "a"), Event(2, "b"))
        acknowledged_after: list[list[int]] = []
        append = room.journal.append

        async def noting(records: Any) -> Any:
            acknowledged_after.append(room.owner.acknowledged_offsets)
            return await append(records)

        room.journal.append = noting  # type: ignore[method-assign]
        room.journal.gate.release()
        await room.writer.flush(2)
        assert acknowledged_after == [[0]]
        assert room.journal.groups == [[b"a"], [b"a", b"b"]]
        assert [record["state"]["n"] for record in room.journal.of(b"a")] == [1, 2]


async def published_only_when_durable(package: Any) -> None:
    async with Room(package) as room:
        room.journal.gate.hold()
        room.fold(Event(0, "a", b"c1"), Event(1, "a", b"c2"))
        await settle()
        assert room.outlet.published == []
        room.journal.gate.release()
        await eventually(lambda: room.outlet.published == [b"c1", b"c2"])


async def a_failed_append_acknowledges_and_publishes_nothing(package: Any) -> None:
    async with Room(package) as room:
        room.journal.gate.hold()
        room.fold(Event(0, "a", b"c1"))
        await settle()
        room.journal.gate.error = package.JournalFenced("a newer owner")
        room.journal.gate.release()
        await eventually(lambda: room.owner.gone)
        room.journal.gate.error = None
        room.fold(Event(1, "a", b"c2"), Event(2, "b"))
        await settle()
        assert room.owner.acknowledged_offsets == []
        assert room.outlet.published == []
        assert room.journal.records == []
        assert len(room.owner.gone) == 1
        await eventually(lambda: room.journal.aborted)


async def a_drop_releases_every_event(package: Any) -> None:
    async with Room(package) as room:
        room.journal.gate.hold()
        room.fold(Event(0, "a", b"c1"), Event(1, "b"))
        await settle()
        room.fold(Event(2, "c"))
        room.journal.gate.error = package.OffsetGap("somebody else")
        room.journal.gate.release()
        await eventually(lambda: room.owner.gone)
        room.fold(Event(3, "d"))
        assert (room.writer.unacknowledged, room.writer.dirty) == (0, 0)


async def a_failed_publish_stops_the_partition(package: Any) -> None:
    async with Room(package) as room:
        room.outlet.gate.error = package.OutletLost("no such topic")
        room.fold(Event(0, "a", b"c1"))
        await eventually(lambda: room.owner.gone)
        room.outlet.gate.error = None
        room.fold(Event(1, "a", b"c2"))
        await settle()
        assert room.outlet.published == []
        assert [record["state"]["n"] for record in room.journal.of(b"a")] == [1]


async def commands_stay_in_the_record_until_published(package: Any) -> None:
    async with Room(package) as room:
        room.outlet.gate.hold()
        room.fold(Event(0, "a", b"c1"))
        await eventually(lambda: room.outlet.gate.waiting)
        room.fold(Event(1, "a", b"c2"))
        await eventually(lambda: len(room.journal.records) == 2)
        room.outlet.gate.release()
        await eventually(lambda: room.outlet.published == [b"c1", b"c2"])
        room.fold(Event(2, "a"))
        await room.writer.flush(2)
        counts = [len(record["commands"]) for record in room.journal.of(b"a")]
        assert counts == [1, 2, 0]


async def published_up_to_is_noted(package: Any) -> None:
    async with Room(package, published_every=0.02) as room:
        room.fold(Event(0, "a", b"c1"))
        await eventually(lambda: room.journal.of(b"\x00published"))
        (note,) = room.journal.of(b"\x00published")
        assert note["up_to"] == 1
        room.fold(Event(1, "a"))
        await asyncio.sleep(0.05)
        assert len(room.journal.of(b"\x00published")) == 1


async def nothing_is_noted_before_it_is_published(package: Any) -> None:
    async with Room(package, published_every=0.01) as room:
        room.outlet.gate.hold()
        room.fold(Event(0, "a", b"c1"))
        await eventually(lambda: room.outlet.gate.waiting)
        room.fold(Event(1, "b"))
        await asyncio.sleep(0.05)
        assert room.journal.of(b"\x00published") == []


async def an_account_past_the_bound_goes_out_of_sync_alone(package: Any) -> None:
    async with Room(package) as room:
        room.journal.settings.max_record_bytes = 1_000
        room.owner.padding["big"] = 2_000
        room.fold(Event(0, "big", b"c1"), Event(1, "a", b"c2"))
        await room.writer.flush(2)
        assert room.owner.given_up == ["big"]
        assert room.journal.of(b"big")[0]["state"]["n"] == -1
        assert room.owner.acknowledged_offsets == [0, 1]
        assert room.outlet.published == [b"c2"]


async def a_command_past_the_bound_puts_its_account_out_of_sync(package: Any) -> None:
    async with Room(package) as room:
        room.fold(Event(0, "big", b"x" * 1_100_000), Event(1, "a", b"c2"))
        await room.writer.flush(2)
        assert room.owner.given_up == ["big"]
        assert room.outlet.published == [b"c2"]


async def h_4_a_broken_snapshot_does_not_stop_the_others(package: Any) -> None:
    async with Room(package) as room:
        room.owner.broken.add("bad")
        room.fold(Event(0, "bad"), Event(1, "a"))
        await room.writer.flush(2)
        assert room.owner.given_up == ["bad"]
        assert room.owner.acknowledged_offsets == [0, 1]


async def a_repeat_waits_for_what_came_before_it(package: Any) -> None:
    async with Room(package) as room:
        room.journal.gate.hold()
        room.fold(Event(0, "a"))
        await settle()
        room.owner.applied["b"] = 99
        room.fold(Event(1, "b"))
        await settle()
        assert room.owner.acknowledged_offsets == []
        room.journal.gate.release()
        await eventually(lambda: room.owner.acknowledged_offsets == [0, 1])


async def a_dead_letter_is_acknowledged_when_published(package: Any) -> None:
    async with Room(package) as room:
        room.outlet.gate.hold()
        room.writer.dead_letter(Event(0, "?"), room.owner.command("?", b"letter"))
        room.fold(Event(1, "a"))
        await eventually(lambda: room.journal.records)
        await settle()
        assert room.owner.acknowledged_offsets == []
        room.outlet.gate.release()
        await eventually(lambda: room.owner.acknowledged_offsets == [0, 1])
        assert room.outlet.published == [b"letter"]


async def now_does_not_fall_below_the_last_owners(package: Any) -> None:
    room = Room(package)
    await room.writer.begin(package.Recovery(now=5_000))
    try:
        room.fold(Event(0, "a"))
        await room.writer.flush(2)
        assert [record["now"] for record in room.journal.of(b"a")] == [5_000]
    finally:
        await room.writer.close()


async def a_letter_that_no_topic_takes_is_refused(package: Any) -> None:
    async with Room(package) as room:
        letter = room.owner.command("?", b"x" * 1_000_001)
        with pytest.raises(package.RecordTooLarge):
            room.writer.dead_letter(Event(0, "?"), letter)
        room.writer.dead_letter(Event(0, "?"), room.owner.command("?", b"short"))
        await room.writer.flush(2)
        assert room.owner.acknowledged_offsets == [0]


async def a_long_group_is_cut(package: Any) -> None:
    async with Room(package, group_seconds=0.0) as room:
        room.fold(*(Event(n, f"a{n}") for n in range(4)))
        await room.writer.flush(2)
        assert room.journal.groups == [[b"a0"], [b"a1"], [b"a2"], [b"a3"]]


async def after_a_pause_nothing_is_appended(package: Any) -> None:
    async with Room(package) as room:
        room.seconds = 7.0
        room.fold(Event(0, "a", b"c1"))
        await eventually(lambda: room.owner.gone)
        assert isinstance(room.owner.gone[0], package.PausedTooLong)
        assert room.journal.records == []


async def after_a_pause_nothing_is_acknowledged_or_published(package: Any) -> None:
    async with Room(package) as room:
        room.journal.gate.hold()
        room.fold(Event(0, "a", b"c1"))
        await settle()
        room.seconds = 7.0
        room.journal.gate.release()
        await eventually(lambda: room.owner.gone)
        assert room.owner.acknowledged_offsets == []
        assert room.outlet.published == []


async def after_a_pause_what_is_queued_is_not_published(package: Any) -> None:
    async with Room(package) as room:
        room.outlet.gate.hold()
        room.fold(Event(0, "a", b"c1"))
        await eventually(lambda: room.outlet.gate.waiting)
        room.fold(Event(1, "a", b"c2"))
        await eventually(lambda: len(room.journal.records) == 2)
        room.seconds = 7.0
        room.outlet.gate.release()
        await eventually(lambda: room.owner.gone)
        assert room.outlet.published == [b"c1"]


async def a_flush_leaves_nothing_behind(package: Any) -> None:
    async with Room(package, group_accounts=2) as room:
        room.fold(*(Event(n, f"a{n}", b"c%d" % n) for n in range(7)))
        await room.writer.flush(2)
        assert room.owner.acknowledged_offsets == list(range(7))
        assert room.outlet.published == [b"c%d" % n for n in range(7)]
        assert [n["up_to"] >= 7 for n in room.journal.of(b"\x00published")[-1:]] == [True]
        assert max(map(len, room.journal.groups)) <= 3


async def a_flush_that_takes_too_long_loses_the_partition(package: Any) -> None:
    async with Room(package) as room:
        room.journal.gate.hold()
        room.fold(Event(0, "a"))
        with pytest.raises(package.JournalLost):
            await room.writer.flush(0.02)
        room.journal.gate.release()
        await settle()
        assert room.owner.acknowledged_offsets == []
        assert len(room.owner.gone) == 1


async def a_recovery_publishes_before_anything_new(package: Any) -> None:
    room = Room(package)
    old = room.owner.command("a", b"old")
    room.owner.decide("a", b"new")
    await room.writer.begin(package.Recovery(commands=[old]))
    try:
        assert room.outlet.published == [b"old"]
        assert room.journal.of(b"\x00published")[0]["up_to"] == room.journal.epoch.offset
        room.writer.mark("a")
        await room.writer.flush(2)
        assert room.outlet.published == [b"old", b"new"]
    finally:
        await room.writer.close()


async def the_claim_is_renewed(package: Any) -> None:
    async with Room(package, renew_every=0.02) as room:
        await eventually(lambda: room.journal.renewals >= 2)
        room.fold(Event(0, "a"))
        await room.writer.flush(2)
        assert room.owner.acknowledged_offsets == [0]


async def a_full_backlog_holds_the_appends(package: Any) -> None:
    async with Room(package, publish_backlog=1) as room:
        room.outlet.gate.hold()
        for offset in range(6):
            room.fold(Event(offset, "a", b"c%d" % offset))
            await settle()
        assert len(room.journal.records) <= 3
        room.outlet.gate.release()
        await room.writer.flush(2)
        assert room.outlet.published == [b"c%d" % n for n in range(6)]


async def a_quiet_group_waits_for_more(package: Any) -> None:
    async with Room(package, group_seconds=60.0) as room:
        room.writer.linger = 30.0
        room.fold(Event(0, "a"))
        await settle()
        room.fold(Event(1, "b"))
        await settle()
        assert room.journal.groups == []
        room.writer.mark("c", urgent=True)
        await eventually(lambda: room.journal.groups == [[b"a", b"b", b"c"]])
        room.fold(Event(2, "a"))
        await settle()
        assert len(room.journal.groups) == 1, "the next one waits again"
        await room.writer.flush(2)
        assert room.owner.acknowledged_offsets == [0, 1, 2]


async def a_group_waits_while_more_is_in_line(package: Any) -> None:
    async with Room(package) as room:
        room.writer.linger, room.writer.longest_linger = 0.005, 30.0
        room.writer.expect(more=True)
        room.fold(Event(0, "a"))
        await asyncio.sleep(0.05)
        room.fold(Event(1, "b"))
        await settle()
        assert room.journal.groups == []
        room.writer.expect(more=False)
        await eventually(lambda: room.journal.groups == [[b"a", b"b"]])
        room.fold(Event(2, "a"))
        await eventually(lambda: len(room.journal.groups) == 2)


async def a_group_hears_that_nothing_is_in_line_any_more(package: Any) -> None:
    async with Room(package) as room:
        room.writer.linger = room.writer.longest_linger = 30.0
        room.writer.expect(more=True)
        room.fold(Event(0, "a"))
        await settle()
        assert room.journal.groups == []
        room.writer.expect(more=False)
        await eventually(lambda: room.journal.groups == [[b"a"]])


async def what_is_in_line_holds_nothing_for_ever(package: Any) -> None:
    async with Room(package) as room:
        room.writer.linger, room.writer.longest_linger = 0.005, 0.02
        room.writer.expect(more=True)
        room.fold(Event(0, "a"))
        await eventually(lambda: room.owner.acknowledged_offsets == [0])


_APPEND = "                offsets = await self._journal.append(group.records)\n"
_PUBLISH_FIRST = (
    "                self._outgoing.append(_Outgoing(group.commands, offset=0))\n"
    "                self._publish_wake.set()\n"
)
_MUTATIONS = [
    Mutation(
        "acknowledged before the append",
        "writer",
        _APPEND,
        "                self._acknowledge(group.events)\n" + _APPEND,
        acknowledged_only_when_durable,
    ),
    Mutation(
        "acknowledged with the group before",
        "writer",
        "            self._acknowledge(group.events)\n\n",
        "            self._acknowledge(group.events)\n"
        "            self._acknowledge([e for es in self._dirty.values() for e in es])\n\n",
        later_events_belong_to_the_next_group,
    ),
    Mutation(
        "published before the append",
        "writer",
        _APPEND,
        _PUBLISH_FIRST + _APPEND,
        published_only_when_durable,
    ),
    Mutation(
        "a failed append is taken for done",
        "writer",
        _APPEND,
        "                try:\n    " + _APPEND + "                except JournalLost:\n"
        "                    offsets = [0]\n",
        a_failed_append_acknowledges_and_publishes_nothing,
    ),
    Mutation(
        "marks are taken after the loss",
        "writer",
        '''        """
        if self.lost is not None:
            return
        events = self._dirty.get(account_id)
''',
        '''        """
        events = self._dirty.get(account_id)
''',
        a_drop_releases_every_event,
    ),
    Mutation(
        "what is urgent waits with the rest",
        "writer",
        "            self._urgent.set()\n\n    def settle",
        "            pass\n\n    def settle",
        a_quiet_group_waits_for_more,
    ),
    Mutation(
        "once urgent, always urgent",
        "writer",
        "            self._urgent.clear()\n",
        "            pass\n",
        a_quiet_group_waits_for_more,
    ),
    Mutation(
        "a group waits no longer for what is in line",
        "writer",
        "if self._more else 0.0",
        "if False else 0.0",
        a_group_waits_while_more_is_in_line,
    ),
    Mutation(
        "the end of the line is not heard of",
        "writer",
        "        if self._more and not more:\n            self.hasten()\n",
        "",
        a_group_hears_that_nothing_is_in_line_any_more,
    ),
    Mutation(
        "a line without end holds a group for ever",
        "writer",
        "waits = min(self.linger, last - loop.time())",
        "waits = self.linger",
        what_is_in_line_holds_nothing_for_ever,
    ),
    Mutation(
        "events are kept after the loss",
        "writer",
        "        self._events.clear()\n",
        "",
        a_drop_releases_every_event,
    ),
    Mutation(
        "a failed publish is passed over",
        "writer",
        "            await self._outlet.publish([c for item in batch for _, c in item.commands])\n",
        "            try:\n                await self._outlet.publish("
        "[c for item in batch for _, c in item.commands])\n"
        "            except OutletLost:\n                pass\n",
        a_failed_publish_stops_the_partition,
    ),
    Mutation(
        "commands leave the record unpublished",
        "snapshots",
        "(*carried, *commands)",
        "(*commands,)",
        commands_stay_in_the_record_until_published,
    ),
    Mutation(
        "commands stay in the record for ever",
        "snapshots",
        "        carried.pop(0)\n",
        "        carried[:] = carried or [None]\n",
        commands_stay_in_the_record_until_published,
    ),
    Mutation(
        "published_up_to is never noted",
        "writer",
        "            self._published = item.offset\n",
        "",
        published_up_to_is_noted,
    ),
    Mutation(
        "noted when appended",
        "writer",
        "                if group.commands:\n",
        "                if group.commands:\n                    self._published = offsets[-1]\n",
        nothing_is_noted_before_it_is_published,
    ),
    Mutation(
        "records are not bounded",
        "snapshots",
        "            self._check_size(key, value, commands)\n",
        "",
        an_account_past_the_bound_goes_out_of_sync_alone,
    ),
    Mutation(
        "the commands of an account out of sync are published",
        "snapshots",
        "            commands = ()\n",
        "",
        an_account_past_the_bound_goes_out_of_sync_alone,
    ),
    Mutation(
        "commands are not bounded",
        "snapshots",
        "            if command.size > MAX_COMMAND_BYTES:\n",
        "            if False:\n",
        a_command_past_the_bound_puts_its_account_out_of_sync,
    ),
    Mutation(
        "one bad snapshot stops all",
        "snapshots",
        "        except Exception as error:\n            log.warning(",
        "        except RecordTooLarge as error:\n            log.warning(",
        h_4_a_broken_snapshot_does_not_stop_the_others,
    ),
    Mutation(
        "a repeat is acknowledged at once",
        "acknowledge",
        "while self._waiting and self._waiting[0].offset in self._durable:",
        "while self._waiting and self._durable:\n"
        "            self._durable.add(self._waiting[0].offset)",
        a_repeat_waits_for_what_came_before_it,
    ),
    Mutation(
        "a dead letter is acknowledged before it is published",
        "writer",
        '        self._outgoing.append(_Outgoing([("", letter)], event=event))\n',
        '        self._outgoing.append(_Outgoing([("", letter)]))\n'
        "        self._acknowledge([event])\n",
        a_dead_letter_is_acknowledged_when_published,
    ),
    Mutation(
        "no pause is noticed before an append",
        "writer",
        "                self._guard.check()\n" + _APPEND,
        _APPEND,
        after_a_pause_nothing_is_appended,
    ),
    Mutation(
        "no pause is noticed after an append",
        "writer",
        _APPEND + "                self._guard.check()\n",
        _APPEND,
        after_a_pause_nothing_is_acknowledged_or_published,
    ),
    Mutation(
        "no pause is noticed before a publish",
        "writer",
        "            self._guard.check()\n            batch",
        "            batch",
        after_a_pause_what_is_queued_is_not_published,
    ),
    Mutation(
        "a flush does not wait for the outlet",
        "writer",
        "            elif not self._dirty and backlog == 0:\n",
        "            if not self._dirty:\n",
        a_flush_leaves_nothing_behind,
    ),
    Mutation(
        "a late flush keeps the partition",
        "writer",
        '            self._fail(JournalLost(f"{self._journal.name}: not flushed',
        '            log.info(JournalLost(f"{self._journal.name}: not flushed',
        a_flush_that_takes_too_long_loses_the_partition,
    ),
    Mutation(
        "a recovery publishes nothing again",
        "writer",
        "                await self._outlet.publish(recovery.commands)\n",
        "",
        a_recovery_publishes_before_anything_new,
    ),
    Mutation(
        "the claim is never renewed",
        "writer",
        "                self._journal = await self._journal.renew()\n",
        "",
        the_claim_is_renewed,
    ),
    Mutation(
        "now may fall",
        "snapshots",
        "        self._floor = now\n",
        "        pass\n",
        now_does_not_fall_below_the_last_owners,
    ),
    Mutation(
        "letters are not bounded",
        "writer",
        "        if letter.size > MAX_COMMAND_BYTES:\n",
        "        if False:\n",
        a_letter_that_no_topic_takes_is_refused,
    ),
    Mutation(
        "a group takes as long as it takes",
        "writer",
        "            if taken and monotonic() > end:\n",
        "            if False:\n",
        a_long_group_is_cut,
    ),
    Mutation(
        "the backlog has no bound",
        "writer",
        "if self._dirty and backlog <= self.settings.publish_backlog:",
        "if self._dirty:",
        a_full_backlog_holds_the_appends,
    ),
]
_SCENARIOS = list(dict.fromkeys(mutation.scenario for mutation in _MUTATIONS))


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_h_7(scenario: Any) -> None:
    await scenario(streams.journal)


@parametrize(_MUTATIONS)
@pytest.mark.timeout(30)
async def test_fails_without_the_rule(mutation: Mutation) -> None:
    await must_fail(mutation)
