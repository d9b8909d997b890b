"""How an account message changes settings, and how a snapshot replaces the state."""

from __future__ import annotations

from monitor.account.exceptions import Rejected
from monitor.account.orders import apply_order
from monitor.account.state import Account, Balance, Position, position_key
from monitor.reference import Reference
from monitor.schema.events import AccountSettings, PositionSnapshot, Snapshot

__all__ = ["apply_settings", "check_settings"]


def check_settings(message: AccountSettings, reference: Reference) -> None:
    """Raise `Rejected` when the message names what the reference set does not know."""
    if message.mode == "portfolio":
        raise Rejected("mode: portfolio margin is not supported")
    for currency in (*message.collateral_off, *message.restricted, *message.borrow_leverage):
        if currency != "*" and currency not in reference.currencies:
            raise Rejected(f"unknown currency {currency} in the account's settings")
    snapshot = message.snapshot
    if snapshot is None:
        return
    for balance in snapshot.balances:
        if balance.currency != "USD" and balance.currency not in reference.currencies:
            raise Rejected(f"snapshot.balances: unknown currency {balance.currency}")
        if message.mode != "spot" and balance.borrowed:
            raise Rejected(
                f"snapshot.balances: borrowed {balance.borrowed} {balance.currency} exists in "
                f"spot mode only; elsewhere a debt is negative cash"
            )
    for position in snapshot.positions:
        _check_position(position, message, reference)
    for order in snapshot.orders:
        if order.instrument not in reference.instruments:
            raise Rejected(f"snapshot.orders: unknown instrument {order.instrument}")
        check_tradable(order.instrument, order.margin_mode, message.mode, reference)


def _check_position(
    position: PositionSnapshot, message: AccountSettings, reference: Reference
) -> None:
    if position.instrument not in reference.instruments:
        raise Rejected(f"snapshot.positions: unknown instrument {position.instrument}")
    if reference.instruments[position.instrument].kind == "spot":
        raise Rejected(f"snapshot.positions: {position.instrument} is spot, give its balances")
    check_tradable(position.instrument, position.margin_mode, message.mode, reference)
    if (position.position_side == "net") != (message.position_mode == "net"):
        raise Rejected(
            f"snapshot.positions: side {position.position_side} of {position.instrument} does "
            f"not fit position_mode {message.position_mode}"
        )


def check_tradable(instrument: str, margin_mode: str, mode: str, reference: Reference) -> None:
    """Raise `Rejected` for what this version's rules do not cover."""
    kind = reference.instruments[instrument].kind
    if margin_mode == "isolated":
        raise Rejected(f"{instrument}: isolated margin is not supported")
    if kind == "option":
        raise Rejected(f"{instrument}: options are not supported")
    if mode == "spot" and kind != "spot":
        raise Rejected(f"{instrument}: a {kind} cannot be held in spot mode")


def apply_settings(account: Account, message: AccountSettings) -> None:
    """Take the settings, and the snapshot's state if there is one."""
    account.known = True
    account.mode = message.mode
    account.auto_borrow = message.auto_borrow
    account.position_mode = message.position_mode
    account.main_account_id = message.main_account_id
    account.vip_level = None if message.vip_level is None else str(message.vip_level)
    account.fee_schedule = message.fee_schedule or "default"
    account.auto_repay = message.auto_repay
    account.leverage = dict(message.leverage)
    account.borrow_leverage = dict(message.borrow_leverage)
    account.collateral_off = message.collateral_off
    account.restricted = message.restricted
    account.settings_ts = message.ts
    if message.snapshot is not None:
        _replace_state(account, message.snapshot)
        account.snapshot_ts = message.ts


def _replace_state(account: Account, snapshot: Snapshot) -> None:
    account.balances = {
        b.currency: Balance(b.cash, b.borrowed, b.accrued_interest) for b in snapshot.balances
    }
    account.positions = {}
    for item in snapshot.positions:
        quantity = item.quantity
        if item.position_side == "short":
            quantity = -abs(quantity)
        elif item.position_side == "long":
            quantity = abs(quantity)
        if quantity:
            key = position_key(item.instrument, item.position_side)
            account.positions[key] = Position(
                item.instrument, item.position_side, quantity, item.entry_price
            )
        if item.leverage is not None:
            account.leverage[item.instrument] = item.leverage
    account.orders, account.ended, account.early_fills = {}, {}, {}
    for order in snapshot.orders:
        apply_order(account, order)
        opened = account.orders.get(order.order_id)
        if opened is not None:
            opened.fills_seen = order.filled_quantity
        else:
            account.ended[order.order_id].fills_seen = order.filled_quantity
