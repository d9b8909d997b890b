"""Messages on their way to Kafka: the accounts at the start, every event afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaProducer

from streams.simulator import wire
from streams.simulator.exchange import Exchange
from streams.simulator.settings import Progress, SimulateSettings

__all__ = ["Sender", "make_producer", "publish_accounts"]

_SENDS_A_TURN = 500
_REPORT_EVERY = 1_000


def make_producer(settings: SimulateSettings) -> AIOKafkaProducer:
    """Return a producer, not yet started, that keeps order and outlives a restart of the broker."""
    return AIOKafkaProducer(
        **{"bootstrap_servers": settings.brokers, **settings.client},
        enable_idempotence=True,
        linger_ms=2,
        max_batch_size=256 * 1024,
        max_request_size=8 * 1024 * 1024,
        # How long a message may wait for a broker that is away: a lost one would leave a gap in
        # its account's numbers for good.
        request_timeout_ms=300_000,
    )


async def publish_accounts(
    producer: AIOKafkaProducer,
    accounts: Iterable[wire.AccountEvent],
    *,
    prefix: str = "",
    total: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> int:
    """Publish `accounts` messages and return how many, once all are acknowledged."""
    topic = f"{prefix}accounts"
    pending: list[asyncio.Future[object]] = []
    for account in accounts:
        key = account.account_id.encode()
        pending.append(await producer.send(topic, wire.encode(account), key=key))
        if len(pending) % _SENDS_A_TURN == 0:
            await asyncio.sleep(0)
        if progress is not None and len(pending) % _REPORT_EVERY == 0:
            progress(Progress(len(pending), max(total, len(pending))))
    await asyncio.gather(*pending)
    if progress is not None:
        progress(Progress(len(pending), len(pending)))
    return len(pending)


class Sender:
    """Sends what gathers in an exchange's outbox, in its order; one task runs it."""

    def __init__(self, exchange: Exchange, producer: AIOKafkaProducer, prefix: str) -> None:
        self._exchange = exchange
        self._producer = producer
        self._prefix = prefix
        self._more = asyncio.Event()
        self._failure: BaseException | None = None
        self.sent = 0

    def wake(self) -> None:
        """Say that the outbox may hold something."""
        if self._exchange.outbox or self._failure is not None:
            self._more.set()

    async def run(self) -> None:
        """Send until cancelled; raises what the broker refused, since numbers may not be lost."""
        while True:
            await self._more.wait()
            self._more.clear()
            await self.drain()

    async def drain(self) -> None:
        """Hand everything in the outbox to the producer."""
        outbox = self._exchange.outbox
        while outbox:
            if self._failure is not None:
                raise self._failure
            topic, key, value = outbox[0]
            future = await self._producer.send(self._prefix + topic, value, key=key)
            future.add_done_callback(self._done)
            outbox.popleft()
            self.sent += 1
            if self.sent % _SENDS_A_TURN == 0:
                await asyncio.sleep(0)

    def _done(self, future: asyncio.Future[object]) -> None:
        if not future.cancelled() and future.exception() is not None:
            self._failure = future.exception()
            self._more.set()
