"""The delta of an option from its mark, by Black's model of 1976 at rate 0 (RD-2)."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal

from monitor.exact import ZERO
from monitor.schema import Instrument
from streams.verify.options import in_coin

__all__ = ["coin_delta"]

_STEP = Decimal("1e-9")
"""Deltas are in steps of this: the last bits of floats differ from machine to machine."""
_MOST = 16.0
"""σ√t beyond which an option is worth all that it can be."""


def _normal(x: float) -> float:
    """Return the standard normal distribution at x."""
    return math.erfc(-x / math.sqrt(2.0)) / 2.0


def _time_value(forward: float, strike: float, deviation: float) -> float:
    """Return what the option out of the money is worth, put or call, at σ√t = `deviation`."""
    if deviation == 0.0:
        return 0.0
    upper = math.log(forward / strike) / deviation + deviation / 2.0
    lower = upper - deviation
    if forward <= strike:  # the call
        return forward * _normal(upper) - strike * _normal(lower)
    return strike * _normal(-lower) - forward * _normal(-upper)


def _deviation(price: float, forward: float, strike: float, call: bool) -> float:
    """Return σ√t at which the option is worth `price`, by bisection; 0 at or below intrinsic."""
    inside = max(0.0, forward - strike if call else strike - forward)
    wanted = price - inside
    if not wanted > 0.0:
        return 0.0
    low, high = 0.0, _MOST
    if _time_value(forward, strike, high) <= wanted:
        return high
    while True:
        middle = (low + high) / 2.0
        if middle in (low, high):
            return middle
        if _time_value(forward, strike, middle) < wanted:
            low = middle
        else:
            high = middle


def coin_delta(spec: Instrument, mark: Decimal, forward: Decimal, now: int) -> Decimal:
    """Return the delta of one coin of a long option: 0 to 1 of a call, −1 to 0 of a put.

    A coin-margined option's value in quote currency is its mark × the forward. Once it has expired
    only what it is in the money counts.
    """
    call = spec.option_type == "call"
    outright, strike = float(forward), float(spec.strike or ZERO)
    price = float(mark * forward if in_coin(spec) else mark)
    expired = spec.expiry is None or spec.expiry <= now
    deviation = 0.0 if expired else _deviation(price, outright, strike, call)
    sign = 1.0 if call else -1.0
    if deviation == 0.0:
        inside = sign * (outright - strike)
        share = 0.5 if inside == 0.0 else float(inside > 0.0)
    else:
        share = _normal(sign * (math.log(outright / strike) / deviation + deviation / 2.0))
    return Decimal(sign * share).quantize(_STEP, ROUND_HALF_EVEN)
