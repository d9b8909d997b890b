"""The prices and rates of each full hour, which interest is worked out with (IN-1, BL-3)."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from monitor.account.interest import HOUR_MS, hour_of
from monitor.exact import plain
from monitor.limits import Totals, utilisation, yearly_rate
from monitor.prices import Price, PriceBook
from monitor.reference import Reference

__all__ = [
    "HOURS_KEPT",
    "HOUR_MS",
    "HourBook",
    "HourCut",
    "HourPrices",
    "Known",
    "hour_of",
    "hour_prices",
]

HOURS_KEPT = 30 * 24
"""What the topic of hour prices keeps; for an older hour the oldest kept one serves."""
DECODED_AT_ONCE = 4
"""Hours kept decoded: the one accounts are at, and those a few that lag are at."""


class HourPrices(msgspec.Struct, frozen=True):
    """One full hour: the last prices accepted up to it, and what a year's borrowing cost then."""

    hour: int
    """Epoch ms of the full hour."""
    prices: dict[str, str]
    """`symbol/kind` → price."""
    rates: dict[str, str] = {}
    """Currency → yearly rate; where it is missing, the reference set's serves."""


class Known(NamedTuple):
    """An hour to work with; not `exact` when a later one serves for it, in whole or in part."""

    prices: PriceBook
    rates: Mapping[str, Decimal]
    exact: bool


def hour_prices(
    hour: int, prices: PriceBook, reference: Reference, totals: Totals | None = None
) -> HourPrices:
    """Return the record of an hour, made of the prices as they stand now."""
    rates = {
        name: plain(yearly_rate(entry, utilisation(name, reference, totals)))  # BL-3
        for name, entry in sorted(reference.currencies.items())
    }
    return HourPrices(hour, {k: plain(p.price) for k, p in sorted(prices.prices.items())}, rates)


class HourCut:
    """Finds the moments at which full hours pass, by the ticks themselves.

    The prices of an hour are those accepted before the first tick with a later `ts`, in the order
    of the topic, so that whoever reads the topic finds the same.
    """

    def __init__(self) -> None:
        self.boundary = -1
        """The next full hour; −1 before the first tick."""

    def passed(self, ts: int) -> range:
        """Return the full hours that a tick of this `ts` shows to have passed."""
        hours = range(0)
        if self.boundary >= 0:
            oldest = hour_of(ts) - HOURS_KEPT * HOUR_MS
            hours = range(max(self.boundary, oldest), ts, HOUR_MS)
        self.boundary = max(self.boundary, hour_of(ts - 1) + HOUR_MS)
        return hours


class HourBook:
    """The hours known. The first record of an hour stands, and hours come in rising order.

    An hour that a later one has overtaken will not come: the next known one serves for it.
    """

    def __init__(self) -> None:
        self._hours: list[int] = []
        self._raw: dict[int, bytes] = {}
        self._decoded: OrderedDict[int, tuple[PriceBook, Mapping[str, Decimal]]] = OrderedDict()
        self._filled: tuple[int, int, PriceBook] = (0, 0, PriceBook())
        """The hour filled up last, the hour it is filled up to, and its prices."""

    @property
    def last(self) -> int:
        """The last hour known; 0 when there is none."""
        return self._hours[-1] if self._hours else 0

    def take(self, record: HourPrices) -> bool:
        """Take an hour; false when it, or a later one, is known."""
        if record.hour <= self.last:
            return False
        self._hours.append(record.hour)
        self._raw[record.hour] = msgspec.json.encode(record)
        while self._hours[0] <= record.hour - HOURS_KEPT * HOUR_MS:
            del self._raw[self._hours.pop(0)]
        return True

    def at(self, hour: int) -> Known | None:
        """Return the hour, or the next known one after it; None while there is neither."""
        place = bisect_left(self._hours, hour)
        if place == len(self._hours):
            return None
        found = self._hours[place]
        return Known(*self._decode(found), exact=found == hour)

    def serving(self, hour: int) -> Iterator[Known]:
        """Yield what `at` gives, then the same filled up with prices that only later hours have."""
        own = self.at(hour)
        if own is None:
            return
        yield own
        filled = self._fill(hour)
        if len(filled.prices) > len(own.prices.prices):
            yield Known(filled, own.rates, exact=False)

    def _fill(self, hour: int) -> PriceBook:
        """Return the hour's prices and, where it lacks one, that of the next hour that has it."""
        asked, reached, book = self._filled
        if asked != hour:
            reached, book = hour - 1, PriceBook()
        prices = dict(book.prices)
        for later in self._hours[bisect_left(self._hours, reached + 1) :]:
            for key, price in self._decode(later)[0].prices.items():
                prices.setdefault(key, price)
        if len(prices) > len(book.prices):
            book = PriceBook()
            book.prices = prices
        self._filled = hour, self.last, book
        return book

    def _decode(self, hour: int) -> tuple[PriceBook, Mapping[str, Decimal]]:
        known = self._decoded.get(hour)
        if known is None:
            record = msgspec.json.decode(self._raw[hour], type=HourPrices)
            book = PriceBook()
            book.prices = {k: Price(Decimal(p), hour, 0, -1) for k, p in record.prices.items()}
            known = book, {name: Decimal(rate) for name, rate in record.rates.items()}
            self._decoded[hour] = known
            while len(self._decoded) > DECODED_AT_ONCE:
                self._decoded.popitem(last=False)
        return known
