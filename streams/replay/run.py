"""The two ways in: a recorded file (`replay`), or any stream of quotes (`play`)."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.replay.clock import ClockName, EventStamps, SystemClock, Timeline, WallStamps
from streams.replay.formats import BadRows
from streams.replay.mapping import SymbolMap
from streams.replay.publisher import TURN_SECONDS, Beats, ProgressCallback, Publisher
from streams.replay.recorded import RecordedStream, open_stream
from streams.replay.sink import KafkaSink
from streams.replay.tail import read_tail
from streams.replay.ticks import QuoteStream


@dataclass(frozen=True, slots=True)
class Target:
    """A Kafka and a topic prefix; `security` goes to aiokafka as it is."""

    brokers: str
    prefix: str = ""
    security: Mapping[str, Any] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        """Name of the tick topic."""
        return f"{self.prefix}ticks"


@dataclass(frozen=True, slots=True)
class Pace:
    """Recorded seconds per wall second (0 or infinity: as fast as possible) and the ticks' clock.

    `event` keeps recorded times, moved forward as a whole past what the topic holds; `wall`
    stamps the moment of publishing. Ticks due within `turn_seconds` leave together: broker and
    readers pay for each request, not for each tick.
    """

    speed: float = 1.0
    clock: ClockName = "event"
    beats: Beats = field(default_factory=Beats)
    turn_seconds: float = TURN_SECONDS

    def __post_init__(self) -> None:
        if not self.speed >= 0:
            raise ValueError(f"speed {self.speed}: a positive number, or 0 for no limit")

    @property
    def time_scale(self) -> float:
        """What deadlines on the event clock are multiplied by at this pace."""
        if self.clock == "wall" or not 0 < self.speed < math.inf:
            return 1.0
        return self.speed


@dataclass(frozen=True, slots=True)
class PlayReport:
    """What was published: ticks and repeats apart, `ts` in epoch milliseconds, wall seconds.

    `shift_ms` is how far recorded times were moved forward; `stopped`: before the end.
    """

    published: int
    beats: int
    shift_ms: int
    last_ts: int | None
    seconds: float
    stopped: bool

    @property
    def rate(self) -> float:
        """Ticks per wall second."""
        return self.published / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """A file, how to read it, where to publish it and how fast."""

    file: Path
    target: Target
    pace: Pace = field(default_factory=Pace)
    symbol_map: SymbolMap | Path | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a file gave and what was published of it.

    `points` are recorded, `interpolated` were put between; a point becomes as many ticks as its
    series feeds symbols. `unmapped`: points by series that feeds none.
    """

    layout: str
    series: tuple[str, ...]
    symbols: tuple[str, ...]
    points: int
    interpolated: int
    bad: BadRows
    unmapped: Mapping[str, int]
    played: PlayReport


async def replay(
    settings: ReplaySettings,
    *,
    progress: ProgressCallback | None = None,
    stop: asyncio.Event | None = None,
) -> ReplayReport:
    """Publish a recorded file; setting `stop` ends it at once.

    Raises ReplayError when the file, the map or the topic cannot be used.
    """
    stream = await asyncio.to_thread(
        open_stream, settings.file, settings.symbol_map, raw=settings.raw
    )
    return await replay_stream(stream, settings, progress=progress, stop=stop)


async def replay_stream(
    stream: RecordedStream,
    settings: ReplaySettings,
    *,
    progress: ProgressCallback | None = None,
    stop: asyncio.Event | None = None,
) -> ReplayReport:
    """Publish a file that is open already, as `replay` does."""
    played = await play(stream, settings.target, settings.pace, progress=progress, stop=stop)
    recording = stream.recording
    return ReplayReport(
        layout=recording.layout,
        series=recording.series,
        symbols=tuple(symbol for symbol, _ in stream.symbols),
        points=recording.points,
        interpolated=stream.interpolated,
        bad=recording.bad,
        unmapped=stream.unmapped,
        played=played,
    )


async def play(
    stream: QuoteStream,
    target: Target,
    pace: Pace,
    *,
    progress: ProgressCallback | None = None,
    stop: asyncio.Event | None = None,
) -> PlayReport:
    """Publish a stream of quotes; setting `stop` ends it at once.

    The topic is read first: times and sequence numbers go on from what it holds, so that nothing
    is dropped as old (PX-5). Raises TopicError when it cannot be read or written.
    """
    stop = stop if stop is not None else asyncio.Event()
    clock = SystemClock()
    tail = await read_tail(target.brokers, target.topic, target.security)
    stamps: EventStamps | WallStamps = (
        EventStamps(stream.first_ns, tail.newest_ms)
        if pace.clock == "event"
        else WallStamps(clock, tail.newest_ms)
    )
    started = clock.monotonic_ns()
    async with KafkaSink(target.brokers, target.topic, target.security) as sink:
        publisher = Publisher(
            sink,
            stamps,
            Timeline(pace.speed, clock),
            clock,
            tail=tail,
            beats=pace.beats,
            progress=progress,
            stop=stop,
            turn_seconds=pace.turn_seconds,
        )
        await publisher.play(stream)
    return PlayReport(
        published=publisher.published,
        beats=publisher.repeated,
        shift_ms=stamps.shift_ms,
        last_ts=publisher.last_ts,
        seconds=(clock.monotonic_ns() - started) / 1e9,
        stopped=stop.is_set(),
    )
