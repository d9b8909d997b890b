"""How a fill changes balances and positions."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.exceptions import Rejected
from monitor.account.state import Account, Position, position_key
from monitor.contracts import unrealised_pnl
from monitor.exact import ZERO
from monitor.schema.events import Fill
from monitor.schema.reference import Instrument

__all__ = ["apply_fill", "trade_position"]


def apply_fill(account: Account, fill: Fill, instrument: Instrument) -> set[str]:
    """Book one fill; return the currencies whose cash rose. Raises `Rejected`, changing nothing."""
    raised: set[str] = set()
    if instrument.kind == "spot":
        value = fill.quantity * fill.price
        base, quote = instrument.underlying, instrument.quote
        sign = 1 if fill.side == "buy" else -1
        account.balance(base).cash += sign * fill.quantity
        account.balance(quote).cash -= sign * value
        raised.add(base if sign > 0 else quote)
    else:
        signed = fill.quantity if fill.side == "buy" else -fill.quantity
        size = instrument.contract_value * instrument.multiplier
        pnl = trade_position(account, fill, instrument, size, signed)
        settle = instrument.settle or instrument.quote
        account.balance(settle).cash += pnl
        if pnl > 0:
            raised.add(settle)
        if fill.leverage is not None:
            account.leverage = {**account.leverage, fill.instrument: fill.leverage}
    if fill.fee:
        account.balance(fill.fee_currency).cash -= fill.fee
    return raised


def trade_position(
    account: Account, fill: Fill, instrument: Instrument, size: Decimal, signed: Decimal
) -> Decimal:
    """Change the position by `signed` contracts at the fill's price; return the realised PnL."""
    key = position_key(fill.instrument, fill.position_side)
    held = account.positions.get(key)
    before = held.quantity if held is not None else ZERO
    after = before + signed
    if fill.position_side != "net":
        wrong = after < 0 if fill.position_side == "long" else after > 0
        if wrong:
            raise Rejected(
                f"fill {fill.fill_id}: {fill.side} {fill.quantity} {fill.instrument} closes more "
                f"than the {abs(before)} held on side {fill.position_side}"
            )
    if held is None or not before:
        account.positions[key] = Position(fill.instrument, fill.position_side, after, fill.price)
        return ZERO
    if (before > 0) == (signed > 0):
        held.entry_price = _mean_entry(instrument, before, held.entry_price, signed, fill.price)
        held.quantity = after
        return ZERO
    closed = -signed if abs(signed) <= abs(before) else before
    pnl = unrealised_pnl(instrument, size, closed, held.entry_price, fill.price)
    if after == 0:
        del account.positions[key]
    else:
        held.quantity = after
        if (after > 0) != (before > 0):
            held.entry_price = fill.price
    return pnl


def _mean_entry(
    instrument: Instrument, before: Decimal, entry: Decimal, added: Decimal, price: Decimal
) -> Decimal:
    """Return the mean entry price: arithmetic for linear, harmonic for inverse contracts."""
    total = before + added
    if instrument.inverse:
        return total / (before / entry + added / price)
    return (before * entry + added * price) / total
