"""Interest, its free part, and the conversion of debts above the quota (IN)."""

from monitor.interest.accrual import Interest, InterestObserver
from monitor.interest.free import chargeable, free_part, quota
from monitor.interest.hours import HourBook, HourCut, HourPrices, hour_prices
from monitor.interest.table import interest_table

__all__ = [
    "HourBook",
    "HourCut",
    "HourPrices",
    "Interest",
    "InterestObserver",
    "chargeable",
    "free_part",
    "hour_prices",
    "interest_table",
    "quota",
]
