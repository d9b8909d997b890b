"""Portfolio margin: risk units, their charges and what they ask (PM-1 to PM-5)."""

from monitor.margin.portfolio.figures import (
    Charges,
    Extreme,
    RiskUnitFigures,
    UnitPosition,
    VolatilityMove,
    Worst,
)

__all__ = [
    "Charges",
    "Extreme",
    "RiskUnitFigures",
    "UnitPosition",
    "VolatilityMove",
    "Worst",
]
