"""One door for every question asked of an account before acting (OV, BL, RP)."""

from __future__ import annotations

from monitor.account.state import Account
from monitor.limits import Totals
from monitor.ordering import BadQuestion, check_borrow, check_order, check_withdrawal
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.repayment import repay_plan
from monitor.schema.checks import (
    BorrowQuestion,
    CheckAnswer,
    CheckKind,
    OrderQuestion,
    RepayQuestion,
    WithdrawalQuestion,
)

__all__ = ["QUESTIONS", "BadQuestion", "Question", "answer"]

Question = OrderQuestion | BorrowQuestion | WithdrawalQuestion | RepayQuestion

QUESTIONS: dict[CheckKind, type[Question]] = {
    "order": OrderQuestion,
    "borrow": BorrowQuestion,
    "withdrawal": WithdrawalQuestion,
    "repay": RepayQuestion,
}
"""Kind of check → model of its question."""


def answer(
    account: Account,
    question: Question,
    reference: Reference,
    prices: PriceBook,
    totals: Totals | None,
    now: int,
) -> CheckAnswer:
    """Answer one question about an account that is known. Raises `BadQuestion`.

    `totals` None: what main accounts and everybody borrow is unknown (H-10); `now` in epoch ms.
    """
    market = (reference, prices, totals, now)
    if isinstance(question, OrderQuestion):
        return check_order(account, question, *market)
    if isinstance(question, BorrowQuestion):
        return check_borrow(account, question, *market)
    if isinstance(question, WithdrawalQuestion):
        return check_withdrawal(account, question, *market)
    return repay_plan(account, question, *market)
