"""What account events say about pending actions (ES-4, ES-5)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import Account
from monitor.escalation.episode import Episode, Pending, Wait
from monitor.exact import ZERO
from monitor.schema.events import AccountEvent, Fill, Order, Transfer

__all__ = ["observe"]

_DUST = Decimal("1e-18")
"""Coin amounts are computed to 50 digits and travel shortened; without this a repayment whose last
digits were cut off would wait for ever."""


def observe(account: Account, episode: Episode, event: AccountEvent) -> bool:
    """Track what an applied event confirms; return whether a cancel or reduction was confirmed.

    To be called after each event applied to `account`, in their order.
    """
    if not episode.open:
        return False
    confirmed = False
    for cancel in list(episode.cancels):
        cancel.order_ids = [name for name in cancel.order_ids if not _ended(account, name)]
        if not cancel.order_ids:  # ES-4
            episode.drop(cancel)
            confirmed = True
    pending = episode.reduction
    if pending is not None:
        _track(account, pending, event)
        if not pending.waits:  # ES-5
            confirmed = True
        if not pending.waits or pending.stuck:  # ES-6: any event ends the wait of a stuck one
            episode.reduction = None
    if confirmed:
        episode.stuck = False
    return confirmed


def _ended(account: Account, order_id: str) -> bool:
    """Whether an order is closed and its fills have all been seen; a forgotten one is."""
    if order_id in account.orders:
        return False
    ended = account.ended.get(order_id)
    return ended is None or ended.confirmed


def _track(account: Account, pending: Pending, event: AccountEvent) -> None:
    if isinstance(event, Order):
        if event.command_id == pending.command_id and event.status != "open":
            pending.ending.append(event.order_id)
            _end(account, pending, event)
        return
    if isinstance(event, Fill):
        if event.command_id != pending.command_id:
            return
        for wait in pending.waits:
            if _fits(wait, event.instrument, event.side, event.position_side):
                wait.left -= event.quantity
                break
        _end(account, pending, event)
    elif isinstance(event, Transfer) and event.command_id == pending.command_id:
        for wait in pending.waits:
            if wait.is_coin and wait.name == event.currency:
                _transfer(account, wait, event)
    pending.waits = [wait for wait in pending.waits if not _done(account, wait)]


def _done(account: Account, wait: Wait) -> bool:
    """Whether nothing is to come; a coin taken over must owe nothing besides (spot mode)."""
    if wait.left > (_DUST if wait.is_coin else ZERO):
        return False
    balance = account.balances.get(wait.name) if wait.is_coin else None
    # Elsewhere interest leaves cash by itself (IN-1), and nothing can repay it before.
    owes = (
        balance is not None
        and account.mode == "spot"
        and bool(balance.borrowed or balance.accrued_interest)
    )
    return not (wait.action == "takeover" and owes)


def _fits(wait: Wait, instrument: str, side: str, position_side: str) -> bool:
    """Whether fills of this kind belong to the action."""
    if wait.is_coin or wait.name != instrument:
        return False
    if wait.position_side is not None:
        return wait.position_side == position_side
    return wait.side == side


def _end(account: Account, pending: Pending, event: Order | Fill) -> None:
    """ES-5: a final order bearing the command's id ends its actions, once its fills were seen."""
    if event.order_id not in pending.ending or not _ended(account, event.order_id):
        return
    pending.ending.remove(event.order_id)
    pending.waits = [
        wait
        for wait in pending.waits
        if not _done(account, wait)
        and not _fits(wait, event.instrument, event.side, event.position_side)
    ]


def _transfer(account: Account, wait: Wait, event: Transfer) -> None:
    """ES-5: `repay` counts by its amount, a coin taken over by its adjustments.

    What leaves nothing of a coin ends its action even where amounts were rounded on the way.
    """
    if wait.action == event.kind == "repay":
        wait.left -= event.amount
    elif wait.action == "takeover":
        if event.kind == "adjustment":
            wait.left -= abs(event.amount)
        balance = account.balances.get(event.currency)
        if balance is None or balance.is_empty():
            wait.left = ZERO
