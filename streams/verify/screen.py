"""Finding the ticks at which an account can have been at or below a level (H-2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from streams.verify.book import Book
from streams.verify.catalog import ReferenceSet
from streams.verify.figures import Unpriced, assess
from streams.verify.floats import FloatTables
from streams.verify.market import VIA, Market
from streams.verify.model import Box, Model
from streams.verify.prices import Flags, FloatPrices, Ints

__all__ = ["Screen", "Span"]


@dataclass(frozen=True, slots=True)
class Span:
    """Tick indices `first` to `last`, both included."""

    first: int
    last: int


class Screen:
    """One book under one reference set: screened in floats, assessed exactly near a level."""

    def __init__(
        self,
        book: Book,
        reference: ReferenceSet,
        prices: FloatPrices,
        market: Market,
        tables: FloatTables,
    ) -> None:
        self._book, self._reference = book, reference
        self._prices, self._market = prices, market
        self._model = Model(book, reference, prices, tables)
        self._keys = _symbols(self._model.rows)
        self.assessed = 0

    def crossed(self, span: Span, below: Decimal | None, above: Decimal | None) -> Ints:
        """Return the ticks of the span at which the ratio is ≤ `below` or > `above`.

        Of ticks that repeat the prices before them only the first of the span is looked at.
        """
        nothing = np.empty(0, dtype=np.int64)
        if span.first > span.last:
            return nothing
        if above is None and (below is None or self._clear(span, below)):
            return nothing
        ticks = self._candidates(span, below, above)
        if not ticks.size:
            return nothing
        return ticks[self.bad(ticks, below, above)]

    def bad(self, ticks: Ints, below: Decimal | None, above: Decimal | None) -> Flags:
        """Return by tick whether the ratio is ≤ `below` or > `above`, exactly."""
        equity, requirement = self._model.bounds(self._at(ticks))
        equity = np.broadcast_to(equity, ticks.shape)
        requirement = np.broadcast_to(requirement, ticks.shape)
        surely = np.zeros(ticks.shape, dtype=bool)
        near = np.zeros(ticks.shape, dtype=bool)
        if self._model.idle:  # no ratio at any price, which is above every level
            return ~np.isnan(equity) if above is not None else surely
        none = requirement <= self._model.margin
        for level, under in ((below, True), (above, False)):
            if level is None:
                continue
            slack = equity - float(level) * requirement
            margin = self._model.margin * (1 + float(level))
            far = slack < -margin if under else slack > margin
            surely |= far & ~none if under else far
            near |= np.abs(slack) <= margin
            if under:
                near |= far & none
        for place in np.flatnonzero(near & ~surely):
            ratio = self.ratio(int(ticks[place]))
            if isinstance(ratio, Unpriced):
                continue
            low = below is not None and ratio is not None and ratio <= below
            high = above is not None and (ratio is None or ratio > above)
            surely[place] = low or high
        return surely

    def ratio(self, tick: int) -> Decimal | Unpriced | None:
        """Return the exact ratio at a tick."""
        self.assessed += 1
        quotes = self._market.quotes(self._prices.offset(tick), self._keys)
        figures = assess(self._book, quotes, self._reference)
        return figures if isinstance(figures, Unpriced) else figures.ratio

    def oc_1(self, tick: int) -> bool:
        """Return whether the order test holds at a tick, so that orders must be cancelled."""
        self.assessed += 1
        quotes = self._market.quotes(self._prices.offset(tick), self._keys)
        figures = assess(self._book, quotes, self._reference)
        return not isinstance(figures, Unpriced) and figures.oc_1

    def used(self, tick: int) -> frozenset[str]:
        """Return the symbol/kind of every price that the figures at a tick are made of."""
        keys = _symbols([*self._model.rows, *self._book.balances])
        quotes = self._market.quotes(self._prices.offset(tick), keys)
        figures = assess(self._book, quotes, self._reference)
        return frozenset() if isinstance(figures, Unpriced) else figures.used

    def _at(self, ticks: Ints) -> Box:
        rows = {name: self._prices.row(name).values[ticks] for name in self._model.rows}
        return Box(rows, rows, single=True)

    def _candidates(self, span: Span, below: Decimal | None, above: Decimal | None) -> Ints:
        """Return the ticks that cannot be cleared by the extremes of their blocks."""
        ranges = [(span.first, span.last)]
        if above is None and below is not None:
            for size in self._prices.blocks:
                if sum(last - first + 1 for first, last in ranges) <= 3 * size:
                    break
                ranges = self._uncleared(ranges, size, below)
        if not ranges:
            return np.empty(0, dtype=np.int64)
        ticks = np.concatenate([np.arange(start, end + 1) for start, end in ranges])
        changed = self._prices.changed(self._model.rows, ticks)
        changed[0] = changed[0] or ticks[0] == span.first
        return ticks[changed]

    def _clear(self, span: Span, below: Decimal) -> bool:
        """Return whether even the worst of all prices in the span keeps the ratio above."""
        extremes = {
            name: self._prices.extremes(name, span.first, span.last) for name in self._model.rows
        }
        low = {name: pair[0] for name, pair in extremes.items()}
        high = {name: pair[1] for name, pair in extremes.items()}
        equity, requirement = self._model.bounds(Box(low, high, single=False))
        margin = self._model.margin * (1 + float(below))
        # Without a price (NaN) nothing is cleared.
        return bool(equity - float(below) * requirement > margin)

    def _uncleared(
        self, ranges: list[tuple[int, int]], size: int, below: Decimal
    ) -> list[tuple[int, int]]:
        blocks = np.unique(np.concatenate([np.arange(a // size, b // size + 1) for a, b in ranges]))
        rows = {name: self._prices.row(name) for name in self._model.rows}
        box = Box(
            {name: row.low[size][blocks] for name, row in rows.items()},
            {name: row.high[size][blocks] for name, row in rows.items()},
            single=False,
        )
        equity, requirement = self._model.bounds(box)
        slack = equity - float(below) * requirement
        margin = self._model.margin * (1 + float(below))
        keep = np.broadcast_to((slack <= margin) & (requirement > 0), blocks.shape)
        first, last = ranges[0][0], ranges[-1][1]
        return [
            (max(first, int(block) * size), min(last, int(block) * size + size - 1))
            for block in blocks[keep]
        ]


def _symbols(rows: list[str]) -> list[str]:
    keys = []
    for name in rows:
        if "/" in name:
            keys.append(name)
        elif name != "USD":
            keys.append(f"{name}-USD/index")
            for via in VIA:
                keys += [f"{name}-{via}/index", f"{via}-USD/index"]
    return list(dict.fromkeys(keys))
