"""Marks of dated futures and options, made from the index that a stream of quotes brings."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from monitor.options import Kind as OptionKind
from monitor.options import years_between
from streams.replay.surface import Surface
from streams.replay.ticks import Kind, Quote, QuoteStream

__all__ = ["DatedMarks", "Listed", "ListedFuture", "ListedOption"]

_NS_A_MS = 1_000_000
_MARK_DECIMALS = 6
_LEAST_MARK = 10.0**-_MARK_DECIMALS
"""A tick must be positive (PX-5): what is worth less is marked at this."""
_CARRY = 0.06
"""Yearly basis of futures where the spot stands as at the start."""
_CARRY_FALL = 0.5
"""What a fall of the spot (a log return) takes off the yearly basis: in a crash it turns negative."""
_MOST_CARRY = 0.15
_NOISE = 0.004
"""Standard deviation of one move of the short volatility, as a log return."""


@dataclass(frozen=True, slots=True)
class ListedFuture:
    """A dated future by its instrument id; expiry in epoch ms, decimals of its price."""

    name: str
    expiry: int
    decimals: int = 1


@dataclass(frozen=True, slots=True)
class ListedOption:
    """A coin-margined option by its instrument id: its mark is in coin. Expiry in epoch ms."""

    name: str
    kind: OptionKind
    strike: float
    expiry: int


def _expiry(contract: ListedFuture | ListedOption) -> int:
    return contract.expiry


Listed = Mapping[str, Sequence[ListedFuture | ListedOption]]
"""Coin → what is listed on it."""


@dataclass(slots=True)
class _Course:
    """Where one coin's contracts were last quoted."""

    first: float
    """The first index: moves of the surface count from it."""
    index: float
    at_ns: int
    noise: float = 0.0


@dataclass(frozen=True)
class DatedMarks:
    """A stream with the marks of dated contracts put behind the index they are made from.

    All contracts of a coin are quoted at once: at its first index, when that has moved by `move`
    since, and after `every_seconds` of recorded time. The same stream and seed give the same marks.
    """

    stream: QuoteStream
    listed: Listed
    seed: int = 1
    move: float = 0.005
    every_seconds: float = 1.0
    surface: Surface = field(default_factory=Surface)

    @property
    def symbols(self) -> tuple[tuple[str, Kind], ...]:
        """Every symbol with its kind; contracts of a coin without an index are left out."""
        known = self.stream.symbols
        made: list[tuple[str, Kind]] = [
            (contract.name, "mark")
            for coin, contracts in self.listed.items()
            if (f"{coin}-USD", "index") in known
            for contract in contracts
        ]
        return (*known, *made)

    @property
    def first_ns(self) -> int:
        """Time of the stream's first quote, epoch nanoseconds."""
        return self.stream.first_ns

    @property
    def last_ns(self) -> int:
        """Time of the stream's last quote, epoch nanoseconds."""
        return self.stream.last_ns

    @property
    def total(self) -> int | None:
        """Unknown until they are made."""
        return None

    def __iter__(self) -> Iterator[Sequence[Quote]]:
        coins = {f"{coin}-USD": coin for coin in self.listed}
        rngs = {coin: random.Random(f"{self.seed}|{coin}") for coin in self.listed}
        courses: dict[str, _Course] = {}
        for chunk in self.stream:
            quotes: list[Quote] = []
            for quote in chunk:
                quotes.append(quote)
                coin = coins.get(quote.symbol)
                if coin is None or quote.kind != "index":
                    continue
                index = float(quote.price)
                course = courses.get(coin)
                if course is None:
                    course = courses[coin] = _Course(index, index, quote.ts_ns)
                elif not self._is_due(course, index, quote.ts_ns):
                    continue
                course.index, course.at_ns = index, quote.ts_ns
                course.noise = 0.98 * course.noise + rngs[coin].gauss(0.0, _NOISE)
                quotes.extend(self._marks(self.listed[coin], course))
            yield quotes

    def _is_due(self, course: _Course, index: float, at_ns: int) -> bool:
        far = abs(index / course.index - 1.0) >= self.move
        return far or at_ns - course.at_ns >= self.every_seconds * 1e9

    def _marks(
        self, contracts: Sequence[ListedFuture | ListedOption], course: _Course
    ) -> Iterator[Quote]:
        fall = math.log(course.first / course.index)
        surface = self.surface.moved(fall, course.noise)
        carry = max(-_MOST_CARRY, min(_MOST_CARRY, _CARRY - _CARRY_FALL * fall))
        now = course.at_ns // _NS_A_MS
        for expiry, dated in groupby(sorted(contracts, key=_expiry), key=_expiry):
            years = years_between(now, expiry)
            outright = course.index * math.exp(carry * years)
            for contract in dated:
                if isinstance(contract, ListedFuture):
                    text = f"{outright:.{contract.decimals}f}"
                else:
                    worth = surface.price(contract.kind, outright, contract.strike, years)
                    text = f"{max(_LEAST_MARK, worth / outright):.{_MARK_DECIMALS}f}"
                yield Quote(course.at_ns, contract.name, "mark", text)
