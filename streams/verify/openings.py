"""Which part of an order opens or adds (MM-2), for cross and for isolated orders."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from monitor.exact import ZERO
from monitor.schema import Order
from streams.verify.book import Book, isolated_key
from streams.verify.catalog import ReferenceSet

__all__ = ["isolated_parts", "key_of", "opening_parts"]


def opening_parts(book: Book, orders: Sequence[Order]) -> dict[str, Decimal]:
    """MM-2: the part beyond the opposite position, which is used up in the order of the ids."""
    held = {
        name: position.quantity
        for (name, side), position in book.positions.items()
        if side == "net"
    }
    return _parts(book, orders, held)


def isolated_parts(
    book: Book, orders: Sequence[Order], reference: ReferenceSet
) -> dict[str, Decimal]:
    """Return the opening part of isolated orders, against the isolated positions alone."""
    held = {
        order.instrument: book.isolated[key_of(order, reference)].quantity
        for order in orders
        if key_of(order, reference) in book.isolated
    }
    return _parts(book, orders, held, spot_nets=reference)


def key_of(order: Order, reference: ReferenceSet) -> str:
    """Return the isolated position that an isolated order belongs to."""
    spot = reference.instruments[order.instrument].kind == "spot"
    return isolated_key(order.instrument, "net" if spot else order.position_side)


def _parts(
    book: Book,
    orders: Sequence[Order],
    held: dict[str, Decimal],
    spot_nets: ReferenceSet | None = None,
) -> dict[str, Decimal]:
    opposite: dict[tuple[str, str], Decimal] = {}
    opening: dict[str, Decimal] = {}
    for order in orders:
        remaining = book.remaining(order)
        if order.reduce_only:
            continue
        nets = order.position_side == "net" or (
            spot_nets is not None and spot_nets.instruments[order.instrument].kind == "spot"
        )
        if not nets:
            opens = "buy" if order.position_side == "long" else "sell"
            opening[order.order_id] = remaining if order.side == opens else ZERO
            continue
        key = (order.instrument, order.side)
        if key not in opposite:
            quantity = held.get(order.instrument, ZERO)
            opposite[key] = max(ZERO, -quantity if order.side == "buy" else quantity)
        covered = min(remaining, opposite[key])
        opposite[key] -= covered
        opening[order.order_id] = remaining - covered
    return opening
