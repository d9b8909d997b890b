"""Questions answered before anything is sent: orders, borrowing, withdrawals, repayment (OV, BL, RP)."""

from monitor.ordering.exceptions import BadQuestion
from monitor.ordering.order import check_order
from monitor.ordering.transfers import check_borrow, check_withdrawal

__all__ = ["BadQuestion", "check_borrow", "check_order", "check_withdrawal"]
