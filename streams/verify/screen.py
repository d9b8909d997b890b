"""Finding the ticks at which an account can have been at or below a level (H-2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from streams.verify.assessing import assess
from streams.verify.book import Book
from streams.verify.box import Box
from streams.verify.catalog import ReferenceSet
from streams.verify.figures import Figures, Unpriced
from streams.verify.float_isolated import IsolatedModel
from streams.verify.floats import FloatTables
from streams.verify.market import VIA, Market
from streams.verify.model import Model
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
        key: str | None = None,
    ) -> None:
        self.book, self._reference, self.key = book, reference, key
        self._prices, self._market = prices, market
        account = Model(book, reference, prices, tables)
        self._model: Model | IsolatedModel = account
        if key is not None:
            self._model = IsolatedModel(book, key, reference, prices, account)
        names = [*self._model.rows, *self._model.needs]
        self._keys = [*_symbols(names), *_forwards(names, reference)]
        self._since = prices.since(self._model.needs)
        """Before it a price lacks, whether or not the bounds tell of it."""
        self.assessed = 0

    def crossed(self, span: Span, below: Decimal | None, above: Decimal | None) -> Ints:
        """Return the ticks of the span at which the ratio is ≤ `below` or > `above`.

        Of ticks that repeat the prices before them only the first of the span is looked at.
        """
        nothing = np.empty(0, dtype=np.int64)
        span = Span(max(span.first, self._since), span.last)
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
        priced = ticks >= self._since
        if self._model.idle:  # no ratio at any price, which is above every level
            return ~np.isnan(equity) & priced if above is not None else surely
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
        surely &= priced
        for place in np.flatnonzero(near & priced & ~surely):
            ratio = self.ratio(int(ticks[place]))
            if isinstance(ratio, Unpriced):
                continue
            low = below is not None and ratio is not None and ratio <= below
            high = above is not None and (ratio is None or ratio > above)
            surely[place] = low or high
        return surely

    def figures(self, tick: int) -> Figures | Unpriced:
        """Return the exact figures at a tick."""
        self.assessed += 1
        quotes = self._market.quotes(self._prices.offset(tick), self._keys)
        figures = assess(self.book, quotes, self._reference)
        return figures if isinstance(figures, Unpriced) else figures.of(self.key)

    def ratio(self, tick: int) -> Decimal | Unpriced | None:
        """Return the exact ratio at a tick."""
        figures = self.figures(tick)
        return figures if isinstance(figures, Unpriced) else figures.ratio

    def used(self, tick: int) -> frozenset[str]:
        """Return the symbol/kind of every price that the figures at a tick are made of."""
        names = [*self._model.rows, *self._model.needs, *self.book.balances]
        keys = [*_symbols(names), *_forwards(names, self._reference)]
        quotes = self._market.quotes(self._prices.offset(tick), keys)
        figures = assess(self.book, quotes, self._reference)
        return frozenset() if isinstance(figures, Unpriced) else figures.of(self.key).used

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


def _forwards(rows: list[str], reference: ReferenceSet) -> list[str]:
    """Return the marks that may serve as forwards of the options among the rows (MM-3)."""
    found: dict[str, None] = {}
    for name in rows:
        spec = reference.instruments.get(name.removesuffix("/mark"))
        if spec is not None and spec.kind == "option":
            futures = reference.futures_of(spec.underlying, spec.expiry)
            found.update(dict.fromkeys(f"{future}/mark" for future in futures))
    return list(found)
