"""What one unit of a contract gains and loses in every scenario of its grid (PM-3 to PM-5)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

__all__ = ["Risk"]


class Risk(NamedTuple):
    """One contract long, by unit of contracts × size (coin; USD of an inverse contract), in USD.

    A position's figures are these times its signed amount. `slack` bounds the error of each figure
    of the value model, rounding included; linear and inverse contracts are exact and have none.
    """

    pnl: tuple[tuple[Decimal, ...], ...]
    """MR1: by volatility (down, same, up), then by price point, rising."""
    extremes: tuple[Decimal, Decimal]
    """MR6: at the extreme move down and up."""
    decay: tuple[Decimal, ...]
    """MR2: when the days pass, by volatility; empty of what is no option."""
    delta_coin: Decimal
    delta: Decimal
    """PM-5: at the mark (an option: at its forward)."""
    gamma: Decimal
    vega: Decimal
    """For a volatility higher by 1."""
    theta: Decimal
    """For one day."""
    rho: Decimal
    """For a yearly rate higher by 1."""
    slack: Decimal
    implied_volatility: Decimal | None
