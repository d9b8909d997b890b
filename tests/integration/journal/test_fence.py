"""Claims and fences: from the claim on, nothing of an older owner counts."""

import asyncio
import dataclasses
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from streams.journal.producer import FencedProducer
from tests.integration.journal.world import World, delayed_requests, send_raw
from tests.unit.journal.mutants import Mutation, must_fail, parametrize
from tests.unit.journal.pretend import Event, eventually, settle

pytestmark = pytest.mark.integration


async def the_first_append_is_the_claim(world: World) -> None:
    async with world.worker() as first:
        first.fold(Event(0, "a"))
        await first.writer.flush(5)
        epoch = first.writer.epoch
    records = await world.journal_records()
    assert [key for _, key, _ in records] == [b"\x00claim", b"a"]
    claimed, account = records
    assert (claimed[0], claimed[2].epoch_id, claimed[2].worker) == (epoch.offset, epoch.id, "w1")
    assert account[2].epoch == epoch


async def a_newer_claim_refuses_the_older_owner(world: World) -> None:
    async with world.worker("w1") as old:
        old.fold(Event(0, "a"))
        await old.writer.flush(5)
        async with world.worker("w2") as new:
            old.fold(Event(1, "a", b"zombie"))
            await eventually(lambda: old.counters.gone or len(old.counters.acknowledged) > 1)
            assert list(map(type, old.counters.gone)) == [world.package.JournalFenced]
            assert old.counters.acknowledged_offsets == [0]
            new.fold(Event(1, "a", b"owner"))
            await new.writer.flush(5)
    records = await world.journal_records()
    claims = [record.epoch_id for _, key, record in records if key == b"\x00claim"]
    assert [record.epoch.id for _, key, record in records if key == b"a"] == claims
    assert await world.published() == [b"owner"]


async def a_request_in_flight_is_refused_after_the_claim(world: World) -> None:
    async with world.worker("w1") as old, delayed_requests(world, old.journal) as released:
        old.fold(Event(0, "a", b"zombie"))
        await settle()
        async with world.worker("w2") as new:
            released.set()
            await eventually(lambda: old.counters.gone or old.counters.acknowledged)
            assert old.counters.acknowledged == []
            new.fold(Event(0, "a", b"owner"))
            await new.writer.flush(5)
    await nothing_of_the_zombie_counts(world)


async def a_request_that_timed_out_is_refused_after_the_next_claim(world: World) -> None:
    old = await world.worker("w1", append_timeout=0.3).begin()
    async with delayed_requests(world, old.journal) as released:
        old.fold(Event(0, "a", b"zombie"))
        await eventually(lambda: old.counters.gone)
        await old.close()
        # The same worker comes back: with a new producer, and a new claim.
        async with world.worker("w1") as new:
            released.set()
            await asyncio.sleep(0.2)
            new.fold(Event(0, "a", b"owner"))
            await new.writer.flush(5)
    await nothing_of_the_zombie_counts(world)


async def nothing_of_the_zombie_counts(world: World) -> None:
    async with world.worker("w3") as next_owner:
        assert next_owner.counters.counts == {"a": 1}
    assert await world.published() == [b"owner"]


async def of_two_claims_at_once_one_owner_is_left(world: World) -> None:
    workers = [world.worker(name) for name in ("w1", "w2")]
    await asyncio.gather(*(worker.begin() for worker in workers), return_exceptions=True)
    for worker in workers:
        if worker.writer is not None and worker.writer.lost is None:
            worker.fold(Event(0, "a"))
    await asyncio.gather(
        *(worker.writer.flush(5) for worker in workers if worker.writer is not None),
        return_exceptions=True,
    )
    acknowledged = [worker for worker in workers if worker.counters.acknowledged]
    for worker in workers:
        await worker.close()
    assert len(acknowledged) == 1
    async with world.worker("w3") as next_owner:
        assert next_owner.counters.counts == {"a": 1}


async def a_foreign_append_is_noticed(world: World) -> None:
    async with world.worker() as owner:
        owner.fold(Event(0, "a"))
        await owner.writer.flush(5)
        await send_raw(world, b"a", b"whatever")
        owner.fold(Event(1, "a", b"c1"))
        await eventually(lambda: owner.counters.gone or len(owner.counters.acknowledged) > 1)
        assert list(map(type, owner.counters.gone)) == [world.package.OffsetGap]
        assert owner.counters.acknowledged_offsets == [0]
    assert await world.published() == []


async def after_a_failed_append_there_is_no_other(world: World) -> None:
    worker = await world.worker(append_timeout=0.3).claim()
    async with delayed_requests(world, worker.journal) as released:
        with pytest.raises(world.package.JournalLost):
            await worker.journal.append([(b"a", b"{}")])
        released.set()
        await asyncio.sleep(0.1)
        with pytest.raises(world.package.JournalLost, match="lost before"):
            await worker.journal.append([(b"a", b"{}")])
    await worker.journal.abort()


async def a_cancelled_append_ends_the_journal(world: World) -> None:
    worker = await world.worker(append_timeout=1.0).claim()
    async with delayed_requests(world, worker.journal):
        append = asyncio.create_task(worker.journal.append([(b"a", b"{}")]))
        await settle()
        append.cancel()
        with pytest.raises(asyncio.CancelledError):
            await append
        with pytest.raises(world.package.JournalLost, match="lost before"):
            await worker.journal.append([(b"a", b"{}")])
    await worker.journal.abort()


async def an_unfenced_record_is_not_armed_over(world: World) -> None:
    async with world.worker("w1") as old:
        old.fold(Event(0, "a"))
        await old.writer.flush(5)
    async with world.worker("w2"):
        pass
    (_, key, record) = (await world.journal_records())[1]
    await send_raw(world, key, world.package.records.encode_record(record))
    with pytest.raises(world.package.JournalRefused, match="not fenced"):
        await world.worker("w3").claim()


async def an_undecodable_record_is_not_armed_over(world: World) -> None:
    await send_raw(world, b"a", b"\xff\xfe")
    with pytest.raises(world.package.UndecodableRecord, match="offset 0"):
        await world.worker().claim()


_UNFENCED = ("producer", "transactional_id=self._transactional_id()", "transactional_id=None")
_MUTATIONS = [
    *(
        Mutation(f"no fence: {scenario.__name__}", *_UNFENCED, scenario)
        for scenario in (
            a_newer_claim_refuses_the_older_owner,
            a_request_in_flight_is_refused_after_the_claim,
            a_request_that_timed_out_is_refused_after_the_next_claim,
        )
    ),
    Mutation(
        "no claim is appended",
        "partition",
        "            await journal._claim()\n",
        "            journal.epoch = Epoch(-1, 'x')\n            return journal, Recovery()\n",
        the_first_append_is_the_claim,
    ),
    Mutation(
        "no claim is appended, and the older owner goes on",
        "partition",
        "            await journal._claim()\n",
        "            journal.epoch = Epoch(-1, 'x')\n            return journal, Recovery()\n",
        of_two_claims_at_once_one_owner_is_left,
    ),
    Mutation(
        "offsets need not follow",
        "partition",
        "            self._check_offsets(offsets)\n",
        "",
        a_foreign_append_is_noticed,
    ),
    Mutation(
        "a failed append is forgotten",
        "partition",
        "            self.lost = error\n            raise\n",
        "            raise\n",
        after_a_failed_append_there_is_no_other,
    ),
    Mutation(
        "a cancelled append is forgotten",
        "partition",
        '            self.lost = JournalLost(f"{self.name}: an append was broken off")\n',
        "",
        a_cancelled_append_ends_the_journal,
    ),
    Mutation(
        "epochs are not followed",
        "reader",
        "        self._follow(offset, record.epoch)\n",
        "",
        an_unfenced_record_is_not_armed_over,
    ),
    Mutation(
        "what cannot be decoded is passed over",
        "reader",
        "        record = decode_record(offset, key, raw.value)\n",
        "        try:\n            record = decode_record(offset, key, raw.value)\n"
        "        except JournalRefused:\n            return\n",
        an_undecodable_record_is_not_armed_over,
    ),
]
_SCENARIOS = list(dict.fromkeys(mutation.scenario for mutation in _MUTATIONS))


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_fence(scenario: Any, world: World) -> None:
    await scenario(world)


@parametrize(_MUTATIONS)
async def test_fails_without_the_rule(mutation: Mutation, world: World) -> None:
    await must_fail(mutation, lambda package: dataclasses.replace(world, package=package))


async def test_the_internals_of_aiokafka_that_the_fence_leans_on(world: World) -> None:
    epochs: list[tuple[int, int]] = []
    for _ in range(2):
        producer = FencedProducer(world.settings(), 0)
        await producer.start()
        inner = producer._producer
        assert isinstance(inner, AIOKafkaProducer)
        manager = inner._txn_manager
        # Left the transactions, and kept the id and epoch that the coordinator gave.
        assert manager.transactional_id is None
        epochs.append((manager.producer_id, manager.producer_epoch))
        assert not inner._sender.sender_task.done()
        await producer.append([(b"\x00claim", b"{}")])
        await producer.abort()
        assert inner._closed
        assert inner._sender.sender_task.done()
    (first_id, first_epoch), (second_id, second_epoch) = epochs
    assert first_id == second_id >= 0
    assert second_epoch == first_epoch + 1
