"""What an account has of derivatives, in floats: PnL, option value, requirement over a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import Instrument, Order
from streams.verify.book import Book, is_inverse
from streams.verify.box import Bound, Box, greater, lesser
from streams.verify.catalog import ReferenceSet
from streams.verify.openings import opening_parts
from streams.verify.prices import FloatPrices
from streams.verify.tables import group_sizes, tier_index

__all__ = ["Contract", "Contracts", "Sold"]


@dataclass(slots=True)
class Contract:
    """All that an account has of one derivative: signed size, gross size × rates.

    An option is worth its size × mark, as if entered at nothing (CU-3).
    """

    row: str
    settle: str
    inverse: bool
    size: float = 0.0
    at_entry: float = 0.0
    weight: float = 0.0
    """Gross size × (maintenance rate + taker rate)."""

    def pnl(self, box: Box) -> tuple[Bound, Bound]:
        """Return the least and the most PnL in the settle currency."""
        low, high = box.low[self.row], box.high[self.row]
        if self.inverse:  # at_entry = Σ size / entry; the PnL rises with the mark
            first = self.at_entry - self.size / low
            second = self.at_entry - self.size / high
        else:
            first = self.size * low - self.at_entry
            second = self.size * high - self.at_entry
        if box.single:
            return first, first
        return lesser(first, second), greater(first, second)

    def requirement(self, box: Box) -> Bound:
        """Return the most maintenance and fee, in USD."""
        high = box.high[self.settle]
        if self.inverse:
            return self.weight + 0.0 * high
        return self.weight * box.high[self.row] * high

    def gross(self, prices: FloatPrices) -> float:
        """Return all of it in the settle currency, at the worst price ever seen."""
        row = prices.row(self.row)
        mark = 1.0 / row.smallest if self.inverse else row.largest
        return (abs(self.size) + 10 * self.weight) * mark + abs(self.at_entry)


@dataclass(slots=True)
class Sold:
    """What is short of one option, or sold to open one (MM-3, MM-4)."""

    row: str
    settle: str
    underlying: str
    put: bool
    share: float
    """c × factor."""
    taker: float
    coins: float = 0.0

    def requirement(self, box: Box) -> Bound:
        """Return the most maintenance and fee, in USD."""
        index, mark = box.high[self.underlying], box.high[self.row] * box.high[self.settle]
        base = greater(index, mark) if self.put else index
        return self.coins * (self.share * base + mark + self.taker * index)

    def gross(self, prices: FloatPrices) -> float:
        """Return all of it in USD, at the worst prices ever seen."""
        mark = prices.row(self.row).largest * prices.row(self.settle).largest
        return 10 * self.coins * (prices.row(self.underlying).largest + mark)


@dataclass(slots=True)
class Contracts:
    """The cross derivatives of a book, the opening parts of orders among them."""

    held: dict[str, Contract] = field(default_factory=dict)
    sold: dict[str, Sold] = field(default_factory=dict)

    @classmethod
    def of(cls, book: Book, reference: ReferenceSet, orders: Sequence[Order]) -> Contracts:
        """Read positions and contract orders."""
        opening = {name: part for name, part in opening_parts(book, orders).items() if part > 0}
        sizes = group_sizes(book, opening, reference)
        taker = float(reference.fees_of(book.settings.fee_schedule).derivative_taker)
        found = cls()
        for (name, _), held in book.positions.items():
            found._add(reference, name, held.quantity, held.entry, sizes, taker)
        for order_id, part in opening.items():
            order = book.orders[order_id]
            spec = reference.instruments[order.instrument]
            if spec.kind != "option":
                contract = found._contract(order.instrument, spec)
                contract.weight += _size(spec, part) * _rate(spec, sizes, taker)
            elif order.side == "sell":
                found._sell(reference, order.instrument, part, sizes, taker)
        return found

    def _add(
        self,
        reference: ReferenceSet,
        name: str,
        quantity: Decimal,
        entry: Decimal,
        sizes: dict[tuple[str, str], Decimal],
        taker: float,
    ) -> None:
        spec = reference.instruments[name]
        contract, size = self._contract(name, spec), _size(spec, quantity)
        contract.size += size
        if spec.kind != "option":
            at = float(entry)
            contract.at_entry += size / at if contract.inverse else size * at
            contract.weight += abs(size) * _rate(spec, sizes, taker)
        elif quantity < 0:
            self._sell(reference, name, -quantity, sizes, taker)

    def _contract(self, name: str, spec: Instrument) -> Contract:
        if name not in self.held:
            self.held[name] = Contract(f"{name}/mark", spec.settle or "", is_inverse(spec))
        return self.held[name]

    def _sell(
        self,
        reference: ReferenceSet,
        name: str,
        contracts: Decimal,
        sizes: dict[tuple[str, str], Decimal],
        taker: float,
    ) -> None:
        spec = reference.instruments[name]
        if name not in self.sold:
            size = sizes.get((spec.family, spec.kind), ZERO)
            tier = spec.position_tiers[tier_index(spec.position_tiers, size)]
            factor = ONE if tier.option_factor is None else tier.option_factor
            share = float(reference.option_parameters(spec.underlying).c * factor)
            put = spec.option_type == "put"
            row, settle = f"{name}/mark", spec.settle or ""
            self.sold[name] = Sold(row, settle, spec.underlying, put, share, taker)
        self.sold[name].coins += _size(spec, contracts)


def _size(spec: Instrument, contracts: Decimal) -> float:
    return float(contracts) * float(spec.contract_value * spec.multiplier)


def _rate(spec: Instrument, sizes: dict[tuple[str, str], Decimal], taker: float) -> float:
    size = sizes.get((spec.family, spec.kind), ZERO)
    tier = spec.position_tiers[tier_index(spec.position_tiers, size)]
    return float(tier.maintenance) + taker
