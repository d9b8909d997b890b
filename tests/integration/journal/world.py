"""Workers on the real broker, zombies among them, for the journal under test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from confluent_kafka.admin import AdminClient, NewTopic

from streams.journal import TOPIC_CONFIG
from tests.unit.journal.pretend import Counters, Event


@dataclass(frozen=True)
class World:
    """A broker with a journal topic and an output topic, and the package under test."""

    bootstrap: str
    prefix: str
    package: Any

    @property
    def topic(self) -> str:
        return f"{self.prefix}journal"

    @property
    def out(self) -> str:
        return f"{self.prefix}out"

    @property
    def client(self) -> dict[str, str]:
        return {"bootstrap_servers": self.bootstrap}

    def settings(self, worker: str = "w1", **more: float) -> Any:
        values: dict[str, Any] = {"append_timeout": 8.0, "request_timeout": 4.0, **more}
        return self.package.JournalSettings(
            topic=self.topic, worker=worker, client=self.client, **values
        )

    def worker(self, name: str = "w1", **settings: Any) -> "Worker":
        return Worker(self, name, **settings)

    async def journal_records(self, partition: int = 0) -> list[tuple[int, bytes, Any]]:
        """Return (offset, key, record) of all records in the journal."""
        decode = self.package.records.decode_record
        records = await read_topic(self.bootstrap, self.topic, partition)
        return [(offset, key, decode(offset, key, value)) for offset, key, value in records]

    async def published(self) -> list[bytes]:
        """Return the values in the output topic."""
        return [value for _, _, value in await read_topic(self.bootstrap, self.out)]


class Worker:
    """One owner of partition 0, from claim to close."""

    def __init__(self, world: World, name: str, writer: Any = None, **settings: float) -> None:
        package = world.package
        self.world = world
        self.settings = world.settings(name, **settings)
        self.counters = Counters(package, world.out)
        self.outlet = package.Outlet(world.client, timeout=8.0, request_timeout=4.0)
        self.guard = package.PauseGuard(60.0)
        self.writer_settings = writer or package.WriterSettings()
        self.recovery: Any = None
        self.journal: Any = None
        self.writer: Any = None

    async def claim(self, previous: int | None = None) -> Self:
        """Claim and recover; what was unpublished is not published yet."""
        package = self.world.package
        self.journal, self.recovery = await package.PartitionJournal.claim(
            self.settings, 0, previous=previous
        )
        if not self.recovery.memory_stands:
            self.counters.restore(self.recovery.states)
        self.writer = package.PartitionWriter(
            self.journal,
            self.counters,
            self.outlet,
            now=lambda: 1_000,
            guard=self.guard,
            settings=self.writer_settings,
        )
        return self

    async def begin(self) -> Self:
        """Claim, publish again, and start the loops."""
        await self.outlet.start()
        await self.claim()
        await self.writer.begin(self.recovery)
        return self

    def fold(self, *events: Event) -> None:
        self.counters.fold(self.writer, events)

    async def close(self) -> None:
        if self.writer is not None:
            await self.writer.close()
        await self.outlet.stop()

    async def __aenter__(self) -> Self:
        return await self.begin()

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@contextlib.asynccontextmanager
async def delayed_requests(world: World, journal: Any) -> AsyncIterator[asyncio.Event]:
    """Hold the produce requests of a journal in the network until the event is set.

    They go out then, as they were built, over a connection of their own: also if their sender
    has given up and closed its own.
    """
    released = asyncio.Event()
    network = AIOKafkaClient(**world.client)
    await network.bootstrap()
    client = journal._producer._producer.client
    send = client.send
    in_flight: list[asyncio.Task[Any]] = []

    async def late(node: int, request: Any) -> Any:
        await released.wait()
        return await network.send(node, request)

    async def held(node: int, request: Any, **more: Any) -> Any:
        if not isinstance(request, ProduceRequest):
            return await send(node, request, **more)
        task = asyncio.create_task(late(node, request))
        in_flight.append(task)
        return await asyncio.shield(task)

    client.send = held
    try:
        yield released
        released.set()
        await asyncio.gather(*in_flight)
    finally:
        released.set()
        await asyncio.gather(*in_flight, return_exceptions=True)
        client.send = send
        await network.close()


def create_topic(
    bootstrap: str, topic: str, partitions: int = 1, config: dict[str, str] | None = None
) -> None:
    """Create a topic, with the journal's settings unless others are given."""
    settings = TOPIC_CONFIG if config is None else config
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=settings)
    client = admin(bootstrap)
    for future in client.create_topics([new]).values():
        future.result(20)


def admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})


async def send_raw(world: World, key: bytes, value: bytes | None, topic: str | None = None) -> None:
    """Write one record as anybody could."""
    producer = AIOKafkaProducer(**world.client)
    await producer.start()
    try:
        await producer.send_and_wait(topic or world.topic, value, key=key, partition=0)
    finally:
        await producer.stop()


async def read_topic(
    bootstrap: str, topic: str, partition: int = 0
) -> list[tuple[int, bytes, bytes]]:
    """Return (offset, key, value) of all records of a partition, by means of our own."""
    place = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        records: list[tuple[int, bytes, bytes]] = []
        async with asyncio.timeout(30):
            while await consumer.position(place) < end:
                batch = await consumer.getmany(place, timeout_ms=200)
                records += [(m.offset, m.key, m.value) for m in batch.get(place, [])]
        return records
    finally:
        await consumer.stop()
