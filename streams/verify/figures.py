"""The figures of one account: what an assessment comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ZERO
from streams.verify.book import Book
from streams.verify.catalog import ReferenceSet
from streams.verify.tables import counts

__all__ = ["Coin", "Figures", "Unpriced", "nothing_there", "worthless"]


@dataclass(frozen=True, slots=True)
class Unpriced:
    """PX-3: no ratio, because these prices are missing."""

    missing: tuple[str, ...]


@dataclass(slots=True)
class Coin:
    """One currency of the account; amounts in coin, `price` and `value` in USD."""

    equity: Decimal
    frozen: Decimal
    liability: Decimal
    potential: Decimal
    price: Decimal
    value: Decimal
    """Discounted equity (CU-9)."""


@dataclass(slots=True)
class Figures:
    """What commands carry and what decisions are made from, in USD."""

    ratio: Decimal | None
    adjusted_equity: Decimal
    total_equity: Decimal
    maintenance_margin: Decimal
    liquidation_fee: Decimal
    coins: dict[str, Coin]
    opening: dict[str, Decimal]
    """order id → contracts that open or add (MM-2)."""
    order_test: Decimal = ZERO
    """OC-1: what adjusted equity must reach."""
    cancellable: tuple[str, ...] = ()
    """OC-1: the orders it would cancel, whether or not it holds."""
    used: frozenset[str] = field(default_factory=frozenset)
    """Every symbol/kind whose price went into the figures."""
    has_legs: bool = False
    """Whether there are positions that may be reduced: long options are none (RD-4)."""
    sold_options: tuple[str, ...] = ()
    """What is short or sold to open: their forwards are among the prices used (MM-3)."""
    short_of: tuple[str, ...] = ()
    """OC-2: the orders it would cancel; it holds when there are any."""
    past_limit: tuple[str, ...] = ()
    """OC-3: the orders it would cancel by what this account borrows alone (BL-1 to BL-3)."""
    perhaps_past: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Coin → the orders OC-3 would cancel if others had used up a limit that is shared."""
    isolated: dict[str, Figures] = field(default_factory=dict)
    """The figures of each isolated position by its name (MR-3)."""

    @property
    def requirement(self) -> Decimal:
        """Maintenance margin and liquidation fee together."""
        return self.maintenance_margin + self.liquidation_fee

    @property
    def oc_1(self) -> bool:
        """Whether open orders must be cancelled before liquidation comes near."""
        return bool(self.cancellable) and self.adjusted_equity < self.order_test

    def of(self, key: str | None) -> Figures:
        """Return the figures of the account, or of one isolated position; none when it is gone."""
        if key is None:
            return self
        return self.isolated.get(key) or nothing_there()


def nothing_there() -> Figures:
    """Return the figures of an isolated position that is gone."""
    return Figures(None, ZERO, ZERO, ZERO, ZERO, {}, {})


def worthless(book: Book, currency: str, reference: ReferenceSet) -> bool:
    """Return whether a coin is held, and counts 0: its price blocks AE-3 alone (PX-3)."""
    held, spec = book.balance(currency), reference.currencies[currency]
    rates = [tier.rate for tier in spec.discount_tiers] + [spec.minimum_rate]
    free = not counts(book, currency, reference) or not any(rates)
    return free and held.cash >= 0 and held.borrowed + held.accrued == 0
