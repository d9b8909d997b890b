"""OC-3 by what others borrow: totals past their limits, of which no box and no form tells.

What single coins ask for by the account alone (OC-2, OC-3, IN-4) is in its form: by `asked` where no
price moves the coin, by its floor where marks do (`monitor.watch.floors`).
"""

from __future__ import annotations

from decimal import Decimal

from monitor.account import Account
from monitor.limits import Totals, main_account_cap, main_account_of
from monitor.reference import Reference
from monitor.watch.floors import frozen_by_orders

__all__ = ["is_past_a_total"]


def is_past_a_total(account: Account, reference: Reference, totals: Totals | None) -> bool:
    """OC-3: whether a total is past its limit in a coin that the account's orders may borrow."""
    if totals is None or not account.orders or not _may_borrow(account):
        return False
    if not account.is_known_to(reference):
        return False
    main = main_account_of(account)
    for name in frozen_by_orders(account, reference):
        entry = reference.currencies.get(name)
        if entry is None:
            continue  # USD has no limits
        cap = main_account_cap(entry, account.vip_level)
        if _above(totals.of_main_account(main, name), cap):
            return True
        if _above(totals.of_platform(name), entry.platform_pool):
            return True
    return False


def _may_borrow(account: Account) -> bool:
    """CU-7: whether any order may borrow: by its flag in spot mode, the account's elsewhere."""
    if not account.known:
        return False
    if account.mode == "spot":
        return any(order.auto_borrow for order in account.orders.values())
    return account.auto_borrow


def _above(total: Decimal | None, limit: Decimal | None) -> bool:
    return total is not None and limit is not None and total > limit
