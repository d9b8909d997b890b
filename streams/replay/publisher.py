"""Ticks at the pace of their recording, with a beat that keeps prices fresh in between."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import msgspec

from streams.replay.clock import Stamps, Timeline, WallClock
from streams.replay.sink import Headers, Sink
from streams.replay.tail import Tail
from streams.replay.ticks import Quote, QuoteStream

# At most this many ticks leave before others run and the beats are looked at.
_SLICE = 2_000
# Ticks due within this time leave together: more turns cost more than they are worth.
TURN_SECONDS = 0.002
_REPORT_SECONDS = 0.5
_BEAT: Headers = [("beat", b"1")]
_NS = 1e9


class Tick(msgspec.Struct):
    """The message on the tick topic; `ts` in epoch milliseconds."""

    symbol: str
    kind: Literal["index", "mark"]
    price: str
    ts: int
    seq: int


@dataclass(frozen=True, slots=True)
class Beats:
    """How often, in wall seconds, all prices and a single one are repeated with a fresh `ts`.

    Repeats bear the header `beat`; `hold` is how long they go on after the last tick.
    """

    all_seconds: float = 1.0
    one_seconds: float = 0.1
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a replay stands; recorded times in epoch nanoseconds, `rate` in ticks per second.

    `total` is known only where the ticks can be counted beforehand; `late` is how far, in wall
    seconds, publishing is behind the speed that was asked for.
    """

    published: int
    beats: int
    total: int | None
    first_ns: int
    last_ns: int
    recorded_ns: int
    rate: float
    late: float

    @property
    def fraction(self) -> float:
        """Part of the recorded time that has been played, 0 to 1."""
        whole = self.last_ns - self.first_ns
        return 1.0 if whole <= 0 else (self.recorded_ns - self.first_ns) / whole


ProgressCallback = Callable[[Progress], None]


class Publisher:
    """Plays one stream of quotes into a sink."""

    def __init__(
        self,
        sink: Sink,
        stamps: Stamps,
        timeline: Timeline,
        clock: WallClock,
        *,
        tail: Tail | None = None,
        beats: Beats | None = None,
        progress: ProgressCallback | None = None,
        stop: asyncio.Event | None = None,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        self._turn_seconds = turn_seconds
        self.published = 0
        self.repeated = 0
        self.last_ts: int | None = None
        self._sink = sink
        self._stamps = stamps
        self._timeline = timeline
        self._clock = clock
        self._seqs = dict(tail.seqs) if tail is not None else {}
        self._beats = beats if beats is not None else Beats()
        self._progress = progress
        self._stop = stop if stop is not None else asyncio.Event()
        self._encode = msgspec.json.Encoder().encode
        self._prices: dict[str, Quote] = {}
        self._turn = 0
        # Recorded time up to which every tick has left: a beat may bear no later one.
        self._frontier_ns = 0
        self._next_all = self._next_one = self._next_report = 0.0
        self._reported = (0.0, 0)

    async def play(self, stream: QuoteStream) -> None:
        """Publish the whole stream, then hold; end early when told to stop."""
        started = self._now()
        self._reported = (started, 0)
        self._next_all = started + self._beats.all_seconds
        self._next_one = started + self._beats.one_seconds
        begun = False
        async with aclosing(self._chunks(stream)) as chunks:
            async for chunk in chunks:
                if not begun:
                    self._timeline.start(chunk[0].ts_ns)
                    begun = True
                await self._play_chunk(chunk, stream)
                if self._stop.is_set():
                    break
        await self._hold(stream)
        self._report(stream, final=True)
        await self._sink.flush()

    async def _chunks(self, stream: QuoteStream) -> AsyncGenerator[Sequence[Quote], None]:
        """Chunks, each made in a thread while the one before is played; beats go on meanwhile."""
        chunks: Iterator[Sequence[Quote]] = iter(stream)
        making = asyncio.create_task(asyncio.to_thread(next, chunks, None))
        try:
            while True:
                while not making.done() and not self._stop.is_set():
                    wait = self._until_beat()
                    await asyncio.wait({making}, timeout=wait)
                    await self._beat()
                if self._stop.is_set():
                    return
                chunk = making.result()
                if chunk is None:
                    return
                making = asyncio.create_task(asyncio.to_thread(next, chunks, None))
                if chunk:
                    yield chunk
        finally:
            # A thread cannot be cut short: the chunk it is making is waited for and dropped.
            await asyncio.wait({making})

    async def _play_chunk(self, chunk: Sequence[Quote], stream: QuoteStream) -> None:
        start = 0
        while start < len(chunk) and not self._stop.is_set():
            end, waiting = self._due(chunk, start)
            for quote in chunk[start:end]:
                self._publish(quote)
            start = end
            await self._sink.flush()
            await self._beat()
            self._report(stream)
            if waiting:
                wait = self._timeline.wait_seconds(chunk[start].ts_ns)
                await self._rest(min(self._until_beat(), wait))
            else:
                await self._clock.sleep(0)

    def _due(self, chunk: Sequence[Quote], start: int) -> tuple[int, bool]:
        """Up to where the chunk is due, and whether its next quote is still to come."""
        most = min(start + _SLICE, len(chunk))
        reached = self._timeline.reached_ns()
        end = start
        if reached is None:
            end = most
        else:
            while end < most and chunk[end].ts_ns <= reached:
                end += 1
        waiting = reached is not None and end < len(chunk) and chunk[end].ts_ns > reached
        if waiting and reached is not None:
            self._frontier_ns = reached
        elif end > start:
            self._frontier_ns = max(self._frontier_ns, chunk[end - 1].ts_ns)
        return end, waiting

    def _publish(self, quote: Quote) -> None:
        ts = self._stamps.of(quote.ts_ns)
        recorded_ms = quote.ts_ns // 1_000_000
        original: Headers = [] if ts == recorded_ms else [("original-ts", b"%d" % recorded_ms)]
        self._prices[quote.symbol] = quote
        self._send(quote, ts, original)
        self.published += 1

    def _send(self, quote: Quote, ts: int, headers: Headers) -> None:
        _, symbol, kind, price = quote
        seq = self._seqs.get(symbol, 0) + 1
        self._seqs[symbol] = seq
        self._sink.append(
            symbol.encode(), self._encode(Tick(symbol, kind, price, ts, seq)), headers
        )
        self.last_ts = ts

    async def _beat(self) -> None:
        now = self._now()
        if now < min(self._next_all, self._next_one):
            return
        everything = now >= self._next_all
        if everything:
            self._next_all = now + self._beats.all_seconds
        self._next_one = now + self._beats.one_seconds
        quotes = list(self._prices.values())
        if quotes and not everything:
            # The symbols take turns.
            self._turn += 1
            quotes = [quotes[self._turn % len(quotes)]]
        ts = self._stamps.of(self._frontier_ns)
        for quote in quotes:
            self._send(quote, ts, _BEAT)
        self.repeated += len(quotes)
        await self._sink.flush()

    async def _hold(self, stream: QuoteStream) -> None:
        self._timeline.go_on_from(self._frontier_ns)
        until = self._now() + self._beats.hold
        while self._now() < until and not self._stop.is_set():
            await self._rest(min(self._until_beat(), until - self._now()))
            self._frontier_ns = max(self._frontier_ns, self._timeline.reached_ns() or 0)
            await self._beat()
            self._report(stream)

    async def _rest(self, seconds: float) -> None:
        await self._clock.sleep(max(self._turn_seconds, seconds))

    def _until_beat(self) -> float:
        return max(0.0, min(self._next_all, self._next_one) - self._now())

    def _now(self) -> float:
        return self._clock.monotonic_ns() / _NS

    def _report(self, stream: QuoteStream, *, final: bool = False) -> None:
        now = self._now()
        if self._progress is None or not self._prices or (now < self._next_report and not final):
            return
        before, published = self._reported
        rate = (self.published - published) / (now - before) if now > before else 0.0
        self._reported = (now, self.published)
        self._next_report = now + _REPORT_SECONDS
        self._progress(
            Progress(
                published=self.published,
                beats=self.repeated,
                total=stream.total,
                first_ns=stream.first_ns,
                last_ns=stream.last_ns,
                recorded_ns=min(self._frontier_ns, stream.last_ns),
                rate=rate,
                late=self._timeline.behind_seconds(self._frontier_ns),
            )
        )
