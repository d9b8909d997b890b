"""What is owed above the interest-free quota (IN-3, IN-4)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from monitor.account.state import Account
from monitor.interest import free_part
from monitor.margin import Figures
from monitor.reference import Reference

__all__ = ["Excess", "excesses"]


class Excess(NamedTuple):
    """One coin's liability above its quota, in coin."""

    currency: str
    amount: Decimal
    usd: Decimal


def excesses(account: Account, figures: Figures, reference: Reference) -> list[Excess]:
    """IN-4: return what is to be converted, the most USD first, then by name.

    Nothing while auto-borrow is on. Nothing in spot mode: what is owed there was borrowed on
    purpose (OV-2, OV-4), has no free part (IN-2) and is charged from the first unit.
    """
    if account.auto_borrow or account.mode == "spot":
        return []
    found = []
    for name, coin in figures.currencies.items():
        if not coin.liability:
            continue
        amount = coin.liability - free_part(account, figures, name, reference)
        if amount > 0:
            found.append(Excess(name, amount, amount * coin.price))
    return sorted(found, key=lambda excess: (-excess.usd, excess.currency))
