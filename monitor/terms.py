"""Reference data as every assessment asks for it: plain tuples, with what follows from the tiers.

Attributes of a pydantic model cost twice a tuple's, and an assessment reads some hundred of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import NamedTuple, TypeVar

from monitor.exact import CONTEXT, ZERO
from monitor.schema.reference import (
    BorrowTier,
    Currency,
    Instrument,
    InstrumentKind,
    PositionTier,
)

__all__ = [
    "CoinTerms",
    "ContractTerms",
    "DiscountSlice",
    "Tier",
    "coin_terms",
    "contract_terms",
    "tier_of",
]

_ENDLESS = Decimal("Infinity")


class Tier(NamedTuple):
    """MM-2: what is charged up to `up_to` coin (a debt) or contracts (a position)."""

    number: int
    """1-based; 0 where there are no tiers, which then has no bound."""
    up_to: Decimal
    initial: Decimal
    maintenance: Decimal


_NO_TIER = Tier(0, _ENDLESS, ZERO, ZERO)


def _tiers_of(tiers: Iterable[BorrowTier | PositionTier]) -> tuple[Tier, ...]:
    found = tuple(Tier(n, t.up_to, t.initial, t.maintenance) for n, t in enumerate(tiers, 1))
    return found or (_NO_TIER,)


class DiscountSlice(NamedTuple):
    """CU-9: what lies from `below` to `up_to` (coin or USD) counts at `rate`."""

    below: Decimal
    up_to: Decimal
    rate: Decimal
    counted_below: Decimal
    """What everything up to `below` counts for."""


_Bounded = TypeVar("_Bounded", Tier, DiscountSlice)


def tier_of(tiers: tuple[_Bounded, ...], amount: Decimal) -> _Bounded:
    """MM-2, CU-9: return the tier an amount lies in; the last one's for what lies beyond it."""
    for tier in tiers:
        if amount <= tier.up_to:
            return tier
    return tiers[-1]


class CoinTerms(NamedTuple):
    """What counts of a currency, and what owing it asks."""

    collateral: bool
    by_value: bool
    """Whether `slices` are in USD, not in coin."""
    slices: tuple[DiscountSlice, ...]
    """The last one has no bound: it counts at the minimum rate."""
    borrow_tiers: tuple[Tier, ...]


def coin_terms(entry: Currency) -> CoinTerms:
    """Compile a currency; the running sums are those that adding tier by tier comes to."""
    slices = []
    below = counted = ZERO
    with localcontext(CONTEXT):
        for tier in entry.discount_tiers:
            slices.append(DiscountSlice(below, tier.up_to, tier.rate, counted))
            counted += (tier.up_to - below) * tier.rate
            below = tier.up_to
    slices.append(DiscountSlice(below, _ENDLESS, entry.minimum_rate, counted))
    return CoinTerms(
        entry.collateral, entry.tier_unit == "usd", tuple(slices), _tiers_of(entry.borrow_tiers)
    )


class ContractTerms(NamedTuple):
    """What a derivative is, and what holding it asks."""

    kind: InstrumentKind
    inverse: bool
    size: Decimal
    """Contract value × multiplier."""
    settle: str
    group: tuple[str, str]
    """(family, kind of instrument): what shares one tier (MM-2)."""
    tiers: tuple[Tier, ...]
    mark_key: str


def contract_terms(name: str, entry: Instrument, size: Decimal) -> ContractTerms:
    """Compile a derivative."""
    return ContractTerms(
        entry.kind,
        entry.inverse,
        size,
        entry.settle or entry.quote,
        (entry.family, entry.kind),
        _tiers_of(entry.position_tiers),
        f"{name}/mark",
    )
