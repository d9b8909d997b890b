"""The market of the benchmarks: 40 prices of 19 coins, and how they move."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema.events import TickKind
from streams.simulator import Catalogue, demo_reference
from streams.simulator.universe import Universe
from streams.tick_messages import TickMessage

__all__ = [
    "CALM_MOVE",
    "CALM_WORDS",
    "START_MS",
    "TICKS_PER_SECOND",
    "Tape",
    "opening",
    "opening_prices",
    "reference",
    "reference_file",
    "universe",
]

START_MS = 1_750_000_000_000
TICKS_PER_SECOND = 1_000
"""Of recorded time, over all symbols."""
CALM_MOVE = 2.1e-5
"""Standard deviation of one tick: 60 % a year at 25 ticks a second and symbol."""
CALM_WORDS = "60 % a year of volatility at 1,000 ticks a second over 40 symbols"
_STABLE_MOVE = 2e-7

_COINS = {
    "USDT": 1.0,
    "USDC": 1.0,
    "BTC": 60_000.0,
    "ETH": 3_000.0,
    "BNB": 600.0,
    "SOL": 150.0,
    "XRP": 0.6,
    "DOGE": 0.15,
    "LTC": 80.0,
    "ADA": 0.45,
    "LINK": 14.0,
    "BCH": 400.0,
    "UNI": 8.0,
    "ETC": 25.0,
    "SUI": 1.2,
    "ALGO": 0.16,
    "OP": 1.8,
    "BSV": 50.0,
    "XMR": 165.0,
}
_STABLE = frozenset({"USDT", "USDC"})
_MORE_INVERSE = ("SOL", "XRP")


class Symbol(NamedTuple):
    """One price and the coin that moves it."""

    symbol: str
    kind: TickKind
    coin: str


@cache
def _symbols() -> tuple[Symbol, ...]:
    marks = [f"{coin}-USDT-SWAP" for coin in _COINS if coin not in _STABLE]
    marks += [f"{coin}-USD-SWAP" for coin in ("BTC", "ETH", *_MORE_INVERSE)]
    found = [Symbol(f"{coin}-USD", "index", coin) for coin in _COINS]
    found += [Symbol(name, "mark", name.partition("-")[0]) for name in marks]
    return tuple(found)


@cache
def reference_file() -> dict[str, Any]:
    """Return the demo's reference set, cut down to these prices, as a reference file has it.

    Prices do not grow old, nothing is charged by the hour and confirmations are not waited for:
    nobody carries out commands here, and what is measured are ticks and events.
    """
    raw = demo_reference()
    for coin in _MORE_INVERSE:
        like = raw["instruments"]["ETH-USD-SWAP"]
        raw["instruments"][f"{coin}-USD-SWAP"] = {
            **like,
            "family": f"{coin}-USD",
            "underlying": coin,
            "settle": coin,
            "tick": "0.0001",
        }
    known = {name for name, _, _ in _symbols()}
    raw["instruments"] = {
        name: entry
        for name, entry in raw["instruments"].items()
        if name in known or (entry["kind"] == "spot" and entry["underlying"] in _COINS)
    }
    raw["policy"] = {
        "max_age_seconds": {"*": 10_000_000},
        "interest_booking": "exchange",
        "confirm_seconds": 3_600,
        "expire_seconds": 36_000,
    }
    return raw


@cache
def reference() -> Reference:
    """Return the reference set."""
    return load_reference(reference_file())


@cache
def opening_prices() -> PriceBook:
    """Return the prices before the first tick."""
    book = PriceBook()
    for tick, offset in Tape(0).opening():
        book.take(tick, offset, reference().policy, tick.ts)
    return book


@cache
def universe() -> Universe:
    """Return the reference set at its opening prices, in floats."""
    prices = {symbol: Decimal(price) for symbol, _, price in opening()}
    return Universe.of(Catalogue.of(reference_file()), prices)


def opening() -> list[tuple[str, TickKind, str]]:
    """Return (symbol, kind, price) of every symbol before the first tick."""
    return [(s.symbol, s.kind, _text(_COINS[s.coin])) for s in _symbols()]


def _text(price: float) -> str:
    return f"{price:.8g}"


class Tape:
    """Ticks one after another, seeded; `prices` are where the coins stand."""

    def __init__(self, seed: int) -> None:
        self.prices = dict(_COINS)
        self.written = 0
        """Ticks until now, the opening ones included: also the offset of the next."""
        self._rng = random.Random(seed)

    def opening(self) -> list[tuple[TickMessage, int]]:
        """Return one tick of each symbol, with its offset."""
        return [self._tick(symbol, price) for symbol, price in self._present()]

    def calm(self, count: int) -> Iterator[tuple[TickMessage, int]]:
        """Yield ticks of symbols drawn at random, each a small step on the coin's path."""
        return self._walk(count, {})

    def fall(self, count: int, share: float) -> Iterator[tuple[TickMessage, int]]:
        """Yield ticks over which every coin but the stable ones falls by `share`."""
        coins = [coin for coin in _COINS if coin not in _STABLE]
        weight = {coin: sum(s.coin == coin for s in _symbols()) for coin in coins}
        drift = {
            coin: (1.0 - share) ** (len(_symbols()) / (count * weight[coin])) for coin in coins
        }
        return self._walk(count, drift)

    def gap(self, share: float) -> list[tuple[TickMessage, int]]:
        """Return one tick of each symbol of BTC, the coin most accounts depend on, at once lower."""
        self.prices["BTC"] *= 1.0 - share
        return [self._tick(s, p) for s, p in self._present() if s.coin == "BTC"]

    def _walk(self, count: int, drift: Mapping[str, float]) -> Iterator[tuple[TickMessage, int]]:
        rng, symbols = self._rng, _symbols()
        for _ in range(count):
            symbol = rng.choice(symbols)
            move = _STABLE_MOVE if symbol.coin in _STABLE else CALM_MOVE
            price = self.prices[symbol.coin] * drift.get(symbol.coin, 1.0)
            price *= 1.0 + rng.gauss(0.0, move)
            self.prices[symbol.coin] = price
            yield self._tick(symbol, price)

    def _present(self) -> list[tuple[Symbol, float]]:
        return [(symbol, self.prices[symbol.coin]) for symbol in _symbols()]

    def _tick(self, symbol: Symbol, price: float) -> tuple[TickMessage, int]:
        offset = self.written
        self.written += 1
        ts = START_MS + offset * 1000 // TICKS_PER_SECOND
        tick = TickMessage(symbol.symbol, symbol.kind, _text(price), ts, offset)
        return tick, offset
