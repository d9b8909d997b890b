"""One currency of one account: discount, liability, potential borrowing (CU)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from monitor.account.state import Account
from monitor.exact import ONE, ZERO
from monitor.schema.reference import BorrowTier, Currency

__all__ = [
    "USD",
    "borrow_initial_rate",
    "counts_as_collateral",
    "discounted",
    "equity_for_discounted",
    "liability",
    "potential_borrowing",
    "upl_liability",
]


USD = Currency(minimum_rate=ONE)
"""USD is the unit of account: worth 1, counted in full, in no reference set."""


def counts_as_collateral(account: Account, name: str, entry: Currency) -> bool:
    """CU-9: whether a positive equity of this currency counts at all.

    In multi_currency mode the account may switch a currency off; in spot mode every eligible one
    counts.
    """
    if not entry.collateral:
        return False
    return account.mode != "multi_currency" or name not in account.collateral_off


def slices(entry: Currency, price: Decimal) -> Iterator[tuple[Decimal | None, Decimal]]:
    """CU-9: yield (upper bound in coin, rate) of each discount slice; the last has no bound."""
    by_value = entry.tier_unit == "usd"
    for tier in entry.discount_tiers:
        yield (tier.up_to / price if by_value else tier.up_to), tier.rate
    yield None, entry.minimum_rate


def discounted(entry: Currency, equity: Decimal, price: Decimal, counts: bool) -> Decimal:
    """CU-9: return the USD that `equity` coin at `price` counts for.

    Positive equity runs through the tiers marginally; negative equity counts in full.
    """
    if equity <= 0:
        return equity * price
    if not counts:
        return ZERO
    by_value = entry.tier_unit == "usd"
    amount = equity * price if by_value else equity
    total = below = ZERO
    for tier in entry.discount_tiers:
        if amount <= tier.up_to:
            total += (amount - below) * tier.rate
            break
        total += (tier.up_to - below) * tier.rate
        below = tier.up_to
    else:
        total += (amount - below) * entry.minimum_rate
    return total if by_value else total * price


def equity_for_discounted(
    entry: Currency, target: Decimal, price: Decimal, counts: bool
) -> Decimal | None:
    """Return the largest coin equity whose discounted value is `target` USD, the inverse of CU-9.

    `None` when no equity counts for as much.
    """
    if target <= 0:
        return target / price
    if not counts:
        return None
    below = value = ZERO
    for bound, rate in slices(entry, price):
        if bound is None:
            break
        width = (bound - below) * price * rate
        if value + width >= target:
            return below + (target - value) / (price * rate)
        value += width
        below = bound
    if entry.minimum_rate == 0:
        return None
    return below + (target - value) / (price * entry.minimum_rate)


def liability(
    mode: str, cash: Decimal, borrowed: Decimal, interest: Decimal, equity: Decimal
) -> Decimal:
    """CU-6: return what is owed, in coin."""
    if mode == "spot":
        return borrowed + interest + (-cash if cash < 0 else ZERO)
    return -equity if equity < 0 else ZERO


def upl_liability(owed: Decimal, cash: Decimal, interest: Decimal) -> Decimal:
    """CU-6: return the part of a liability that comes from unrealised loss, in coin."""
    settled = cash - interest
    return owed - min(owed, -settled if settled < 0 else ZERO)


def potential_borrowing(
    account: Account,
    cash: Decimal,
    equity: Decimal,
    owed: Decimal,
    frozen_without: Decimal,
    frozen_with: Decimal,
) -> Decimal:
    """CU-7: return the liability after every open order has taken what it freezes, in coin.

    `frozen_without` and `frozen_with` are what orders without and with auto-borrow freeze; those
    without are served first and never borrow.
    """
    if account.mode == "spot":
        free = max(ZERO, max(ZERO, cash) - frozen_without)
        return owed + max(ZERO, frozen_with - free)
    if not account.auto_borrow:
        return owed
    after = equity - frozen_with - frozen_without
    return max(owed, -after if after < 0 else ZERO)


def borrow_leverage(account: Account, name: str) -> Decimal:
    """CU-8: return the currency's borrow leverage; 1 where none is set."""
    found = account.borrow_leverage.get(name)
    return found if found is not None else account.borrow_leverage.get("*", ONE)


def borrow_initial_rate(account: Account, name: str, tier: BorrowTier) -> Decimal:
    """CU-8: return what a borrowed USD freezes: 1 / leverage, not below the tier's initial rate.

    In portfolio mode it is the tier's rate (PM-2: MR8).
    """
    if account.mode == "portfolio":
        return tier.initial
    return max(ONE / borrow_leverage(account, name), tier.initial)
