"""What an account's open orders hold, in floats (CU-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import Order
from streams.verify.apart import leverage_of
from streams.verify.book import Book, is_inverse, place_of_key
from streams.verify.box import Bound, Box
from streams.verify.catalog import ReferenceSet
from streams.verify.openings import isolated_parts, key_of

__all__ = ["Holds", "MarketHold"]


@dataclass(slots=True)
class MarketHold:
    """What is held at a price that moves: weight × row (inverse: / row), or × row / over."""

    coin: str
    weight: float
    row: str
    over: str = ""
    inverse: bool = False
    auto: bool = True
    """By an order with auto-borrow."""
    taken: bool = True
    """AE-1 takes it off."""

    def most(self, box: Box) -> Bound:
        """Return the most that it can be over the box, in coin."""
        if self.inverse:
            return self.weight / box.low[self.row]
        if self.over:
            return self.weight * box.high[self.row] / box.low[self.over]
        return self.weight * box.high[self.row]


@dataclass(slots=True)
class Holds:
    """Everything that is held, in coin."""

    fixed: dict[tuple[str, bool], float] = field(default_factory=dict)
    """(coin, auto-borrow) → what orders with a price hold."""
    taken: dict[str, float] = field(default_factory=dict)
    """Coin → the part of it that AE-1 takes off."""
    market: list[MarketHold] = field(default_factory=list)

    @classmethod
    def of(cls, book: Book, reference: ReferenceSet, orders: Sequence[Order]) -> Holds:
        """Read what open orders hold, and the next funding where that is frozen too."""
        apart = [order for order in orders if order.margin_mode == "isolated"]
        opening = isolated_parts(book, apart, reference) if apart else {}
        found = cls()
        for order in orders:
            found._read(book, reference, order, opening)
        if reference.policy.anticipate_funding:
            found._read_funding(book, reference)
        return found

    def _read(
        self, book: Book, reference: ReferenceSet, order: Order, opening: dict[str, Decimal]
    ) -> None:
        spec, left = reference.instruments[order.instrument], book.remaining(order)
        fees = reference.fees_of(book.settings.fee_schedule)
        spot, apart = spec.kind == "spot", order.margin_mode == "isolated"
        coin = spec.quote if spot else spec.settle or ""
        if spot and not apart and order.side == "sell":
            self._fix(spec.underlying, order.auto_borrow, float(left), taken=False)
            return
        weight = left
        if apart:
            taker = fees.spot_taker if spot else fees.derivative_taker
            leverage = leverage_of(book, order.instrument, key_of(order, reference), order.leverage)
            weight = opening.get(order.order_id, ZERO) / leverage + left * taker
        elif not spot:
            premium = ONE if spec.kind == "option" and order.side == "buy" else ZERO
            weight = left * (premium + fees.derivative_taker)
        size = float(weight) * (1.0 if spot else float(spec.contract_value * spec.multiplier))
        taken, inverse = apart or not spot, not spot and is_inverse(spec)
        if order.price is not None:
            at = float(order.price)
            amount = size / at if inverse else size * at
            self._fix(coin, order.auto_borrow, amount, taken=taken)
            return
        row, over = (spec.underlying, spec.quote) if spot else (f"{order.instrument}/mark", "")
        self.market.append(
            MarketHold(coin, size, row, over, inverse, order.auto_borrow, taken),
        )

    def _fix(self, coin: str, auto: bool, amount: float, *, taken: bool) -> None:
        self.fixed[coin, auto] = self.fixed.get((coin, auto), 0.0) + amount
        if taken:
            self.taken[coin] = self.taken.get(coin, 0.0) + amount

    def _read_funding(self, book: Book, reference: ReferenceSet) -> None:
        held = [(name, position.quantity) for (name, _), position in book.positions.items()]
        held += [(place_of_key(key)[0], one.quantity) for key, one in book.isolated.items()]
        for name, quantity in held:
            spec = reference.instruments[name]
            if spec.kind == "spot" or spec.funding_rate is None:
                continue
            size = float(quantity * spec.funding_rate * spec.contract_value * spec.multiplier)
            if size > 0:
                self.market.append(
                    MarketHold(
                        spec.settle or "",
                        size,
                        f"{name}/mark",
                        inverse=is_inverse(spec),
                        taken=False,
                    )
                )
