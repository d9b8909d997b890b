"""Publish commands and dead letters in order, each acknowledged by its topic."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from streams.journal.exceptions import OutletLost
from streams.journal.producer import consume
from streams.journal.records import CommandOut

__all__ = ["Outlet", "Publisher"]


# A send that finds room never gives way to the loop, and takes some 20 microseconds (H-8).
_SENDS_A_TURN = 500


class Publisher(Protocol):
    """What publishes commands."""

    async def publish(self, commands: Sequence[CommandOut]) -> None:
        """Publish in the given order and return when all are acknowledged, or raise OutletLost."""


class Outlet:
    """The worker's one idempotent producer for all output topics.

    Order holds within a topic's partition. After the first failure it is dead: a later command
    must not overtake the one that failed. The worker then rejoins with a new outlet.
    """

    def __init__(
        self, client: Mapping[str, Any], *, timeout: float = 10.0, request_timeout: float = 5.0
    ) -> None:
        """Take aiokafka's connection settings, and the seconds a publish may take."""
        self._client = dict(client)
        self._timeout = timeout
        self._request_timeout = request_timeout
        self._producer: AIOKafkaProducer | None = None
        self.lost: OutletLost | None = None

    async def start(self) -> None:
        """Connect; OutletLost if the broker does not answer."""
        producer = AIOKafkaProducer(
            **self._client,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=262_144,
            request_timeout_ms=int(self._request_timeout * 1000),
        )
        self._producer = producer
        try:
            async with asyncio.timeout(self._timeout):
                await producer.start()
        except (KafkaError, TimeoutError) as error:
            await self.stop()
            raise OutletLost(f"the outlet could not connect: {error!r}") from error

    async def publish(self, commands: Sequence[CommandOut]) -> None:
        """Publish in the given order and return when all are acknowledged.

        Raises OutletLost; what was handed over before may still land.
        """
        if self.lost is not None:
            raise OutletLost(f"the outlet was lost before: {self.lost}")
        if self._producer is None:
            raise OutletLost("the outlet is not started")
        try:
            async with asyncio.timeout(self._timeout):
                await self._send(self._producer, commands)
        except (KafkaError, TimeoutError) as error:
            self.lost = OutletLost(f"a command was not published: {error!r}")
            raise self.lost from error

    async def _send(self, producer: AIOKafkaProducer, commands: Sequence[CommandOut]) -> None:
        sent: list[asyncio.Future[RecordMetadata]] = []
        for number, command in enumerate(commands, 1):
            if number % _SENDS_A_TURN == 0:
                await asyncio.sleep(0)
            future = await producer.send(
                command.topic, command.value, key=command.key, headers=list(command.headers)
            )
            future.add_done_callback(consume)
            sent.append(future)
        for future in sent:
            await future

    async def stop(self) -> None:
        """Close; what is in flight gets the publish timeout to land."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        sender = producer._sender.sender_task  # noqa: SLF001
        stopping = asyncio.create_task(producer.stop())
        done, _ = await asyncio.wait([stopping], timeout=0.5 if self.lost else self._timeout)
        if not done:
            # stop() waits for ever for a broker that is gone, and its sender would go on trying.
            stopping.cancel()
            if sender is not None:
                sender.cancel()
            await producer.client.close()
            if sender is not None:
                await asyncio.wait([sender], timeout=0.5)
                sender.cancel()
            await asyncio.wait([stopping], timeout=0.5)
