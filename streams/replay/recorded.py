"""A recorded file as a stream of quotes: read, interpolated and mapped."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from streams.replay.formats import Recording, open_recording
from streams.replay.interpolate import Interpolator
from streams.replay.mapping import Mapper, SymbolMap, load_map
from streams.replay.ticks import Kind, Quote, QuoteStream


class RecordedStream:
    """Quotes of one file, as recorded (`raw`) or interpolated in steps of at most 0.1 %.

    Each iteration begins again; `interpolated` and `unmapped` count the latest one.
    """

    def __init__(self, recording: Recording, symbol_map: SymbolMap, *, raw: bool = False) -> None:
        self.recording = recording
        self._map = symbol_map
        self._raw = raw
        self._mapper = Mapper(symbol_map, recording.series)
        self._interpolator = Interpolator()

    @property
    def symbols(self) -> tuple[tuple[str, Kind], ...]:
        """Every symbol the file feeds, constants included."""
        return self._mapper.symbols

    @property
    def first_ns(self) -> int:
        """Recorded time of the first point, epoch nanoseconds."""
        return self.recording.first_ns

    @property
    def last_ns(self) -> int:
        """Recorded time of the last point, epoch nanoseconds."""
        return self.recording.last_ns

    @property
    def total(self) -> int | None:
        """How many quotes will come; unknown where points are put between."""
        return self._mapper.total(self.recording.counts) if self._raw else None

    @property
    def interpolated(self) -> int:
        """Points put between the recorded ones so far."""
        return self._interpolator.added

    @property
    def unmapped(self) -> Mapping[str, int]:
        """Points of series that feed no symbol, so far."""
        return Counter(self._mapper.unmapped)

    def __iter__(self) -> Iterator[Sequence[Quote]]:
        self._mapper = Mapper(self._map, self.recording.series)
        self._interpolator = Interpolator()
        points = self.recording.chunks()
        return self._mapper.quotes(points if self._raw else self._interpolator.chunks(points))


def open_stream(
    path: Path, symbol_map: SymbolMap | Path | None = None, *, raw: bool = False
) -> RecordedStream:
    """Open a recorded file; raise ReplayError when it, or the map, cannot be used."""
    known = load_map(symbol_map) if isinstance(symbol_map, Path) else symbol_map
    return RecordedStream(open_recording(path), known or SymbolMap(), raw=raw)


def opening_prices(stream: QuoteStream) -> dict[str, str]:
    """Return the first price of each symbol of a stream, by symbol."""
    prices: dict[str, str] = {}
    wanted = len(stream.symbols)
    for quote in chain.from_iterable(stream):
        prices.setdefault(quote.symbol, quote.price)
        if len(prices) == wanted:
            break
    return prices
