"""Levels, bands and what OC-1 names: the questions a decision asks of the figures."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from monitor.account.state import Account
from monitor.margin import Figures
from monitor.schema.commands import Band
from monitor.schema.reference import Policy

__all__ = ["Levels", "oc1_orders", "open_orders"]


@dataclass(slots=True, frozen=True)
class Levels:
    """ES-1: the levels of one mode; a ratio of `None` is above all of them."""

    warning: Decimal
    warning_exit: Decimal
    liquidation: Decimal
    liquidation_exit: Decimal
    worsened: tuple[Decimal, ...]

    @classmethod
    def of(cls, policy: Policy, mode: str) -> Levels:
        return cls(
            policy.level("warning", mode),
            policy.level("warning_exit", mode),
            policy.level("liquidation", mode),
            policy.level("liquidation_exit", mode),
            policy.worsened,
        )

    def band(self, ratio: Decimal | None) -> Band:
        if ratio is None or ratio > self.warning:
            return "normal"
        return "warning" if ratio > self.liquidation else "liquidation"

    def lowest_reached(self, ratio: Decimal) -> Decimal | None:
        """ES-3: return the lowest of warning and worsened levels that `ratio` is at or below."""
        reached = [level for level in (self.warning, *self.worsened) if ratio <= level]
        return min(reached) if reached else None


def open_orders(account: Account) -> list[str]:
    """ES-4: return every open order by id, reduce-only too; those of an executor apart."""
    return sorted(name for name, order in account.orders.items() if order.command_id is None)


def oc1_orders(account: Account, figures: Figures, policy: Policy) -> list[str]:
    """OC-1: return the orders it cancels, by id; empty when OC-1 does not hold (OC-4)."""
    if not account.orders or not figures.oc1_short:
        return []
    return sorted(
        name
        for name, order in account.orders.items()
        if not order.reduce_only  # OC-4
        and order.command_id is None
        and _adds(account, figures, policy, name)
    )


def _adds(account: Account, figures: Figures, policy: Policy, order_id: str) -> bool:
    """Whether an order opens or adds, or needs borrowing; in spot mode as the setting says."""
    if account.mode == "spot":
        return policy.spot_cancel_scope == "all" or account.orders[order_id].auto_borrow
    order = figures.orders[order_id]
    if order.gives is None:
        return order.opening > 0
    given = figures.currencies[order.gives]
    return given.potential_borrowing > given.liability
