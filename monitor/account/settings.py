"""How an account message changes settings, and how a snapshot replaces the state."""

from __future__ import annotations

from monitor.account.exceptions import Rejected
from monitor.account.orders import apply_order
from monitor.account.positions import check_position, check_side, check_tradable, take_position
from monitor.account.state import Account, Balance
from monitor.reference import Reference
from monitor.schema.events import AccountSettings, Snapshot

__all__ = ["apply_settings", "check_settings"]


def check_settings(message: AccountSettings, reference: Reference) -> None:
    """Raise `Rejected` when the message names what the reference set does not know."""
    for currency in (
        *message.collateral_off,
        *message.restricted,
        *message.borrow_leverage,
        *message.spot_hedge,
    ):
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
        check_position(position, message, reference)
    for order in snapshot.orders:
        if order.instrument not in reference.instruments:
            raise Rejected(f"snapshot.orders: unknown instrument {order.instrument}")
        check_tradable(order.instrument, order.margin_mode, message.mode, reference)
        instrument = reference.instruments[order.instrument]
        check_side(order.instrument, instrument, order, message.position_mode)


def apply_settings(account: Account, message: AccountSettings, reference: Reference) -> None:
    """Take checked settings, and the snapshot's state if there is one."""
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
    account.spot_hedge = dict(message.spot_hedge)
    account.settings_ts = message.ts
    if message.snapshot is not None:
        _replace_state(account, message.snapshot, reference)
        account.snapshot_ts = message.ts


def _replace_state(account: Account, snapshot: Snapshot, reference: Reference) -> None:
    account.balances = {
        b.currency: Balance(b.cash, b.borrowed, b.accrued_interest) for b in snapshot.balances
    }
    account.positions, account.isolated = {}, {}
    for position in snapshot.positions:
        take_position(account, position, reference.instruments[position.instrument])
    account.orders, account.ended, account.early_fills = {}, {}, {}
    for order in snapshot.orders:
        apply_order(account, order)
        opened = account.orders.get(order.order_id)
        if opened is not None:
            opened.fills_seen = order.filled_quantity
        else:
            account.ended[order.order_id].fills_seen = order.filled_quantity
