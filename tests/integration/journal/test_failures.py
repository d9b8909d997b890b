"""Appends and publishes that fail: nothing of them is acknowledged or published."""

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

import streams.journal
from streams.embedded import Kafka
from streams.journal.records import MAX_RECORD_BYTES, AccountRecord, encode_record
from tests.integration.journal.world import World, create_topic
from tests.unit.journal.mutants import Mutation, must_fail, parametrize
from tests.unit.journal.pretend import Event, eventually

pytestmark = pytest.mark.integration


async def a_record_past_the_bound_is_not_sent(world: World) -> None:
    create_topic(world.bootstrap, f"{world.prefix}x.journal", config={"max.message.bytes": "3000"})
    world = dataclasses.replace(world, prefix=f"{world.prefix}x.")
    worker = await world.worker(max_record_bytes=2_000).claim()
    with pytest.raises(world.package.RecordTooLarge, match="3000 bytes, at most 2000"):
        await worker.journal.append([(b"small", b"{}"), (b"big", b"x" * 3_000)])
    # Nothing was sent, and the sequence is whole.
    assert await worker.journal.append([(b"small", b"{}")]) == [1]
    await worker.journal.close()


async def what_the_broker_refuses_ends_the_journal(world: World) -> None:
    create_topic(world.bootstrap, f"{world.prefix}x.journal", config={"max.message.bytes": "3000"})
    world = dataclasses.replace(world, prefix=f"{world.prefix}x.")
    async with world.worker() as worker:
        worker.counters.padding["big"] = 5_000
        worker.fold(Event(0, "big", b"c1"))
        await eventually(lambda: worker.counters.gone or worker.counters.acknowledged)
        assert worker.counters.acknowledged == []
        assert list(map(type, worker.counters.gone)) == [world.package.JournalLost]


async def a_failed_publish_stops_the_partition_and_the_outlet(world: World) -> None:
    create_topic(world.bootstrap, f"{world.prefix}tight", config={"max.message.bytes": "500"})
    async with world.worker() as worker:
        worker.counters.out = f"{world.prefix}tight"
        worker.fold(Event(0, "a", b"x" * 5_000))
        await eventually(lambda: worker.counters.gone)
        assert list(map(type, worker.counters.gone)) == [world.package.OutletLost]
        with pytest.raises(world.package.OutletLost, match="lost before"):
            await worker.outlet.publish([worker.counters.command("a", b"later")])


_MUTATIONS = [
    Mutation(
        "records are sent whatever their size",
        "producer",
        "            if len(key) + len(value) + RECORD_OVERHEAD > bound:\n",
        "            if False:\n",
        a_record_past_the_bound_is_not_sent,
    ),
    Mutation(
        "a refused append is taken for done",
        "producer",
        "            base = (await future).offset\n",
        "            try:\n                base = (await future).offset\n"
        "            except KafkaError:\n                base = 1\n",
        what_the_broker_refuses_ends_the_journal,
    ),
    Mutation(
        "a failed publish is passed over",
        "outlet",
        "            await future\n",
        "            await asyncio.wait([future])\n",
        a_failed_publish_stops_the_partition_and_the_outlet,
    ),
    Mutation(
        "an outlet goes on after a failure",
        "outlet",
        '            self.lost = OutletLost(f"a command was not published: {error!r}")\n'
        "            raise self.lost from error\n",
        '            raise OutletLost(f"a command was not published: {error!r}") from error\n',
        a_failed_publish_stops_the_partition_and_the_outlet,
    ),
]
_SCENARIOS = list(dict.fromkeys(mutation.scenario for mutation in _MUTATIONS))


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_failure(scenario: Any, world: World) -> None:
    await scenario(world)


@parametrize(_MUTATIONS)
async def test_fails_without_the_rule(mutation: Mutation, world: World) -> None:
    await must_fail(mutation, lambda package: dataclasses.replace(world, package=package))


async def test_the_topic_takes_a_record_at_the_bound(world: World) -> None:
    worker = await world.worker().claim()
    record = AccountRecord(worker.journal.epoch, 1, msgspec.Raw(b"{}"))
    room = MAX_RECORD_BYTES - len(encode_record(record)) - 200
    state = msgspec.Raw(b'{"n":1,"applied":0,"x":"' + b"x" * room + b'"}')
    value = encode_record(AccountRecord(worker.journal.epoch, 1, state))
    assert MAX_RECORD_BYTES - 200 < len(value) < MAX_RECORD_BYTES
    assert await worker.journal.append([(b"a", value)])
    await worker.journal.close()
    async with world.worker("w2") as second:
        assert second.counters.counts == {"a": 1}


async def test_sixteen_partitions_share_one_loop(kafka: str, topic_prefix: str) -> None:
    world = World(kafka, topic_prefix, streams.journal)
    create_topic(kafka, world.topic, partitions=16)
    package = world.package
    claimed = await asyncio.gather(
        *(package.PartitionJournal.claim(world.settings(), partition) for partition in range(16))
    )
    journals = [journal for journal, _ in claimed]

    async def write(journal: Any) -> None:
        for number in range(5):
            group = [
                (
                    b"a%d" % n,
                    encode_record(AccountRecord(journal.epoch, number, msgspec.Raw(b"{}"))),
                )
                for n in range(200)
            ]
            await journal.append(group)
        await journal.close()

    await asyncio.gather(*map(write, journals))
    for partition, journal in enumerate(journals):
        assert journal.last_offset == 1_000
        assert len(await world.journal_records(partition)) == 1_001


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker that these tests kill and pause; each leaves it running."""
    with Kafka(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture
def own_world(broker: Kafka, topic_prefix: str) -> Iterator[World]:
    world = World(broker.bootstrap, topic_prefix, streams.journal)
    create_topic(world.bootstrap, world.topic)
    create_topic(world.bootstrap, world.out, config={})
    yield world
    broker.resume()


@pytest.mark.faults
async def test_an_append_outlives_a_restart_of_the_broker(broker: Kafka, own_world: World) -> None:
    """With enough patience the idempotent producer sends again, and nothing is there twice."""
    world = own_world
    worker = world.worker(append_timeout=60.0)
    worker.outlet = world.package.Outlet(world.client, timeout=60.0, request_timeout=4.0)
    async with worker:
        worker.fold(Event(0, "a", b"c0"))
        await worker.writer.flush(10)
        await asyncio.to_thread(broker.kill)
        worker.fold(Event(1, "a", b"c1"))
        await asyncio.sleep(0.3)
        worker.fold(Event(2, "b", b"c2"))
        assert worker.counters.acknowledged_offsets == [0]
        await asyncio.to_thread(broker.start)
        await worker.writer.flush(60)
        assert worker.counters.acknowledged_offsets == [0, 1, 2]
    async with world.worker("w2") as second:
        assert second.counters.counts == {"a": 2, "b": 1}
    assert await world.published() == [b"c0", b"c1", b"c2"]


@pytest.mark.faults
async def test_an_append_that_takes_too_long_loses_the_partition(
    broker: Kafka, own_world: World
) -> None:
    """A request that the broker only takes after its time counts if it landed before the claim."""
    world = own_world
    first = await world.worker("w1", append_timeout=1.0, request_timeout=0.8).begin()
    first.fold(Event(0, "a", b"c0"))
    await first.writer.flush(10)
    broker.pause()
    first.fold(Event(1, "a", b"c1"))
    await eventually(lambda: first.counters.gone)
    assert first.counters.acknowledged_offsets == [0]
    # Nothing of it is left behind that could go on sending.
    await first.writer.close()
    broker.resume()
    await first.outlet.stop()
    async with world.worker("w2") as second:
        landed = second.counters.counts["a"]
        second.fold(Event(1, "a", b"c1"))
        await second.writer.flush(10)
    async with world.worker("w3") as third:
        assert third.counters.counts == {"a": 2}
    assert landed in {1, 2}
    assert set(await world.published()) == {b"c0", b"c1"}


@pytest.mark.faults
async def test_many_batches_in_flight_are_given_up_in_time(broker: Kafka, own_world: World) -> None:
    world = own_world
    worker = await world.worker(append_timeout=1.0, request_timeout=0.8).claim()
    await worker.outlet.start()
    broker.pause()
    group = [(b"a%d" % n, b"x" * 500_000) for n in range(10)]
    commands = [worker.counters.command("a", b"x" * 200_000) for _ in range(10)]
    worker.outlet._timeout = 1.0
    async with asyncio.timeout(20):
        with pytest.raises(world.package.JournalLost, match="TimeoutError"):
            await worker.journal.append(group)
        with pytest.raises(world.package.OutletLost, match="TimeoutError"):
            await worker.outlet.publish(commands)
        await worker.journal.abort()
        await worker.outlet.stop()


@pytest.mark.faults
async def test_without_a_broker_a_claim_fails_in_its_time() -> None:
    nowhere = World("127.0.0.1:9", "none.", streams.journal)
    settings = dataclasses.replace(nowhere.settings(), claim_timeout=1.0)
    with pytest.raises(streams.journal.JournalLost):
        await streams.journal.PartitionJournal.claim(settings, 0)
    with pytest.raises(streams.journal.OutletLost):
        await streams.journal.Outlet(nowhere.client, timeout=1.0).start()
