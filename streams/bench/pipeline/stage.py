"""Kafka, Redis, topics, reference set and prices: what a worker needs to be ready."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streams import topics
from streams.bench.part import BenchError, Teller
from streams.bench.pipeline.job import MemberJob
from streams.bench.pipeline.member import Member
from streams.bench.pipeline.messages import KeyValue, TickMessages
from streams.bench.pipeline.probes import reference_file
from streams.bench.pipeline.seeding import seed
from streams.bench.result import Sizes
from streams.documents import Document
from streams.embedded import EmbeddedError, Services
from streams.embedded.process import free_port
from streams.reference import publish
from streams.settings import Settings

__all__ = ["PARTITIONS", "PATIENT_SECONDS", "Stage", "on_stage"]

PARTITIONS = 16
PATIENT_SECONDS = 80.0
"""A session of members that are paused on purpose; Faust takes up to 90 s."""
_FLUSH_SECONDS = 60.0
_QUEUED = 500_000


class Stage:
    """One part's services, and the processes on them."""

    def __init__(self, services: Services, sizes: Sizes, teller: Teller) -> None:
        self.sizes = sizes
        self.brokers = services.kafka.bootstrap
        self.producer = Producer(
            {
                "bootstrap.servers": self.brokers,
                "partitioner": "murmur2_random",
                "linger.ms": 1,
                "queue.buffering.max.messages": _QUEUED,
            }
        )
        self._redis_url = services.redis.url
        self._teller = teller

    def job(
        self,
        role: str,
        prefix: str,
        *,
        name: str | None = None,
        session: float = PATIENT_SECONDS,
        intake: Literal["faust", "aiokafka"] = "faust",
        warm: int = 0,
        rounds: tuple[int, ...] = (),
    ) -> MemberJob:
        """Return what a process of this role is started with."""
        name = name or role
        return MemberJob(
            role=role,
            brokers=self.brokers,
            redis_url=self._redis_url,
            prefix=prefix,
            partitions=PARTITIONS,
            worker_id=name,
            data_dir=str(self._teller.folder / "data" / name),
            session_timeout=session,
            intake=intake,
            metrics_port=free_port() if role == "worker" else 0,
            warm=warm,
            rounds=rounds,
        )

    def member(self, job: MemberJob) -> Member:
        """Return a process, not yet started; its log stays with the part's."""
        folder = self._teller.folder / "data" / f"{job.worker_id}-member"
        return Member(job.worker_id, folder, job)

    def make_topics(self, prefix: str) -> Settings:
        """Create all topics under a prefix; return settings for them."""
        settings = self.job("setup", prefix).settings()
        topics.ensure(settings)
        return settings

    def make_changelog(self, topic: str) -> None:
        """Create a compacted topic that a program would create itself, and then perhaps look for in vain.

        Faust's consumer asks the broker what topics there are once in five minutes.
        """
        wanted = NewTopic(topic, PARTITIONS, 1, config={"cleanup.policy": "compact"})
        admin = AdminClient({"bootstrap.servers": self.brokers})
        admin.create_topics([wanted])[topic].result()

    def furnish(
        self,
        prefix: str,
        accounts: Iterable[tuple[str, bytes]],
        ticks: TickMessages,
        *,
        copies: int = 1,
        share: tuple[float, float] = (0.0, 0.1),
    ) -> Settings:
        """Make everything that a worker reads at its start, accounts in the journal included."""
        settings = self.make_topics(prefix)
        tell = self._teller.within(*share, "writing accounts into the journal")
        document = Document(self._teller.folder / "reference", "", reference_file())

        async def write() -> None:
            await publish(settings, document)
            await seed(settings, accounts, copies=copies, progress=tell)

        asyncio.run(write())
        self.send(f"{prefix}ticks", ticks.opening())
        self.flush()
        return settings

    def send(self, topic: str, messages: Iterable[KeyValue]) -> None:
        """Hand messages to the producer; waits while its queue is full."""
        produce, poll = self.producer.produce, self.producer.poll
        for key, value in messages:
            while True:
                try:
                    produce(topic, value, key)
                    break
                except BufferError:
                    poll(0.05)
        poll(0)

    def flush(self) -> None:
        """Return when everything is acknowledged; raises `BenchError`."""
        if self.producer.flush(_FLUSH_SECONDS):
            raise BenchError(f"the broker did not take everything within {_FLUSH_SECONDS:g} s")


def _wake_coordinator(brokers: str) -> None:
    """Have the broker make what groups need: one that ever had a group does not do so at a start."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "stage"})
    try:
        consumer.committed([TopicPartition("stage", 0)], timeout=_FLUSH_SECONDS)
    except KafkaException as error:
        raise BenchError(f"the broker has no coordinator of groups: {error}") from error
    finally:
        consumer.close()


@contextmanager
def on_stage(sizes: Sizes, teller: Teller) -> Iterator[Stage]:
    """Start Kafka and Redis for the block; raises `BenchError` where there are none."""
    teller.tell(0.0, "starting Kafka and Redis")
    try:
        services = Services(teller.folder / "data" / "services")
        services.start()
    except EmbeddedError as error:
        raise BenchError(f"no embedded Kafka (extra `embedded`, `make setup`): {error}") from error
    try:
        stage = Stage(services, sizes, teller)
        _wake_coordinator(stage.brokers)
        yield stage
    finally:
        services.kill()
