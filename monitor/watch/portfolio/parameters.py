"""One unit's parameters in floats, and until when they hold (PM-4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from monitor.margin.portfolio.grid import DAY_MS, Grid, bucket_of, days_between
from monitor.reference import Reference
from monitor.schema.portfolio import StablecoinRow, UnitParameters
from monitor.watch.portfolio.layout import (
    BUCKETS,
    EXTREME_SHARE,
    EXTREMES,
    INITIAL,
    POINTS,
    SCALES,
    SHOCKS,
    STEEPEST,
    TENORS,
    UNDERLYING,
)

__all__ = ["BUCKET", "DAY_MS", "YEAR_MS", "Buckets", "Parameters", "fits", "next_set"]

Floats = NDArray[np.float64]
YEAR_MS = 365 * DAY_MS
BUCKET = 7
"""Columns of an option's buckets."""


@dataclass(slots=True)
class Parameters:
    """Of one grid; the table of stablecoins is looked up by the pegs of the day."""

    grid: Grid
    row: Floats
    """As `monitor.watch.portfolio.layout` has it of an underlying; prices are 0."""
    shares: Floats
    scale: Floats
    moves: Floats
    """MR1's shocks, then MR6's."""

    @classmethod
    def of(cls, grid: Grid) -> Parameters:
        """Compile a grid that `fits`."""
        unit = grid.unit
        row = np.zeros(UNDERLYING)
        row[SHOCKS : SHOCKS + POINTS] = [float(shock) for shock in grid.shocks]
        row[EXTREMES : EXTREMES + 2] = [float(shock) for shock in grid.extremes]
        row[EXTREME_SHARE], row[INITIAL] = float(grid.extreme_share), float(grid.initial_factor)
        tenors = unit.tenors or ()
        row[TENORS], row[SCALES] = len(tenors), len(unit.minimum_scale)
        table = unit.stablecoin_table or ()
        row[STEEPEST] = max((float(t.rate) for r in table for t in r.tiers), default=0.0)
        shares = np.zeros((BUCKETS, BUCKETS))
        for long, tenor in enumerate(tenors):
            shares[long, :long] = [float(share) for share in tenor.offsets]
        scale = np.zeros((BUCKETS, 2))
        for number, tier in enumerate(unit.minimum_scale):
            scale[number] = float(tier.up_to), float(tier.factor)
        moves = row[SHOCKS : EXTREMES + 2].copy()
        return cls(grid, row, shares, scale, moves)

    def hedge(self, low: float, high: float) -> tuple[Floats, int, bool]:
        """MR9: return the slices at pegs from low to high, their number, and whether rows differ."""
        table = self.grid.unit.stablecoin_table or ()
        slices = np.zeros((BUCKETS, 2))
        if not table:
            return slices, 0, False
        first, last = _row(table, low), _row(table, high)
        for number, tier in enumerate(first.tiers):
            slices[number] = float(tier.up_to), float(tier.rate)
        return slices, len(first.tiers), first is not last


def _row(table: Sequence[StablecoinRow], index: float) -> StablecoinRow:
    return next((row for row in table if index >= float(row.index)), table[-1])


def fits(unit: UnitParameters, *, options: bool, names: set[int]) -> bool:
    """Say whether the unit has all that it needs, and no table longer than the arrays.

    `names`: which of MR9's legs it may have. What it lacks leaves it unpriced, which is for decimals.
    """
    if options:
        needed = unit.volatility_shocks, unit.tenors, unit.rate_shocks, unit.option_minimum
        if any(one is None for one in needed):
            return False
    if len(names - {3}) > 1 and unit.stablecoin_table is None:
        return False
    tables = [unit.minimum_scale, unit.tenors or (), unit.rate_shocks or ()]
    tables += [row.tiers for row in unit.stablecoin_table or ()]
    return all(len(table) <= BUCKETS for table in tables)


class Buckets:
    """What an option's days to expiry choose, and until when (epoch ms) they choose the same."""

    __slots__ = ("row", "until")

    def __init__(self, grid: Grid, expiry: int, moment: int) -> None:
        unit, days = grid.unit, days_between(moment, expiry)
        volatility, tenors = unit.volatility_shocks or (), unit.tenors or ()
        terms = unit.rate_shocks or ()
        shock = volatility[bucket_of(volatility, days)]
        tenor, term = bucket_of(tenors, days), bucket_of(terms, days)
        self.row = (
            1.0 - float(shock.down),
            1.0,
            1.0 + float(shock.up),
            float(tenors[tenor].shock),
            float(terms[term].shock),
            float(tenor),
            float(term),
        )
        """Factors of the volatility, shocks of MR3 and MR5, their buckets."""
        bounds = [Decimal(0), *(one.days for table in (volatility, tenors, terms) for one in table)]
        turns = [expiry - math.floor(bound * DAY_MS) for bound in bounds]
        self.until = min((turn - 1 for turn in turns if turn > moment), default=1 << 62)


def next_set(reference: Reference, moment: int) -> int:
    """PM-4: return the last moment (epoch ms) before the next dated set holds."""
    return min(
        (one.valid_ms - 1 for one in reference.portfolio if one.valid_ms > moment), default=1 << 62
    )
