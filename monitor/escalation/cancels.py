"""Which orders OC-1 to OC-3 and IN-5 name at the present figures (OC-4: never reduce-only ones)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from monitor.account.state import Account, OpenOrder
from monitor.escalation.context import Context
from monitor.exact import ZERO
from monitor.limits import exceeded
from monitor.margin import Figures
from monitor.schema.commands import CancelReason
from monitor.schema.reference import Policy

__all__ = ["Cancel", "due_cancels", "oc1_orders", "oc2_orders", "oc3_orders"]


class Cancel(NamedTuple):
    """What one rule names now."""

    reason: CancelReason
    rules: tuple[str, ...]
    order_ids: tuple[str, ...]
    """By id, except where the rule gives an order of its own."""


def due_cancels(account: Account, figures: Figures, context: Context) -> list[Cancel]:
    """Return what each rule names, in the order in which they are heard; no empty ones."""
    if not any(_may_be_cancelled(order) for order in account.orders.values()):
        return []
    found = [
        Cancel("OC-1", ("OC-1",), oc1_orders(account, figures, context.reference.policy)),
        _short_of_coin(oc2_orders(account, figures), context),
        Cancel("OC-3", ("OC-3",), oc3_orders(account, figures, context)),
    ]
    return [cancel for cancel in found if cancel.order_ids]


def _short_of_coin(order_ids: tuple[str, ...], context: Context) -> Cancel:
    if context.funding:
        return Cancel("IN-5", ("IN-5", "OC-2"), order_ids)
    return Cancel("OC-2", ("OC-2",), order_ids)


def _may_be_cancelled(order: OpenOrder) -> bool:
    """OC-4; and no rule cancels an executor's own orders."""
    return not order.reduce_only and order.command_id is None


def _borrows(account: Account, order: OpenOrder) -> bool:
    """CU-7: whether an order may borrow: its flag in spot mode, the account's elsewhere."""
    return order.auto_borrow if account.mode == "spot" else account.auto_borrow


# -- OC-1 -----------------------------------------------------------------------------------------


def oc1_orders(account: Account, figures: Figures, policy: Policy) -> tuple[str, ...]:
    """OC-1: return the orders it cancels, by id; empty when OC-1 does not hold."""
    if not figures.oc1_short:
        return ()
    return tuple(
        name
        for name, order in sorted(account.orders.items())
        if _may_be_cancelled(order) and _adds(account, figures, policy, order)
    )


def _adds(account: Account, figures: Figures, policy: Policy, order: OpenOrder) -> bool:
    """Whether an order opens or adds, or needs borrowing; in spot mode as the setting says."""
    if account.mode == "spot":
        return policy.spot_cancel_scope == "all" or order.auto_borrow
    found = figures.orders[order.order_id]
    if found.opening > 0 and order.margin_mode == "cross":  # an isolated one opens apart (MR-3)
        return True
    if found.gives is None:
        return False
    given = figures.currencies[found.gives]
    return given.potential_borrowing > given.liability


# -- OC-2 -----------------------------------------------------------------------------------------


def oc2_orders(account: Account, figures: Figures) -> tuple[str, ...]:
    """OC-2: return the orders without auto-borrow that a coin cannot serve, newest first.

    Coins are looked at in order of name; an order freezes one coin, so none is named twice.
    """
    if account.mode != "spot" and account.auto_borrow:
        return ()
    by_coin = _freezing(account, figures, borrowing=False)
    return tuple(
        order.order_id
        for coin in sorted(by_coin)
        for order in _too_many(by_coin[coin], figures, _lacking(account, figures, coin, by_coin))
    )


def _freezing(account: Account, figures: Figures, *, borrowing: bool) -> dict[str, list[OpenOrder]]:
    """Group by coin the orders that freeze it, of those that may borrow or of those that may not."""
    found: dict[str, list[OpenOrder]] = {}
    for name, order in sorted(account.orders.items()):
        frozen = figures.orders[name]
        if frozen.freezes is not None and frozen.frozen and _borrows(account, order) == borrowing:
            found.setdefault(frozen.freezes, []).append(order)
    return found


def _lacking(
    account: Account, figures: Figures, coin: str, by_coin: dict[str, list[OpenOrder]]
) -> Decimal:
    """Return by how much a coin falls short of what orders without auto-borrow freeze."""
    held = figures.currencies[coin]
    if account.mode == "spot":
        frozen = sum((figures.orders[o.order_id].frozen for o in by_coin[coin]), ZERO)
        return frozen - held.cash
    return held.frozen - held.equity


def _too_many(
    orders: Iterable[OpenOrder], figures: Figures, lacking: Decimal
) -> Iterable[OpenOrder]:
    """Take the newest orders (creation time, then id) until nothing lacks any more."""
    for order in sorted(orders, key=lambda o: (o.created_ts, o.order_id), reverse=True):
        if lacking <= 0:
            return
        if _may_be_cancelled(order):
            lacking -= figures.orders[order.order_id].frozen
            yield order


# -- OC-3 -----------------------------------------------------------------------------------------


def oc3_orders(account: Account, figures: Figures, context: Context) -> tuple[str, ...]:
    """OC-3: return the auto-borrow orders that need borrowing in a coin past a limit, by id."""
    by_coin = _freezing(account, figures, borrowing=True)
    short = {
        coin
        for coin in by_coin
        if figures.currencies[coin].potential_borrowing > figures.currencies[coin].liability
    }
    if not short:
        return ()
    past = short.intersection(exceeded(account, figures, context.reference, context.totals))
    return tuple(
        sorted(
            order.order_id for coin in past for order in by_coin[coin] if _may_be_cancelled(order)
        )
    )
