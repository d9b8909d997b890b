"""The tick service: every worker reads every tick, without a group, in batches."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from operator import sub
from typing import Any

from monitor.engine import TickBatch
from streams.dead_letters import BadRecord
from streams.follow import FollowerStopped, PartitionFollower, Record
from streams.tick_messages import BadTick, TickMessage, decode_surely, decode_tick

__all__ = ["AHEAD_LIMIT_MS", "TickReader"]

AHEAD_LIMIT_MS = 5_000
"""A `ts` further ahead of the clock is a dead letter: it would make all later ticks look old."""
_FOREVER_MS = 10**15
"""Later than any `ts` can be."""
_NOTHING: TickBatch[TickMessage] = TickBatch([], [], [], [])


class TickReader:
    """Reads `ticks`: first what gives every symbol a price, then what comes.

    With `since_ms` (append time) the start is the first tick from then on, and for those of
    `needed` (symbols) that had none since, the last tick before; else the start is the beginning.
    What is no tick goes to `on_bad` and is passed over, by every reader and at every start that
    meets it: `caught_up` tells what is new. `ahead_limit_ms` (None: no limit)
    refuses a `ts` too far ahead of the broker's append time; the event clock has none.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        topic: str,
        *,
        on_bad: Callable[[BadRecord], None],
        since_ms: int | None = None,
        needed: Collection[str] = (),
        ahead_limit_ms: int | None = AHEAD_LIMIT_MS,
        max_records: int = 1000,
    ) -> None:
        self._follower = PartitionFollower(client, topic, max_records=max_records)
        self._on_bad = on_bad
        self._since_ms = since_ms
        self._needed = frozenset(needed)
        self._ahead_limit_ms = _FOREVER_MS if ahead_limit_ms is None else ahead_limit_ms
        self._max_records = max_records
        self.caught_up = False
        """Whether everything up to the end at the start was given, and the iteration resumed."""
        self.position = 0
        """Offset of the next tick to be given."""
        self.start_end: int | None = None
        """The end offset at the start."""
        self.last_ts: int | None = None
        """Highest event time given so far."""
        self.appended = 0
        """Latest append time given so far."""
        self.bad = 0
        """Messages that were no ticks."""
        self._decoded: Sequence[Record] = []
        """What the batch given last was decoded from."""

    @property
    def end(self) -> int:
        """Offset after the last tick known to be in the topic."""
        return max(self._follower.end or 0, self.start_end or 0, self.position)

    @property
    def lag(self) -> int:
        """How many offsets are known to lie ahead."""
        return self.end - self.position

    def appended_at(self, offset: int) -> int | None:
        """Return when a tick of the batch given last was appended, in epoch ms; None for others."""
        place = bisect_left(self._decoded, offset, key=lambda record: record.offset)
        if place < len(self._decoded) and self._decoded[place].offset == offset:
            return self._decoded[place].timestamp
        return None

    async def batches(self) -> AsyncIterator[TickBatch[TickMessage]]:
        """Give batches until stopped, never waiting longer than for the next.

        A batch may be empty. Within a symbol the order is the topic's; only at the start may one
        batch of older ticks come after newer ones of other symbols. `caught_up` becomes true
        between two batches, when the consumer of all before has asked for more.
        """
        try:
            first, since, end = await self._follower.bounds(self._since_ms)
        except FollowerStopped:
            return
        self.start_end, self.position = end, since
        seen: set[str] = set()
        async for records in self._follower.records(since, end):
            batch = self._decode(records)
            if self._needed:
                seen.update([tick.symbol for tick in batch.ticks])
            self._advance()
            yield batch
        missing = self._needed - seen if since > first else frozenset()
        if missing:
            yield TickBatch.of(await self._last_before(since, first, missing))
        if self._follower.stopping:
            return
        self.caught_up = True
        yield _NOTHING
        async for records in self._follower.records(self.position):
            batch = self._decode(records)
            self._advance()
            yield batch

    def _advance(self) -> None:
        self.position = self._follower.position or 0

    async def _last_before(
        self, since: int, first: int, missing: frozenset[str]
    ) -> list[tuple[TickMessage, int]]:
        """Return the last tick before offset `since` of each missing symbol that has one.

        Searches windows that double backwards, so that the cost is that of how far back they lie;
        records are keyed by symbol, so most need not be decoded.
        """
        found: dict[str, tuple[TickMessage, int]] = {}
        upper, width = since, 4 * self._max_records
        while upper > first and len(found) < len(missing) and not self._follower.stopping:
            lower = max(first, upper - width)
            wanted = {symbol.encode() for symbol in missing if symbol not in found}
            window: dict[str, tuple[TickMessage, int]] = {}
            async for records in self._follower.records(lower, upper):
                for tick, offset in self._decode([r for r in records if r.key in wanted]):
                    last = window.get(tick.symbol)
                    if last is None or (tick.ts, tick.seq) > (last[0].ts, last[0].seq):
                        window[tick.symbol] = (tick, offset)
            found.update(window)
            upper, width = lower, width * 2
        return sorted(found.values(), key=lambda item: item[1])

    def _decode(self, records: Sequence[Record]) -> TickBatch[TickMessage]:
        self._decoded = records
        batch = self._decode_all(records) or self._decode_each(records)
        if batch:
            newest = max(batch.ts)
            self.last_ts = newest if self.last_ts is None else max(self.last_ts, newest)
            self.appended = max(self.appended, records[-1].timestamp)
        return batch

    def _decode_all(self, records: Sequence[Record]) -> TickBatch[TickMessage] | None:
        """Decode records at once, if all of them are ticks beyond doubt."""
        sure = decode_surely([record.value for record in records])
        if sure is None:
            return None
        ticks, prices = sure
        ts = [tick.ts for tick in ticks]
        ahead = map(sub, ts, [record.timestamp for record in records])
        if max(ahead, default=0) > self._ahead_limit_ms:
            return None
        return TickBatch(ticks, [record.offset for record in records], ts, prices)

    def _decode_each(self, records: Sequence[Record]) -> TickBatch[TickMessage]:
        """Decode one record after the other and refuse those that are no ticks."""
        found: list[tuple[TickMessage, int]] = []
        for record in records:
            try:
                tick = decode_tick(record.value)
                if tick.ts > record.timestamp + self._ahead_limit_ms:
                    raise BadTick(f"ts: {tick.ts} is {tick.ts - record.timestamp} ms ahead")
            except BadTick as error:
                self._refuse(record, error)
                continue
            found.append((tick, record.offset))
        return TickBatch.of(found)

    def _refuse(self, record: Record, error: BadTick) -> None:
        self.bad += 1
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

    def stop(self) -> None:
        """End `batches` at once."""
        self._follower.stop()

    async def close(self) -> None:
        """Stop and disconnect."""
        await self._follower.close()
