"""One currency of one account: discount, liability, potential borrowing (CU)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from monitor.account.state import Account
from monitor.exact import ONE, ZERO
from monitor.reference import Reference
from monitor.schema.reference import USD, Currency
from monitor.terms import CoinTerms, Tier, tier_of

__all__ = [
    "USD",
    "borrow_initial_rate",
    "borrow_leverage",
    "counting",
    "counts_as_collateral",
    "discounted",
    "equity_for_discounted",
    "liability",
    "potential_borrowing",
    "slices",
    "switched_off",
    "upl_liability",
]


def switched_off(account: Account) -> tuple[str, ...]:
    """CU-9: return the currencies whose positive equity the account wants not to count.

    Only in multi_currency mode it may; in spot mode every eligible one counts.
    """
    return account.collateral_off if account.mode == "multi_currency" else ()


def counts_as_collateral(account: Account, name: str, entry: Currency | CoinTerms) -> bool:
    """CU-9: whether a positive equity of this currency counts at all."""
    return entry.collateral and name not in switched_off(account)


def slices(entry: Currency, price: Decimal) -> Iterator[tuple[Decimal | None, Decimal]]:
    """CU-9: yield (upper bound in coin, rate) of each discount slice; the last has no bound."""
    by_value = entry.tier_unit == "usd"
    for tier in entry.discount_tiers:
        yield (tier.up_to / price if by_value else tier.up_to), tier.rate
    yield None, entry.minimum_rate


def discounted(terms: CoinTerms, equity: Decimal, price: Decimal, counts: bool) -> Decimal:
    """CU-9: return the USD that `equity` coin at `price` counts for.

    Positive equity, of 50 digits like every figure, runs through the tiers marginally; negative
    equity counts in full.
    """
    if equity <= ZERO:
        return equity * price
    if not counts:
        return ZERO
    amount = equity * price if terms.by_value else equity
    last = tier_of(terms.slices, amount)
    if last.below:
        total = last.counted_below + (amount - last.below) * last.rate
    else:
        total = amount * last.rate
    return total if terms.by_value else total * price


def counting(account: Account, reference: Reference) -> Callable[[str, Decimal, Decimal], Decimal]:
    """CU-9: return what says for how much USD a coin's equity at a price counts in this account."""
    coins, off = reference.coins, switched_off(account)

    def counted(name: str, equity: Decimal, price: Decimal) -> Decimal:
        terms = coins[name]
        return discounted(terms, equity, price, terms.collateral and name not in off)

    return counted


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
        return borrowed + interest + (-cash if cash < ZERO else ZERO)
    return -equity if equity < ZERO else ZERO


def upl_liability(owed: Decimal, cash: Decimal, interest: Decimal) -> Decimal:
    """CU-6: return the part of a liability that comes from unrealised loss, in coin."""
    settled = cash - interest
    return owed - min(owed, -settled if settled < ZERO else ZERO)


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
    return max(owed, -after if after < ZERO else ZERO)


def borrow_leverage(account: Account, name: str) -> Decimal:
    """CU-8: return the currency's borrow leverage; 1 where none is set."""
    if not account.borrow_leverage:
        return ONE
    found = account.borrow_leverage.get(name)
    return found if found is not None else account.borrow_leverage.get("*", ONE)


def borrow_initial_rate(mode: str, leverage: Decimal, tier: Tier) -> Decimal:
    """CU-8: return what a borrowed USD freezes: 1 / leverage, not below the tier's initial rate.

    In portfolio mode it is the tier's rate (PM-2: MR8).
    """
    return tier.initial if mode == "portfolio" else max(ONE / leverage, tier.initial)
