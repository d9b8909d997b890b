"""Ticks gathered into runs for the screen, and the price book that follows them.

What every tick costs is paid once for a batch; where a run stops in the middle of it, the next one goes on
with what is gathered.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.engine.batch import TickBatch
from monitor.prices import PriceBook, TickLike
from monitor.reference import Reference
from monitor.watch import Watch
from monitor.watch.state import Floats

__all__ = ["Gathering", "Market", "Run"]

Integers = NDArray[np.int64]


class Market(Protocol):
    """What gathering ticks needs of the engine."""

    prices: PriceBook
    watch: Watch
    reference: Reference
    now: int

    def tick_over(self, now: int) -> int:
        """Let time be at least `now`; return it."""

    def next_deadline(self) -> int | None:
        """Return when the earliest deadline comes."""


class _Stretch(NamedTuple):
    """A batch from `begin` on, up to the first tick of a symbol that never had a price."""

    batch: TickBatch[TickLike]
    reference: Reference
    begin: int
    end: int
    clock: list[int]
    """By tick: the highest event time from `begin` to it."""
    places: list[int]
    """Where in the batch those ticks stand that are not older than what came before (PX-5)."""
    keys: list[str]
    ticks: Floats
    stamps: Integers
    """Price key, (row, price) and event time of each of these."""


class Run(NamedTuple):
    """Ticks of one stretch that the screen may take at once."""

    stretch: _Stretch
    begin: int
    end: int
    """From where to where in the batch."""
    first: int
    last: int
    """The same among those that are not older."""

    @property
    def ticks(self) -> Floats:
        """(row, price) of each tick that is not older."""
        return self.stretch.ticks[self.first : self.last]

    def place(self, number: int) -> int:
        """Return where in the batch the tick at position `number` of `ticks` stands."""
        return self.stretch.places[self.first + number]


class Gathering:
    """Gathers ticks for an engine, and lets its price book and clock follow what was taken of them."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._known: dict[tuple[str, str], tuple[str, int]] = {}
        """Symbol and kind → price key and row, for symbols that had a price."""
        self._stretch: _Stretch | None = None
        self._next = 0
        """Where the stretch goes on, if no other tick comes between."""

    def learn(self, tick: TickLike, key: str, row: int) -> None:
        """Note the row of a symbol that has had a price now."""
        self._known[tick.symbol, tick.kind] = key, row

    def run(self, batch: TickBatch[TickLike], begin: int, now: int | None) -> Run | None:
        """Return the longest run from `begin` on; None where that tick has to be taken apart.

        It ends before the first tick of a new symbol, with the first that brings a deadline, and with
        the first that a guard must hear of.
        """
        market = self._market
        if market.reference.policy.jump_guard:
            self._stretch = None
            return None
        stretch = self._stretch
        if (
            stretch is None
            or stretch.batch is not batch
            or stretch.reference is not market.reference
            or begin != self._next
            or begin >= stretch.end
        ):
            stretch = self._stretch = self._gather(batch, begin)
        if stretch.end == begin:
            return None
        end = self._until_deadline(stretch, begin, now)
        places = stretch.places
        first, last = bisect_left(places, begin), bisect_left(places, end)
        hearing = market.watch.hearing
        if hearing is not None:
            heard = first + hearing.first(stretch.ticks[first:last], stretch.stamps[first:last]) + 1
            if heard <= last:
                last, end = heard, places[heard - 1] + 1
        return Run(stretch, begin, end, first, last)

    def take(self, run: Run, end: int, now: int | None) -> None:
        """Let the price book follow what the watch has taken of a run, up to `end` in the batch."""
        market, stretch = self._market, run.stretch
        batch, policy = stretch.batch, market.reference.policy
        self._next = end
        last = run.last if end == run.end else bisect_left(stretch.places, end)
        taken = slice(run.first, last)
        if market.watch.hearing is not None:
            market.watch.hearing.follow(stretch.ticks[taken], stretch.stamps[taken])
        if market.prices.takes_each(policy):
            for tick, offset in batch[run.begin : end]:
                at = market.tick_over(tick.ts if now is None else now)
                market.prices.take(tick, offset, policy, at)
            return
        newest = dict(zip(stretch.keys[taken], stretch.places[taken], strict=True))
        older = end - run.begin - (last - run.first)
        ticks, offsets = batch.ticks, batch.offsets
        market.prices.take_newest(
            {key: (ticks[place], offsets[place]) for key, place in newest.items()}, older
        )
        market.tick_over(stretch.clock[end - 1 - stretch.begin] if now is None else now)

    # -- inside -------------------------------------------------------------------------------

    def _gather(self, batch: TickBatch[TickLike], begin: int) -> _Stretch:
        known, prices = self._known, self._market.prices.prices
        ticks = batch.ticks[begin:]
        entries = [known.get((tick.symbol, tick.kind)) for tick in ticks]
        places: list[int] = []
        keys: list[str] = []
        rows: list[int] = []
        stamps: dict[str, tuple[int, int]] = {}
        end = begin
        for entry, tick in zip(entries, ticks, strict=True):
            if entry is None:
                break
            key, row = entry
            last = stamps.get(key)
            if last is None:
                price = prices[key]
                last = price.ts, price.seq
            stamp = tick.ts, tick.seq
            if stamp > last:  # PX-5
                stamps[key] = stamp
                places.append(end)
                keys.append(key)
                rows.append(row)
            end += 1
        found = np.empty((len(rows), 2))
        found[:, 0] = rows
        if len(places) == end - begin:
            found[:, 1] = batch.values[begin:end]
        else:
            found[:, 1] = [batch.values[place] for place in places]
        clock = list(accumulate(batch.ts[begin:end], max))
        times = np.array([batch.ts[place] for place in places], dtype=np.int64)
        return _Stretch(
            batch, self._market.reference, begin, end, clock, places, keys, found, times
        )

    def _until_deadline(self, stretch: _Stretch, begin: int, now: int | None) -> int:
        """Return the position after the first tick with which a deadline comes, or the stretch's end."""
        market = self._market
        deadline = market.next_deadline()
        if deadline is None:
            return stretch.end
        if max(market.now, now or 0) >= deadline:
            return begin + 1
        if now is not None:
            return stretch.end
        passed = bisect_left(stretch.clock, deadline, begin - stretch.begin)
        return min(stretch.end, stretch.begin + passed + 1)
