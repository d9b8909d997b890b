"""Columns into points: times to nanoseconds, prices to exact plain decimals, bad rows named."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streams.replay.formats.layouts import Layout, Shape
from streams.replay.ticks import Point

Mask = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]

# Bounded exponents and lengths: a damaged file must not expand into megabytes of digits.
_DECIMAL = r"^(\d{1,20}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?$"
_NOT_ZERO = r"^[0.]*[1-9]"
_NOT_PLAIN = r"[eE]|^\.|\.$"
_INTEGER = r"^\d{1,18}$|^[1-8]\d{18}$"
_NAME = r"^[\x21-\x7e]+$"
_SAMPLES = 5
# Holds the sum of two prices of the longest accepted form.
_EXACT = Context(prec=120)
_HALF = Decimal("0.5")


@dataclass(slots=True)
class BadRows:
    """Rows that give no price: how many, and the first few with their place and reason."""

    count: int = 0
    samples: list[str] = field(default_factory=list)

    def add(self, place: str, reason: str) -> None:
        """Count one bad row, and keep it when it is among the first few."""
        self.count += 1
        if len(self.samples) < _SAMPLES:
            self.samples.append(f"{place}: {reason}")

    def add_more(self, number: int) -> None:
        """Count rows beyond the first few, whose place nobody asks for."""
        self.count += number

    @property
    def room(self) -> int:
        """How many more samples are kept."""
        return _SAMPLES - len(self.samples)


@dataclass(frozen=True, slots=True)
class Decoder:
    """Turns batches of one file's layout into points.

    `series` names the series where no column does. `only_check` leaves the prices empty, which
    is enough for counting, order and the names of series.
    """

    layout: Layout
    series: str | None
    only_check: bool = False

    def decode(
        self, batch: pa.RecordBatch, bad: BadRows, place: Callable[[int], str]
    ) -> list[Point]:
        """Return the batch's points in the order of its rows; `place` names a row by its index."""
        layout = self.layout
        times, good = _times(batch.column(layout.time), layout.nanoseconds)
        checks = [(good, f"{layout.time} is not a time")]
        ends = times
        if layout.until is not None:
            ends, good = _times(batch.column(layout.until), layout.nanoseconds)
            checks.append((good, f"{layout.until} is not a time"))
        names: pa.Array | None = None
        if layout.symbol is not None:
            names = _text(batch.column(layout.symbol))
            checks.append((_matches(names, _NAME), f"{layout.symbol} is empty or unreadable"))
        texts = [_text(batch.column(name)) for name in layout.prices]
        checks.extend(self._price_checks(texts))
        keep: Mask = np.logical_and.reduce([good for good, _ in checks])
        if not keep.all():
            _report(batch, keep, checks, bad, place)
        rows = pa.array(np.flatnonzero(keep))
        at: list[int] = times[keep].tolist()
        series = [self.series or ""] * len(at) if names is None else _interned(names.take(rows))
        prices = [self._plain(text.take(rows)) for text in texts]
        match layout.shape:
            case Shape.PRICE:
                return list(map(Point, at, series, prices[0]))
            case Shape.MID:
                return list(map(Point, at, series, map(_middle, *prices)))
            case Shape.BAR:
                bars = zip(at, ends[keep].tolist(), series, zip(*prices, strict=True), strict=True)
                return [point for bar in bars for point in _along(*bar)]
            case Shape.MARK_AND_INDEX:
                sides = zip(at, series, zip(*prices, strict=True), strict=True)
                return [point for side in sides for point in _both(*side)]

    def _price_checks(self, texts: list[pa.Array]) -> Iterator[tuple[Mask, str]]:
        good = [_matches(text, _DECIMAL) & _matches(text, _NOT_ZERO) for text in texts]
        if self.layout.shape is Shape.MARK_AND_INDEX:
            empty = [_matches(text, "^$") for text in texts]
            good = [ok | none for ok, none in zip(good, empty, strict=True)]
            some: Mask = ~np.logical_and.reduce(empty)
            yield some, f"neither {' nor '.join(self.layout.prices)}"
        for name, ok in zip(self.layout.prices, good, strict=True):
            yield ok, f"{name} is not a positive decimal"

    def _plain(self, text: pa.Array) -> list[str]:
        if self.only_check:
            # Any price will do; those that are not there stay away.
            return ["1" if there else "" for there in pc.not_equal(text, "").to_pylist()]
        plain: list[str] = text.to_pylist()
        for row in np.flatnonzero(_matches(text, _NOT_PLAIN)).tolist():
            plain[row] = format(Decimal(plain[row]), "f")
        return plain


def _report(
    batch: pa.RecordBatch,
    keep: Mask,
    checks: list[tuple[Mask, str]],
    bad: BadRows,
    place: Callable[[int], str],
) -> None:
    wrong = np.flatnonzero(~(keep | _blank_rows(batch)))
    shown = wrong[: bad.room]
    for row in shown.tolist():
        reason = next(text for good, text in checks if not good[row])
        bad.add(place(row), f"{reason}: {_shown(batch, row)}")
    bad.add_more(len(wrong) - len(shown))


def _middle(bid: str, ask: str) -> str:
    both = _EXACT.add(Decimal(bid), Decimal(ask))
    return format(_EXACT.multiply(both, _HALF), "f")


def _along(start: int, end: int, series: str, prices: tuple[str, ...]) -> Iterator[Point]:
    """A bar as four points: a rising one goes through its low first, a falling one its high."""
    open_, high, low, close = prices
    second, third = (low, high) if Decimal(close) >= Decimal(open_) else (high, low)
    step = (end - start) // 3
    yield Point(start, series, open_)
    yield Point(start + step, series, second)
    yield Point(start + 2 * step, series, third)
    yield Point(end, series, close)


def _both(at: int, series: str, prices: tuple[str, ...]) -> Iterator[Point]:
    for side, price in zip(("mark", "index"), prices, strict=True):
        if price:
            yield Point(at, f"{series}/{side}", price)


def _times(column: pa.Array, nanoseconds: bool) -> tuple[Times, Mask]:
    """Epoch nanoseconds and which of them are times; the unit is told by the magnitude."""
    if pa.types.is_timestamp(column.type):
        column = pc.cast(pc.cast(column, pa.timestamp("ns", tz=column.type.tz)), pa.int64())
        nanoseconds = True
    elif not pa.types.is_integer(column.type):
        text = _text(column)
        digits = _matches(text, _INTEGER)
        column = pc.cast(pc.if_else(pa.array(digits), text, "0"), pa.int64())
    raw = pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(zero_copy_only=False)
    good: Mask = raw > 0
    if nanoseconds:
        return raw, good
    # Seconds stay below 1e11 until the year 5138, milliseconds and microseconds likewise.
    factor = np.select([raw < 10**11, raw < 10**14, raw < 10**17], [10**9, 10**6, 10**3], 1)
    return raw * factor, good


def _text(column: pa.Array) -> pa.Array:
    """The column as trimmed text; floats by their shortest form, nulls and non-text as empty."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        # What is no ASCII text becomes a byte that no name and no number may hold.
        readable = pc.match_substring_regex(column, r"^[\x20-\x7e\t]*$")
        column = pc.if_else(readable, column, pa.scalar(b"\x7f", column.type))
    text = pc.cast(column, pa.string())
    return pc.utf8_trim_whitespace(pc.fill_null(text, ""))


def _matches(text: pa.Array, pattern: str) -> Mask:
    mask: Mask = pc.match_substring_regex(text, pattern).to_numpy(zero_copy_only=False)
    return mask


def _interned(names: pa.Array) -> list[str]:
    """Series names as a list that shares one string a name."""
    coded = names.dictionary_encode()
    distinct: list[str] = coded.dictionary.to_pylist()
    return [distinct[i] for i in coded.indices.to_pylist()]


def _blank_rows(batch: pa.RecordBatch) -> Mask:
    blank: Mask = np.logical_and.reduce([_matches(_text(c), "^$") for c in batch.columns])
    return blank


def _shown(batch: pa.RecordBatch, row: int) -> str:
    cells: dict[str, Any] = {
        name: batch.column(i)[row].as_py() for i, name in enumerate(batch.schema.names)
    }
    return ", ".join(
        f"{name}={value.decode(errors='replace') if isinstance(value, bytes) else value}"
        for name, value in cells.items()
    )
