"""What an account owes and may still borrow, currency by currency (BL-4)."""

from __future__ import annotations

from monitor.account.state import Account
from monitor.currency import USD, borrow_leverage
from monitor.exact import ZERO
from monitor.interest import free_part
from monitor.limits import (
    Limit,
    Totals,
    borrow_limits,
    isolated_debts,
    next_yearly_rate,
    utilisation,
    yearly_rate,
)
from monitor.margin.figures import Figures
from monitor.reference import Reference
from monitor.schema.checks import BorrowingFigures, LimitFigures

__all__ = ["borrowing_of", "borrowing_table"]


def borrowing_table(
    account: Account, figures: Figures, reference: Reference, totals: Totals | None
) -> dict[str, BorrowingFigures]:
    """BL-4: return every currency of a priced account as it stands, by name."""
    names = sorted({*figures.currencies, *isolated_debts(account)})
    return {name: borrowing_of(account, figures, name, reference, totals) for name in names}


def borrowing_of(
    account: Account, figures: Figures, name: str, reference: Reference, totals: Totals | None
) -> BorrowingFigures:
    """BL-4: return one currency of a priced account as it stands, held or not."""
    entry = USD if name == "USD" else reference.currencies[name]
    used = utilisation(name, reference, totals)
    limits = borrow_limits(account, figures, name, reference, totals)
    coin = figures.currencies.get(name)
    margin_usd = coin.borrow_margin_usd if coin is not None else ZERO
    margin = margin_usd / coin.price if coin is not None and coin.price else None
    return BorrowingFigures(
        currency=name,
        liability=coin.liability if coin is not None else ZERO,
        potential_borrowing=coin.potential_borrowing if coin is not None else ZERO,
        isolated_debt=isolated_debts(account).get(name, ZERO),
        borrow_leverage=borrow_leverage(account, name),
        margin_usd=margin_usd,
        margin=margin if margin_usd else ZERO,
        yearly_rate=yearly_rate(entry, used),
        next_yearly_rate=next_yearly_rate(entry, used),
        free_part=free_part(account, figures, name, reference),
        tier=_shown(limits.tier),
        main_account=_shown(limits.main_account),
        platform=_shown(limits.platform),
    )


def _shown(limit: Limit) -> LimitFigures:
    return LimitFigures(limit=limit.limit, used=limit.used, left=limit.left)
