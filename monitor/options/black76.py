"""Black's model of an option on a forward, with rate 0.

F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976) 167-179.
With a rate of 0 nothing is discounted: call = F N(d1) - K N(d2), put = K N(-d2) - F N(-d1), with
d1 = ln(F / K) / s + s / 2, d2 = d1 - s and s = volatility x sqrt(years). Everything is in floats,
in quote currency for one unit of the underlying; volatility is yearly, a year has 365 days.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

__all__ = [
    "Kind",
    "Sensitivities",
    "delta",
    "gamma",
    "sensitivities",
    "theta",
    "value",
    "vega",
    "years_between",
]

Kind = Literal["call", "put"]

YEAR_MS = 365 * 24 * 3600 * 1000
_ROOT_2 = math.sqrt(2.0)
_ROOT_2_PI = math.sqrt(2.0 * math.pi)


class Sensitivities(NamedTuple):
    """One option at one point; per unit of the underlying, in quote currency."""

    value: float
    delta: float
    """Units of the underlying: the change of `value` with the forward."""
    gamma: float
    """The change of delta with the forward."""
    vega: float
    """The change of `value` when volatility rises by 1 (100 %)."""
    theta: float
    """The change of `value` in one year, all else standing; never positive."""


def years_between(now: int, expiry: int) -> float:
    """Return the years of 365 days from `now` to `expiry` (epoch ms); 0 once it has passed."""
    return max(0, expiry - now) / YEAR_MS


def _below(x: float) -> float:
    """Return N(x), the standard normal distribution, exact far out on both sides."""
    return 0.5 * math.erfc(-x / _ROOT_2)


def _density(x: float) -> float:
    return math.exp(-0.5 * x * x) / _ROOT_2_PI


def _check(forward: float, strike: float, years: float, volatility: float) -> None:
    if not (forward > 0 and strike > 0 and math.isfinite(forward) and math.isfinite(strike)):
        raise ValueError(
            f"forward {forward} and strike {strike} must both be positive and finite numbers"
        )
    if not (years >= 0 and volatility >= 0):
        raise ValueError(f"years {years} and volatility {volatility} must not be negative")


def sensitivities(
    kind: Kind, forward: float, strike: float, years: float, volatility: float
) -> Sensitivities:
    """Return the option's value and sensitivities. Raises `ValueError` for what is no option.

    With no time or no volatility left it is worth its intrinsic value: delta is 1 or 0 (put: -1 or
    0), at the strike one half, and nothing else moves it.
    """
    _check(forward, strike, years, volatility)
    deviation = volatility * math.sqrt(years)
    sign = 1.0 if kind == "call" else -1.0
    if deviation == 0.0:
        inside = sign * (forward - strike)
        share = 0.5 if inside == 0.0 else float(inside > 0.0)
        return Sensitivities(max(0.0, inside), sign * share, 0.0, 0.0, 0.0)
    first = math.log(forward / strike) / deviation + 0.5 * deviation
    second = first - deviation
    worth = sign * (forward * _below(sign * first) - strike * _below(sign * second))
    density = _density(first)
    return Sensitivities(
        max(0.0, sign * (forward - strike), worth),
        sign * _below(sign * first),
        density / (forward * deviation),
        forward * density * math.sqrt(years),
        -0.5 * forward * density * volatility / math.sqrt(years),
    )


def value(kind: Kind, forward: float, strike: float, years: float, volatility: float) -> float:
    """Return the value in quote currency, never below the intrinsic one."""
    return sensitivities(kind, forward, strike, years, volatility).value


def delta(kind: Kind, forward: float, strike: float, years: float, volatility: float) -> float:
    """Return the delta in units of the underlying: 0 to 1 for a call, -1 to 0 for a put."""
    return sensitivities(kind, forward, strike, years, volatility).delta


def gamma(kind: Kind, forward: float, strike: float, years: float, volatility: float) -> float:
    """Return the change of delta with the forward."""
    return sensitivities(kind, forward, strike, years, volatility).gamma


def vega(kind: Kind, forward: float, strike: float, years: float, volatility: float) -> float:
    """Return the change of value for a volatility higher by 1."""
    return sensitivities(kind, forward, strike, years, volatility).vega


def theta(kind: Kind, forward: float, strike: float, years: float, volatility: float) -> float:
    """Return the change of value in a year, all else standing."""
    return sensitivities(kind, forward, strike, years, volatility).theta
