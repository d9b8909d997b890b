"""Cuts full hours out of a worker's ticks, and publishes those that nobody has published."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog

from monitor.interest.hours import HOUR_MS, HOURS_KEPT, HourBook, HourCut, HourPrices, hour_prices
from monitor.limits import Totals
from monitor.prices import PriceBook
from monitor.reference import Reference
from streams.hours.records import hour_out
from streams.journal.outlet import Publisher

__all__ = ["HourWriter", "Missed"]

_log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
"""How soon a worker sees that publishing has become its task."""

Missed = Callable[[range], Awaitable[Sequence[HourPrices]]]


class HourWriter:
    """Every worker cuts every hour; the one that `may_publish` (owner of partition 0) publishes.

    So whoever takes over has what the one before it did not get to publish. Two of them for a moment do
    no harm: the first record of an hour stands. `missed` gives hours from before this worker's first
    tick; None where its ticks go back to the beginning (event clock).
    """

    def __init__(
        self,
        book: HourBook,
        topic: str,
        publisher: Publisher,
        *,
        may_publish: Callable[[], bool],
        missed: Missed | None = None,
    ) -> None:
        self._book, self._topic, self._publisher = book, topic, publisher
        self._may_publish, self._missed = may_publish, missed
        self._cut = HourCut()
        self._pending: dict[int, HourPrices] = {}
        self._first: int | None = None
        self._sent = 0
        self._wake = asyncio.Event()

    @property
    def boundary(self) -> int:
        """A tick of a `ts` above it must be told to `before_tick`; −1 before the first tick."""
        return self._cut.boundary

    def before_tick(
        self, ts: int, prices: PriceBook, reference: Reference, totals: Totals | None
    ) -> None:
        """Cut the hours that a tick of this `ts`, not yet taken into `prices`, shows to have passed."""
        for hour in self._cut.passed(ts):
            if hour > self._book.last:
                self._pending[hour] = hour_prices(hour, prices, reference, totals)
                self._wake.set()
        if self._first is None:
            self._first = self._cut.boundary
            self._wake.set()

    async def run(self) -> None:
        """Publish what the topic lacks, until cancelled; call it when the book is read to its end."""
        while True:
            self._forget()
            if self._may_publish():
                await self.publish()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def publish(self) -> None:
        """Publish every hour that is known here and not in the topic, oldest first."""
        if self._first is None:
            return
        reached = max(self._book.last, self._sent)
        if reached and self._missed is not None:
            oldest = max(reached + HOUR_MS, self._first - HOURS_KEPT * HOUR_MS)
            absent = range(oldest, self._first, HOUR_MS)
            if absent:
                _log.warning("hours_missed", first=absent[0], count=len(absent))
                await self._send(await self._missed(absent))
                self._sent = max(self._sent, absent[-1])
        await self._send([self._pending[hour] for hour in sorted(self._pending)])

    async def _send(self, records: Sequence[HourPrices]) -> None:
        for record in records:
            if record.hour > max(self._book.last, self._sent):
                await self._publisher.publish([hour_out(record, self._topic)])
                self._sent = record.hour

    def _forget(self) -> None:
        """Let go of what is in the topic, and of what is too old to be kept there."""
        newest = max(self._pending, default=0)
        oldest = max(self._book.last, newest - HOURS_KEPT * HOUR_MS)
        for hour in [hour for hour in self._pending if hour <= oldest]:
            del self._pending[hour]
