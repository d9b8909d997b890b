"""The next step for an account, or an isolated position, in liquidation (RD)."""

from monitor.reduction.caps import Caps
from monitor.reduction.isolated import plan_isolated
from monitor.reduction.planning import plan
from monitor.reduction.step import Capped, Plan
from monitor.reduction.trial import Market

__all__ = ["Capped", "Caps", "Market", "Plan", "plan", "plan_isolated"]
