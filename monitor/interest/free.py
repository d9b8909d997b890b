"""What of a liability bears no interest (IN-2, IN-3)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import Account
from monitor.currency import USD
from monitor.exact import ZERO
from monitor.margin.figures import Figures
from monitor.reference import Reference

__all__ = ["chargeable", "free_part", "quota"]


def quota(figures: Figures, currency: str, reference: Reference) -> Decimal:
    """IN-3: return the interest-free quota in coin: the currency's own and what it adds."""
    entry = USD if currency == "USD" else reference.currencies[currency]
    total = entry.interest_free_quota
    for other in entry.quota_adds_available_of:
        added = figures.currencies.get(other)
        if added is not None:
            total += added.available  # CU-5
    return total


def free_part(account: Account, figures: Figures, currency: str, reference: Reference) -> Decimal:
    """IN-2: return the part of the currency's cross liability that bears no interest, in coin.

    `figures` are those of `account`. With auto-borrow off the rest is converted (IN-4) rather than
    charged, see `chargeable`.
    """
    coin = figures.currencies.get(currency)
    if account.mode == "spot" or coin is None or not coin.liability:
        return ZERO
    unrealised_only = account.auto_borrow and reference.policy.quota_covers == "unrealised"
    covered = coin.upl_liability if unrealised_only else coin.liability
    return min(covered, quota(figures, currency, reference))


def chargeable(account: Account, reference: Reference) -> bool:
    """IN-2: return whether what exceeds the free part bears interest at all."""
    return account.mode == "spot" or account.auto_borrow or reference.policy.charge_when_off
