"""What an account may be told whatever its ratio: OC-2, OC-3 and IN-4.

These are questions about single coins. What prices can do to them the watch holds in its boxes
(`monitor.watch.floors`); here it is told from the book alone what an event or a total can do, so that
no such account is cleared in floats when one comes in (H-3).
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from monitor.account import Account
from monitor.limits import Totals, main_account_cap, main_account_of
from monitor.reference import Reference
from monitor.watch.floors import frozen_by_orders

__all__ = ["NOTHING", "Asks", "asks_of", "is_past_a_total"]


class Asks(NamedTuple):
    """Which questions stand, in any figures."""

    ever: bool = False
    """An event, a reference set or a total may raise one."""
    borrowing: frozenset[str] = frozenset()
    """OC-3: the coins that orders freeze which may borrow."""


NOTHING = Asks()


def asks_of(account: Account, reference: Reference) -> Asks:
    """Return what may be asked of an account, by its book and the reference set."""
    if not account.known or account.unknown_to(reference):
        return NOTHING
    frozen = frozen_by_orders(account, reference) if account.orders else frozenset()
    if account.mode == "spot":
        borrows = any(order.auto_borrow for order in account.orders.values())
        return Asks(bool(frozen), frozen if borrows else frozenset())
    if account.auto_borrow:
        return Asks(bool(frozen), frozen)
    return Asks(bool(frozen) or _may_owe(account))


def _may_owe(account: Account) -> bool:
    """IN-4: whether anything is owed, or may be by what positions lose."""
    return bool(account.positions) or any(
        balance.cash < balance.borrowed + balance.accrued_interest
        for balance in account.balances.values()
    )


def is_past_a_total(
    account: Account, asks: Asks, reference: Reference, totals: Totals | None
) -> bool:
    """OC-3: whether a total is past its limit in a coin that the account's orders may borrow."""
    if totals is None or not asks.borrowing:
        return False
    main = main_account_of(account)
    for name in asks.borrowing:
        entry = reference.currencies.get(name)
        if entry is None:
            continue  # USD has no limits
        cap = main_account_cap(entry, account.vip_level)
        if _above(totals.of_main_account(main, name), cap):
            return True
        if _above(totals.of_platform(name), entry.platform_pool):
            return True
    return False


def _above(total: Decimal | None, limit: Decimal | None) -> bool:
    return total is not None and limit is not None and total > limit
