"""The next step for an account in liquidation (RD)."""

from monitor.reduction.bench import Market
from monitor.reduction.planning import Plan, plan

__all__ = ["Market", "Plan", "plan"]
