"""Reading the reference set's tables: tiers, discounts, notionals and bands."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from monitor.exact import ONE, ZERO
from monitor.schema import Band, BorrowTier, Currency, Instrument, Policy
from streams.verify.book import Book, is_inverse
from streams.verify.catalog import ReferenceSet

__all__ = [
    "band_of",
    "borrow_tier",
    "counts",
    "discounted",
    "first_rate",
    "group_sizes",
    "notional",
    "tier_index",
    "undiscounted",
]

_NO_BORROW_TIER = BorrowTier(up_to=ONE, initial=ZERO, maintenance=ZERO)


class _Tier(Protocol):
    @property
    def up_to(self) -> Decimal: ...


def band_of(ratio: Decimal | None, policy: Policy, mode: str) -> Band:
    """Return the band of a ratio (ES-1, MR-1: none is normal)."""
    if ratio is None or ratio > policy.level("warning", mode):
        return "normal"
    return "warning" if ratio > policy.level("liquidation", mode) else "liquidation"


def tier_index(tiers: Sequence[_Tier], size: Decimal) -> int:
    """Return the position of the tier that `size` falls in (size ≤ up_to), else the last (MM-2)."""
    for index, tier in enumerate(tiers):
        if size <= tier.up_to:
            return index
    return len(tiers) - 1


def borrow_tier(spec: Currency, size: Decimal) -> BorrowTier:
    """Return the tier of a borrowed size; without tiers nothing is asked."""
    if not spec.borrow_tiers:
        return _NO_BORROW_TIER
    return spec.borrow_tiers[tier_index(spec.borrow_tiers, size)]


def counts(book: Book, currency: str, reference: ReferenceSet) -> bool:
    """Return whether a positive balance of `currency` counts as collateral at all (CU-9)."""
    if not reference.currencies[currency].collateral:
        return False
    off = book.settings.mode == "multi_currency" and currency in book.settings.collateral_off
    return not off


def discounted(spec: Currency, eligible: bool, equity: Decimal, price: Decimal) -> Decimal:
    """Return the USD that `equity` coins count for (CU-9)."""
    if equity <= 0:
        return equity * price
    if not eligible:
        return ZERO
    unit = ONE if spec.tier_unit == "coin" else price
    left, below, value = equity * unit, ZERO, ZERO
    for tier in spec.discount_tiers:
        part = min(left, tier.up_to - below)
        value += part * tier.rate
        left -= part
        below = tier.up_to
        if left <= 0:
            break
    value += left * spec.minimum_rate
    return value * price if spec.tier_unit == "coin" else value


def notional(spec: Instrument, contracts: Decimal, price: Decimal, quote: Decimal) -> Decimal:
    """Return the USD notional of unsigned contracts at `price` (MM-2)."""
    size = contracts * spec.contract_value * spec.multiplier
    return size if is_inverse(spec) else size * price * quote


def group_sizes(
    book: Book, opening: dict[str, Decimal], reference: ReferenceSet
) -> dict[tuple[str, str], Decimal]:
    """Return the gross contracts by family and kind, opening parts of orders included (MM-2).

    Of options only what is sold counts, since what is bought carries no margin.
    """
    sizes: dict[tuple[str, str], Decimal] = {}
    for (name, _), held in book.positions.items():
        spec = reference.instruments[name]
        key = (spec.family, spec.kind)
        if spec.kind != "option" or held.quantity < 0:
            sizes[key] = sizes.get(key, ZERO) + abs(held.quantity)
    for order_id, contracts in opening.items():
        order = book.orders[order_id]
        spec = reference.instruments[order.instrument]
        if spec.kind == "option" and order.side == "buy":
            continue
        key = (spec.family, spec.kind)
        sizes[key] = sizes.get(key, ZERO) + contracts
    return sizes


def first_rate(spec: Currency) -> Decimal:
    """Return the rate of the first discount tier, by which collateral is ordered for sale."""
    return spec.discount_tiers[0].rate if spec.discount_tiers else spec.minimum_rate


def undiscounted(spec: Currency, eligible: bool, value: Decimal, price: Decimal) -> Decimal | None:
    """Return the equity in coin that counts for `value` USD; None when none does (CU-9)."""
    if value <= 0:
        return value / price
    if not eligible:
        return None
    unit = price if spec.tier_unit == "coin" else ONE
    left, below = value / unit, ZERO
    for tier in spec.discount_tiers:
        width = tier.up_to - below
        if tier.rate > 0 and left <= width * tier.rate:
            equity = below + left / tier.rate
            return equity if spec.tier_unit == "coin" else equity / price
        left -= width * tier.rate
        below = tier.up_to
    if spec.minimum_rate == 0:
        return None
    equity = below + left / spec.minimum_rate
    return equity if spec.tier_unit == "coin" else equity / price
