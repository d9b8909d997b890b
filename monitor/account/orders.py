"""How an order event changes the open orders, and when an order's end is confirmed."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import Account, EndedOrder, OpenOrder
from monitor.exact import ZERO
from monitor.schema.events import Order

__all__ = ["apply_order", "count_fill"]

REMEMBERED_ENDS = 64
"""Ended orders kept per account, so that a late older version cannot open one again."""
REMEMBERED_FILLS = 64
"""Orders with fills seen before the order itself."""


def apply_order(account: Account, order: Order) -> bool:
    """Book an order event; return false when a higher or equal version is known already."""
    ended = account.ended.get(order.order_id)
    if ended is not None and ended.version >= order.version:
        return False
    known = account.orders.get(order.order_id)
    if known is not None and known.version >= order.version:
        return False
    if known is not None:
        seen = known.fills_seen
    elif ended is not None:
        seen = ended.fills_seen
    else:
        seen = account.early_fills.pop(order.order_id, ZERO)
    if order.status == "open" and ended is None:
        account.orders[order.order_id] = OpenOrder(
            order_id=order.order_id,
            version=order.version,
            instrument=order.instrument,
            side=order.side,
            position_side=order.position_side,
            margin_mode=order.margin_mode,
            price=order.price,
            quantity=order.quantity,
            filled_quantity=order.filled_quantity,
            reduce_only=order.reduce_only,
            auto_borrow=order.auto_borrow,
            leverage=order.leverage,
            created_ts=order.created_ts if order.created_ts is not None else order.ts,
            command_id=order.command_id,
            fills_seen=seen,
        )
        return True
    account.orders.pop(order.order_id, None)
    account.ended.pop(order.order_id, None)
    account.ended[order.order_id] = EndedOrder(order.version, order.filled_quantity, seen)
    _forget_ends(account)
    return True


def _forget_ends(account: Account) -> None:
    """Keep the last ends; an end still waiting for its fills is the last to be forgotten."""
    while len(account.ended) > REMEMBERED_ENDS:
        confirmed = (name for name, end in account.ended.items() if end.confirmed)
        account.ended.pop(next(confirmed, next(iter(account.ended))))


def count_fill(account: Account, order_id: str, quantity: Decimal) -> None:
    """Count a fill towards its order, which may be open, ended, or not known yet."""
    order = account.orders.get(order_id)
    if order is not None:
        order.fills_seen += quantity
        return
    ended = account.ended.get(order_id)
    if ended is not None:
        ended.fills_seen += quantity
        return
    account.early_fills[order_id] = account.early_fills.get(order_id, ZERO) + quantity
    while len(account.early_fills) > REMEMBERED_FILLS:
        del account.early_fills[next(iter(account.early_fills))]
