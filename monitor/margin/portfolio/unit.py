"""One risk unit's figures, with those of its open orders filled that ask for most (PM-1, PM-2, OC-1)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from monitor.exact import ZERO
from monitor.margin.portfolio.charges import charges_of
from monitor.margin.portfolio.figures import Charges, RiskUnitFigures, UnitPosition
from monitor.margin.portfolio.grid import Grid
from monitor.margin.portfolio.holdings import Filled, Held, Holdings
from monitor.margin.portfolio.scenarios import Moved, moved

__all__ = ["maintenance_of", "unit_figures"]

_POINT = Decimal("0.01")
"""Vega is shown for one point of volatility."""


class _Looked(NamedTuple):
    filled: Filled
    held: list[Held]
    spot: Decimal
    moved: Moved
    charges: Charges


def unit_figures(
    grid: Grid,
    holdings: Holdings,
    positions: Sequence[UnitPosition],
) -> RiskUnitFigures:
    """Return the unit's figures; `positions` are its own as shown. Raises `MissingParameter`."""
    plain = _look(grid, holdings, "none")
    worst = _with_orders(grid, holdings, plain)
    maintenance, without = worst.charges.maintenance, plain.charges.maintenance
    return RiskUnitFigures(
        holdings.underlying,
        maintenance,
        grid.initial_factor * maintenance,
        without,
        grid.initial_factor * without,
        worst.filled,
        sum((one.net * one.contract.risk.delta for one in worst.held), ZERO),
        sum((one.net * one.contract.risk.gamma for one in worst.held), ZERO),
        sum((one.net * one.contract.risk.vega * _POINT for one in worst.held), ZERO),
        sum((one.net * one.contract.risk.theta for one in worst.held), ZERO),
        worst.spot,
        worst.charges,
        worst.moved.scenarios,
        worst.moved.worst,
        worst.moved.extreme,
        tuple(positions),
        grid,
        tuple(worst.held),
        holdings,
    )


def maintenance_of(grid: Grid, holdings: Holdings) -> Decimal:
    """PM-2: return what a unit would ask, in USD. Raises `MissingParameter`."""
    return _with_orders(grid, holdings, _look(grid, holdings, "none")).charges.maintenance


def _with_orders(grid: Grid, holdings: Holdings, plain: _Looked) -> _Looked:
    """Open orders count as the worst of none, all buys and all sells filled."""
    worst = plain
    if holdings.has_buys:
        worst = _worse(worst, _look(grid, holdings, "buys"))
    if holdings.has_sells:
        worst = _worse(worst, _look(grid, holdings, "sells"))
    return worst


def _worse(first: _Looked, second: _Looked) -> _Looked:
    return second if second.charges.maintenance > first.charges.maintenance else first


def _look(grid: Grid, holdings: Holdings, filled: Filled) -> _Looked:
    held, coin = holdings.filled(filled)
    spot = holdings.spot_in_use(held, coin)
    under = moved(grid, held, spot * holdings.index)
    charges = charges_of(grid, held, under, holdings.moment, holdings.indices)
    return _Looked(filled, held, spot, under, charges)
