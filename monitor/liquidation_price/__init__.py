"""Liquidation prices: where the ratio passes 1 while one underlying's prices move (MR-4)."""

from monitor.liquidation_price.boundary import Boundary, nearest_boundary
from monitor.liquidation_price.prices import (
    LiquidationPrice,
    LiquidationPrices,
    account_boundary,
    isolated_boundary,
    liquidation_prices,
)

__all__ = [
    "Boundary",
    "LiquidationPrice",
    "LiquidationPrices",
    "account_boundary",
    "isolated_boundary",
    "liquidation_prices",
    "nearest_boundary",
]
