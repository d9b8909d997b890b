"""Contract arithmetic: PnL, notional, delta and fee of derivatives (CU-2, CU-4, MM-2, RD-2)."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import ONE
from monitor.schema.reference import Instrument

__all__ = ["delta_in_coin", "notional_usd", "order_fee", "unrealised_pnl"]


def unrealised_pnl(
    instrument: Instrument, size: Decimal, quantity: Decimal, entry: Decimal, mark: Decimal
) -> Decimal:
    """CU-2: return the PnL in the settle currency; `quantity` in contracts, negative short."""
    if instrument.inverse:
        return (ONE / entry - ONE / mark) * quantity * size
    return (mark - entry) * quantity * size


def notional_usd(
    instrument: Instrument, size: Decimal, contracts: Decimal, price: Decimal, quote_price: Decimal
) -> Decimal:
    """MM-2: return the USD notional of |contracts| at `price` (the mark, or an order's price)."""
    if instrument.inverse:
        return abs(contracts) * size
    return abs(contracts) * size * price * quote_price


def delta_in_coin(
    instrument: Instrument, size: Decimal, quantity: Decimal, mark: Decimal
) -> Decimal:
    """RD-2: return the signed delta in coin."""
    return quantity * size / mark if instrument.inverse else quantity * size


def order_fee(
    instrument: Instrument, size: Decimal, contracts: Decimal, price: Decimal, taker: Decimal
) -> Decimal:
    """CU-4: return a derivative order's estimated fee in the settle currency."""
    if instrument.inverse:
        return contracts * size / price * taker
    return contracts * size * price * taker
