"""How a fill changes balances and positions."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.exceptions import Rejected
from monitor.account.isolated import fill_isolated
from monitor.account.state import Account, Position, position_key
from monitor.contracts import mean_entry, trade_value, unrealised_pnl
from monitor.exact import ONE, ZERO
from monitor.schema.events import Fill
from monitor.schema.reference import Instrument

__all__ = ["apply_fill", "trade_position"]


def apply_fill(account: Account, fill: Fill, instrument: Instrument) -> set[str]:
    """Book one fill; return the currencies whose cash rose. Raises `Rejected`, changing nothing."""
    raised: set[str] = set()
    sign = 1 if fill.side == "buy" else -1
    signed = sign * fill.quantity
    size = instrument.contract_value * instrument.multiplier
    if fill.margin_mode == "isolated":  # MR-3
        is_spot = instrument.kind == "spot"
        fill_isolated(account, fill, instrument, ONE if is_spot else size, signed)
    elif instrument.kind == "spot":
        base, quote = instrument.underlying, instrument.quote
        account.balance(base).cash += signed
        account.balance(quote).cash -= signed * fill.price
        raised.add(base if sign > 0 else quote)
    else:
        pnl = trade_position(account, fill, instrument, size, signed)
        settle = instrument.settle or instrument.quote
        if instrument.kind == "option":  # CU-3: the premium is paid, nothing is realised
            pnl = -trade_value(instrument, size, signed, fill.price)
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
    """Change the position by `signed` contracts at the fill's price; return the realised PnL.

    Of an option the figure means nothing: its premium is booked in its place.
    """
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
        held.entry_price = mean_entry(instrument, before, held.entry_price, signed, fill.price)
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
