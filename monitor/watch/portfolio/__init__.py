"""Portfolio accounts: cells of prices in which no ratio can cross a level (PM-1 to PM-5, H-2, H-3)."""

from monitor.watch.portfolio.room import PortfolioWatch

__all__ = ["PortfolioWatch"]
