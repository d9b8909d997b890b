"""The risk of one option by Black-76, rounded to what the model is good for (PM-3, PM-4)."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

import numpy as np

from monitor.exact import ONE, ZERO
from monitor.margin.portfolio.grid import Grid, bucket_of, days_between
from monitor.margin.portfolio.risk import Risk
from monitor.options import sensitivities
from monitor.options.time_value import deviation_of, values
from monitor.schema.portfolio import VolatilityShock
from monitor.schema.reference import Instrument

__all__ = ["OptionAt", "option_risk", "slack_of"]

_YEAR_DAYS = 365.0
_LEAST = 1e-4
"""As of a contract's mark: the forward's floor as a share of itself."""
_DELTA_STEP = Decimal("1e-12")
_VOLATILITY_STEP = Decimal("1e-9")
_PERCENT = Decimal("0.01")


class OptionAt(NamedTuple):
    """The prices that an option is looked at with; all but `mark` in USD."""

    mark: Decimal
    """In coin of a coin-margined option, else in its quote currency."""
    spot: Decimal
    """Index of the underlying."""
    quote: Decimal
    forward: Decimal
    moment: int


def slack_of(*prices: Decimal) -> Decimal:
    """Return the bound of a figure's error in USD a coin: 1e-11 to 1e-10 of the largest price.

    The value model is right to 1e-12 of it (`monitor.options.time_value.ERROR`); the rest covers a
    difference of two values, and their rounding to a tenth of the bound, by which machines whose
    floats differ in the last bits come to the same decimals (H-1).
    """
    return ONE.scaleb(max(price.adjusted() for price in prices) - 10)


def option_risk(grid: Grid, instrument: Instrument, at: OptionAt) -> Risk:
    """Return the risk of one coin of a long option.

    A coin-margined option is worth (value / forward) coins, at the index. Its volatility is the one
    its mark implies, 0 below intrinsic value; after its expiry it is worth that value.
    """
    kind, expiry, strike = instrument.option_type, instrument.expiry, instrument.strike
    if kind is None or expiry is None or strike is None:
        raise ValueError(f"an option is wanted, a {instrument.kind} given")
    in_coin = instrument.settle == instrument.underlying
    strike_usd = strike * at.quote
    price = at.mark * (at.forward if in_coin else at.quote)
    inside = at.forward - strike_usd if kind == "call" else strike_usd - at.forward
    excess = float(price - max(inside, ZERO))  # exact before it is a float: nothing cancels in it
    days = days_between(at.moment, expiry)
    years, outright, at_strike = float(days) / _YEAR_DAYS, float(at.forward), float(strike_usd)
    deviation = deviation_of(excess, outright, at_strike) if years > 0.0 else 0.0
    volatility = deviation / math.sqrt(years) if years > 0.0 else 0.0

    moves = _volatility_moves(grid.unit.volatility_shocks or (), days)
    left = max(0.0, years - float(grid.unit.days) / _YEAR_DAYS)
    # Three rows (volatility down, same, up); the price points, the extremes, and when the days passed.
    index = float(at.spot)
    forwards = np.maximum(outright + index * grid.moves, outright * _LEAST)
    deviations = np.repeat((deviation * np.array(moves))[:, None], len(grid.moves), axis=1)
    deviations[:, -1] *= math.sqrt(left / years) if years > 0.0 else 0.0
    worth = values(kind, forwards, at_strike, deviations)
    if in_coin:
        worth = worth / forwards * (index * (1.0 + grid.moves))
    now = float(worth[1, len(grid.shocks) // 2])
    gains = (worth - now).tolist()

    slack = slack_of(at.forward, at.spot, strike_usd)
    step = slack.scaleb(-1)

    def rounded(value: float, to: Decimal = step) -> Decimal:
        return Decimal(value).quantize(to, ROUND_HALF_EVEN)

    points = len(grid.shocks)
    found = sensitivities(kind, outright, at_strike, years, volatility)
    delta = rounded(found.delta, _DELTA_STEP)
    share = index / outright if in_coin else 1.0
    return Risk(
        tuple(tuple(rounded(gain) for gain in row[:points]) for row in gains),
        (rounded(gains[1][points]), rounded(gains[1][points + 1])),
        tuple(rounded(row[-1]) for row in gains),
        delta,
        delta * at.forward,
        rounded(found.gamma * outright * outright) * _PERCENT,
        rounded(found.vega * share),
        rounded(found.theta * share / _YEAR_DAYS),
        rounded(-years * now),
        slack,
        rounded(volatility, _VOLATILITY_STEP),
    )


def _volatility_moves(shocks: tuple[VolatilityShock, ...], days: Decimal) -> tuple[float, ...]:
    """MR1: return the factors of volatility when it falls, stands and rises."""
    if not shocks:
        return 1.0, 1.0, 1.0
    shock = shocks[bucket_of(shocks, days)]
    return float(ONE - shock.down), 1.0, float(ONE + shock.up)
