"""What an episode is about: an account, or one of its isolated positions (ES-2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from monitor.account.state import Account
from monitor.conversion import plan_conversion
from monitor.escalation.cancels import Cancel, due_cancels
from monitor.escalation.context import Context
from monitor.escalation.rules import open_orders, orders_of_position
from monitor.exact import ZERO
from monitor.margin import Figures
from monitor.margin.figures import IsolatedFigures
from monitor.reduction import Capped, Plan, plan, plan_isolated

__all__ = ["Subject", "account_subject", "gone_subject", "isolated_subject"]


def _nothing() -> Plan | Capped | None:
    return None


@dataclass(slots=True, frozen=True)
class Subject:
    """The figures an episode goes by, in USD, and what may be done about them."""

    account: Account
    position: str | None
    """Key of an isolated position; None for the account itself."""
    ratio: Decimal | None
    adjusted_equity: Decimal
    maintenance_margin: Decimal
    liquidation_fee: Decimal
    symbols: tuple[str, ...]
    """The prices used, as `symbol/kind`."""
    shortfall: Decimal
    """ES-7."""
    open_orders: tuple[str, ...]
    """What ES-4 cancels."""
    cancels: tuple[Cancel, ...] = ()
    """What OC-1 to OC-3 and IN-5 cancel, in this order; only those that name something."""
    plan: Callable[[], Plan | Capped | None] = _nothing
    """The next reduction step (RD)."""
    convert: Callable[[], Plan | Capped | None] = _nothing
    """The next batch of a forced conversion (IN-4)."""

    @property
    def name(self) -> str:
        """What the caps know it by (RD-6): the account, or account/position."""
        account_id = self.account.account_id
        return account_id if self.position is None else f"{account_id}/{self.position}"


def account_subject(account: Account, figures: Figures, context: Context) -> Subject:
    """The account by its cross ratio."""
    total = figures.total_equity
    return Subject(
        account,
        None,
        figures.ratio,
        figures.adjusted_equity,
        figures.maintenance_margin,
        figures.liquidation_fee,
        figures.symbols,
        max(ZERO, -total) if total is not None else ZERO,
        tuple(open_orders(account)),
        tuple(due_cancels(account, figures, context)),
        lambda: plan(account, figures, context),
        lambda: plan_conversion(account, figures, context),
    )


def isolated_subject(
    account: Account, figures: Figures, own: IsolatedFigures, context: Context
) -> Subject:
    """MR-3: one isolated position by its own ratio."""
    return Subject(
        account,
        own.key,
        own.ratio,
        own.equity,
        own.maintenance_margin,
        own.liquidation_fee,
        own.symbols,
        max(ZERO, -own.equity),
        tuple(orders_of_position(account, own.instrument, own.side)),
        plan=lambda: plan_isolated(account, own.key, figures, context),
    )


def gone_subject(account: Account, key: str) -> Subject:
    """An isolated position that is closed: nothing is left of it, so it has no ratio (MR-1)."""
    return Subject(account, key, None, ZERO, ZERO, ZERO, (), ZERO, ())
