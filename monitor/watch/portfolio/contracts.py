"""Bounds of one contract's risk over a cell: every move revalued at the cell's corners (PM-3, PM-5).

A corner is where a figure is least or greatest: in each variable by itself the worth of an option is
monotone, whatever the others are. It rises with the volatility; a call's rises and a put's falls with
the forward, in coin too, and the other way round with the strike in USD. So are the gain of an inverse
contract, whose size rises with the index and falls with the mark, and delta and vega, by d1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.options.implied import MOST_DEVIATION
from monitor.options.time_value import deviation_of, time_value
from monitor.watch.portfolio.layout import (
    COIN,
    CONTRACT,
    DECAY,
    DELTA,
    LEAST_HI,
    LEAST_LO,
    MOVES,
    NOTIONAL_HI,
    NOTIONAL_LO,
    OPTION,
    POINTS,
    R_COIN,
    R_DELTA,
    R_GAIN,
    R_RHO,
    R_VEGA,
    RHO,
    SCENARIOS,
    STILL,
    VEGA,
    WORTH_HI,
    WORTH_LO,
)

__all__ = ["Span", "deviations", "inverse_rows", "linear_rows", "option_rows", "within"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEAST = 1e-4
"""As of `monitor.margin.portfolio.option_risk`: what is left of a forward or mark at least."""
_MODEL = 2e-10
"""Relative to the largest price: the decimals' own slack, taken off or not, and their rounding."""
_ROUNDING = 1e-12
_NOISE = 2e-15
"""Of an excess over intrinsic value in floats, relative to the prices it is made of."""
_SHARP = 1e-9
_TURNS = 6


class Span(NamedTuple):
    """Where options of one underlying may stand: arrays by contract, or numbers; prices in USD."""

    calls: Bools
    in_coin: Bools
    index: tuple[float, float]
    forward: tuple[Floats, Floats]
    strike: tuple[Floats, Floats]
    deviation: tuple[Floats, Floats]
    """Volatility × √years."""
    years: tuple[Floats, Floats]
    moves: Floats
    """Contract × (down, same, up): factor of the volatility."""
    passing: float
    """MR2: years."""
    shocks: Floats
    """MR1's points, then MR6's."""
    tenor_shock: Floats
    term_shock: Floats
    minimum: float
    """MR7: share of |delta|."""
    option_minimum: float


def within(
    calls: Bools,
    in_coin: Bools,
    forward: tuple[Floats, Floats],
    strike: Floats,
    mark: tuple[Floats, Floats],
    deviation: tuple[Floats, Floats],
) -> Bools:
    """Say whose implied deviation lies in its bounds wherever forward and mark are in theirs.

    Forward, strike and mark in quote currency (a coin-margined mark in coin). The deviation that a
    mark implies rises with the mark, and with a call's forward falls, with a put's rises.
    """
    low, high = forward
    floor = np.where(calls, high, low)
    excess, noise = _excess(calls, in_coin, floor, strike, mark[0])
    bound = time_value(floor, strike, deviation[0])
    above = (deviation[0] <= 0.0) | (excess - noise >= bound * (1.0 + _ROUNDING))
    roof = np.where(calls, low, high)
    excess, noise = _excess(calls, in_coin, roof, strike, mark[1])
    bound = time_value(roof, strike, deviation[1])
    below = (deviation[1] >= MOST_DEVIATION) | (excess + noise <= bound * (1.0 - _ROUNDING))
    found: Bools = above & below
    return found


def _excess(
    calls: Bools, in_coin: Bools, forward: Floats, strike: Floats, mark: Floats
) -> tuple[Floats, Floats]:
    """Return the time value that a mark holds, and how far floats may be off."""
    price = np.where(in_coin, mark * forward, mark)
    inside = np.where(calls, forward - strike, strike - forward)
    noise = _NOISE * (price + np.where(inside > 0.0, forward + strike, 0.0))
    noise += _NOISE * forward * np.where(inside > 0.0, 1.0, 0.0)
    return price - np.maximum(inside, 0.0), noise


def deviations(
    calls: Bools, in_coin: Bools, forward: Floats, strike: Floats, mark: Floats, guess: Floats
) -> tuple[Floats, Floats]:
    """Return bounds of the deviation that each mark implies, as near as floats can tell.

    Newton's steps from `guess` are tried on all at once; where they do not hold, each is solved.
    """
    excess, noise = _excess(calls, in_coin, forward, strike, mark)
    found = np.where(guess > 0.0, guess, 0.5)
    with np.errstate(all="ignore"):
        scale = np.sqrt(forward * strike)
        h0 = -np.abs(np.log(forward / strike))
        for _ in range(_TURNS):
            price = time_value(forward, strike, found)
            rise = scale * np.exp(-0.5 * ((h0 / found) ** 2 + 0.25 * found**2)) / _ROOT_2_PI
            step = found - np.log(price / excess) * price / rise
            found = np.where(np.isfinite(step) & (step > 0.0) & (step < MOST_DEVIATION), step, found)
    low, high = found * (1.0 - _SHARP), found * (1.0 + _SHARP)
    held = within(calls, in_coin, (forward, forward), strike, (mark, mark), (low, high))
    for n in np.flatnonzero(~held).tolist():
        outright, at = float(forward[n]), float(strike[n])
        least = float(excess[n] - noise[n]) * (1.0 - 1e-10)
        most = float(excess[n] + noise[n]) * (1.0 + 1e-10)
        low[n], high[n] = deviation_of(least, outright, at), deviation_of(most, outright, at)
    return low, high


_ROOT_2_PI = float(np.sqrt(2.0 * np.pi))


def option_rows(span: Span) -> Floats:
    """Return one row a contract; what goes by instrument alone is left 0."""
    from scipy.special import ndtr  # half a second that most processes never need

    calls, count = span.calls, len(span.calls)
    rows = np.zeros((count, CONTRACT))
    f_lo, f_hi = span.forward
    k_lo, k_hi = span.strike
    scale = _MODEL * np.maximum(np.maximum(f_hi, k_hi), span.index[1])
    least, most = _worths(span)
    now_lo, now_hi = least[:, 1, POINTS // 2], most[:, 1, POINTS // 2]
    gain_lo = least - now_hi[:, None, None]
    gain_hi = most - now_lo[:, None, None]
    middle, radius = 0.5 * (gain_lo + gain_hi), 0.5 * (gain_hi - gain_lo)
    rows[:, :SCENARIOS] = middle[:, :, :POINTS].reshape(count, SCENARIOS)
    rows[:, STILL] = 0.0
    rows[:, SCENARIOS:DECAY] = middle[:, 1, POINTS : POINTS + 2]
    rows[:, DECAY:MOVES] = middle[:, :, -1]
    radius[:, 1, POINTS // 2] = 0.0
    radius[:, (0, 2), POINTS : POINTS + 2] = 0.0
    rows[:, R_GAIN] = radius.max(axis=(1, 2)) + scale

    first_lo, first_hi = _d1(span)
    shift = np.where(calls, 0.0, 1.0)
    delta_lo, delta_hi = ndtr(first_lo) - shift, ndtr(first_hi) - shift
    rows[:, COIN] = 0.5 * (delta_lo + delta_hi)
    rows[:, R_COIN] = 0.5 * (delta_hi - delta_lo) + _ROUNDING
    usd_lo = np.where(calls, delta_lo * f_lo, delta_lo * f_hi)
    usd_hi = np.where(calls, delta_hi * f_hi, delta_hi * f_lo)
    rows[:, DELTA] = 0.5 * (usd_lo + usd_hi)
    rows[:, R_DELTA] = 0.5 * (usd_hi - usd_lo) + scale

    near = np.where((first_lo <= 0.0) & (first_hi >= 0.0), 0.0, _nearer(first_lo, first_hi))
    far = np.maximum(np.abs(first_lo), np.abs(first_hi))
    per = np.where(span.in_coin, span.index[0], f_lo), np.where(span.in_coin, span.index[1], f_hi)
    vega_lo = per[0] * np.exp(-0.5 * far**2) / _ROOT_2_PI * np.sqrt(span.years[0])
    vega_hi = per[1] * np.exp(-0.5 * near**2) / _ROOT_2_PI * np.sqrt(span.years[1])
    vega_lo[(span.deviation[0] <= 0.0) | (span.years[0] <= 0.0)] = 0.0
    rows[:, VEGA] = 0.5 * (vega_lo + vega_hi) * span.tenor_shock
    rows[:, R_VEGA] = (0.5 * (vega_hi - vega_lo) + scale) * span.tenor_shock
    rho_lo, rho_hi = -span.years[1] * now_hi, -span.years[0] * now_lo
    rows[:, RHO] = 0.5 * (rho_lo + rho_hi) * span.term_shock
    rows[:, R_RHO] = (0.5 * (rho_hi - rho_lo) + scale * (1.0 + span.years[1])) * span.term_shock

    size_lo = np.maximum(0.0, np.maximum(usd_lo, -usd_hi)) * span.minimum
    size_hi = np.maximum(usd_hi, -usd_lo) * span.minimum
    floor_lo, floor_hi = span.index[0] * span.option_minimum, span.index[1] * span.option_minimum
    rows[:, LEAST_LO] = np.maximum(size_lo - scale, floor_lo)
    rows[:, LEAST_HI] = np.maximum(size_hi + scale, floor_hi) + scale
    rows[:, NOTIONAL_LO], rows[:, NOTIONAL_HI] = span.index
    rows[:, OPTION] = 1.0
    return rows


def _nearer(low: Floats, high: Floats) -> Floats:
    found: Floats = np.minimum(np.abs(low), np.abs(high))
    return found


def _worths(span: Span) -> tuple[Floats, Floats]:
    """Return bounds of an option's worth: contract × volatility × (MR1's points, MR6's, MR2's)."""
    calls = span.calls[:, None, None]
    s_lo, s_hi = span.index
    shocks = np.append(span.shocks, 0.0)
    shift_lo, shift_hi = np.minimum(s_lo * shocks, s_hi * shocks), np.maximum(
        s_lo * shocks, s_hi * shocks
    )
    f_lo, f_hi = span.forward[0][:, None], span.forward[1][:, None]
    lower = np.maximum(f_lo + shift_lo, f_lo * _LEAST)[:, None, :]
    upper = np.maximum(f_hi + shift_hi, f_hi * _LEAST)[:, None, :]
    found = []
    for side in (0, 1):
        forwards = np.where(calls, lower, upper) if side == 0 else np.where(calls, upper, lower)
        strikes = np.where(span.calls, span.strike[1 - side], span.strike[side])[:, None, None]
        faded = _faded(span, side)
        times = np.ones((len(span.calls), 1, len(shocks)))
        times[:, 0, -1] = faded
        deviation = span.deviation[side][:, None, None] * span.moves[:, :, None] * times
        inside = np.where(calls, forwards - strikes, strikes - forwards)
        worth = np.maximum(inside, 0.0) + time_value(forwards, strikes, deviation)
        coins = worth / forwards * (span.index[side] * (1.0 + shocks))
        found.append(np.where(span.in_coin[:, None, None], coins, worth))
    return found[0], found[1]


def _faded(span: Span, side: int) -> Floats:
    """MR2: return √(left / years), least with the least time to expiry."""
    years = span.years[side]
    left = np.maximum(0.0, years - span.passing)
    share = np.divide(left, years, out=np.zeros_like(years), where=years > 0.0)
    found: Floats = np.sqrt(share)
    return found


def _d1(span: Span) -> tuple[Floats, Floats]:
    """Return bounds of ln(F / K) / s + s / 2: it rises with F / K; in s it has one lowest point."""
    low, high = span.deviation
    with np.errstate(divide="ignore", invalid="ignore"):
        x_lo = np.log(span.forward[0] / span.strike[1])
        x_hi = np.log(span.forward[1] / span.strike[0])
        turn = np.where(x_lo > 0.0, np.clip(np.sqrt(2.0 * np.abs(x_lo)), low, high), low)
        least = x_lo / turn + 0.5 * turn
        most = np.maximum(x_hi / low + 0.5 * low, x_hi / high + 0.5 * high)
    # 0 / 0: at the strike without deviation, where d1 is all and nothing
    least = np.where(np.isnan(least), -np.inf, least) - _ROUNDING * (1.0 + np.abs(least))
    most = np.where(np.isnan(most), np.inf, most) + _ROUNDING * (1.0 + np.abs(most))
    return np.nan_to_num(least, nan=-np.inf), np.nan_to_num(most, nan=np.inf)


def linear_rows(
    mark: tuple[Floats, Floats],
    usd: tuple[Floats, Floats],
    index: tuple[float, float],
    shocks: Floats,
    minimum: float,
) -> Floats:
    """Return rows of linear contracts; `usd`: marks in USD."""
    rows = np.zeros((len(mark[0]), CONTRACT))
    middle, radius = 0.5 * (index[0] + index[1]), 0.5 * (index[1] - index[0])
    gains = middle * shocks
    rows[:, :SCENARIOS] = np.tile(gains[:POINTS], 3)
    rows[:, SCENARIOS:DECAY] = gains[POINTS:]
    rows[:, R_GAIN] = (radius + _ROUNDING * middle) * np.abs(shocks).max()
    rows[:, COIN] = 1.0
    rows[:, DELTA], rows[:, R_DELTA] = _ball(*usd)
    rows[:, LEAST_LO], rows[:, LEAST_HI] = usd[0] * minimum, usd[1] * minimum
    rows[:, NOTIONAL_LO], rows[:, NOTIONAL_HI] = usd
    rows[:, WORTH_LO], rows[:, WORTH_HI] = mark
    return rows


def inverse_rows(
    mark: tuple[Floats, Floats], index: tuple[float, float], shocks: Floats, minimum: float
) -> Floats:
    """Return rows of inverse contracts, for one USD."""
    rows = np.zeros((len(mark[0]), CONTRACT))
    least = _inverse(mark[1][:, None], index[0], shocks)
    most = _inverse(mark[0][:, None], index[1], shocks)
    up = shocks > 0.0
    gain, radius = _ball(np.where(up, least, most), np.where(up, most, least))
    rows[:, :SCENARIOS] = np.tile(gain[:, :POINTS], (1, 3))
    rows[:, SCENARIOS:DECAY] = gain[:, POINTS:]
    rows[:, R_GAIN] = radius.max(axis=1)
    rows[:, COIN], rows[:, R_COIN] = _ball(1.0 / mark[1], 1.0 / mark[0])
    rows[:, DELTA] = 1.0
    rows[:, LEAST_LO] = rows[:, LEAST_HI] = minimum
    rows[:, NOTIONAL_LO] = rows[:, NOTIONAL_HI] = 1.0
    rows[:, WORTH_LO], rows[:, WORTH_HI] = -1.0 / mark[0], -1.0 / mark[1]
    return rows


def _inverse(mark: Floats, index: float, shocks: Floats) -> Floats:
    moved = np.maximum(mark + index * shocks, mark * _LEAST)
    gain: Floats = (moved - mark) / (mark * moved) * index * (1.0 + shocks)
    return gain


def _ball(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return middle and radius, rounding included."""
    middle = 0.5 * (low + high)
    return middle, 0.5 * (high - low) + _ROUNDING * np.maximum(np.abs(low), np.abs(high))
