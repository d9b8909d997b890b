"""The figures of one risk unit: charges, scenarios, greeks and what they come to (PM-2, PM-3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from monitor.margin.portfolio.grid import Grid
from monitor.margin.portfolio.holdings import Filled, Held, Holdings
from monitor.schema.events import PositionSide

__all__ = [
    "VOLATILITY_MOVES",
    "Charges",
    "Extreme",
    "RiskUnitFigures",
    "UnitPosition",
    "VolatilityMove",
    "Worst",
]

VolatilityMove = Literal["down", "same", "up"]
VOLATILITY_MOVES: tuple[VolatilityMove, ...] = ("down", "same", "up")


class Charges(NamedTuple):
    """PM-3: MR1 to MR7 and MR9 of a unit, in USD, none below 0. MR8 is the account's."""

    mr1: Decimal
    mr2: Decimal
    mr3: Decimal
    mr4: Decimal
    mr5: Decimal
    mr6: Decimal
    mr7: Decimal
    mr9: Decimal

    @property
    def maintenance(self) -> Decimal:
        """PM-2: max(max(MR1, MR2, MR6) + MR3 + MR4 + MR5 + MR9, MR7)."""
        moved = max(self.mr1, self.mr2, self.mr6)
        return max(moved + self.mr3 + self.mr4 + self.mr5 + self.mr9, self.mr7)


class Worst(NamedTuple):
    """MR1: the scenario that loses most; of equal ones the one at higher volatility."""

    volatility: VolatilityMove
    spot: Decimal
    """Share by which the index moves."""
    pnl: Decimal


class Extreme(NamedTuple):
    """MR6: the extreme move that loses more, and its whole PnL."""

    spot: Decimal
    pnl: Decimal


class UnitPosition(NamedTuple):
    """One position of the unit: contracts (negative short), greeks in USD as in `RiskUnitFigures`."""

    key: str
    instrument: str
    side: PositionSide
    quantity: Decimal
    delta: Decimal
    gamma: Decimal
    vega: Decimal
    theta: Decimal
    implied_volatility: Decimal | None
    """Yearly, 1 = 100 %; None of what is no option."""


@dataclass(slots=True)
class RiskUnitFigures:
    """One risk unit in USD, with those of its open orders filled that ask for most.

    Greeks of the derivatives: `delta` in USD for the whole price, `gamma` the change of delta when the
    underlying rises by 1 %, `vega` the change of value for one point of volatility (0.01), `theta` for
    one day.
    """

    underlying: str
    maintenance_margin: Decimal
    initial_margin: Decimal
    maintenance_without_orders: Decimal
    initial_without_orders: Decimal
    """OC-1."""
    filled: Filled
    delta: Decimal
    gamma: Decimal
    vega: Decimal
    theta: Decimal
    spot_in_use: Decimal
    """PM-1: coin, negative for a debt that offsets a long delta."""
    charges: Charges
    scenarios: Mapping[VolatilityMove, Mapping[Decimal, Decimal]]
    """MR1: volatility → share by which the index moves → PnL."""
    worst: Worst
    extreme: Extreme
    positions: tuple[UnitPosition, ...]
    grid: Grid
    held: tuple[Held, ...]
    """What the charges are made of, the orders of `filled` in it."""
    holdings: Holdings
    """The unit itself."""
