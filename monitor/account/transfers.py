"""How a transfer changes balances, and repayment in spot mode (RP-1)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.exceptions import Rejected
from monitor.account.interest import echoes
from monitor.account.isolated import charge_interest, move_margin
from monitor.account.state import Account, Balance, isolated_key
from monitor.exact import ZERO
from monitor.schema.events import Transfer

__all__ = ["apply_transfer", "repay"]

_SIGNS = {"deposit": 1, "withdrawal": -1, "interest": -1, "funding": 1, "adjustment": 1}


def apply_transfer(account: Account, transfer: Transfer) -> set[str]:
    """Book one transfer; return the currencies whose cash rose. Raises `Rejected`."""
    amount = transfer.amount
    if transfer.kind == "margin":  # MR-3
        move_margin(account, transfer)
        return set()
    if transfer.kind == "interest":
        if _is_echo(account, transfer):  # IN-1: the ledger follows
            return set()
        if transfer.instrument is not None:
            charge_interest(account, transfer)
            return set()
    if transfer.kind in ("borrow", "repay"):
        if account.mode != "spot":
            raise Rejected(
                f"transfer {transfer.transfer_id}: {transfer.kind} exists in spot mode only, "
                f"account {account.account_id} is in {account.mode}"
            )
        if transfer.kind == "borrow":
            balance = account.balance(transfer.currency)
            balance.cash += amount
            balance.borrowed += amount
            return set()
        balance = account.balances.get(transfer.currency, Balance())
        owed = balance.borrowed + balance.accrued_interest
        if amount > owed:
            raise Rejected(
                f"transfer {transfer.transfer_id}: repays {amount} {transfer.currency}, "
                f"owed are {owed}"
            )
        repay(balance, amount)
        return set()
    change = _SIGNS[transfer.kind] * amount
    account.balance(transfer.currency).cash += change
    return {transfer.currency} if change > 0 else set()


def _is_echo(account: Account, transfer: Transfer) -> bool:
    """Say whether the book has this interest already, having worked it out itself."""
    position = None
    if transfer.instrument is not None:
        position = isolated_key(transfer.instrument, transfer.position_side or "net")
    return echoes(
        transfer.transfer_id, account.account_id, transfer.currency, position, transfer.ts
    )


def repay(balance: Balance, amount: Decimal) -> None:
    """Pay `amount` coin out of cash: accrued interest first, then what is borrowed."""
    balance.cash -= amount
    interest = min(balance.accrued_interest, amount)
    balance.accrued_interest -= interest
    balance.borrowed -= amount - interest


def repay_by_itself(account: Account, currencies: set[str]) -> None:
    """RP-1: a spot account with `auto_repay` pays its debt out of cash that came in."""
    for currency in sorted(currencies):
        balance = account.balances[currency]
        amount = min(max(ZERO, balance.cash), balance.borrowed + balance.accrued_interest)
        if amount > 0:
            repay(balance, amount)
