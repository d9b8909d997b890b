"""How low a coin's equity may fall before single coins ask for something: OC-2, OC-3, IN-4.

The ratio's boxes know nothing of single coins. Where a position settles in a coin, marks move its
equity; as long as that stays above the coin's floor, none of the three rules can hold by it. Below
it only decimals can tell.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from monitor.account.state import Account
from monitor.currency import USD, borrow_leverage
from monitor.exact import ZERO
from monitor.limits import isolated_debts, main_account_cap, tier_limit
from monitor.reference import Reference
from monitor.schema.reference import Currency

__all__ = ["asks_by_itself", "equity_floor", "frozen_by_orders", "quota_moves"]


def frozen_by_orders(account: Account, reference: Reference) -> frozenset[str]:
    """Return the coins that orders freeze (CU-4) which a rule may cancel (OC-4)."""
    found = set()
    for order in account.orders.values():
        if order.reduce_only or order.command_id is not None:
            continue
        instrument = reference.instruments[order.instrument]
        if instrument.kind != "spot":
            found.add(instrument.settle or instrument.quote)
        elif order.side == "buy" or order.margin_mode == "isolated":
            found.add(instrument.quote)
        else:
            found.add(instrument.underlying)
    return frozenset(found)


def _entry(reference: Reference, name: str) -> Currency:
    return USD if name == "USD" else reference.currencies[name]


def quota_moves(
    account: Account, reference: Reference, name: str, settling: Collection[str]
) -> bool:
    """IN-3: whether marks move the quota of a coin that IN-4 may be asked about."""
    if account.auto_borrow or account.mode == "spot":
        return False
    return any(other in settling for other in _entry(reference, name).quota_adds_available_of)


def equity_floor(
    account: Account, reference: Reference, name: str, frozen: Decimal, *, cancellable: bool
) -> Decimal | None:
    """Return the equity in coin below which a rule may hold; `None`: none does at any equity.

    `frozen` is what all open orders freeze of the coin; `cancellable`: some of them may be
    cancelled. Totals that are past their limits (BL-2, BL-3) are not in it.
    """
    if not account.auto_borrow:
        # OC-2 below what orders freeze; IN-4 below minus the quota, of which 0 is the least
        return frozen if cancellable else -_entry(reference, name).interest_free_quota
    if not cancellable:
        return None
    limit = _own_limit(account, reference, name)
    return (
        None if limit is None else frozen - max(ZERO, limit)
    )  # OC-3: borrowing is frozen − equity


def asks_by_itself(
    account: Account,
    reference: Reference,
    name: str,
    *,
    equity: Decimal,
    borrowing: Decimal,
    owed: Decimal,
    lacks: bool,
    cancellable: bool,
) -> bool:
    """Say whether OC-2, OC-3 or IN-4 may hold of a coin whose equity no price moves.

    `borrowing` and `owed` as in CU-7 and CU-6; `lacks`: orders without auto-borrow freeze more of it
    than there is. Totals that are past their limits (BL-2, BL-3) are not in it.
    """
    if cancellable:
        if lacks and (account.mode == "spot" or not account.auto_borrow):
            return True  # OC-2
        if borrowing > owed:
            limit = _own_limit(account, reference, name)
            if limit is not None and borrowing > limit:
                return True  # OC-3
    if account.mode == "spot" or account.auto_borrow:
        return False
    return (
        equity < -_entry(reference, name).interest_free_quota
    )  # IN-4, of whose quota that is the least


def _own_limit(account: Account, reference: Reference, name: str) -> Decimal | None:
    """OC-3: return the least of the borrow limits, as far as the account alone uses them up, in coin."""
    entry = _entry(reference, name)
    cross = tier_limit(entry, borrow_leverage(account, name))
    shared = [main_account_cap(entry, account.vip_level), entry.platform_pool]
    apart = isolated_debts(account).get(name, ZERO) if account.isolated else ZERO
    limits = [] if cross is None else [cross]
    limits += [limit - apart for limit in shared if limit is not None]
    return min(limits, default=None)
