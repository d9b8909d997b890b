"""Open derivative and isolated orders: what they open, at which leverage (MM-2, IM-1, MR-3)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from monitor.account.state import Account, OpenOrder
from monitor.exact import ONE, ZERO

__all__ = ["cross_leverage", "opening_parts"]


def cross_leverage(account: Account, instrument: str, own: Decimal | None = None) -> Decimal:
    """IM-1: return the leverage in use; an order's own first, 1 where none is set."""
    return own if own is not None else account.leverage.get(instrument, ONE)


def opening_parts(account: Account, orders: Iterable[OpenOrder]) -> dict[str, Decimal]:
    """MM-2: return order id → contracts that open or add, for derivative `orders` sorted by id.

    In net mode the opposite position is used up once, by the orders against it in their order;
    reduce-only orders neither open nor use it up. Isolated orders (of spot instruments too: base
    coin) are held against isolated positions.
    """
    opening: dict[str, Decimal] = {}
    against: dict[tuple[str, str, str], Decimal] = {}
    for order in orders:
        if order.reduce_only:
            opening[order.order_id] = ZERO
        elif order.position_side != "net":
            opens = (order.side == "buy") == (order.position_side == "long")
            opening[order.order_id] = order.remaining if opens else ZERO
        else:
            place = (order.instrument, order.side, order.margin_mode)
            left = against.get(place)
            if left is None:
                held = _net_quantity(account, order)
                left = max(ZERO, held if order.side == "sell" else -held)
            closes = min(left, order.remaining)
            against[place] = left - closes
            opening[order.order_id] = order.remaining - closes
    return opening


def _net_quantity(account: Account, order: OpenOrder) -> Decimal:
    if order.margin_mode == "isolated":
        isolated = account.isolated.get(f"{order.instrument}/isolated/net")
        return isolated.quantity if isolated is not None else ZERO
    position = account.positions.get(f"{order.instrument}/net")
    return position.quantity if position is not None else ZERO
