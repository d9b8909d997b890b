"""Interest, its free part, and the conversion of debts above the quota (IN)."""

from monitor.interest.free import chargeable, free_part, quota

__all__ = ["chargeable", "free_part", "quota"]
