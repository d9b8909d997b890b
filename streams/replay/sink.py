"""Where ticks go: batches of one producer, in order, with a bounded number on their way."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.replay.exceptions import TopicError

# A list, because aiokafka takes no other sequence.
Headers = list[tuple[str, bytes]]

# One batch is one request and is acknowledged as a whole; the broker refuses 1 MB.
_BATCH_BYTES = 128 << 10
# A broker that restarts on a busy machine must not end a replay.
_REQUEST_TIMEOUT_MS = 120_000
_ON_THEIR_WAY = 32
# Ctrl-C must not wait for a broker that is gone.
_STOP_SECONDS = 1.5


class Sink(Protocol):
    """Takes ticks one by one and sends them on in their order."""

    def append(self, key: bytes, value: bytes, headers: Headers) -> None:
        """Take one message; it leaves with the next flush."""

    async def flush(self) -> None:
        """Send what was taken; raise TopicError when the topic refused something."""


class KafkaSink:
    """The tick topic: one partition, acknowledged by all replicas, without repeats.

    Batches are built here and handed over whole: the producer's own `send` costs several times
    as much a message. An async context manager; leaving it waits for what is on its way, but not
    when an exception (a cancellation too) leads out: then it is left within 1.5 s.
    """

    def __init__(self, brokers: str, topic: str, security: Mapping[str, Any]) -> None:
        self._topic = topic
        self._brokers = brokers
        self._producer = AIOKafkaProducer(
            bootstrap_servers=brokers,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
            **security,
        )
        self._open: BatchBuilder | None = None
        self._full: list[BatchBuilder] = []
        self._sent: deque[asyncio.Future[Any]] = deque()

    async def __aenter__(self) -> Self:
        try:
            await self._producer.start()
        except KafkaError as error:
            await self._producer.stop()
            raise TopicError(f"no answer from {self._brokers}: {error}") from error
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                await self.flush()
                while self._sent:
                    await self._oldest()
        finally:
            await self._stop()

    async def _stop(self) -> None:
        for future in self._sent:
            # Nobody else will look at the outcome of what was cut off.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            await asyncio.wait_for(self._producer.stop(), _STOP_SECONDS)
        except (TimeoutError, KafkaError):
            # What is not acknowledged by now is given up; the topic holds a prefix of the replay.
            return

    def append(self, key: bytes, value: bytes, headers: Headers) -> None:
        if self._open is None:
            self._open = self._producer.create_batch()
        if self._open.append(timestamp=None, key=key, value=value, headers=headers) is None:
            self._full.append(self._open)
            self._open = self._producer.create_batch()
            self._open.append(timestamp=None, key=key, value=value, headers=headers)

    async def flush(self) -> None:
        batches = [*self._full, *([self._open] if self._open is not None else [])]
        self._full, self._open = [], None
        try:
            for batch in batches:
                batch.close()
                sent = await self._producer.send_batch(batch, self._topic, partition=0)
                self._sent.append(sent)
        except KafkaError as error:
            raise TopicError(f"{self._topic}: {error}") from error
        while self._sent and (len(self._sent) > _ON_THEIR_WAY or self._sent[0].done()):
            await self._oldest()

    async def _oldest(self) -> None:
        try:
            await self._sent.popleft()
        except KafkaError as error:
            raise TopicError(f"{self._topic}: a batch was refused: {error}") from error
