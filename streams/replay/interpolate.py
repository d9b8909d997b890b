"""Sparse bars as a path of small steps: at most 0.1 % from one price to the next."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import count

from streams.replay.ticks import Point

# A step of one price to the next, as 1 / 1000 of the lower of the two.
_STEPS = 1000
# With fewer units than this in a price, steps of whole units waste much of their 0.1 %: one more
# decimal is taken. At 20,000 a step is 20 units, and at most one part in twenty is lost.
_FEWEST_UNITS = 20 * _STEPS
_MOST_DIGITS = 10
# Points held back while series wait for their next point; a series that is silent for longer is
# interpolated over the last part of its gap only.
HELD_POINTS = 200_000
_CHUNK = 4_096


@dataclass(slots=True)
class _Last:
    ts_ns: int
    price: str
    value: float
    decimals: int


class Interpolator:
    """Puts points between the recorded ones of each series, linear in price and in time.

    Recorded points stay as they are, `added` counts those put between. Memory is bounded by
    `held` points; the output is in time order when the input is.
    """

    def __init__(self, held: int = HELD_POINTS) -> None:
        self.added = 0
        self._held = held
        self._last: dict[str, _Last] = {}
        self._heap: list[tuple[int, int, Point]] = []
        self._order = count()
        # Everything up to this time has been yielded: nothing may be put before it.
        self._released = 0

    def chunks(self, chunks: Iterable[list[Point]]) -> Iterator[list[Point]]:
        """Yield the points of `chunks` with the interpolated ones among them."""
        for chunk in chunks:
            for point in chunk:
                self._take(point)
            # What comes later lies after the last point of its own series.
            yield from self._release(min(last.ts_ns for last in self._last.values()))
            while len(self._heap) > self._held:
                yield self._pop(len(self._heap) - self._held)
        while self._heap:
            yield self._pop(_CHUNK)

    def _take(self, point: Point) -> None:
        value = float(point.price)
        last = self._last.get(point.series)
        if last is None:
            decimals = _decimals(point.price)
            self._last[point.series] = _Last(point.ts_ns, point.price, value, decimals)
        else:
            # Quick and on the safe side; what passes needs no step between.
            if abs(value - last.value) > 0.000999 * min(value, last.value):
                last.decimals = max(last.decimals, _decimals(point.price))
                self._between(last, point)
            last.ts_ns, last.price, last.value = point.ts_ns, point.price, value
        self._push(point)

    def _between(self, last: _Last, point: Point) -> None:
        prices = path(last.price, point.price, last.decimals)
        start = max(last.ts_ns, self._released)
        gap, steps = point.ts_ns - start, len(prices) + 1
        for step, price in enumerate(prices, 1):
            self._push(Point(start + gap * step // steps, point.series, price))
        self.added += len(prices)

    def _push(self, point: Point) -> None:
        heapq.heappush(self._heap, (point.ts_ns, next(self._order), point))

    def _release(self, until_ns: int) -> Iterator[list[Point]]:
        heap = self._heap
        chunk: list[Point] = []
        while heap and heap[0][0] <= until_ns:
            chunk.append(heapq.heappop(heap)[2])
            if len(chunk) == _CHUNK:
                yield self._leave(chunk)
                chunk = []
        if chunk:
            yield self._leave(chunk)

    def _pop(self, number: int) -> list[Point]:
        heap = self._heap
        return self._leave([heapq.heappop(heap)[2] for _ in range(min(number, len(heap), _CHUNK))])

    def _leave(self, chunk: list[Point]) -> list[Point]:
        self._released = chunk[-1].ts_ns
        return chunk


def path(start: str, end: str, decimals: int = 0) -> list[str]:
    """Return the prices strictly between two, each step at most 0.1 % of the one before it.

    They have `decimals` decimals or those of the two prices; more only where whole units would be
    too coarse for such steps, and at most 10 significant digits.
    """
    places, capped = _places(start, end, decimals)
    unit = Decimal(1).scaleb(-places)
    first, final = (int((Decimal(price) / unit).to_integral_value()) for price in (start, end))
    lower = min(first, final)
    # When digits were cut off, an end may lie half a unit from its own price: one unit of room.
    longest = lower // _STEPS - (1 if capped else 0)
    steps = -(-abs(final - first) // longest)
    return [
        format(Decimal(first + (final - first) * step // steps) * unit, "f")
        for step in range(1, steps)
    ]


def _places(start: str, end: str, decimals: int) -> tuple[int, bool]:
    """Decimals of a path's prices, and whether those of its ends were cut."""
    lower, upper = sorted((Decimal(start), Decimal(end)))
    exact = max(_decimals(start), _decimals(end))
    places = max(exact, decimals, 4 - lower.adjusted())
    while lower.scaleb(places) < _FEWEST_UNITS:
        places += 1
    # The lower price keeps its units even when the upper one is a million times as high.
    most = max(_MOST_DIGITS - 1 - upper.adjusted(), 5 - lower.adjusted())
    places = min(places, most)
    return places, places < exact


def _decimals(price: str) -> int:
    """Decimals that a price needs: zeros at its end do not count."""
    _, _, fraction = price.partition(".")
    return len(fraction.rstrip("0"))
