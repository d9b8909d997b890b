"""Recorded ticks, played back on the tick topic; and a synthetic market where there is no file."""

from streams.replay.clock import ClockName
from streams.replay.dated_marks import DatedMarks, Listed, ListedFuture, ListedOption
from streams.replay.exceptions import (
    RecordingError,
    ReplayError,
    SymbolMapError,
    TopicError,
    UnknownLayoutError,
)
from streams.replay.mapping import SymbolMap, load_map
from streams.replay.market import SyntheticMarket
from streams.replay.publisher import Beats, Progress, ProgressCallback
from streams.replay.recorded import RecordedStream, open_stream, opening_prices
from streams.replay.run import (
    Pace,
    PlayReport,
    ReplayReport,
    ReplaySettings,
    Target,
    play,
    replay,
)
from streams.replay.ticks import Kind, Point, Quote, QuoteStream

__all__ = [
    "Beats",
    "ClockName",
    "DatedMarks",
    "Kind",
    "Listed",
    "ListedFuture",
    "ListedOption",
    "Pace",
    "PlayReport",
    "Point",
    "Progress",
    "ProgressCallback",
    "Quote",
    "QuoteStream",
    "RecordedStream",
    "RecordingError",
    "ReplayError",
    "ReplayReport",
    "ReplaySettings",
    "SymbolMap",
    "SymbolMapError",
    "SyntheticMarket",
    "Target",
    "TopicError",
    "UnknownLayoutError",
    "load_map",
    "open_stream",
    "opening_prices",
    "play",
    "replay",
]
