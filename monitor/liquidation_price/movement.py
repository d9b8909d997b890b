"""What moves with an underlying, and what stands (MR-4)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.exceptions import Rejected
from monitor.account.fills import apply_fill
from monitor.account.state import Account, OpenOrder
from monitor.contracts import order_fee
from monitor.exact import ONE, ZERO
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema.events import Fill, Side
from monitor.schema.reference import Instrument

__all__ = ["MovedPrices", "has_orders", "with_orders_filled"]


class MovedPrices(PriceBook):
    """The prices of a book with the index and all marks of one underlying times `factor`.

    Every other currency keeps its USD price, one that is priced through the underlying (PX-2) too.
    """

    def __init__(self, base: PriceBook, reference: Reference, underlying: str) -> None:
        super().__init__()
        self.prices = base.prices
        self.factor = ONE
        self._base = base
        self._underlying = underlying
        self._marks = {
            name
            for name, instrument in reference.instruments.items()
            if instrument.underlying == underlying and instrument.kind != "spot"
        }

    def mark(self, instrument: str) -> Decimal:
        """Return the mark price, moved if it is one of the underlying's; raises `MissingPrice`."""
        price = self._base.mark(instrument)
        return price * self.factor if instrument in self._marks else price

    def index(self, currency: str) -> Decimal:
        """Return the index price in USD, moved if it is the underlying's; raises `MissingPrice`."""
        price = self._base.index(currency)
        return price * self.factor if currency == self._underlying else price

    def route(self, currency: str) -> tuple[str, str | None]:
        """Return the price keys that the base prices `currency` through."""
        return self._base.route(currency)


def has_orders(account: Account, reference: Reference, underlying: str, side: Side) -> bool:
    """Return whether an order of that side is open on an instrument of the underlying."""
    return bool(_orders(account, reference, underlying, side))


def with_orders_filled(
    account: Account, reference: Reference, prices: PriceBook, underlying: str, side: Side
) -> Account:
    """MR-4: return a copy on which the underlying's open orders of one side have filled.

    Each at its own price (a market order at mark, or the cross of the indices), taker fee paid, in
    the order of ids; what reduces more than there is fills as far as there is.
    """
    copy = account.copy()
    fees = reference.fees_of(account.fee_schedule)
    for order, instrument in _orders(account, reference, underlying, side):
        del copy.orders[order.order_id]
        spot = instrument.kind == "spot"
        quantity = order.remaining
        if not spot or order.margin_mode == "isolated":
            quantity = min(quantity, _fillable(copy, order))
        if not quantity:
            continue
        price = order.price
        if price is None:
            price = (
                prices.index(instrument.underlying) / prices.index(instrument.quote)
                if spot
                else prices.mark(order.instrument)
            )
        if not spot:
            fee = order_fee(
                instrument,
                reference.sizes[order.instrument],
                quantity,
                price,
                fees.derivative_taker,
            )
            fee_currency = instrument.settle or instrument.quote
        elif order.margin_mode == "isolated" or side == "sell":
            fee, fee_currency = quantity * price * fees.spot_taker, instrument.quote
        else:
            fee, fee_currency = quantity * fees.spot_taker, instrument.underlying
        fill = Fill.model_construct(
            account_id=account.account_id,
            ts=0,
            fill_id=order.order_id,
            order_id=order.order_id,
            instrument=order.instrument,
            side=side,
            position_side=order.position_side,
            margin_mode=order.margin_mode,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_currency=fee_currency,
            leverage=order.leverage,
        )
        try:
            apply_fill(copy, fill, instrument)
        except Rejected:
            continue  # a margin position cannot take it; then no fill of it can come either
    return copy


def _orders(
    account: Account, reference: Reference, underlying: str, side: Side
) -> list[tuple[OpenOrder, Instrument]]:
    """Return the underlying's open orders of one side, in the order of their ids."""
    instruments = reference.instruments
    return [
        (order, instruments[order.instrument])
        for _, order in sorted(account.orders.items())
        if order.side == side
        and order.remaining
        and instruments[order.instrument].underlying == underlying
    ]


def _fillable(account: Account, order: OpenOrder) -> Decimal:
    """Return how much of a position's order can fill: one that reduces, no more than there is."""
    if order.margin_mode == "isolated":
        isolated = account.isolated.get(f"{order.instrument}/isolated/{order.position_side}")
        held = isolated.quantity if isolated is not None else ZERO
    else:
        position = account.positions.get(f"{order.instrument}/{order.position_side}")
        held = position.quantity if position is not None else ZERO
    reduces = order.position_side != "net" and (order.side == "buy") == (
        order.position_side == "short"
    )
    if not reduces and (order.position_side != "net" or not order.reduce_only):
        return order.remaining
    return max(ZERO, -held if order.side == "buy" else held)
