"""When messages came out of the other end: a consumer in a thread of the measuring process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from streams.bench.part import BenchError

__all__ = ["Arrivals", "at_ends"]

_POLL_SECONDS = 0.1
_ASK_SECONDS = 10.0
_AGAIN_SECONDS = 0.1
_BATCH = 500

Take = Callable[[Message, int], None]
"""(message, monotonic ns at its arrival)."""


def at_ends(consumer: Consumer, topics: Sequence[str]) -> list[TopicPartition]:
    """Return the places after the last record of every partition.

    A broker that made a topic a moment ago may not lead it yet: it is asked again.
    """
    until = time.monotonic() + _ASK_SECONDS
    while True:
        try:
            return [place for topic in topics for place in _ends(consumer, topic)]
        except KafkaException:
            if time.monotonic() > until:
                raise
            time.sleep(_AGAIN_SECONDS)


def _ends(consumer: Consumer, topic: str) -> list[TopicPartition]:
    found = []
    for number in consumer.list_topics(topic, timeout=_ASK_SECONDS).topics[topic].partitions:
        place = TopicPartition(topic, number)
        place.offset = consumer.get_watermark_offsets(place, timeout=_ASK_SECONDS)[1]
        found.append(place)
    return found


class Arrivals:
    """Reads topics from their ends on while the block runs; `take` gets each message at once."""

    def __init__(self, brokers: str, topics: Sequence[str], take: Take) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": "bench",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 100,
                "auto.offset.reset": "latest",
            }
        )
        self._topics = topics
        self._take = take
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: BaseException | None = None

    def check(self) -> None:
        """Raise `BenchError` when reading has ended by itself."""
        if self._failure is not None:
            raise BenchError(f"reading {', '.join(self._topics)}: {self._failure}")

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                messages = self._consumer.consume(_BATCH, 0.0) or self._waited()
                now = time.monotonic_ns()
                for message in messages:
                    if message.error() is None:
                        self._take(message, now)
        # It is raised again where figures are asked for.
        except BaseException as error:  # noqa: BLE001
            self._failure = error

    def _waited(self) -> list[Message]:
        message = self._consumer.poll(_POLL_SECONDS)
        return [] if message is None else [message]

    def __enter__(self) -> Self:
        self._consumer.assign(at_ends(self._consumer, self._topics))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._consumer.close()
