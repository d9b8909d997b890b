"""Prices moved by what somebody asks: one or several underlyings, or single symbols (WI-1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ONE
from monitor.prices import PriceBook, price_key
from monitor.reference import Reference

__all__ = ["BadScenario", "Moves", "ShockedPrices", "moves_of", "risk_coins"]

_NEAR_ONE = Decimal("0.05")
"""A quote currency whose index lies this near to 1 USD is a stablecoin."""


class BadScenario(ValueError):
    """Raised when a scenario cannot be carried out; `field` is the path of what is wrong."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.field = where
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Moves:
    """Factors of prices; what is not named stands."""

    coins: Mapping[str, Decimal] = field(default_factory=dict)
    """Underlying → factor of its index and of every mark on it."""
    keys: Mapping[str, Decimal] = field(default_factory=dict)
    """Price key (`symbol/kind`) → factor of this price alone."""


def moves_of(shocks: Mapping[str, Decimal], reference: Reference, prices: PriceBook) -> Moves:
    """Return the moves that relative shocks (`BTC: -0.1`) by underlying or by symbol ask for.

    Raises `BadScenario` for a name that nothing has a price under, and for a fall of 100 % or more.
    """
    coins, keys = {}, {}
    for name, shock in shocks.items():
        where = f"shocks.{name}"
        if shock <= -1:
            raise BadScenario(where, f"{shock} given, a price stays above 0: more than -1")
        instrument = reference.instruments.get(name)
        mark, index = price_key(name, "mark"), price_key(name, "index")
        if name == "USD":
            raise BadScenario(where, "USD is the unit of account, its price is 1 (PX-1)")
        if name in reference.currencies:
            coins[name] = ONE + shock
        elif instrument is not None and instrument.kind != "spot" and mark in prices.prices:
            keys[mark] = ONE + shock
        elif index in prices.prices:
            keys[index] = ONE + shock
        else:
            raise BadScenario(where, "no currency and no price has this name")
    return Moves(coins, keys)


class ShockedPrices(PriceBook):
    """The prices of a book after moves; what has no price there has none here.

    A currency that is priced through another (PX-2) keeps its price in USD when the other one moves
    as an underlying, like in MR-4; a single symbol's price moves all that is made of it.
    """

    def __init__(self, base: PriceBook, reference: Reference, moves: Moves) -> None:
        super().__init__()
        self.prices = base.prices
        self._base = base
        self._reference = reference
        self.moves = moves

    def mark(self, instrument: str) -> Decimal:
        """Return the moved mark price; raises `MissingPrice`."""
        price = self._base.mark(instrument)
        entry = self._reference.instruments.get(instrument)
        if entry is not None:
            price *= self.moves.coins.get(entry.underlying, ONE)
        return price * self.moves.keys.get(price_key(instrument, "mark"), ONE)

    def index(self, currency: str) -> Decimal:
        """Return the moved index price in USD; raises `MissingPrice`."""
        price = self._base.index(currency) * self.moves.coins.get(currency, ONE)
        if self.moves.keys and currency != "USD":
            for key in self._base.route(currency):
                if key is not None:
                    price *= self.moves.keys.get(key, ONE)
        return price

    def route(self, currency: str) -> tuple[str, str | None]:
        """Return the price keys that the base prices `currency` through."""
        return self._base.route(currency)


def risk_coins(reference: Reference, prices: PriceBook) -> frozenset[str]:
    """Return the currencies that a uniform move moves: all but USD and its stablecoins.

    A stablecoin quotes instruments, and its index lies within 5 % of 1.
    """
    quotes = {entry.quote for entry in reference.instruments.values()}
    return frozenset(
        name
        for name in reference.currencies
        if not (name in quotes and _near_one(prices, name)) and name != "USD"
    )


def _near_one(prices: PriceBook, name: str) -> bool:
    found: Iterable[str | None] = prices.route(name)
    if any(key is not None and key not in prices.prices for key in found):
        return False
    return abs(prices.index(name) - ONE) <= _NEAR_ONE
