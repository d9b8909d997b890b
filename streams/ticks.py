"""The tick service: every worker reads every tick, without a group, in batches."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from pydantic import ValidationError

from monitor.schema import Tick
from streams.dead_letters import BadRecord
from streams.follow import FollowerStopped, PartitionFollower, Record

__all__ = ["AHEAD_LIMIT_MS", "BadTick", "TickMessage", "TickReader", "decode_tick"]

AHEAD_LIMIT_MS = 5_000
"""A `ts` further ahead of the clock is a dead letter: it would make all later ticks look old."""
_FOREVER_MS = 10**15
"""Later than any `ts` can be."""


class BadTick(ValueError):
    """Raised when a message on the tick topic is no tick; the text says why."""


class TickMessage(msgspec.Struct, frozen=True, gc=False):
    """A tick as `monitor.schema.Tick` has it, without the cost of a model.

    Its price stays text: of hundreds of thousands a second only the newest of a symbol is looked at.
    """

    symbol: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    kind: Literal["index", "mark"]
    text: Annotated[str, msgspec.Meta(max_length=40)] = msgspec.field(name="price")
    ts: Annotated[int, msgspec.Meta(ge=0, lt=10**15)]
    seq: int = 0

    @property
    def price(self) -> Decimal:
        """The price, exactly."""
        return Decimal(self.text)

    @property
    def value(self) -> float:
        """The price as a float."""
        return float(self.text)


_decode_wire = msgspec.json.Decoder(TickMessage).decode
_DIGITS = "0123456789."


def decode_tick(value: bytes | None) -> TickMessage:
    """Decode one message exactly as `monitor.schema.Tick` reads it; raises `BadTick`."""
    if value is None:
        raise BadTick("the message has no value")
    # What is not certainly a tick is left to the model, which says what is wrong.
    try:
        tick = _decode_wire(value)
        text = tick.text
        if not text.strip(_DIGITS) and float(text) > 0.0 and tick.symbol.isprintable():
            return tick
    except ValueError:  # msgspec's DecodeError is one
        pass
    return _decode_slowly(value)


def _decode_slowly(value: bytes) -> TickMessage:
    """Let the model decide, and name every error."""
    try:
        tick = Tick.model_validate_json(value)
    except ValidationError as error:
        raise BadTick(
            "; ".join(
                f"{'.'.join(str(part) for part in item['loc']) or 'message'}: "
                f"{item['msg'].removeprefix('Value error, ')}"
                for item in error.errors()
            )
        ) from None
    return TickMessage(tick.symbol, tick.kind, str(tick.price), tick.ts, tick.seq)


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
        max_records: int = 2000,
    ) -> None:
        self._follower = PartitionFollower(client, topic, max_records=max_records)
        self._on_bad = on_bad
        self._since_ms = since_ms
        self._needed = frozenset(needed)
        self._ahead_limit_ms = ahead_limit_ms
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
        self._decoded: list[Record] = []
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

    async def batches(self) -> AsyncIterator[list[tuple[TickMessage, int]]]:
        """Give batches of (tick, offset) until stopped, never waiting longer than for the next.

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
                seen.update([tick.symbol for tick, _ in batch])
            self._advance()
            yield batch
        missing = self._needed - seen if since > first else frozenset()
        if missing:
            yield await self._last_before(since, first, missing)
        if self._follower.stopping:
            return
        self.caught_up = True
        yield []
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

    def _decode(self, records: list[Record]) -> list[tuple[TickMessage, int]]:
        batch: list[tuple[TickMessage, int]] = []
        self._decoded = records
        limit = self._ahead_limit_ms if self._ahead_limit_ms is not None else _FOREVER_MS
        last_ts = self.last_ts or 0
        for record in records:
            try:
                tick = decode_tick(record.value)
                if tick.ts > record.timestamp + limit:
                    raise BadTick(f"ts: {tick.ts} is {tick.ts - record.timestamp} ms ahead")
            except BadTick as error:
                self._refuse(record, error)
                continue
            batch.append((tick, record.offset))
            last_ts = max(last_ts, tick.ts)
        if batch:
            self.last_ts = last_ts
            self.appended = max(self.appended, records[-1].timestamp)
        return batch

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
