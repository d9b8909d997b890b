"""Black's value in compiled loops, and bounds of what it is made of.

With x = ln(F / K), d1 = x / s + s / 2 rises with x; in s it falls and rises for x above 0, with its lowest
point at √(2x), and rises for x below.
"""

from __future__ import annotations

import math

from monitor.watch.compiled import compiled

__all__ = [
    "MOST",
    "NOISE",
    "apart",
    "below",
    "black",
    "density",
    "density_between",
    "first_between",
]

MOST = 16.0
"""`MOST_DEVIATION`: a mark that implies it may imply any more."""
NOISE = 2e-14
"""Of a value, relative to forward and strike."""
_ROUNDING = 1e-12
_FAR = 100.0
"""N(d) is 0 or 1 beyond it, and its density 0, to the last bit of a float."""
_ROOT_2 = math.sqrt(2.0)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)


@compiled
def below(x: float) -> float:
    """Return N(x)."""
    return 0.5 * math.erfc(-x / _ROOT_2)


@compiled
def density(x: float) -> float:
    return _DENSITY * math.exp(-0.5 * x * x)


@compiled
def black(call: bool, forward: float, strike: float, deviation: float) -> float:
    """Return the value, to 1e-14 of the larger of forward and strike."""
    inside = max(0.0, forward - strike if call else strike - forward)
    if deviation <= 0.0:
        return inside
    first = math.log(forward / strike) / deviation + 0.5 * deviation
    second = first - deviation
    if call:
        return max(inside, forward * below(first) - strike * below(second))
    return max(inside, strike * below(-second) - forward * below(-first))


@compiled
def first_between(x_lo: float, x_hi: float, s_lo: float, s_hi: float) -> tuple[float, float]:
    """Return bounds of d1 over x and s, rounding included; beyond `_FAR` nothing changes."""
    if s_lo > 0.0:
        least, most = x_lo / s_lo + 0.5 * s_lo, x_hi / s_lo + 0.5 * s_lo
        if x_lo > 0.0:
            turn = min(max(math.sqrt(2.0 * x_lo), s_lo), s_hi)
            least = x_lo / turn + 0.5 * turn
        most = max(most, x_hi / s_hi + 0.5 * s_hi)
    else:  # without deviation d1 is all on one side of the strike, nothing on the other
        least, most = -_FAR, _FAR
        if x_lo > 0.0:
            least = _FAR
            if s_hi > 0.0:
                turn = min(math.sqrt(2.0 * x_lo), s_hi)
                least = x_lo / turn + 0.5 * turn
        if x_hi < 0.0:
            most = x_hi / s_hi + 0.5 * s_hi if s_hi > 0.0 else -_FAR
    least = max(-_FAR, min(_FAR, least - _ROUNDING * (1.0 + abs(least))))
    most = max(-_FAR, min(_FAR, most + _ROUNDING * (1.0 + abs(most))))
    return least, most


@compiled
def density_between(low: float, high: float) -> tuple[float, float]:
    """Return bounds of n(d) for d in an interval."""
    near = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    return density(max(abs(low), abs(high))), density(near)


@compiled
def apart(a_lo: float, a_hi: float, b_lo: float, b_hi: float) -> float:
    """Return the most by which numbers of two intervals differ."""
    return max(abs(a_hi - b_lo), abs(b_hi - a_lo))
