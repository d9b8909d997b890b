"""Black's value of an option to full relative accuracy, and the volatility that a time value implies.

With a rate of 0 an option is worth its intrinsic value plus the price of the one of call and put that is
out of the money. That price, as the difference of two normal probabilities, drowns in rounding far from
the strike; with the scaled complementary error function it does not (P. Jäckel, "Let's be rational",
2015): with h = -|ln(F / K)| / s, t = s / 2, s = volatility × sqrt(years),

    price = sqrt(F K) / 2 × exp(-(h² + t²) / 2) × (erfcx(-(h + t) / sqrt 2) − erfcx(-(h − t) / sqrt 2)).

Everything is in float64 and worked over arrays. The error is below `ERROR` × max(forward, strike).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor.options.black76 import Kind
from monitor.options.implied import MOST_DEVIATION

__all__ = ["ERROR", "deviation_of", "time_value", "values"]

Floats = NDArray[np.float64]

ERROR = 1e-12
"""Bound of the error of a value, implied volatility included, as a share of max(forward, strike). What
is measured against arithmetic of 60 digits is below 1e-14; the rest is for other machines' libraries."""

_ROOT_2 = math.sqrt(2.0)
_ROOT_2_PI = math.sqrt(2.0 * math.pi)
_LEAST = 1e-150
"""A deviation whose h can still be squared."""
_UNDERFLOWS = 1500.0
"""exp(-750) is 0."""
_STEPS = 200
"""More than bisections alone would take from the whole bracket to the last bit."""
_NEAR = 1e-14


def time_value(forward: ArrayLike, strike: ArrayLike, deviation: ArrayLike) -> Floats:
    """Return the price of the option out of the money; 0 without deviation (σ √years).

    `forward` and `strike` are positive, in one currency; the shapes of the arrays are joined.
    """
    from scipy.special import erfcx  # half a second that most processes never need

    forwards, strikes = np.asarray(forward, dtype=float), np.asarray(strike, dtype=float)
    # Where exp underflows there is nothing; h is kept finite, so that no deviation is such a place.
    # Past the most deviation nothing rises any more, and erfcx would overflow.
    deviations = np.clip(deviation, _LEAST, MOST_DEVIATION)
    h = np.abs(np.log(forwards / strikes)) / deviations
    t = 0.5 * deviations
    bell = np.exp(-0.5 * np.minimum(h * h + t * t, _UNDERFLOWS))
    near, far = (h - t) / _ROOT_2, (h + t) / _ROOT_2
    price = 0.5 * np.sqrt(forwards) * np.sqrt(strikes) * bell * (erfcx(near) - erfcx(far))
    result: Floats = np.minimum(np.maximum(price, 0.0), np.minimum(forwards, strikes))
    return np.where(np.asarray(deviation) > 0.0, result, 0.0)


def values(kind: Kind, forward: ArrayLike, strike: float, deviation: ArrayLike) -> Floats:
    """Return values in the currency of `forward`, never below the intrinsic one."""
    sign = 1.0 if kind == "call" else -1.0
    intrinsic = np.maximum(sign * (np.asarray(forward, dtype=float) - strike), 0.0)
    result: Floats = intrinsic + time_value(forward, strike, deviation)
    return result


def deviation_of(excess: float, forward: float, strike: float) -> float:
    """Return the σ √years at which the time value is `excess`, to 1e-14 of itself.

    0 for no excess, `MOST_DEVIATION` for as much as there can be. Newton's steps on the logarithm of
    the price, kept inside a bracket: [0, `MOST_DEVIATION`] holds the root by the two checks before,
    every turn keeps it inside, and a step that leaves the bracket, or is more than half as long as the
    one before, is a bisection instead. So the method cannot fail, and it ends.
    """
    scale = math.sqrt(forward) * math.sqrt(strike)
    wanted = excess / scale
    if not wanted > 0.0:
        return 0.0
    from scipy.special import erfcx  # half a second that most processes never need

    away = abs(math.log(forward / strike))

    def price(deviation: float) -> tuple[float, float]:
        """Return the price over sqrt(F K), and its rise with the deviation."""
        h, t = -away / deviation, 0.5 * deviation
        bell = math.exp(-0.5 * (h * h + t * t))
        found = erfcx(-(h + t) / _ROOT_2) - erfcx(-(h - t) / _ROOT_2) if bell else 0.0
        return 0.5 * bell * float(found), bell / _ROOT_2_PI

    if wanted >= price(MOST_DEVIATION)[0]:
        return MOST_DEVIATION
    low, high = 0.0, MOST_DEVIATION
    steepest = min(math.sqrt(2.0 * away), 0.5 * high)
    inflection = price(steepest)[0] if steepest else 0.0
    guess = max(steepest, min(wanted * _ROOT_2_PI, 0.5 * high))
    if wanted < inflection:
        guess = away / math.sqrt(away - 2.0 * math.log(wanted))
    moved = high
    for _ in range(_STEPS):
        found, rise = price(guess)
        if found < wanted:
            low = guess
        else:
            high = guess
        step = 0.0
        if found > 0.0 and rise > 0.0:
            bent = math.log(found) / math.log(wanted) if found < inflection else 1.0
            step = guess - math.log(found / wanted) * found / rise * bent
        if not low < step < high or abs(step - guess) > 0.5 * moved:
            step = math.sqrt(low * high) if low > 0.0 else 0.5 * high
        moved = abs(step - guess)
        if moved <= _NEAR * guess:
            return step
        guess = step
    return guess
