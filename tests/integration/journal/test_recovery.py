"""What the next owner finds, and what it publishes again."""

import asyncio
import dataclasses
from typing import Any

import pytest

from tests.integration.journal.world import (
    Worker,
    World,
    create_topic,
    read_topic,
)
from tests.unit.journal.mutants import Mutation, must_fail, parametrize
from tests.unit.journal.pretend import Event, Gate, eventually, settle

pytestmark = pytest.mark.integration


def gate_of(worker: Worker) -> Gate:
    """Put a gate before the worker's outlet."""
    gate = Gate()
    publish = worker.outlet.publish

    async def gated(commands: Any) -> None:
        await gate.pass_through()
        await publish(commands)

    worker.outlet.publish = gated
    return gate


async def the_newest_state_of_every_account_is_found(world: World) -> None:
    async with world.worker() as first:
        for offset in range(30):
            first.fold(Event(offset, f"a{offset % 3}"))
            await settle()
        await first.writer.flush(5)
    async with world.worker("w2") as second:
        assert second.counters.counts == {"a0": 10, "a1": 10, "a2": 10}
        assert second.recovery.now == 1_000
        second.fold(Event(30, "a0"))
        await second.writer.flush(5)
    async with world.worker("w3") as third:
        assert third.counters.counts == {"a0": 11, "a1": 10, "a2": 10}


async def a_crash_before_publishing_loses_no_command(world: World) -> None:
    first = await world.worker().begin()
    gate_of(first).hold()
    first.fold(Event(0, "a", b"c1"), Event(1, "b", b"c2"))
    await eventually(lambda: first.counters.acknowledged_offsets == [0, 1])
    first.fold(Event(2, "a", b"c3"))
    await eventually(lambda: first.counters.acknowledged_offsets == [0, 1, 2])
    await first.close()
    assert await world.published() == []
    async with world.worker("w2"):
        pass
    records = await read_topic(world.bootstrap, world.out)
    assert [(key, value) for _, key, value in records] == [
        (b"b", b"c2"),
        (b"a", b"c1"),
        (b"a", b"c3"),
    ]
    async with world.worker("w3"):
        pass
    assert len(await world.published()) == 3


async def the_same_bytes_are_published_again(world: World) -> None:
    first = await world.worker().begin()
    gate = gate_of(first)
    gate.hold()
    first.fold(Event(0, "a", bytes(range(256))))
    await eventually(lambda: first.counters.acknowledged)
    async with world.worker("w2"):
        gate.release()
        await eventually(lambda: len(first.writer._outgoing) == 0 and not first.writer._publishing)
    await first.close()
    assert await world.published() == [bytes(range(256))] * 2


async def what_is_noted_as_published_is_not_published_again(world: World) -> None:
    async with world.worker() as first:
        first.fold(Event(0, "a", b"c1"))
        await first.writer.flush(5)
    async with world.worker("w2"):
        pass
    assert await world.published() == [b"c1"]


async def memory_stands_if_the_claim_follows_the_last_append(world: World) -> None:
    first = await world.worker().begin()
    first.fold(Event(0, "a"))
    await first.writer.flush(5)
    await first.writer.close()
    await first.claim(previous=first.writer.last_offset)
    assert first.recovery.memory_stands
    await first.writer.begin(first.recovery)
    first.fold(Event(1, "a"))
    await first.writer.flush(5)
    await first.close()
    async with world.worker("w2") as second:
        assert second.counters.counts == {"a": 2}


async def memory_falls_if_anybody_came_between(world: World) -> None:
    first = await world.worker().begin()
    first.fold(Event(0, "a"))
    await first.writer.flush(5)
    await first.writer.close()
    async with world.worker("w2") as other:
        other.fold(Event(1, "a"))
        await other.writer.flush(5)
    await first.claim(previous=first.writer.last_offset)
    assert not first.recovery.memory_stands
    assert first.counters.counts == {"a": 2}
    await first.close()


async def a_claim_is_renewed_while_events_come(world: World) -> None:
    settings = world.package.WriterSettings(renew_every=0.05)
    async with world.worker(writer=settings) as worker:
        epochs = {worker.writer.epoch}
        for offset in range(60):
            worker.fold(Event(offset, "a", b"c%d" % offset))
            await asyncio.sleep(0.01)
            epochs.add(worker.writer.epoch)
        await worker.writer.flush(5)
        assert worker.counters.gone == []
        assert len(epochs) > 2
    async with world.worker("w2") as second:
        assert second.counters.counts == {"a": 60}
    assert await world.published() == [b"c%d" % offset for offset in range(60)]


async def a_renewal_after_another_owner_loses_the_partition(world: World) -> None:
    first = await world.worker().claim()
    second = await world.worker("w2").claim()
    with pytest.raises(world.package.JournalLost, match="another owner"):
        await first.journal.renew()
    await second.journal.abort()


async def the_ids_of_the_sources_are_kept(world: World) -> None:
    worker = await world.worker().claim()
    assert worker.recovery.sources == {}
    await worker.writer.begin(worker.recovery, {"fills": "id-1"})
    await worker.close()
    async with world.worker("w2") as second:
        assert second.recovery.sources == {"fills": "id-1"}


_MUTATIONS = [
    Mutation(
        "the first record of an account counts",
        "reader",
        "                newest[key] = record\n",
        "                newest.setdefault(key, record)\n",
        the_newest_state_of_every_account_is_found,
    ),
    Mutation(
        "a recovery publishes nothing again",
        "writer",
        "                await self._outlet.publish(recovery.commands)\n",
        "",
        a_crash_before_publishing_loses_no_command,
    ),
    Mutation(
        "commands leave the record unpublished",
        "snapshots",
        "(*carried, *commands)",
        "(*commands,)",
        a_crash_before_publishing_loses_no_command,
    ),
    Mutation(
        "what a recovery published is not noted",
        "writer",
        "                notes.append((PUBLISHED_KEY, encode_record(published)))\n",
        "",
        a_crash_before_publishing_loses_no_command,
    ),
    Mutation(
        "the note is not read",
        "reader",
        "if record.commands and raw.offset > self.published_up_to:",
        "if record.commands:",
        what_is_noted_as_published_is_not_published_again,
    ),
    Mutation(
        "memory never stands",
        "partition",
        "if previous is not None and journal.epoch.offset == previous + 1:",
        "if False:",
        memory_stands_if_the_claim_follows_the_last_append,
    ),
    Mutation(
        "memory always stands",
        "partition",
        "if previous is not None and journal.epoch.offset == previous + 1:",
        "if previous is not None:",
        memory_falls_if_anybody_came_between,
    ),
    Mutation(
        "a renewal looks at nobody",
        "partition",
        "        if not recovery.memory_stands:\n",
        "        if False:\n",
        a_renewal_after_another_owner_loses_the_partition,
    ),
    Mutation(
        "the ids of the sources are not read",
        "reader",
        "            self.sources = record.topics\n",
        "            pass\n",
        the_ids_of_the_sources_are_kept,
    ),
]
_SCENARIOS = [
    the_same_bytes_are_published_again,
    a_claim_is_renewed_while_events_come,
    *dict.fromkeys(mutation.scenario for mutation in _MUTATIONS),
]


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_recovery(scenario: Any, world: World) -> None:
    await scenario(world)


@parametrize(_MUTATIONS)
async def test_fails_without_the_rule(mutation: Mutation, world: World) -> None:
    await must_fail(mutation, lambda package: dataclasses.replace(world, package=package))


async def test_a_journal_larger_than_a_fetch_is_read_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.journal.fetching._FETCH_BYTES", 1_000)
    async with world.worker() as first:
        for offset in range(60):
            first.fold(Event(offset, f"a{offset % 7}"))
            await first.writer.flush(5)
    async with world.worker("w2") as second:
        assert second.counters.counts == {f"a{n}": 60 // 7 + (n < 60 % 7) for n in range(7)}
        assert second.recovery.records_read > 60


async def test_a_partition_that_ends_before_the_claim_is_lost(world: World) -> None:
    async with world.worker() as first:
        first.fold(Event(0, "a"))
        await first.writer.flush(5)
    settings = dataclasses.replace(first.settings, read_stall=1.0)
    with pytest.raises(world.package.JournalLost, match="nothing to read for 1 s"):
        await world.package.read_partition(settings, 0, first.writer.last_offset + 5)


@pytest.mark.timeout(90)
async def test_a_compacted_journal_is_read_right(world: World) -> None:
    """Many versions of each account, compacted by the broker, with claims compacted away."""
    config = {
        "cleanup.policy": "compact",
        "segment.bytes": "1048576",
        "segment.ms": "500",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "100",
        "max.message.bytes": "8388608",
    }
    world = dataclasses.replace(world, prefix=world.prefix + "small.")
    create_topic(world.bootstrap, world.topic, config=config)
    create_topic(world.bootstrap, world.out, config={})
    offset = 0
    for name in ("w1", "w2", "w3"):
        async with world.worker(name) as worker:
            for account in range(20):
                worker.counters.padding[f"a{account}"] = 500
            for _ in range(120):
                worker.fold(*(Event(offset + n, f"a{n}") for n in range(20)))
                offset += 20
                await worker.writer.flush(5)
    written = worker.writer.last_offset + 1
    for _ in range(60):
        # The active segment is never compacted: an append after `segment.ms` rolls it.
        await asyncio.sleep(0.6)
        async with world.worker("w4"):
            pass
        left = await world.journal_records()
        claims = sum(key == b"\x00claim" for _, key, _ in left)
        # Each look claims once more, and the cleaner may be some looks behind.
        if len(left) < written / 3 and claims < 4:
            break
    assert len(left) < written / 3
    assert claims < 4
    async with world.worker("w5") as last:
        assert last.counters.counts == {f"a{n}": 360 for n in range(20)}
