"""Prices as float arrays over all ticks, with the extremes of blocks, for the screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.verify.market import VIA, Market

__all__ = ["BLOCKS", "FloatPrices", "Floats", "Ints", "Row"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
BLOCKS = (2048, 64)
"""Ticks a block, coarse to fine."""


@dataclass(slots=True)
class Row:
    """One price at every tick; NaN before its first. Extremes are by block size."""

    values: Floats
    changed: Flags
    """By tick, whether the value is another one than before."""
    low: dict[int, Floats]
    high: dict[int, Floats]
    largest: float
    smallest: float
    since: int
    """The first tick at which there is a price."""


class FloatPrices:
    """Rows by name: a currency's USD index (`BTC`), a derivative's mark (`BTC-USDT-SWAP/mark`)."""

    def __init__(self, market: Market, blocks: tuple[int, ...] = BLOCKS) -> None:
        self._market = market
        self.blocks = blocks
        self._offsets = np.asarray(market.offsets, dtype=np.int64)
        self.ticks = len(market.offsets)
        self.clock = np.asarray(market.clock, dtype=np.int64)
        self.appended = np.maximum.accumulate(np.asarray(market.appended, dtype=np.int64))
        self._rows: dict[str, Row] = {}
        self._series: dict[str, tuple[Ints, Ints]] = {}
        """Offsets and times of symbol/kind, converted once."""

    def at(self, offset: int) -> int:
        """Return the index of the last tick up to `offset`, -1 before the first."""
        return int(np.searchsorted(self._offsets, offset, side="right")) - 1

    def offset(self, index: int) -> int:
        """Return the offset of the tick at `index`."""
        return int(self._offsets[index])

    def row(self, name: str) -> Row:
        """Return the row of a name, made on first use."""
        row = self._rows.get(name)
        if row is None:
            values = self._symbol(name) if "/" in name else self._index(name)
            row = self._rows[name] = self._built(values)
        return row

    def since(self, names: Iterable[str]) -> int:
        """Return the first tick at which all of these rows have a price."""
        return max((self.row(name).since for name in names), default=0)

    def changed(self, names: Iterable[str], ticks: Ints) -> Flags:
        """Return by tick whether any of these rows changes there."""
        flags = np.zeros(ticks.shape, dtype=bool)
        for name in names:
            flags |= self.row(name).changed[ticks]
        return flags

    def ages(self, key: str, ticks: Ints) -> Ints:
        """Return by tick how old the price of symbol/kind is on the event clock, in ms."""
        if key not in self._series:
            series = self._market.series[key]
            self._series[key] = (
                np.asarray(series.offsets, dtype=np.int64),
                np.asarray(series.times, dtype=np.int64),
            )
        offsets, times = self._series[key]
        places = np.searchsorted(offsets, self._offsets[ticks], side="right")
        return self.clock[ticks] - times[np.maximum(places - 1, 0)]

    def extremes(self, name: str, first: int, last: int) -> tuple[float, float]:
        """Return the lowest and highest price from `first` to `last`, or of a bit more."""
        row, size = self.row(name), self.blocks[0]
        if last - first < 4 * size:
            part = row.values[first : last + 1]
            return float(np.fmin.reduce(part)), float(np.fmax.reduce(part))
        blocks = slice(first // size, last // size + 1)
        return float(np.fmin.reduce(row.low[size][blocks])), float(
            np.fmax.reduce(row.high[size][blocks])
        )

    def _symbol(self, key: str) -> Floats:
        series = self._market.series.get(key)
        if series is None or not series.offsets:
            return np.full(self.ticks, np.nan)
        places = np.searchsorted(self._offsets, np.asarray(series.offsets, dtype=np.int64))
        lengths = np.diff(np.append(places, self.ticks))
        prices = np.asarray([float(price) for price in series.prices])
        return np.concatenate([np.full(places[0], np.nan), np.repeat(prices, lengths)])

    def _index(self, currency: str) -> Floats:
        """PX-2, tick by tick: a route serves until one that ranks before it has a price."""
        if currency == "USD":
            return np.ones(self.ticks)
        values = self._symbol(f"{currency}-USD/index")
        for via in VIA:
            key = f"{currency}-{via}/index"
            if via != currency and key in self._market.series and np.isnan(values).any():
                routed = self._symbol(key) * self._symbol(f"{via}-USD/index")
                values = np.where(np.isnan(values), routed, values)
        return values

    def _built(self, values: Floats) -> Row:
        before = np.concatenate([[np.nan], values[:-1]])
        differs = (values != before) & ~np.isnan(values)
        low, high = {}, {}
        for size in self.blocks:
            count = -(-self.ticks // size)
            padded = np.full(count * size, np.nan)
            padded[: self.ticks] = values
            blocks = padded.reshape(count, size)
            low[size] = np.fmin.reduce(blocks, axis=1)
            high[size] = np.fmax.reduce(blocks, axis=1)
        known = values[~np.isnan(values)]
        return Row(
            values,
            differs,
            low,
            high,
            float(known.max()) if known.size else 0.0,
            float(known.min()) if known.size else 1.0,
            int(np.argmin(np.isnan(values))) if known.size else self.ticks,
        )
