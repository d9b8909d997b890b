"""A market without a file: correlated coins, a calm, a crash and a recovery, all from one seed."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from streams.replay.ticks import Kind, Quote

_NS = 1_000_000_000
_STEP_NS = _NS // 10
# 2025-01-06 12:00 UTC: away from a full day, and the same in every run.
START_MS = 1_736_164_800_000


@dataclass(frozen=True, slots=True)
class Coin:
    """A coin of the market: first index price in USD, its fall for each 1 % of BTC, decimals."""

    name: str
    price: float
    beta: float
    decimals: int
    inverse: bool = False


COINS = (
    Coin("BTC", 20_910.3, 1.0, 1, inverse=True),
    Coin("ETH", 1_568.30, 1.25, 2, inverse=True),
    Coin("SOL", 32.61, 2.4, 3),
    Coin("XRP", 0.4655, 1.3, 5),
    Coin("DOGE", 0.11474, 1.7, 6),
    Coin("LTC", 68.22, 1.2, 3),
    Coin("LINK", 8.099, 1.5, 4),
    Coin("UNI", 7.02, 1.6, 4),
    Coin("OP", 1.334, 2.0, 5),
)

# Part of the whole time → log price of BTC against its first. The fall begins with a jump.
_COURSE = (
    (0.00, 0.0),
    (0.30, 0.0),
    (0.302, -0.045),
    (0.38, -0.11),
    (0.385, -0.16),
    (0.52, -0.29),
    (0.60, -0.25),
    (0.85, -0.13),
    (1.00, -0.12),
)
# Part of the whole time → stress: noise, and how far marks fall below the index.
_STRESS = (
    (0.00, 0.0),
    (0.30, 0.0),
    (0.31, 0.7),
    (0.52, 1.0),
    (0.60, 0.8),
    (0.80, 0.15),
    (1.0, 0.0),
)


@dataclass(slots=True)
class _Noise:
    """A random walk drawn back to zero, so that a course keeps its shape."""

    value: float = 0.0

    def step(self, rng: random.Random, size: float) -> float:
        self.value += rng.gauss(0.0, size) - 0.02 * self.value
        return self.value


@dataclass(frozen=True, slots=True)
class SyntheticMarket:
    """Quotes of nine coins for `seconds` of recorded time, the same for the same seed.

    Each coin has its index (`BTC-USD`) and the mark of its perpetual (`BTC-USDT-SWAP`), BTC and
    ETH also that of the inverse one (`BTC-USD-SWAP`); `USDT-USD` leaves 1 a little in the crash.
    100 to 200 quotes a second.
    """

    seed: int = 1
    seconds: float = 180.0
    coins: Sequence[Coin] = COINS
    start_ms: int = START_MS

    @property
    def symbols(self) -> tuple[tuple[str, Kind], ...]:
        """Every symbol with its kind."""
        found: list[tuple[str, Kind]] = [("USDT-USD", "index")]
        for coin in self.coins:
            found.append((f"{coin.name}-USD", "index"))
            found.extend((mark, "mark") for mark in _marks(coin))
        return tuple(found)

    @property
    def first_ns(self) -> int:
        """Time of the first quote, epoch nanoseconds."""
        return self.start_ms * 1_000_000

    @property
    def last_ns(self) -> int:
        """Time by which the last quote has come, epoch nanoseconds."""
        return self.first_ns + int(self.seconds * _NS)

    @property
    def total(self) -> int | None:
        """Unknown until they are made."""
        return None

    def __iter__(self) -> Iterator[Sequence[Quote]]:
        rng = random.Random(self.seed)
        whole = _Noise()
        own = {coin.name: _Noise() for coin in self.coins}
        steps = max(1, int(self.seconds * _NS) // _STEP_NS)
        for step in range(steps):
            part = step / steps
            stress = _at(_STRESS, part)
            fall = _at(_COURSE, part) + whole.step(rng, 0.0002 + 0.0012 * stress)
            at = self.first_ns + step * _STEP_NS
            quotes: list[Quote] = []
            if step % 10 == 0:
                tether = 1.0 - 0.004 * stress + rng.gauss(0.0, 0.00005 + 0.0004 * stress)
                quotes.append(Quote(at, "USDT-USD", "index", f"{tether:.4f}"))
            for coin in self.coins:
                noise = own[coin.name].step(rng, 0.0002 + 0.0012 * stress)
                # All at the start; in a calm not every coin trades in every tenth of a second.
                if step > 0 and rng.random() > 0.6 + 0.4 * stress:
                    continue
                index = coin.price * math.exp(coin.beta * fall + noise)
                later = at if step == 0 else at + rng.randrange(_STEP_NS)
                quotes.extend(_quotes(coin, index, stress, later, rng))
            quotes.sort(key=lambda quote: quote.ts_ns)
            yield quotes


def _quotes(
    coin: Coin, index: float, stress: float, at_ns: int, rng: random.Random
) -> Iterator[Quote]:
    yield Quote(at_ns, f"{coin.name}-USD", "index", f"{index:.{coin.decimals}f}")
    for mark in _marks(coin):
        basis = rng.gauss(0.0, 0.0001 + 0.0008 * stress) - 0.008 * stress * coin.beta
        yield Quote(at_ns, mark, "mark", f"{index * (1 + basis):.{coin.decimals}f}")


def _marks(coin: Coin) -> tuple[str, ...]:
    linear = f"{coin.name}-USDT-SWAP"
    return (linear, f"{coin.name}-USD-SWAP") if coin.inverse else (linear,)


def _at(course: Sequence[tuple[float, float]], part: float) -> float:
    """Value of a course of straight lines at a part of the whole."""
    for (start, low), (end, high) in pairwise(course):
        if part <= end:
            return low + (high - low) * (part - start) / (end - start)
    return course[-1][1]
