"""Open spot orders: what they freeze and what their fills would cost (CU-4, AE-2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

from monitor.account.state import OpenOrder
from monitor.exact import ONE, ZERO
from monitor.schema.reference import Instrument

__all__ = ["Exchange", "exchange_of", "spot_order_loss"]


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


def spot_order_loss(
    exchanges: Iterable[Exchange],
    equities: dict[str, Decimal],
    discounted: Callable[[str, Decimal, Decimal], Decimal],
    taker: Decimal,
) -> Decimal:
    """AE-2: return what filling the orders, one after another, would take, in USD.

    `equities` (coin → equity) is used up as the running state; `discounted(coin, equity, price)` is
    CU-9.
    """
    loss = ZERO
    keep = ONE - taker
    for order in exchanges:
        before = equities[order.gives]
        after = before - order.given
        given = discounted(order.gives, before, order.given_price) - discounted(
            order.gives, after, order.given_price
        )
        equities[order.gives] = after
        before = equities[order.receives]
        after = before + order.received * keep
        received = discounted(order.receives, after, order.received_price) - discounted(
            order.receives, before, order.received_price
        )
        equities[order.receives] = after
        if given > received:
            loss += given - received
    return loss
