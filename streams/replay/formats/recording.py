"""One recorded file, looked through once and then read in time order as often as wanted."""

import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa

from streams.replay.exceptions import RecordingError, ReplayError
from streams.replay.formats import source as files
from streams.replay.formats.columns import BadRows, Decoder
from streams.replay.formats.layouts import Layout, columns_of, layout_of, series_from_name
from streams.replay.formats.sorting import in_time_order
from streams.replay.ticks import Point

CHUNK_POINTS = 4_096


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of recorded prices.

    `counts` says how many points the good rows give by series (a bar gives four), in the order in
    which the series appear; times are epoch nanoseconds; `bad` holds the rows that were left out.
    """

    path: Path
    layout: str
    counts: Mapping[str, int]
    first_ns: int
    last_ns: int
    ordered: bool
    bad: BadRows
    _reader: "_Reader"

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the series."""
        return tuple(self.counts)

    @property
    def points(self) -> int:
        """Points of all series together."""
        return sum(self.counts.values())

    def chunks(self) -> Iterator[list[Point]]:
        """Yield every point in time order; each call begins again."""
        batches = self._reader.batches(only_check=False, bad=BadRows())
        if self.ordered:
            for batch in batches:
                for start in range(0, len(batch), CHUNK_POINTS):
                    yield batch[start : start + CHUNK_POINTS]
            return
        ordered = in_time_order(chain.from_iterable(batches))
        while chunk := list(islice(ordered, CHUNK_POINTS)):
            yield chunk


def open_recording(path: Path) -> Recording:
    """Recognise the file's packing and layout and look through it once.

    Raises UnknownLayoutError when its columns are not known, RecordingError when it cannot be
    read or holds no usable row.
    """
    try:
        return _look_through(path)
    except ReplayError as error:
        if str(error).startswith(str(path.name)) or str(error).startswith(str(path)):
            raise
        raise type(error)(f"{path.name}: {error}") from error
    except (pa.ArrowException, zipfile.BadZipFile, OSError, EOFError) as error:
        raise RecordingError(f"{path.name}: not readable: {error}") from error


def _look_through(path: Path) -> Recording:
    reader = _Reader.of(path)
    bad = BadRows()
    counts: Counter[str] = Counter()
    first: int | None = None
    latest = highest = 0
    ordered = True
    for batch in reader.batches(only_check=True, bad=bad):
        for at, name, _ in batch:
            ordered = ordered and at >= latest
            latest = at
            highest = max(highest, at)
            first = at if first is None or at < first else first
            counts[name] += 1
    if first is None:
        raise RecordingError(
            f"{path.name}: no usable row ({reader.layout.name}, {bad.count} bad rows); "
            + "; ".join(bad.samples)
        )
    return Recording(
        path=path,
        layout=reader.layout.name,
        counts=counts,
        first_ns=first,
        last_ns=highest,
        ordered=ordered,
        bad=bad,
        _reader=reader,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    source: files.Source
    layout: Layout
    columns: tuple[str, ...]
    header: bool
    series: str | None

    @classmethod
    def of(cls, path: Path) -> "_Reader":
        source = files.sniff(path)
        if source.packing == "parquet":
            columns, header = files.parquet_columns(source), False
        else:
            columns, header = columns_of(source.first_row())
        layout = layout_of(columns)
        series = series_from_name(path, source.member) if layout.symbol is None else None
        return cls(source, layout, tuple(columns), header, series)

    def batches(self, *, only_check: bool, bad: BadRows) -> Iterator[list[Point]]:
        decoder = Decoder(self.layout, self.series, only_check)
        wanted = self._wanted
        if self.source.packing == "parquet":
            done = 0
            for batch in files.read_parquet(self.source, wanted):
                yield decoder.decode(batch, bad, self._row_place(done))
                done += batch.num_rows
            return
        lines = _Lines(self.source.path.name, 2 if self.header else 1)
        rows = files.read_csv(
            self.source,
            self.columns,
            wanted,
            header=self.header,
            on_bad_line=lambda line, reason: bad.add(lines.skipped(line), reason),
        )
        for batch in rows:
            yield decoder.decode(batch, bad, lines.place)
            lines.advance(batch.num_rows)

    @property
    def _wanted(self) -> tuple[str, ...]:
        layout = self.layout
        named = (layout.symbol, layout.time, layout.until, *layout.prices)
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def _row_place(self, done: int) -> Callable[[int], str]:
        return lambda row: f"{self.source.path.name} row {done + row + 1}"


class _Lines:
    """Line numbers of rows in a CSV file from which single lines were skipped."""

    def __init__(self, name: str, first: int) -> None:
        self._name = name
        # Line of the next row, and the lines beyond it that gave no row.
        self._next = first
        self._skipped: list[int] = []

    def skipped(self, line: int) -> str:
        self._skipped.append(line)
        return f"{self._name} line {line}"

    def place(self, row: int) -> str:
        return f"{self._name} line {self._line(row)}"

    def advance(self, rows: int) -> None:
        self._next = self._line(rows)
        self._skipped = [line for line in self._skipped if line >= self._next]

    def _line(self, row: int) -> int:
        line = self._next + row
        for skipped in self._skipped:
            if skipped > line:
                break
            line += 1
        return line
