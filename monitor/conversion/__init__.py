"""Forced conversion of debts above the interest-free quota while auto-borrow is off (IN-4)."""

from monitor.conversion.excess import Excess, excesses
from monitor.conversion.planning import plan_conversion

__all__ = ["Excess", "excesses", "plan_conversion"]
