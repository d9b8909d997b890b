"""A partition's own producer: fenced by the broker through its producer epoch."""

import asyncio
import contextlib
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.structs import RecordMetadata

from streams.journal.exceptions import JournalFenced, JournalLost, RecordTooLarge
from streams.journal.settings import JournalSettings

__all__ = ["RECORD_OVERHEAD", "FencedProducer", "KeyValue", "consume"]

KeyValue = tuple[bytes, bytes]
# Per record: 21 bytes of fields, and 61 of the batch's header for a batch of one.
RECORD_OVERHEAD = 96


def consume(future: asyncio.Future[RecordMetadata]) -> None:
    """Look at a send's outcome, so that one nobody waits for any more is no unseen exception."""
    if not future.cancelled():
        future.exception()


class FencedProducer:
    """Appends to one partition, idempotently, until a newer producer of the partition has.

    `InitProducerId` for the partition's transactional id raises the producer epoch; from the first
    append of the newest producer on the broker refuses those of all older ones. It then writes
    without transactions: those would make every reader wait, and cost three times the latency.
    """

    def __init__(self, settings: JournalSettings, partition: int) -> None:
        self._settings = settings
        self._partition = partition
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Take the producer id; JournalLost if the broker does not answer in `claim_timeout`."""
        producer = AIOKafkaProducer(
            **self._settings.client,
            transactional_id=self._transactional_id(),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=self._settings.batch_bytes,
            request_timeout_ms=int(self._settings.request_timeout * 1000),
        )
        self._producer = producer
        try:
            async with asyncio.timeout(self._settings.claim_timeout):
                await producer.start()
        except (KafkaError, TimeoutError) as error:
            await self.abort()
            raise JournalLost(f"no producer id for {self._name}: {error!r}") from error
        except asyncio.CancelledError:
            await self.abort()
            raise
        self._leave_transactions(producer)

    def _transactional_id(self) -> str | None:
        return self._settings.transactional_id(self._partition)

    def _leave_transactions(self, producer: AIOKafkaProducer) -> None:
        # The id has served its purpose; without it sends need no transaction. aiokafka is pinned
        # and tests/integration/journal/test_fence.py guards this.
        producer._txn_manager.transactional_id = None  # noqa: SLF001

    @property
    def _name(self) -> str:
        return f"{self._settings.topic}-{self._partition}"

    async def append(self, records: Sequence[KeyValue]) -> list[int]:
        """Append and return the offsets once all are acknowledged by all in-sync replicas.

        Raises RecordTooLarge before anything is sent, JournalFenced if a newer owner has claimed,
        JournalLost for everything else; after those two nothing is known of what was appended.
        """
        bound = self._settings.max_record_bytes
        for key, value in records:
            if len(key) + len(value) + RECORD_OVERHEAD > bound:
                raise RecordTooLarge(f"record of {key!r}: {len(value)} bytes, at most {bound}")
        try:
            async with asyncio.timeout(self._settings.append_timeout):
                return await self._send(records)
        except ProducerFenced as error:
            raise JournalFenced(f"{self._name} has a newer owner") from error
        except (KafkaError, TimeoutError) as error:
            raise JournalLost(f"append to {self._name} failed: {error!r}") from error

    async def _send(self, records: Sequence[KeyValue]) -> list[int]:
        producer = self._producer
        if producer is None:
            raise JournalLost(f"the producer of {self._name} is closed")
        sent: list[tuple[int, asyncio.Future[RecordMetadata]]] = []
        position = 0
        while position < len(records):
            batch = producer.create_batch()
            append = batch.append
            while position < len(records):
                key, value = records[position]
                if append(timestamp=None, key=key, value=value) is None:
                    break
                position += 1
            future = await producer.send_batch(
                batch, self._settings.topic, partition=self._partition
            )
            future.add_done_callback(consume)
            sent.append((batch.record_count(), future))
        offsets: list[int] = []
        for count, future in sent:
            base = (await future).offset
            offsets.extend(range(base, base + count))
        return offsets

    async def close(self) -> None:
        """Close after everything was acknowledged."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def abort(self) -> None:
        """Close without waiting for what is in flight; it may still land, and be fenced."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        producer._closed = True  # noqa: SLF001
        sender = producer._sender.sender_task  # noqa: SLF001
        if sender is not None:
            # The first cancel waits for requests in flight, the second does not.
            sender.cancel()
            with contextlib.suppress(KafkaError):
                await producer.client.close()
            await asyncio.wait([sender], timeout=0.5)
            sender.cancel()
            await asyncio.wait([sender], timeout=0.5)
        else:
            with contextlib.suppress(KafkaError):
                await producer.client.close()
