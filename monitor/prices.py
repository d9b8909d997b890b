"""The price book: index and mark prices, conversion, age, order and jumps (PX)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from monitor.exact import ONE
from monitor.schema.events import TickKind
from monitor.schema.reference import Policy

__all__ = ["MissingPrice", "Price", "PriceBook", "TickLike", "TickOutcome", "price_key"]

_BRIDGES = ("USDT", "BTC", "ETH")
"""PX-2: what a currency without a USD index of its own is priced through, in this order."""

TickOutcome = Literal["accepted", "older", "held"]


class TickLike(Protocol):
    """What is read of a tick; `monitor.schema.Tick` is one."""

    @property
    def symbol(self) -> str: ...
    @property
    def kind(self) -> TickKind: ...
    @property
    def price(self) -> Decimal: ...
    @property
    def value(self) -> float: ...
    @property
    def ts(self) -> int: ...
    @property
    def seq(self) -> int: ...


class MissingPrice(Exception):
    """Raised when a price that an account needs is not known; carries `symbol/kind`."""


def price_key(symbol: str, kind: TickKind) -> str:
    """Return the key of a price in commands and books, `symbol/kind`."""
    return f"{symbol}/{kind}"


class Price(msgspec.Struct, frozen=True, gc=False):
    """The last accepted tick of one symbol; `offset` is its place on the tick topic."""

    price: Decimal
    ts: int
    seq: int
    offset: int


@dataclass(slots=True)
class _Jump:
    price: Decimal
    count: int


class PriceBook:
    """The last accepted prices. One owner; not for several threads."""

    def __init__(self) -> None:
        self.prices: dict[str, Price] = {}
        self.dropped = 0
        """PX-5: ticks older than the last one of their symbol."""
        self.held = 0
        """PX-6: ticks held by the jump guard."""
        self._jumps: dict[str, _Jump] = {}
        self._returned: dict[str, int] = {}
        self._routes: dict[str, tuple[str, str | None]] = {}
        self._ages: dict[str, int] = {}
        self._aged_by: Policy | None = None
        """The policy that `_ages` are by."""

    def take(self, tick: TickLike, offset: int, policy: Policy, now: int) -> TickOutcome:
        """Take a tick; say whether it was accepted, older than the last (PX-5) or held (PX-6)."""
        key = f"{tick.symbol}/{tick.kind}"
        last = self.prices.get(key)
        if last is not None:
            if (tick.ts, tick.seq) <= (last.ts, last.seq):  # PX-5
                self.dropped += 1
                return "older"
            if policy.jump_guard and not self._confirmed(key, tick, last, policy):
                self.held += 1
                return "held"
            if policy.grace_seconds and now - last.ts > self.max_age(tick.symbol, policy):
                self._returned[key] = now  # PX-4: the feed is back after a gap
        elif tick.kind == "index":
            self._routes.clear()
        self.prices[key] = Price(tick.price, tick.ts, tick.seq, offset)
        return "accepted"

    def takes_each(self, policy: Policy) -> bool:
        """Whether every tick counts, not only the last: for the grace period or the jump guard."""
        return bool(policy.grace_seconds or policy.jump_guard)

    def take_newest(self, newest: Mapping[str, tuple[TickLike, int]], older: int = 0) -> None:
        """Take, by price key, the last ticks of a batch that the caller has put into order (PX-5).

        `older`: how many of the batch were older than one before them. Not for a policy by which the
        book `takes_each`.
        """
        self.dropped += older
        for key, (tick, offset) in newest.items():
            if key not in self.prices and tick.kind == "index":
                self._routes.clear()
            self.prices[key] = Price(tick.price, tick.ts, tick.seq, offset)

    def _confirmed(self, key: str, tick: TickLike, last: Price, policy: Policy) -> bool:
        """PX-6: whether a tick is near the last accepted one, or confirmed by those before it."""
        guard = policy.jump_guard.get(tick.symbol) or policy.jump_guard.get("*")
        if guard is None:
            return True
        limit = guard.percent / 100
        if abs(tick.price - last.price) <= limit * last.price:
            self._jumps.pop(key, None)
            return True
        jump = self._jumps.get(key)
        if jump is None or abs(tick.price - jump.price) > limit * jump.price:
            jump = self._jumps[key] = _Jump(tick.price, 0)
        jump.count += 1
        jump.price = tick.price
        if jump.count < guard.confirm:
            return False
        del self._jumps[key]
        return True

    def mark(self, instrument: str) -> Decimal:
        """Return the mark price of a derivative; raises `MissingPrice`."""
        found = self.prices.get(f"{instrument}/mark")
        if found is None:
            raise MissingPrice(f"{instrument}/mark")
        return found.price

    def index(self, currency: str) -> Decimal:
        """Return the index price of `currency` in USD (PX-1, PX-2); raises `MissingPrice`."""
        if currency == "USD":
            return ONE
        own, bridge = self._routes.get(currency) or self.route(currency)
        found = self.prices.get(own)
        if found is None:
            raise MissingPrice(f"{currency}-USD/index")
        if bridge is None:
            return found.price
        return found.price * self.prices[bridge].price  # PX-2

    def route(self, currency: str) -> tuple[str, str | None]:
        """Return the price keys that `currency` is priced through: its own, or a pair and USD."""
        known = self._routes.get(currency)
        if known is not None:
            return known
        own = f"{currency}-USD/index"
        found: tuple[str, str | None] = (own, None)
        if own not in self.prices:
            for bridge in _BRIDGES:  # PX-2
                pair, usd = f"{currency}-{bridge}/index", f"{bridge}-USD/index"
                if bridge != currency and pair in self.prices and usd in self.prices:
                    found = (pair, usd)
                    break
        self._routes[currency] = found
        return found

    def routes(self) -> dict[str, tuple[str, str | None]]:
        """Return how every currency asked for until now is priced (PX-2)."""
        return dict(self._routes)

    def max_age(self, symbol: str, policy: Policy) -> int:
        """PX-4: the greatest age of a symbol's price in milliseconds."""
        if policy is not self._aged_by:
            self._ages, self._aged_by = {}, policy
        found = self._ages.get(symbol)
        if found is None:
            ages = policy.max_age_seconds
            seconds = ages.get(symbol) or ages.get("*") or Policy().max_age_seconds["*"]
            found = self._ages[symbol] = int(seconds * 1000)
        return found

    def stale(self, keys: Iterable[str], policy: Policy, now: int) -> tuple[str, ...]:
        """PX-4: return those of `keys` whose price is too old at `now`, or in its grace period."""
        found = []
        grace = int(policy.grace_seconds * policy.time_scale * 1000)
        for key in keys:
            price = self.prices.get(key)
            if price is None:
                continue
            old = now - price.ts > self.max_age(key.rpartition("/")[0], policy)
            returning = grace and now - self._returned.get(key, -grace - 1) < grace
            if old or returning:
                found.append(key)
        return tuple(found)
