"""Reads the whole topic of hour prices into a book, and follows it; every worker does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from monitor.interest.hours import HourBook
from streams.dead_letters import BadRecord
from streams.follow import FollowerStopped, PartitionFollower, Record
from streams.hours.records import BadHour, decode_hour

__all__ = ["HourReader"]

_log = structlog.get_logger(__name__)

HOURS_A_TURN = 20
"""H-8: a record of some thousand symbols takes a millisecond to check."""


class HourReader:
    """Fills `book`; what is no hour goes to `on_bad` and is passed over.

    `ahead_limit_ms` (None: no limit) refuses an hour too far ahead of the broker's append time, which
    would shut out all hours before it; the event clock has none.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        topic: str,
        book: HourBook,
        *,
        on_bad: Callable[[BadRecord], None],
        ahead_limit_ms: int | None = None,
    ) -> None:
        self._follower = PartitionFollower(client, topic, max_records=HOURS_A_TURN)
        self._on_bad = on_bad
        self._ahead_limit_ms = ahead_limit_ms
        self.book = book
        self.caught_up = asyncio.Event()
        """Set once everything that stood in the topic at the start is in the book."""
        self.repeats = 0
        """Records of hours that were known: of several owners in turn only the first counts."""

    async def run(self) -> None:
        """Read and follow until stopped; failures of the brokers are retried for ever."""
        try:
            first, _, end = await self._follower.bounds()
        except FollowerStopped:
            return
        async for records in self._follower.records(first, end):
            await self._take(records)
        if self._follower.stopping:
            return
        self.caught_up.set()
        async for records in self._follower.records(max(first, end)):
            await self._take(records)

    async def _take(self, records: list[Record]) -> None:
        for record in records:
            try:
                hour = decode_hour(record.value)
                limit = self._ahead_limit_ms
                if limit is not None and hour.hour > record.timestamp + limit:
                    raise BadHour(f"hour: {hour.hour} is {hour.hour - record.timestamp} ms ahead")
            except BadHour as error:
                _log.error("hour_prices_refused", offset=record.offset, error=str(error))
                self._on_bad(
                    BadRecord(
                        record.topic,
                        record.partition,
                        record.offset,
                        record.key,
                        record.value,
                        str(error),
                    )
                )
                continue
            if not self.book.take(hour):
                self.repeats += 1
        await asyncio.sleep(0)

    def stop(self) -> None:
        """End `run` at once."""
        self._follower.stop()

    async def close(self) -> None:
        """Stop and disconnect."""
        await self._follower.close()
