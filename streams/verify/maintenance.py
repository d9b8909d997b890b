"""Maintenance margin and liquidation fee of an account (MM-1 to MM-4)."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import ONE, ZERO
from streams.verify.options import short_option
from streams.verify.sheet import Sheet, unit_of
from streams.verify.tables import borrow_tier, group_sizes, notional, tier_index

__all__ = ["maintenance_and_fee", "position_maintenance"]

Sizes = dict[tuple[str, str], Decimal]


def _asked(sheet: Sheet, name: str, quantity: Decimal, sizes: Sizes) -> tuple[Decimal, Decimal]:
    """Return the maintenance margin and the notional of some contracts, in USD."""
    spec = sheet.reference.instruments[name]
    quote = sheet.prices[spec.settle or ""]
    size = sizes.get((spec.family, spec.kind), ZERO)
    if spec.kind == "option":
        coins = quantity * unit_of(spec)
        option = short_option(sheet.reference, sheet.quotes, name, size)
        return coins * option.maintenance() * quote, coins * sheet.usd(spec.underlying)
    value = notional(spec, quantity, sheet.marks[name], quote)
    return value * spec.position_tiers[tier_index(spec.position_tiers, size)].maintenance, value


def _asking(sheet: Sheet) -> dict[str, Decimal]:
    """Return the contracts by instrument whose positions ask for margin."""
    found: dict[str, Decimal] = {}
    for (name, _), held in sheet.book.positions.items():
        if held.quantity < 0 or sheet.reference.instruments[name].kind != "option":
            found[name] = found.get(name, ZERO) + abs(held.quantity)
    return found


def position_maintenance(sheet: Sheet) -> Decimal:
    """Return the maintenance margin of the positions alone, in USD (OC-1)."""
    alone = group_sizes(sheet.book, {}, sheet.reference)
    return sum((_asked(sheet, name, held, alone)[0] for name, held in _asking(sheet).items()), ZERO)


def maintenance_and_fee(sheet: Sheet) -> tuple[Decimal, Decimal]:
    """Return both in USD, orders that open or add and potential borrowing included."""
    sizes = group_sizes(sheet.book, sheet.opening, sheet.reference)
    contracts = _asking(sheet)
    for order_id, part in sheet.opening.items():
        order = sheet.book.orders[order_id]
        if sheet.spec(order).kind != "option" or order.side == "sell":
            contracts[order.instrument] = contracts.get(order.instrument, ZERO) + part
    maintenance = fee = ZERO
    for name, quantity in contracts.items():
        margin, value = _asked(sheet, name, quantity, sizes)
        maintenance += margin
        fee += value * sheet.fees.derivative_taker
    for name, coin in sheet.coins.items():
        rate = borrow_tier(sheet.reference.currencies[name], coin.potential).maintenance
        maintenance += coin.potential * coin.price * rate
        fee += coin.potential * coin.price * (ONE + rate) * sheet.fees.spot_taker
    return maintenance, fee
