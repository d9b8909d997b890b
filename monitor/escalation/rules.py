"""Levels, bands and what ES-4 names: the questions a decision asks of figures and orders."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from monitor.account.state import Account
from monitor.schema.commands import Band
from monitor.schema.events import PositionSide
from monitor.schema.reference import Policy

__all__ = ["Levels", "open_orders", "orders_of_position"]


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


def orders_of_position(account: Account, instrument: str, side: PositionSide) -> list[str]:
    """ES-4 of an isolated position: return its open orders by id; long_short: those of its side."""
    return sorted(
        name
        for name, order in account.orders.items()
        if order.command_id is None
        and order.margin_mode == "isolated"
        and order.instrument == instrument
        and side in ("net", order.position_side)
    )
