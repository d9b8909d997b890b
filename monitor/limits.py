"""Borrow limits and the rate by utilisation (BL-1 to BL-3, OC-3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from monitor.account.state import Account
from monitor.currency import USD, borrow_leverage
from monitor.exact import ZERO
from monitor.margin.figures import Figures
from monitor.reference import Reference
from monitor.schema.reference import Currency, Policy

__all__ = [
    "TOTALS_MAX_AGE_MS",
    "Limit",
    "Limits",
    "Totals",
    "borrow_limits",
    "borrows_itself",
    "exceeded",
    "isolated_debts",
    "main_account_cap",
    "main_account_of",
    "next_yearly_rate",
    "own_borrowing",
    "tier_limit",
    "usable_totals",
    "utilisation",
    "yearly_rate",
]


TOTALS_MAX_AGE_MS = 10_000
"""H-10: totals come each second; past ten of them some worker has stopped counting."""


def main_account_of(account: Account) -> str:
    """BL-2: return whose cap the account draws on; an account without a main account is its own."""
    return account.main_account_id or account.account_id


@dataclass(frozen=True, slots=True)
class Totals:
    """BL-2, BL-3: what main accounts and everybody borrow, in coin.

    Potential borrowing counts (BL-4), isolated debts included, the asking account's own too.
    """

    ts: int
    """Epoch ms that the oldest part is of."""
    main_accounts: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    """Main account → currency → coin."""
    platform: Mapping[str, Decimal] = field(default_factory=dict)
    complete: bool = True
    """Whether what is not named is 0; otherwise it is unknown."""

    def of_main_account(self, main_account_id: str, currency: str) -> Decimal | None:
        """Return what the main account borrows; None: unknown."""
        found = self.main_accounts.get(main_account_id, {}).get(currency)
        return self._known(found)

    def of_platform(self, currency: str) -> Decimal | None:
        """Return what everybody borrows; None: unknown."""
        return self._known(self.platform.get(currency))

    def _known(self, found: Decimal | None) -> Decimal | None:
        return ZERO if found is None and self.complete else found


def usable_totals(totals: Totals | None, now: int, policy: Policy) -> Totals | None:
    """H-10: return the totals unless they are too old at `now` (epoch ms) to allow anything."""
    if totals is None or now - totals.ts > TOTALS_MAX_AGE_MS * policy.time_scale:
        return None
    return totals


class Limit(NamedTuple):
    """One limit and what counts against it, in coin."""

    rule: str
    limit: Decimal | None
    """None: there is none."""
    used: Decimal | None
    """None: unknown."""
    at_least: Decimal
    """What is used for certain: the account's own part of it, where the total is unknown."""

    @property
    def left(self) -> Decimal | None:
        """What may still be borrowed; None without a limit, or where it is unknown."""
        if self.limit is None or self.used is None:
            return None
        return max(ZERO, self.limit - self.used)

    @property
    def unknown(self) -> bool:
        """H-10: whether there is a limit, and nobody knows what is left of it."""
        return self.limit is not None and self.used is None

    @property
    def is_exceeded(self) -> bool:
        """Whether more is borrowed than the limit allows, for certain."""
        return self.limit is not None and self.at_least > self.limit


class Limits(NamedTuple):
    """The three limits of one account and currency."""

    tier: Limit
    """BL-1."""
    main_account: Limit
    """BL-2."""
    platform: Limit
    """BL-3."""


def _entry(reference: Reference, name: str) -> Currency:
    return USD if name == "USD" else reference.currencies[name]


def tier_limit(entry: Currency, leverage: Decimal) -> Decimal | None:
    """BL-1: return the largest amount whose tier allows `leverage`, in coin; None: no limit.

    0 when no tier allows it.
    """
    if not entry.borrow_tiers:
        return None
    limit = ZERO
    for tier in entry.borrow_tiers:
        if tier.max_leverage is None or tier.max_leverage >= leverage:
            limit = max(limit, tier.up_to)
    return limit


def main_account_cap(entry: Currency, vip_level: str | None) -> Decimal | None:
    """BL-2: return the cap of a VIP level in coin, 0 for one not listed; None: no caps are given."""
    if not entry.vip_caps:
        return None
    return entry.vip_caps.get(vip_level or "", ZERO)


def isolated_debts(account: Account) -> dict[str, Decimal]:
    """OV-5: return currency → what isolated margin positions owe, interest included, in coin."""
    found: dict[str, Decimal] = {}
    for position in account.isolated.values():
        owed = position.liability + position.accrued_interest
        if owed:
            name = position.liability_currency
            found[name] = found.get(name, ZERO) + owed
    return found


def own_borrowing(account: Account, figures: Figures) -> dict[str, Decimal]:
    """BL-4: return currency → the account's part of the totals, in coin, where there is any."""
    found = isolated_debts(account)
    for name, coin in figures.currencies.items():
        if coin.potential_borrowing:
            found[name] = found.get(name, ZERO) + coin.potential_borrowing
    return found


def borrow_limits(
    account: Account,
    figures: Figures,
    currency: str,
    reference: Reference,
    totals: Totals | None,
    *,
    added: Decimal = ZERO,
    added_isolated: Decimal = ZERO,
    leverage: Decimal | None = None,
) -> Limits:
    """Return the three limits as they would stand with `added` coin borrowed on top.

    `added_isolated` is the debt of an isolated margin position, which BL-1 does not count.
    `leverage` serves BL-1 instead of the one in use. `totals` None: unknown.
    """
    entry = _entry(reference, currency)
    if leverage is None:
        leverage = borrow_leverage(account, currency)
    coin = figures.currencies.get(currency)
    cross = coin.potential_borrowing if coin is not None else ZERO
    own = cross + isolated_debts(account).get(currency, ZERO)
    more = added + added_isolated
    main = platform = None
    if totals is not None:
        main = totals.of_main_account(main_account_of(account), currency)
        platform = totals.of_platform(currency)
    return Limits(
        Limit("BL-1", tier_limit(entry, leverage), cross + added, cross + added),
        _shared("BL-2", main_account_cap(entry, account.vip_level), main, own, more),
        _shared("BL-3", entry.platform_pool, platform, own, more),
    )


def _shared(
    rule: str, limit: Decimal | None, total: Decimal | None, own: Decimal, more: Decimal
) -> Limit:
    """A total that is a little behind never says less than the account itself borrows now."""
    used = None if total is None else max(total, own) + more
    return Limit(rule, limit, used, own + more if used is None else used)


def borrows_itself(account: Account) -> bool:
    """CU-7: whether orders of the account may borrow at all; in spot mode each order says so."""
    return account.mode == "spot" or account.auto_borrow


def exceeded(
    account: Account, figures: Figures, reference: Reference, totals: Totals | None
) -> tuple[str, ...]:
    """OC-3: return the coins, by name, whose potential borrowing exceeds a limit for certain.

    An unknown total never exceeds anything, except by the account's own part alone.
    """
    if not borrows_itself(account):
        return ()
    return tuple(
        name
        for name, coin in sorted(figures.currencies.items())
        if coin.potential_borrowing
        and any(
            limit.is_exceeded for limit in borrow_limits(account, figures, name, reference, totals)
        )
    )


# -- rates ------------------------------------------------------------------------------------


def utilisation(name: str, reference: Reference, totals: Totals | None) -> Decimal | None:
    """BL-3: return the lent-out share of the pool; None without a pool or where it is unknown.

    Without totals the `lent_out` of the reference set serves: for a rate shown, for no limit.
    """
    entry = _entry(reference, name)
    lent = totals.of_platform(name) if totals is not None else None
    if lent is None:
        lent = entry.lent_out
    if lent is None or not entry.platform_pool:
        return None
    return lent / entry.platform_pool


def yearly_rate(entry: Currency, used: Decimal | None) -> Decimal:
    """BL-3: return the yearly rate at a utilisation: by the curve, else the currency's own.

    Linear between the curve's points; below the first the currency's `yearly_rate`, beyond the
    last the last point's.
    """
    points = sorted((point.utilisation, point.rate) for point in entry.utilisation_curve)
    if used is None or not points or used < points[0][0]:
        return entry.yearly_rate
    below, rate = points[0]
    for at, rate_at in points[1:]:
        if used < at:
            return rate + (rate_at - rate) * (used - below) / (at - below)
        below, rate = at, rate_at
    return rate


def next_yearly_rate(entry: Currency, used: Decimal | None) -> Decimal:
    """BL-3: return the estimate of the next hour's yearly rate, given the utilisation now."""
    if entry.utilisation_curve and used is not None:
        return yearly_rate(entry, used)
    return entry.next_yearly_rate if entry.next_yearly_rate is not None else entry.yearly_rate
