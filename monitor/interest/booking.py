"""How interest is booked, into a book or into a kept moment of one (IN-1)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from monitor.account.interest import Due
from monitor.account.state import Account
from monitor.exact import ZERO

__all__ = ["accrue", "carried", "deduct", "kept_moment", "restored"]


def accrue(account: Account, due: Due) -> bool:
    """Add accrued interest; say whether it is still to be deducted from cash.

    Interest of an isolated debt stays in the position. Where that is closed by now the account owes
    it (RP-5).
    """
    position = account.isolated.get(due.position) if due.position is not None else None
    if position is not None and position.liability_currency == due.currency:
        position.accrued_interest += due.amount  # MR-3
        return False
    account.balance(due.currency).accrued_interest += due.amount
    return True


def deduct(account: Account, due: Due) -> Decimal:
    """Take interest out of cash, as far as it was not repaid meanwhile; return the amount."""
    balance = account.balances.get(due.currency)
    if balance is None:
        return ZERO
    amount = min(due.amount, balance.accrued_interest)
    balance.cash -= amount
    balance.accrued_interest -= amount
    return amount


def kept_moment(account: Account) -> msgspec.Raw:
    """Return the book as it stands, without what no figure is made of."""
    bare = msgspec.structs.replace(
        account,
        ended={},
        early_fills={},
        held=[],
        gap_since=None,
        seen={},
        forgotten_ts=-1,
        offsets={},
        interest=None,
    )
    return msgspec.Raw(msgspec.json.encode(bare))


def restored(moment: msgspec.Raw) -> Account:
    """Return the book of a kept moment."""
    return msgspec.json.decode(moment, type=Account)


def carried(moment: msgspec.Raw, dues: Iterable[Due]) -> msgspec.Raw:
    """Return a moment of a later hour with interest that was worked out after it was kept.

    By then it would have been accrued, and deducted too.
    """
    account = restored(moment)
    for due in dues:
        if accrue(account, due):
            deduct(account, due)
    return kept_moment(account)
