"""A volatility surface without static arbitrage that steepens and rises as the spot falls.

Smile: SSVI with the power law, J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces",
Quantitative Finance 14 (2014) 59-71. Of an expiry with total variance t at the money, a strike with
k = ln(strike / forward) has the total variance

    w = t / 2 (1 + rho f k + sqrt((f k + rho)^2 + 1 - rho^2)),   f = eta / (t^g (1 + t)^(1 - g)).

With eta (1 + |rho|) <= 2 and 0 < g <= 1/2 no butterfly has a negative price (their Corollary 4.1, Remark
4.4), and none between expiries has as long as t rises with time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.options import Kind, value

__all__ = ["Surface"]

_SHORTEST, _LONGEST = 0.2, 3.0
"""Yearly volatilities that the two ends of the term are kept within."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Yearly volatility by strike and time; `short` and `long` are those at the money at no time and far out.

    Variance at the money is drawn from the short one to the long one at `reversion` a year.
    """

    short: float = 0.62
    long: float = 0.68
    reversion: float = 6.0
    skew: float = -0.35
    """rho: below zero the puts cost more."""
    curvature: float = 1.2
    """eta."""
    power: float = 0.45
    """g."""

    def __post_init__(self) -> None:
        if self.curvature * (1 + abs(self.skew)) > 2 or not 0 < self.power <= 0.5:
            raise ValueError(
                f"curvature {self.curvature} with skew {self.skew} and power {self.power}: "
                f"curvature x (1 + |skew|) must be 2 at most, power above 0 and 0.5 at most"
            )

    def moved(self, fall: float, noise: float = 0.0) -> Surface:
        """Return the surface after the spot fell by `fall` (a log return), `noise` likewise.

        A fall of a fifth lifts the short end by two fifths, the long end by half as much.
        """
        return Surface(
            _within(self.short * math.exp(1.6 * fall + noise)),
            _within(self.long * math.exp(0.8 * fall + 0.5 * noise)),
            self.reversion,
            self.skew,
            self.curvature,
            self.power,
        )

    def total_variance(self, years: float) -> float:
        """Return variance x years at the money; it rises with `years`."""
        low, high = self.short**2, self.long**2
        drawn = -math.expm1(-self.reversion * years) / self.reversion
        return high * years + (low - high) * drawn

    def volatility(self, forward: float, strike: float, years: float) -> float:
        """Return the yearly volatility of a strike, at the money where no time is left."""
        if years <= 0.0:
            return self.short
        total = self.total_variance(years)
        slope = self.curvature / (total**self.power * (1.0 + total) ** (1.0 - self.power))
        place = slope * math.log(strike / forward)
        root = math.sqrt((place + self.skew) ** 2 + 1.0 - self.skew**2)
        return math.sqrt(0.5 * total * (1.0 + self.skew * place + root) / years)

    def price(self, kind: Kind, forward: float, strike: float, years: float) -> float:
        """Return an option's value in quote currency per unit of the underlying (Black-76)."""
        sigma = self.volatility(forward, strike, years)
        return value(kind, forward, strike, years, sigma)


def _within(volatility: float) -> float:
    return min(_LONGEST, max(_SHORTEST, volatility))
