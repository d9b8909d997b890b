"""Follows the command topics and the heartbeats, all partitions, without a group."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.dashboard.source.times import since_text, wall_ms
from streams.follow import Record

__all__ = ["TopicsFollower"]

_log = structlog.get_logger(__name__)

_POLL_MS = 500
_MOST_A_POLL = 2_000
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 3.0
_PROBE_SECONDS = 2.0
_SILENT_SECONDS = 4.0
"""A broker that does not say in this time where a topic ends is away."""


class TopicsFollower:
    """Gives what is new to `take` in order of append time; first of all what is not too old.

    `back_ms`: topic (full name) → how far back it begins; at most `most` records a partition.
    `begins` is told from where each partition is read. Failures of the brokers are retried for ever,
    from the places reached.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        back_ms: Mapping[str, int],
        *,
        take: Callable[[list[Record]], None],
        begins: Callable[[TopicPartition, int], None],
        most: int,
    ) -> None:
        self._client, self._back_ms, self._most = client, back_ms, most
        self._take, self._begins = take, begins
        self._consumer: AIOKafkaConsumer | None = None
        self._reached: dict[TopicPartition, int] = {}
        self.caught_up = False
        """Whether everything up to the end at the start was given."""
        self.away_since: int | None = wall_ms()
        """Epoch ms since when no broker has answered."""

    @property
    def state(self) -> str:
        """`ok` or `away since …`."""
        return since_text(self.away_since)

    async def run(self) -> None:
        """Read and follow until cancelled."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                consumer = await self._connected()
                if not self.caught_up:
                    await self._catch_up(consumer)
                    pause = _FIRST_PAUSE_SECONDS
                found = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MOST_A_POLL)
            except (KafkaError, OSError, TimeoutError) as error:
                self._is_away(error)
                await self.close()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                continue
            self._give(found)

    async def probe(self) -> None:
        """Ask a broker now and then whether it is there: a consumer without one only waits."""
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            consumer = self._consumer
            places = list(self._reached)[:1]
            if consumer is None or not places:
                continue
            try:
                async with asyncio.timeout(_SILENT_SECONDS):
                    await consumer.end_offsets(places)
            except (KafkaError, OSError, TimeoutError) as error:
                self._is_away(error)
            else:
                self._is_back()

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _stop(consumer)

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **self._client,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                # A few large answers a second: each names every partition.
                fetch_min_bytes=64 * 1024,
                fetch_max_wait_ms=200,
            )
            try:
                consumer.subscribe(list(self._back_ms))  # without a group: all partitions
                await consumer.start()
                await self._seek(consumer)
            # Cancelled or failed, what it has opened must not stay open.
            except BaseException:
                await _stop(consumer)
                raise
            self._consumer = consumer
            self._is_back()
        return self._consumer

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        """Go to the places reached, else so far back as each topic may."""
        places = sorted(consumer.assignment())
        missing = set(self._back_ms) - {place.topic for place in places}
        if missing:
            raise KafkaError(f"no topic {', '.join(sorted(missing))}")
        now = wall_ms()
        first = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        young = await consumer.offsets_for_times(
            {place: now - self._back_ms[place.topic] for place in places}
        )
        for place in places:
            at = young.get(place)
            since = ends[place] if at is None else at.offset
            start = max(first[place], since, ends[place] - self._most)
            reached = self._reached.get(place)
            if reached is not None and first[place] <= reached <= ends[place]:
                start = reached
            self._reached[place] = start
            self._begins(place, start)
            consumer.seek(place, start)

    async def _catch_up(self, consumer: AIOKafkaConsumer) -> None:
        """Give what stands there now at once, so that it comes in order of time over all topics."""
        ends = await consumer.end_offsets(list(self._reached))
        gathered: list[Record] = []
        reached = dict(self._reached)
        while any(reached[place] < end for place, end in ends.items()):
            found = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MOST_A_POLL)
            for place, records in found.items():
                gathered += records
                reached[place] = records[-1].offset + 1
            if not found:
                async with asyncio.timeout(_SILENT_SECONDS):
                    # Behind the last record there may be none of the broker's own markers.
                    for place, at in list(reached.items()):
                        reached[place] = max(at, await consumer.position(place))
        gathered.sort(key=lambda record: record.timestamp)
        self._take(gathered)
        self._reached.update(reached)
        self.caught_up = True

    def _give(self, found: Mapping[TopicPartition, Sequence[Record]]) -> None:
        batch = [record for records in found.values() for record in records]
        batch.sort(key=lambda record: record.timestamp)
        for place, records in found.items():
            self._reached[place] = records[-1].offset + 1
        if batch:
            self._is_back()
            self._take(batch)

    def _is_away(self, error: BaseException) -> None:
        if self.away_since is None:
            self.away_since = wall_ms()
            _log.warning("kafka_away", error=repr(error))

    def _is_back(self) -> None:
        if self.away_since is not None:
            _log.info("kafka_there", after_ms=wall_ms() - self.away_since)
            self.away_since = None


async def _stop(consumer: AIOKafkaConsumer) -> None:
    with contextlib.suppress(KafkaError, OSError):
        task = asyncio.ensure_future(consumer.stop())
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
