"""Answers with everything they rest on (OV-6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from monitor.account.state import Account
from monitor.borrowing import borrowing_of
from monitor.limits import isolated_debts
from monitor.margin import Figures
from monitor.ordering.change import Amounts
from monitor.ordering.market import Market
from monitor.schema.checks import (
    BorrowingFigures,
    CheckAnswer,
    CheckKind,
    Refused,
    RepayPlan,
)

__all__ = ["answered", "unpriced"]


def answered(
    check: CheckKind,
    account: Account,
    market: Market,
    refusals: Sequence[Refused],
    figures: Amounts,
    largest: Decimal | None,
    *,
    before: Figures,
    symbols: Iterable[str] = (),
    concerned: Iterable[str] = (),
    borrows: Mapping[str, Decimal] | None = None,
    auto_borrow: bool | None = None,
    plan: RepayPlan | None = None,
) -> CheckAnswer:
    """Return the answer; `symbols` are prices used besides those of `before`."""
    used = sorted({*before.symbols, *symbols})
    return CheckAnswer(
        check=check,
        account_id=account.account_id,
        accepted=not refusals,
        rule=refusals[0].rule if refusals else None,
        refusals=tuple(refusals),
        figures=figures,
        largest=largest,
        auto_borrow=auto_borrow,
        borrows=dict(borrows or {}),
        borrowing=_borrowing(account, market, before, concerned),
        plan=plan,
        stale_prices=market.prices.stale(used, market.policy, market.now),  # PX-4
        out_of_sync=account.out_of_sync,
        totals_age_ms=market.totals_age_ms,  # H-10
    )


def unpriced(
    check: CheckKind, account: Account, market: Market, missing: Iterable[str]
) -> CheckAnswer:
    """PX-3: return the answer of an account that has no figures, naming the prices it misses."""
    names = tuple(sorted(set(missing)))
    return CheckAnswer(
        check=check,
        account_id=account.account_id,
        accepted=False,
        rule="PX-3",
        refusals=(Refused(rule="PX-3", message=f"no price of {', '.join(names)}"),),
        figures={},
        unpriced=names,
        out_of_sync=account.out_of_sync,
        totals_age_ms=market.totals_age_ms,
    )


def _borrowing(
    account: Account, market: Market, before: Figures, concerned: Iterable[str]
) -> dict[str, BorrowingFigures]:
    """BL-4: return what stands before, of every coin concerned or owed."""
    names = {*concerned, *isolated_debts(account)}
    names.update(name for name, coin in before.currencies.items() if coin.potential_borrowing)
    return {
        name: borrowing_of(account, before, name, market.reference, market.usable)
        for name in sorted(names)
    }
