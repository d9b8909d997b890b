"""Both intakes on a real broker, with a handler in the worker's place: same promises, same tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams import topics
from streams.connection import confluent_config
from streams.embedded import Kafka
from streams.intake import GROUP, Intake, Received
from streams.intake.aiokafka import AiokafkaIntake
from streams.intake.choice import create_intake
from streams.settings import Settings
from streams.topics import Topics
from streams.worker.offsets import committed_offsets

pytestmark = pytest.mark.integration

WAIT_SECONDS = 45.0
PARTITIONS = 2


class Recorder:
    """Takes what comes, except from partitions that are `closed`, and acknowledges when told to."""

    def __init__(self) -> None:
        self.intake: Intake | None = None
        self.taken: list[Received] = []
        self.unacknowledged: list[Received] = []
        self.closed: set[int] = set()
        self.assignments: list[frozenset[int]] = []
        self.generations: list[int] = []
        self.acknowledges_at_revoke = False

    @property
    def present(self) -> Intake:
        assert self.intake is not None
        return self.intake

    async def assigned(self, partitions: frozenset[int]) -> None:
        self.assignments.append(partitions)
        self.generations.append(self.present.generation)

    async def revoked(self) -> None:
        if self.acknowledges_at_revoke:
            self.acknowledge()
            await self.present.commit()

    def take(self, events: Sequence[Received]) -> list[Received]:
        return [event for event in events if not self._fold(event)]

    async def received(self, event: Received) -> None:
        while True:
            if self._fold(event):
                return
            await asyncio.sleep(0.01)

    def _fold(self, event: Received) -> bool:
        if event.generation != self.present.generation:
            return True
        if event.partition in self.closed:
            return False
        self.taken.append(event)
        self.unacknowledged.append(event)
        return True

    def acknowledge(self, wanted: Callable[[Received], bool] = lambda _: True) -> None:
        chosen = [event for event in self.unacknowledged if wanted(event)]
        self.unacknowledged = [event for event in self.unacknowledged if not wanted(event)]
        self.present.acknowledge(chosen)

    def values(self, topic: str, partition: int) -> list[bytes | None]:
        return [e.value for e in self.taken if (e.topic, e.partition) == (topic, partition)]


@pytest.fixture
async def settings(kafka: str, topic_prefix: str, tmp_path: Path) -> Settings:
    found = Settings(
        brokers=kafka,
        redis_url="none",
        topic_prefix=topic_prefix,
        partitions=PARTITIONS,
        session_timeout=3.0,
        heartbeat_interval=0.3,
        data_dir=tmp_path / "data",
    )
    await asyncio.to_thread(topics.ensure, found)
    return found


@pytest.fixture(params=["faust", "aiokafka"])
def one(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    return settings.model_copy(update={"intake": request.param})


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    found = AIOKafkaProducer(bootstrap_servers=settings.brokers)
    await found.start()
    yield found
    await found.stop()


@asynccontextmanager
async def reading(settings: Settings, recorder: Recorder) -> AsyncIterator[Intake]:
    """Run an intake of its own, which the handler sees as its only one."""
    intake = recorder.intake = create_intake(settings)
    try:
        await intake.start(recorder)
        yield intake
    finally:
        await intake.stop()


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            if reached():
                return
            await asyncio.sleep(0.02)


async def send(producer: AIOKafkaProducer, topic: str, partition: int, numbers: range) -> None:
    sent = [
        await producer.send(topic, str(n).encode(), key=b"alice", partition=partition)
        for n in numbers
    ]
    await asyncio.gather(*sent)


async def committed(settings: Settings, topic: str, partition: int = 0) -> int:
    admin = AdminClient(confluent_config(settings))
    group = settings.topic_prefix + GROUP
    return (await committed_offsets(admin, group, [topic], partition))[topic]


async def until_committed(settings: Settings, topic: str, offset: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            if await committed(settings, topic) == offset:
                return
            await asyncio.sleep(0.1)


def numbers(found: Sequence[bytes | None]) -> list[int]:
    return [int(value or b"-1") for value in found]


async def test_each_partition_comes_in_its_order_with_all_that_a_record_says(
    one: Settings, producer: AIOKafkaProducer
) -> None:
    names = Topics(one.topic_prefix).account_topics
    for name in names:
        for partition in range(PARTITIONS):
            await send(producer, name, partition, range(700))
    recorder = Recorder()
    async with reading(one, recorder) as intake:
        await until(lambda: len(recorder.taken) == 700 * len(names) * PARTITIONS)
        for name in names:
            for partition in range(PARTITIONS):
                assert numbers(recorder.values(name, partition)) == list(range(700))
        first, last = recorder.taken[0], recorder.taken[-1]
        assert (first.key, first.generation) == (b"alice", intake.generation)
        assert first.timestamp > 1_700_000_000_000
        assert intake.behind(last) == 0
        assert intake.failure is None
    assert recorder.assignments == [frozenset(range(PARTITIONS))]


async def test_committed_is_up_to_the_first_gap(one: Settings, producer: AIOKafkaProducer) -> None:
    fills = Topics(one.topic_prefix).account_topics[0]
    await send(producer, fills, 0, range(100))
    recorder = Recorder()
    async with reading(one, recorder):
        await until(lambda: len(recorder.taken) == 100)
        recorder.acknowledge(lambda e: e.offset < 30 or 40 <= e.offset < 60)
        await until_committed(one, fills, 30)
        recorder.acknowledge(lambda e: e.offset >= 60)
        await recorder.present.commit()
        assert await committed(one, fills) == 30
        recorder.acknowledge(lambda e: e.offset == 35)
        recorder.acknowledge(lambda e: e.offset != 35)
        await until_committed(one, fills, 100)


async def test_what_was_not_acknowledged_comes_again_to_the_next(
    one: Settings, producer: AIOKafkaProducer
) -> None:
    fills = Topics(one.topic_prefix).account_topics[0]
    await send(producer, fills, 0, range(50))
    first, second = Recorder(), Recorder()
    async with reading(one, first) as intake:
        await until(lambda: len(first.taken) == 50)
        first.acknowledge(lambda e: e.offset < 20)
        await intake.commit()
    # Let go of: nothing of it may be acknowledged any more.
    first.acknowledge()
    async with reading(one, second):
        await until(lambda: len(second.taken) == 30)
        assert numbers(second.values(fills, 0)) == list(range(20, 50))
    assert await committed(one, fills) == 20


async def test_a_member_that_joins_is_given_half_after_all_was_let_go(
    one: Settings, producer: AIOKafkaProducer
) -> None:
    """Revoked: acknowledged and committed before the group is joined again."""
    name = Topics(one.topic_prefix).account_topics[0]
    for partition in range(PARTITIONS):
        await send(producer, name, partition, range(40))
    first, second = Recorder(), Recorder()
    first.acknowledges_at_revoke = True
    async with reading(one, first) as before:
        await until(lambda: len(first.taken) == 80)
        old = first.taken[0]
        async with reading(one, second):
            await until(lambda: bool(second.assignments and second.assignments[-1]))
            await until(lambda: len(first.assignments) >= 2)
            owned = first.assignments[-1], second.assignments[-1]
            assert frozenset().union(*owned) == frozenset(range(PARTITIONS))
            assert all(len(each) == 1 for each in owned)
            assert first.generations[-1] == first.generations[0] + 2  # let go, and given anew
            assert old.generation < before.generation
            for partition in range(PARTITIONS):
                assert await committed(one, name, partition) == 40
                await send(producer, name, partition, range(40, 60))
            await until(lambda: len(second.taken) == 20)
            await until(lambda: len(first.taken) == 100)
            assert {e.partition for e in second.taken} == owned[1]
            assert numbers([e.value for e in second.taken]) == list(range(40, 60))


async def test_a_partition_that_waits_keeps_no_other_topic_from_coming(
    one: Settings, producer: AIOKafkaProducer
) -> None:
    fills, orders = Topics(one.topic_prefix).account_topics[:2]
    recorder = Recorder()
    recorder.closed = {1}
    async with reading(one, recorder):
        await until(lambda: bool(recorder.assignments))
        await send(producer, fills, 1, range(30))
        await send(producer, orders, 0, range(30))
        await until(lambda: len(recorder.values(orders, 0)) == 30)
        assert recorder.values(fills, 1) == []
        recorder.closed = set()
        await until(lambda: len(recorder.values(fills, 1)) == 30)
        await send(producer, fills, 1, range(30, 60))
        await until(lambda: len(recorder.values(fills, 1)) == 60)
        assert numbers(recorder.values(fills, 1)) == list(range(60))


async def test_aiokafka_a_partition_that_waits_keeps_no_other_of_its_topic_from_coming(
    settings: Settings, producer: AIOKafkaProducer
) -> None:
    fills = Topics(settings.topic_prefix).account_topics[0]
    recorder = Recorder()
    recorder.closed = {1}
    async with reading(settings.model_copy(update={"intake": "aiokafka"}), recorder):
        await send(producer, fills, 1, range(2000))
        await send(producer, fills, 0, range(2000))
        await until(lambda: len(recorder.values(fills, 0)) == 2000)
        assert recorder.values(fills, 1) == []
        recorder.closed = set()
        await until(lambda: len(recorder.values(fills, 1)) == 2000)
        assert numbers(recorder.values(fills, 1)) == list(range(2000))


async def test_aiokafka_reads_on_only_when_the_worker_has_made_something_durable(
    settings: Settings, producer: AIOKafkaProducer
) -> None:
    """H-8: what the worker holds of one partition is bounded, whatever stands in the topic."""
    fills = Topics(settings.topic_prefix).account_topics[0]
    await send(producer, fills, 0, range(9000))
    recorder = Recorder()
    async with reading(settings.model_copy(update={"intake": "aiokafka"}), recorder):
        await until(lambda: len(recorder.taken) > 4096)
        # Another partition's record shows that the reading goes on meanwhile.
        await send(producer, fills, 1, range(1))
        await until(lambda: recorder.values(fills, 1) == [b"0"])
        held = len(recorder.values(fills, 0))
        assert held < 9000
        recorder.acknowledge()
        await until(lambda: len(recorder.values(fills, 0)) > held)
        recorder.acknowledge()
        await until(lambda: len(recorder.values(fills, 0)) == 9000)
        assert numbers(recorder.values(fills, 0)) == list(range(9000))


@pytest.mark.parametrize("order", [("faust", "aiokafka"), ("aiokafka", "faust")])
async def test_the_other_intake_goes_on_where_the_one_has_committed(
    settings: Settings, producer: AIOKafkaProducer, order: tuple[str, str]
) -> None:
    before, after = (settings.model_copy(update={"intake": name}) for name in order)
    fills = Topics(settings.topic_prefix).account_topics[0]
    await send(producer, fills, 0, range(50))
    first, second = Recorder(), Recorder()
    first.acknowledges_at_revoke = True
    async with reading(before, first) as intake:
        await until(lambda: len(first.taken) == 50)
        first.acknowledge(lambda e: e.offset < 35)
        await intake.commit()
    async with reading(after, second):
        await until(lambda: len(second.taken) == 15)
        assert numbers(second.values(fills, 0)) == list(range(35, 50))


async def test_aiokafka_beside_a_member_of_the_other_kind_has_failed_and_says_so(
    settings: Settings,
) -> None:
    """The two assign by different protocols: workers of both cannot share a group."""
    first, second = Recorder(), Recorder()
    async with reading(settings.model_copy(update={"intake": "faust"}), first):
        await until(lambda: bool(first.assignments))
        async with reading(settings.model_copy(update={"intake": "aiokafka"}), second) as other:
            await until(lambda: other.failure is not None)
            assert "InconsistentGroupProtocol" in repr(other.failure)
        assert second.assignments == []


async def test_aiokafka_a_handler_that_fails_in_a_rebalance_ends_the_intake(
    settings: Settings,
) -> None:
    """The consumer itself would only log it, and go on as a member that owns and does nothing."""

    class Broken(Recorder):
        async def assigned(self, partitions: frozenset[int]) -> None:
            raise RuntimeError(f"cannot own {sorted(partitions)}")

    async with reading(settings.model_copy(update={"intake": "aiokafka"}), Broken()) as intake:
        await until(lambda: intake.failure is not None)
        assert "cannot own [0, 1]" in str(intake.failure)


async def test_aiokafka_a_rebalance_in_the_midst_of_a_batch_leaves_nothing_of_it_behind(
    settings: Settings, producer: AIOKafkaProducer
) -> None:
    """What is left of the batch belongs to the past, although the same partitions may come back."""
    intake = AiokafkaIntake(settings)
    fills = Topics(settings.topic_prefix).account_topics[0]
    places = [TopicPartition(fills, p) for p in range(PARTITIONS)]

    class Interrupted(Recorder):
        rebalance: asyncio.Task[None] | None = None

        def take(self, events: Sequence[Received]) -> list[Received]:
            if self.rebalance is None:
                self.rebalance = asyncio.create_task(self._rebalance())
                return [*super().take(events[:5]), *events[5:]]
            return super().take(events)

        async def _rebalance(self) -> None:
            await intake.revoked(places)
            await intake.assigned(places)

    recorder = Interrupted()
    recorder.intake = intake
    for place in places:
        await send(producer, fills, place.partition, range(30))
    await intake.start(recorder)
    try:
        await until(lambda: len(recorder.assignments) == 2)
        for place in places:
            await send(producer, fills, place.partition, range(30, 40))
        await until(lambda: sum(e.offset >= 30 for e in recorder.taken) == 10 * PARTITIONS)
        assert intake.failure is None
        recorder.acknowledge()
        await intake.commit()
        # Nothing of the past stands before what came after it.
        assert [await committed(settings, fills, p) for p in range(PARTITIONS)] == [40, 40]
    finally:
        await intake.stop()


async def test_aiokafka_ends_in_time_without_its_broker(
    private_kafka: Kafka, topic_prefix: str
) -> None:
    """Aiokafka then ends its own closing as cancelled, which must not look like ours."""
    settings = Settings(
        brokers=private_kafka.bootstrap,
        redis_url="none",
        topic_prefix=topic_prefix,
        partitions=PARTITIONS,
        intake="aiokafka",
    )
    await asyncio.to_thread(topics.ensure, settings)
    recorder = Recorder()
    async with reading(settings, recorder) as intake:
        await until(lambda: bool(recorder.assignments))
        await asyncio.to_thread(private_kafka.kill)
        await asyncio.sleep(1.0)  # fetches fail by now, and wait to be tried again
        assert intake.failure is None
    connections = recorder.present._consumer._client._conns  # type: ignore[attr-defined]
    assert not any(connection.connected() for connection in connections.values())


async def test_aiokafka_no_broker_is_an_error_at_the_start(settings: Settings) -> None:
    gone = settings.model_copy(update={"intake": "aiokafka", "brokers": "127.0.0.1:1"})
    intake = create_intake(gone)
    with pytest.raises(ConnectionError, match="cannot be read"):
        await intake.start(Recorder())
    await intake.stop()
