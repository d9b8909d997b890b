"""The tick topic as a history of prices: what stood at every offset, exactly (PX)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import ValidationError

from monitor.exact import ONE
from monitor.schema import Policy, Tick
from streams.verify.records import Record

__all__ = ["Market", "Quotes", "Series", "max_age_ms", "read_market"]

VIA = ("USDT", "BTC", "ETH")
"""PX-2: a currency without its own USD index goes through these, in this order."""


class Quotes(dict[str, Decimal]):
    """Prices by `symbol/kind`, as a command names them."""

    def route(self, currency: str) -> tuple[str, ...] | None:
        """Return the keys whose prices make the USD index of `currency` (PX-2)."""
        if currency == "USD":
            return ()
        if f"{currency}-USD/index" in self:
            return (f"{currency}-USD/index",)
        for via in VIA:
            keys = (f"{currency}-{via}/index", f"{via}-USD/index")
            if via != currency and all(key in self for key in keys):
                return keys
        return None

    def index(self, currency: str) -> Decimal | None:
        """Return the index price in USD, None when there is none (PX-1, PX-2)."""
        keys = self.route(currency)
        if keys is None:
            return None
        price = ONE
        for key in keys:
            price = price * self[key]
        return price

    def mark(self, instrument: str) -> Decimal | None:
        """Return the mark price of a derivative in its quote currency."""
        return self.get(f"{instrument}/mark")


@dataclass(slots=True)
class Series:
    """The accepted ticks of one symbol, by offset."""

    offsets: list[int] = field(default_factory=list)
    prices: list[Decimal] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def at(self, offset: int) -> int | None:
        """Return the position of the tick that stands at `offset`, None before the first."""
        position = bisect_right(self.offsets, offset) - 1
        return position if position >= 0 else None

    def following(self, position: int) -> int | None:
        """Return the offset of the accepted tick after `position`."""
        return self.offsets[position + 1] if position + 1 < len(self.offsets) else None


@dataclass(slots=True)
class Market:
    """Every accepted tick; `offsets` and `clock` (highest `ts` so far) are by tick record."""

    series: dict[str, Series] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)
    clock: list[int] = field(default_factory=list)
    appended: list[int] = field(default_factory=list)
    dropped: dict[tuple[str, int], str] = field(default_factory=dict)
    """(symbol/kind, offset) → why a tick was not accepted."""
    refused: Counter[str] = field(default_factory=Counter)

    def quotes(self, offset: int, keys: Sequence[str] | None = None) -> Quotes:
        """Return the prices that stand once the tick at `offset` is taken in."""
        found = Quotes()
        for key in self.series if keys is None else keys:
            series = self.series.get(key)
            position = series.at(offset) if series is not None else None
            if series is not None and position is not None:
                found[key] = series.prices[position]
        return found

    def age(self, key: str, offset: int, now: int) -> int:
        """Return how old, in milliseconds at `now`, the price of `key` at `offset` is."""
        series = self.series[key]
        position = series.at(offset)
        return 0 if position is None else now - series.times[position]

    def clock_at(self, offset: int) -> int:
        """Return the highest `ts` of all ticks up to `offset`."""
        position = bisect_right(self.offsets, offset) - 1
        return self.clock[position] if position >= 0 else 0


def max_age_ms(policy: Policy, key: str) -> Decimal:
    """Return PX-4's maximum age of a symbol in milliseconds, by its name, else `*`."""
    ages = policy.max_age_seconds
    return ages.get(key.rpartition("/")[0], ages.get("*", Decimal(10))) * 1000


class _Guard:
    """PX-6: hold a jump until enough consecutive ticks of its symbol confirm it."""

    def __init__(self, policy: Policy | None) -> None:
        self._guards = policy.jump_guard if policy is not None else {}
        self._held: Counter[str] = Counter()

    def holds(self, tick: Tick, last: Decimal | None) -> bool:
        guard = self._guards.get(tick.symbol, self._guards.get("*"))
        if guard is None or last is None:
            return False
        if abs(tick.price - last) * 100 <= guard.percent * last:
            self._held[tick.symbol] = 0
            return False
        self._held[tick.symbol] += 1
        if self._held[tick.symbol] <= guard.confirm:
            return True
        self._held[tick.symbol] = 0
        return False


def read_market(records: Sequence[Record], policy: Policy | None = None) -> Market:
    """Return the accepted ticks of the tick topic in offset order (PX-5, PX-6)."""
    market = Market()
    last: dict[str, tuple[int, int]] = {}
    guard = _Guard(policy)
    highest = 0
    for record in records:
        market.offsets.append(record.offset)
        market.appended.append(record.timestamp)
        try:
            tick = Tick.model_validate_json(record.value or b"")
        except ValidationError as error:
            market.refused[str(error.errors()[0]["msg"])] += 1
            market.clock.append(highest)
            continue
        key = f"{tick.symbol}/{tick.kind}"
        moment = (tick.ts, tick.seq)
        series = market.series.setdefault(key, Series())
        if moment < last.get(key, moment):  # PX-5
            before = last[key]
            market.dropped[key, record.offset] = f"older than (ts, seq) {before}: {moment}"
        elif guard.holds(tick, series.prices[-1] if series.prices else None):
            market.dropped[key, record.offset] = "held by the jump guard"
            last[key] = moment
            highest = max(highest, tick.ts)
        else:
            last[key] = moment
            highest = max(highest, tick.ts)
            series.offsets.append(record.offset)
            series.prices.append(tick.price)
            series.times.append(tick.ts)
        market.clock.append(highest)
    return market
