"""How fills and transfers change isolated positions and their margin (MR-3)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.exceptions import Rejected
from monitor.account.state import Account, IsolatedPosition, isolated_key
from monitor.contracts import mean_entry, trade_value, unrealised_pnl
from monitor.exact import ONE, ZERO
from monitor.schema.events import Fill, PositionSide, Transfer
from monitor.schema.reference import Instrument

__all__ = ["charge_interest", "fill_isolated", "isolated_leverage", "move_margin"]


def isolated_leverage(
    account: Account, instrument: str, side: PositionSide, own: Decimal | None = None
) -> Decimal:
    """MR-3: return the leverage an opening is made at: its own, the position's, the instrument's, 1."""
    if own is not None:
        return own
    table = account.leverage
    found = table.get(isolated_key(instrument, side))
    return found if found is not None else table.get(instrument, ONE)


def fill_isolated(
    account: Account, fill: Fill, instrument: Instrument, size: Decimal, signed: Decimal
) -> None:
    """Change an isolated position by `signed` contracts (base coin); fees are not booked here.

    Past zero it closes what is held, then opens the rest. Raises `Rejected`, changing nothing.
    """
    key = isolated_key(fill.instrument, fill.position_side)
    held = account.isolated.get(key)
    before = held.quantity if held is not None else ZERO
    after = before + signed
    if (fill.position_side == "long" and after < 0) or (
        fill.position_side == "short" and after > 0
    ):
        raise Rejected(
            f"fill {fill.fill_id}: {fill.side} {fill.quantity} {fill.instrument} closes more than the "
            f"{abs(before)} held isolated on side {fill.position_side}"
        )
    closed = ZERO
    if held is not None and before and (before > 0) != (signed > 0):
        closed = -signed if abs(signed) <= abs(before) else before
        _close(account, held, instrument, size, closed, fill.price)
        if not held.quantity:
            del account.isolated[key]
            held = None
    opened = signed + closed
    if opened:
        leverage = isolated_leverage(account, fill.instrument, fill.position_side, fill.leverage)
        _open(account, held, fill, instrument, size, opened, leverage)
    if fill.leverage is not None:
        account.leverage = {**account.leverage, key: fill.leverage}


def _open(
    account: Account,
    held: IsolatedPosition | None,
    fill: Fill,
    instrument: Instrument,
    size: Decimal,
    opened: Decimal,
    leverage: Decimal,
) -> None:
    """Open or add `opened` contracts (base coin): notional / leverage moves from cash to the margin."""
    coin = instrument.settle or instrument.quote
    margin = trade_value(instrument, size, abs(opened), fill.price) / leverage
    if held is None:
        key = isolated_key(fill.instrument, fill.position_side)
        held = account.isolated[key] = IsolatedPosition(
            fill.instrument, fill.position_side, opened, fill.price, margin, coin, leverage
        )
    else:
        held.entry_price = mean_entry(
            instrument, held.quantity, held.entry_price, opened, fill.price
        )
        held.quantity += opened
        held.leverage = leverage
        if held.margin_currency != coin:  # a snapshot gave it in base coin: so is what is added
            coin, margin = held.margin_currency, margin / fill.price
        held.margin += margin
    account.balance(coin).cash -= margin
    if instrument.kind == "spot":
        long = opened > 0
        held.liability += opened * fill.price if long else -opened
        held.liability_currency = instrument.quote if long else instrument.underlying


def _close(
    account: Account,
    held: IsolatedPosition,
    instrument: Instrument,
    size: Decimal,
    closed: Decimal,
    price: Decimal,
) -> None:
    """Close `closed` contracts (base coin, signed as held): its share of the margin and the PnL return."""
    share = closed / held.quantity
    result = unrealised_pnl(instrument, size, closed, held.entry_price, price)
    if instrument.kind == "spot":
        interest = held.accrued_interest * share
        in_base = held.liability_currency == instrument.underlying
        result -= interest * price if in_base else interest
        held.accrued_interest -= interest
        held.liability -= held.liability * share
    margin = held.margin * share
    held.margin -= margin
    held.quantity -= closed
    account.balance(held.margin_currency).cash += margin
    account.balance(instrument.settle or instrument.quote).cash += result


def move_margin(account: Account, transfer: Transfer) -> None:
    """Move cash into a position's margin, out of it when negative. Raises `Rejected`."""
    held = _named(account, transfer)
    if transfer.currency != held.margin_currency:
        raise Rejected(
            f"transfer {transfer.transfer_id}: margin of {held.instrument} is in "
            f"{held.margin_currency}, {transfer.currency} given"
        )
    if held.margin + transfer.amount < 0:
        raise Rejected(
            f"transfer {transfer.transfer_id}: takes {-transfer.amount} {transfer.currency} out of a "
            f"margin of {held.margin}"
        )
    account.balance(transfer.currency).cash -= transfer.amount
    held.margin += transfer.amount


def charge_interest(account: Account, transfer: Transfer) -> None:
    """Add interest to a margin position's debt; it leaves cash when closing. Raises `Rejected`."""
    held = _named(account, transfer)
    if transfer.currency != held.liability_currency:
        owed = held.liability_currency or "nothing"
        raise Rejected(
            f"transfer {transfer.transfer_id}: interest in {transfer.currency}, {held.instrument} "
            f"owes {owed}"
        )
    held.accrued_interest += transfer.amount


def _named(account: Account, transfer: Transfer) -> IsolatedPosition:
    if transfer.instrument is None:
        raise Rejected(f"transfer {transfer.transfer_id}: {transfer.kind} needs its instrument")
    key = isolated_key(transfer.instrument, transfer.position_side or "net")
    held = account.isolated.get(key)
    if held is None:
        raise Rejected(f"transfer {transfer.transfer_id}: no isolated position {key}")
    return held
