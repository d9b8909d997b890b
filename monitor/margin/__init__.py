"""Margin of one account: figures, tiers, orders (AE, IM, MM, MR)."""

from monitor.margin.assess import assess
from monitor.margin.figures import CurrencyFigures, Figures, OrderFigures, PositionFigures

__all__ = ["CurrencyFigures", "Figures", "OrderFigures", "PositionFigures", "assess"]
