"""Open spot orders: what they freeze and what their fills would cost (CU-4, AE-2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

from monitor.account.state import OpenOrder
from monitor.exact import ONE, ZERO
from monitor.schema.reference import Instrument

__all__ = ["Exchange", "OrderEffect", "exchange_of", "order_effects", "spot_order_loss"]


class Exchange(NamedTuple):
    """What a spot order gives and receives, in coin, and their USD prices at the order's price."""

    gives: str
    given: Decimal
    given_price: Decimal
    receives: str
    received: Decimal
    """Before the fee."""
    received_price: Decimal


def exchange_of(
    order: OpenOrder, instrument: Instrument, index: Callable[[str], Decimal]
) -> Exchange:
    """Return what the remaining part of a spot order exchanges; a market order at the index."""
    base, quote = instrument.underlying, instrument.quote
    quote_price = index(quote)
    price = order.price if order.price is not None else index(base) / quote_price
    amount = order.remaining
    base_price = price * quote_price
    if order.side == "buy":
        return Exchange(quote, amount * price, quote_price, base, amount, base_price)
    return Exchange(base, amount, base_price, quote, amount * price, quote_price)


class OrderEffect(NamedTuple):
    """AE-2: what one order's fill does to the two coins (in coin) and takes and gives in USD."""

    gives_before: Decimal
    gives_after: Decimal
    receives_before: Decimal
    receives_after: Decimal
    """The fee taken off."""
    given_usd: Decimal
    received_usd: Decimal

    @property
    def loss(self) -> Decimal:
        return max(ZERO, self.given_usd - self.received_usd)


def order_effects(
    exchanges: Iterable[Exchange],
    equities: dict[str, Decimal],
    discounted: Callable[[str, Decimal, Decimal], Decimal],
    taker: Decimal,
) -> list[OrderEffect]:
    """AE-2: return what filling the orders does, one after another.

    `equities` (coin → equity) is used up as the running state; `discounted(coin, equity, price)` is
    CU-9, in USD.
    """
    found = []
    keep = ONE - taker
    for order in exchanges:
        gives_before = equities[order.gives]
        gives_after = equities[order.gives] = gives_before - order.given
        given = discounted(order.gives, gives_before, order.given_price) - discounted(
            order.gives, gives_after, order.given_price
        )
        receives_before = equities[order.receives]
        receives_after = equities[order.receives] = receives_before + order.received * keep
        received = discounted(order.receives, receives_after, order.received_price) - discounted(
            order.receives, receives_before, order.received_price
        )
        found.append(
            OrderEffect(gives_before, gives_after, receives_before, receives_after, given, received)
        )
    return found


def spot_order_loss(effects: Iterable[OrderEffect]) -> Decimal:
    """AE-2: return what filling the orders would take, in USD."""
    return sum((effect.loss for effect in effects), ZERO)
