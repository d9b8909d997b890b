"""What a check is made at: reference set, prices, totals and time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from monitor.account.state import Account
from monitor.currency import USD
from monitor.limits import Totals, usable_totals
from monitor.margin import Figures, assess
from monitor.ordering.exceptions import BadQuestion
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema.reference import Currency, Policy

__all__ = ["Market"]


@dataclass(frozen=True)
class Market:
    """Where all checks of one question look."""

    reference: Reference
    prices: PriceBook
    totals: Totals | None
    """BL-2, BL-3; None: unknown."""
    now: int
    """Epoch ms."""

    @property
    def policy(self) -> Policy:
        return self.reference.policy

    @cached_property
    def usable(self) -> Totals | None:
        """H-10: the totals unless they are too old to allow anything."""
        return usable_totals(self.totals, self.now, self.policy)

    @property
    def totals_age_ms(self) -> int | None:
        return None if self.totals is None else max(0, self.now - self.totals.ts)

    def assess(self, account: Account) -> Figures:
        return assess(account, self.reference, self.prices)

    def currency(self, name: str) -> Currency:
        """Return a currency's entry. Raises `BadQuestion`."""
        if name == "USD":
            return USD
        entry = self.reference.currencies.get(name)
        if entry is None:
            raise BadQuestion("currency", f"unknown currency {name}")
        return entry
