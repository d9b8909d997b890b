"""Contract arithmetic: PnL, notional, delta and fee of derivatives (CU-2, CU-4, MM-2, RD-2)."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import ONE
from monitor.schema.reference import Instrument
from monitor.terms import ContractTerms

__all__ = [
    "Contract",
    "delta_in_coin",
    "mean_entry",
    "notional_usd",
    "order_fee",
    "trade_value",
    "unrealised_pnl",
]

Contract = Instrument | ContractTerms
"""What says how a contract is reckoned: its kind, and whether it is inverse."""


def unrealised_pnl(
    instrument: Contract, size: Decimal, quantity: Decimal, entry: Decimal, mark: Decimal
) -> Decimal:
    """CU-2: return the PnL in the settle currency; `quantity` in contracts, negative short."""
    if instrument.inverse:
        return (ONE / entry - ONE / mark) * quantity * size
    return (mark - entry) * quantity * size


def notional_usd(
    instrument: Contract, size: Decimal, contracts: Decimal, price: Decimal, quote_price: Decimal
) -> Decimal:
    """MM-2: return the USD notional of |contracts| at `price` (the mark, or an order's price).

    Of a short option `price` is the underlying's index in USD, and `quote_price` 1.
    """
    if instrument.inverse and instrument.kind != "option":
        return abs(contracts) * size
    return abs(contracts) * size * price * quote_price


def delta_in_coin(instrument: Contract, size: Decimal, quantity: Decimal, mark: Decimal) -> Decimal:
    """RD-2: return the signed delta in coin."""
    return quantity * size / mark if instrument.inverse else quantity * size


def order_fee(
    instrument: Contract, size: Decimal, contracts: Decimal, price: Decimal, taker: Decimal
) -> Decimal:
    """CU-4: return a derivative order's estimated fee in the settle currency."""
    return trade_value(instrument, size, contracts, price) * taker


def trade_value(instrument: Contract, size: Decimal, contracts: Decimal, price: Decimal) -> Decimal:
    """Return what `contracts` are worth at `price`, in the settle (spot: quote) currency.

    Of an option it is the premium: its price is in the settle currency, whatever `inverse` says.
    """
    if instrument.inverse and instrument.kind != "option":
        return contracts * size / price
    return contracts * size * price


def mean_entry(
    instrument: Instrument, before: Decimal, entry: Decimal, added: Decimal, price: Decimal
) -> Decimal:
    """Return the mean entry price: arithmetic for linear, harmonic for inverse contracts."""
    total = before + added
    if instrument.inverse and instrument.kind != "option":
        return total / (before / entry + added / price)
    return (before * entry + added * price) / total
