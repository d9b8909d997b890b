"""Which parameters a risk unit goes by, compiled for its scenarios (PM-3, PM-4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

import numpy as np

from monitor.exact import ONE, ZERO
from monitor.margin.portfolio.risk import Risk
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema.portfolio import PortfolioParameters, UnitParameters

__all__ = ["Grid", "bucket_of", "days_between", "grid_of", "marginal", "moment_of"]

DAY_MS = 24 * 3600 * 1000


class _Dated(Protocol):
    @property
    def days(self) -> Decimal: ...


_D = TypeVar("_D", bound=_Dated)


class Grid:
    """One unit's parameters of one dated set; compared by identity.

    `known` keeps the last risk of each contract under what it was worked out from, so that every
    account that holds the contract at the same prices has it for nothing.
    """

    __slots__ = (
        "extreme_share",
        "extremes",
        "initial_factor",
        "known",
        "moves",
        "shocks",
        "unit",
    )

    def __init__(self, dated: PortfolioParameters, unit: UnitParameters) -> None:
        self.unit = unit
        self.initial_factor = dated.initial_factor
        self.extreme_share = dated.extreme_share
        ups = unit.spot_shocks
        self.shocks = (*(-s for s in reversed(ups)), ZERO, *ups)
        """PM-4: the price points of MR1, rising."""
        self.extremes = (-unit.extreme_shock, unit.extreme_shock)
        self.moves = np.array([float(s) for s in (*self.shocks, *self.extremes, ZERO)])
        """The price points, the extremes, and no move for the days that pass (MR2)."""
        self.known: dict[str, tuple[tuple[object, ...], Risk]] = {}


def moment_of(prices: PriceBook, currency: str) -> int:
    """Return the time of a currency's index (epoch ms): that of its newest tick, 0 without one.

    It is the time a unit on that currency is looked at: its parameters, and what is left to every
    expiry, go by it. So an assessment follows from its prices alone, whoever makes it and when.
    """
    ticks = (prices.prices.get(key) for key in prices.route(currency) if key is not None)
    return max((tick.ts for tick in ticks if tick is not None), default=0)


def grid_of(reference: Reference, underlying: str, moment: int) -> Grid | None:
    """PM-4: return the grid that holds at `moment`; None where no set, or no unit, serves."""
    valid = [number for number, one in enumerate(reference.portfolio) if one.valid_ms <= moment]
    if not valid:
        return None
    place = (valid[-1], underlying)
    found: Grid | None = reference.grids.get(place)
    if found is None:
        dated = reference.portfolio[valid[-1]]
        unit = dated.unit(underlying)
        if unit is None:
            return None
        found = reference.grids[place] = Grid(dated, unit)
    return found


def bucket_of(items: Sequence[_D], days: Decimal) -> int:
    """Return the place of the first entry that reaches to `days`; the last serves what is longer."""
    for number, item in enumerate(items):
        if days <= item.days:
            return number
    return len(items) - 1


def days_between(now: int, expiry: int) -> Decimal:
    """Return the days from `now` to `expiry` (epoch ms), 0 once it has passed."""
    return Decimal(max(0, expiry - now)) / DAY_MS


def marginal(value: Decimal, slices: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
    """Return Σ slice × factor of `value` through (up to, factor); past the last its factor; 1 without."""
    total = below = ZERO
    factor = ONE
    for up_to, factor in slices:
        part = min(value, up_to) - below
        if part <= 0:
            return total
        total += part * factor
        below = up_to
    return total + max(ZERO, value - below) * factor
