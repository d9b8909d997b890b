"""Pace, beats, sequence and time stamps, on a clock that the test moves."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
import pytest

from streams.replay import Beats, Kind, Progress, Quote
from streams.replay.clock import EventStamps, Stamps, Timeline, WallStamps
from streams.replay.publisher import Publisher, Tick
from streams.replay.tail import Tail

MS = 1_000_000
SECOND = 1_000 * MS
START_MS = 1_700_000_000_000
NEVER = Beats(all_seconds=1e9, one_seconds=1e9)


@dataclass
class FakeClock:
    """Time passes only while somebody sleeps, and by `lag` more than was asked for."""

    now_ns: int = 5 * SECOND
    lag: float = 0.0
    after_sleep: Callable[[], None] | None = None

    def monotonic_ns(self) -> int:
        return self.now_ns

    def epoch_ms(self) -> int:
        return START_MS + self.now_ns // MS

    async def sleep(self, seconds: float) -> None:
        self.now_ns += round((seconds + (self.lag if seconds > 0 else 0)) * SECOND)
        if self.after_sleep is not None:
            self.after_sleep()
        await asyncio.sleep(0)


@dataclass
class Sent:
    wall_ns: int
    key: bytes
    tick: Tick
    headers: dict[str, bytes]


@dataclass
class ListSink:
    clock: FakeClock
    sent: list[Sent] = field(default_factory=list)
    cost_ns: int = 0

    def append(self, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        self.clock.now_ns += self.cost_ns
        tick = msgspec.json.decode(value, type=Tick)
        self.sent.append(Sent(self.clock.now_ns, key, tick, dict(headers)))

    async def flush(self) -> None:
        return

    @property
    def ticks(self) -> list[Sent]:
        return [sent for sent in self.sent if "beat" not in sent.headers]

    @property
    def beats(self) -> list[Sent]:
        return [sent for sent in self.sent if "beat" in sent.headers]


@dataclass
class Quotes:
    """A stream in chunks of two."""

    quotes: list[Quote]

    @property
    def symbols(self) -> tuple[tuple[str, Kind], ...]:
        return tuple({(quote.symbol, quote.kind): None for quote in self.quotes})

    @property
    def first_ns(self) -> int:
        return self.quotes[0].ts_ns

    @property
    def last_ns(self) -> int:
        return self.quotes[-1].ts_ns

    @property
    def total(self) -> int | None:
        return len(self.quotes)

    def __iter__(self) -> Iterator[Sequence[Quote]]:
        return (self.quotes[i : i + 2] for i in range(0, len(self.quotes), 2))


def seconds(*times: float) -> Quotes:
    """Quotes of BTC-USD at these recorded seconds past START_MS, priced 1, 2, …"""
    return Quotes(
        [
            Quote(START_MS * MS + round(at * SECOND), "BTC-USD", "index", str(i))
            for i, at in enumerate(times, 1)
        ]
    )


def publisher(
    clock: FakeClock,
    sink: ListSink,
    *,
    speed: float = 1.0,
    stamps: Stamps | None = None,
    beats: Beats = NEVER,
    tail: Tail | None = None,
    stop: asyncio.Event | None = None,
) -> Publisher:
    return Publisher(
        sink,
        stamps or EventStamps(START_MS * MS, None),
        Timeline(speed, clock),
        clock,
        tail=tail,
        beats=beats,
        stop=stop,
    )


@pytest.mark.parametrize("speed", [1.0, 2.0, 60.0])
async def test_ticks_leave_when_they_are_due_and_lateness_does_not_add_up(speed: float) -> None:
    clock = FakeClock(lag=0.004)
    sink = ListSink(clock)
    times = [i * 0.5 for i in range(200)]

    await publisher(clock, sink, speed=speed).play(seconds(*times))

    start = sink.ticks[0].wall_ns
    late = [
        (sent.wall_ns - start) / SECOND - at / speed
        for sent, at in zip(sink.ticks, times, strict=True)
    ]
    assert min(late) >= -1e-6
    # One turn and one lag at most, at the end of the recording as at its start.
    assert max(late) <= 0.007
    assert [sent.tick.price for sent in sink.ticks] == [str(i + 1) for i in range(200)]


async def test_a_late_replay_catches_up_in_order() -> None:
    clock = FakeClock()
    sink = ListSink(clock)
    stream = seconds(*(i * 0.01 for i in range(1_000)))

    def one_long_pause() -> None:
        if len(sink.sent) == 100:
            clock.now_ns += 3 * SECOND

    clock.after_sleep = one_long_pause
    await publisher(clock, sink).play(stream)

    start = sink.ticks[0].wall_ns
    assert (sink.ticks[-1].wall_ns - start) / SECOND == pytest.approx(9.99, abs=0.01)
    assert [sent.tick.price for sent in sink.ticks] == [str(i + 1) for i in range(1_000)]


@pytest.mark.parametrize("speed", [0.0, float("inf")])
async def test_unlimited_speed_waits_for_nothing(speed: float) -> None:
    clock = FakeClock()
    sink = ListSink(clock)
    await publisher(clock, sink, speed=speed).play(seconds(0, 86_400, 172_800))
    assert [sent.wall_ns for sent in sink.ticks] == [5 * SECOND] * 3


@pytest.mark.parametrize("speed", [-1.0, float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="a positive number, or 0"):
        Timeline(speed, FakeClock())


async def test_a_beat_repeats_all_prices_each_second_and_one_each_tenth() -> None:
    clock = FakeClock()
    sink = ListSink(clock)
    both = [
        Quote(START_MS * MS, "BTC-USD", "index", "60000"),
        Quote(START_MS * MS, "BTC-USDT-SWAP", "mark", "59990"),
    ]
    end = Quote(START_MS * MS + 960 * 2 * SECOND, "BTC-USD", "index", "50000")

    await publisher(clock, sink, speed=960, beats=Beats()).play(Quotes([*both, end]))

    walls = sorted({sent.wall_ns for sent in sink.beats})
    assert all(b - a <= 0.11 * SECOND for a, b in pairwise(walls))
    whole = [wall for wall in walls if sum(s.wall_ns == wall for s in sink.beats) == 2]
    assert len(whole) in {1, 2}
    assert {sent.key for sent in sink.beats} == {b"BTC-USD", b"BTC-USDT-SWAP"}
    # Repeats bear the recorded time that the wall has reached, so the event clock goes on.
    start = sink.sent[0].wall_ns
    for sent in sink.beats:
        reached = START_MS + (sent.wall_ns - start) / MS * 960
        assert sent.tick.ts == pytest.approx(reached, abs=2)
    stamps = [sent.tick.ts for sent in sink.sent]
    assert stamps == sorted(stamps)


async def test_a_late_beat_is_never_newer_than_a_tick_still_to_come() -> None:
    clock = FakeClock()
    # Each message takes a millisecond: a tenth of the speed that is asked for.
    sink = ListSink(clock, cost_ns=MS)
    times = [i * 0.001 for i in range(1_000)]

    await publisher(clock, sink, speed=10, beats=Beats(0.05, 0.01)).play(seconds(*times))

    assert len(sink.beats) > 10
    # A tick behind a newer beat would have been moved up to it, and would say so in its header.
    assert [sent.tick.ts - START_MS for sent in sink.ticks] == list(range(1_000))
    assert all(not sent.headers for sent in sink.ticks)
    stamps = [sent.tick.ts for sent in sink.sent]
    assert stamps == sorted(stamps)


async def test_px_5_seq_rises_per_symbol_and_goes_on_from_the_topic() -> None:
    clock = FakeClock()
    sink = ListSink(clock)
    tail = Tail(newest_ms=None, seqs={"BTC-USD": 41})

    await publisher(clock, sink, beats=Beats(0.3, 0.1), tail=tail).play(seconds(0, 1, 2))

    seqs = [sent.tick.seq for sent in sink.sent]
    assert seqs == list(range(42, 42 + len(seqs)))


async def test_px_5_an_older_file_is_moved_as_a_whole_past_what_the_topic_holds() -> None:
    clock = FakeClock()
    sink = ListSink(clock)
    stamps = EventStamps(START_MS * MS, newest_ms=START_MS + 90_000)

    await publisher(clock, sink, stamps=stamps).play(seconds(0, 1, 2.5))

    assert [sent.tick.ts - START_MS for sent in sink.ticks] == [90_001, 91_001, 92_501]
    assert [int(sent.headers["original-ts"]) - START_MS for sent in sink.ticks] == [0, 1_000, 2_500]


async def test_a_newer_file_keeps_its_times() -> None:
    clock = FakeClock()
    sink = ListSink(clock)
    stamps = EventStamps(START_MS * MS, newest_ms=START_MS - 1)

    await publisher(clock, sink, stamps=stamps).play(seconds(0, 1))

    assert [sent.tick.ts - START_MS for sent in sink.ticks] == [0, 1_000]
    assert all(not sent.headers for sent in sink.ticks)


async def test_on_the_wall_clock_ticks_bear_the_moment_of_publishing() -> None:
    clock = FakeClock()
    sink = ListSink(clock)

    await publisher(clock, sink, speed=2, stamps=WallStamps(clock, None)).play(seconds(0, 1, 2))

    for sent in sink.ticks:
        assert sent.tick.ts == START_MS + sent.wall_ns // MS
    assert [int(sent.headers["original-ts"]) - START_MS for sent in sink.ticks] == [0, 1_000, 2_000]


async def test_on_the_wall_clock_a_topic_ahead_of_the_wall_is_not_undercut() -> None:
    clock = FakeClock()
    sink = ListSink(clock)
    ahead = START_MS + 3_600_000

    await publisher(clock, sink, stamps=WallStamps(clock, ahead)).play(seconds(0, 1))

    assert [sent.tick.ts for sent in sink.ticks] == [ahead + 1, ahead + 1]


@pytest.mark.parametrize(("speed", "event_seconds"), [(10.0, 20.0), (0.0, 2.0)])
async def test_hold_goes_on_beating_after_the_last_tick(speed: float, event_seconds: float) -> None:
    clock = FakeClock()
    sink = ListSink(clock)

    await publisher(clock, sink, speed=speed, beats=Beats(hold=2.0)).play(seconds(0, 1))

    last = sink.ticks[-1]
    after = [sent for sent in sink.beats if sent.wall_ns > last.wall_ns]
    assert len(after) >= 19
    assert {sent.tick.price for sent in after} == {"2"}
    assert after[-1].tick.ts - last.tick.ts == pytest.approx(event_seconds * 1_000, rel=0.1)


async def test_stop_ends_at_once_and_keeps_the_order() -> None:
    clock = FakeClock()
    sink = ListSink(clock)
    stop = asyncio.Event()

    def stop_after_ten() -> None:
        if len(sink.ticks) >= 10:
            stop.set()

    clock.after_sleep = stop_after_ten
    playing = publisher(clock, sink, stop=stop, beats=Beats(hold=60))
    await playing.play(seconds(*range(1_000)))

    assert playing.published == len(sink.ticks) == 10


async def test_progress_tells_where_the_replay_is() -> None:
    clock = FakeClock()
    sink = ListSink(clock)
    told: list[Progress] = []
    playing = Publisher(
        sink,
        EventStamps(START_MS * MS, None),
        Timeline(1.0, clock),
        clock,
        beats=NEVER,
        progress=told.append,
    )
    await playing.play(seconds(*(i * 0.1 for i in range(101))))

    assert told[-1].published == 101
    assert told[-1].total == 101
    assert told[-1].fraction == 1.0
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert any(0.4 < fraction < 0.6 for fraction in fractions)
    steady = [progress.rate for progress in told[1:-1]]
    assert all(rate == pytest.approx(10, abs=3) for rate in steady)
