"""The volatility that a price implies (Black 1976), by a root finder that cannot leave its bracket."""

from __future__ import annotations

import math

from monitor.options.black76 import Kind, value

__all__ = ["MOST_DEVIATION", "implied_volatility"]

MOST_DEVIATION = 16.0
"""Volatility x sqrt(years) at which an option is worth, to the last bit of a float, all it can be:
N(8) is 1 - 6e-16. No higher price has a volatility."""

_TOLERANCE = 1e-14


def implied_volatility(
    kind: Kind, price: float, forward: float, strike: float, years: float
) -> float:
    """Return the yearly volatility at which the option is worth `price` (quote currency).

    0 for a price at or below the intrinsic value (PM-4), and without time; the highest one,
    `MOST_DEVIATION` / sqrt(years), for a price at or above all that the option can be worth (call:
    the forward, put: the strike). Raises `ValueError` for a forward or strike that is not positive.

    With a rate of 0 a call and a put differ by forward - strike, so that the side out of the money
    is solved for, whose whole price is time value: in the money that would drown in the intrinsic
    part. The root lies between the two ends by the checks above and the price's rise with
    volatility: R. P. Brent's method (1973) keeps the bracket and ends.
    """
    intrinsic = value(kind, forward, strike, 0.0, 0.0)
    time_value = price - intrinsic
    if not time_value > 0.0 or not years > 0.0:
        return 0.0
    outside: Kind = "call" if forward <= strike else "put"
    root_years = math.sqrt(years)

    def excess(deviation: float) -> float:
        return value(outside, forward, strike, 1.0, deviation) - time_value

    if excess(MOST_DEVIATION) <= 0.0:
        return MOST_DEVIATION / root_years
    from scipy.optimize import brentq  # half a second that most processes never need

    found = brentq(excess, 0.0, MOST_DEVIATION, xtol=_TOLERANCE, rtol=_TOLERANCE)
    return float(found) / root_years
