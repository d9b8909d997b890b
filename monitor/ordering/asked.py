"""The order that a question asks for, as it would stand in the book (OV-4)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from monitor.account.exceptions import Rejected
from monitor.account.positions import check_side, check_tradable
from monitor.account.state import Account, OpenOrder
from monitor.exact import ZERO
from monitor.ordering.exceptions import BadQuestion
from monitor.reference import Reference
from monitor.schema.checks import OrderQuestion
from monitor.schema.reference import Instrument

__all__ = ["AskedOrder", "asked_order"]

NEWEST = "\U0010ffff"
"""A new order's id while it is checked: orders add up in the order of their ids, it comes last."""


@dataclass(frozen=True, slots=True)
class AskedOrder:
    """An order that is not sent yet, or the change of an open one."""

    account: Account
    """As it stands."""
    order: OpenOrder
    instrument: Instrument
    borrows: bool
    """Whether it is checked as an auto-borrow order."""
    is_change: bool

    @property
    def done(self) -> Decimal:
        """What of a changed order is filled already."""
        return self.order.quantity - self.order.remaining

    @property
    def isolated(self) -> bool:
        return self.order.margin_mode == "isolated"

    @property
    def on_spot(self) -> bool:
        return self.instrument.kind == "spot"

    def without(self) -> Account:
        """Return a copy of the account without the order; a changed one is taken out."""
        copy = self.account.copy()
        copy.orders.pop(self.order.order_id, None)
        return copy

    def standing(self, remaining: Decimal | None = None) -> Account:
        """Return a copy of the account with the order in it, or as much of it as `remaining`."""
        order = self.order
        if remaining is not None:
            order = msgspec.structs.replace(order, quantity=self.done + remaining)
        copy = self.account.copy()
        copy.orders[order.order_id] = order
        return copy


def asked_order(account: Account, question: OrderQuestion, reference: Reference) -> AskedOrder:
    """Return the order asked for. Raises `BadQuestion`."""
    instrument = reference.instruments.get(question.instrument)
    if instrument is None:
        raise BadQuestion("instrument", f"unknown instrument {question.instrument}")
    is_change = question.order_id is not None
    order = _changed(account, question) if is_change else _new(account, question)
    try:
        check_tradable(order.instrument, order.margin_mode, account.mode, reference)
        check_side(order.instrument, instrument, order, account.position_mode)
    except Rejected as error:
        raise BadQuestion("", str(error)) from None
    borrows = order.auto_borrow if account.mode == "spot" else account.auto_borrow
    return AskedOrder(account, order, instrument, borrows, is_change)


def _new(account: Account, question: OrderQuestion) -> OpenOrder:
    flag = question.auto_borrow
    return OpenOrder(
        order_id=NEWEST,
        version=0,
        instrument=question.instrument,
        side=question.side,
        position_side=question.position_side,
        margin_mode=question.margin_mode,
        price=question.price,
        quantity=question.quantity,
        filled_quantity=ZERO,
        reduce_only=question.reduce_only,
        auto_borrow=account.auto_borrow if flag is None else flag,
        leverage=question.leverage,
        created_ts=0,
        command_id=None,
    )


def _changed(account: Account, question: OrderQuestion) -> OpenOrder:
    """Return the open order with what the question says of it; the rest stays. Raises `BadQuestion`."""
    known = account.orders.get(question.order_id or "")
    if known is None:
        raise BadQuestion("order_id", f"no order {question.order_id} is open")
    given = question.model_fields_set
    for name in ("instrument", "side", "position_side", "margin_mode"):
        asked, stands = getattr(question, name), getattr(known, name)
        if name in given and asked != stands:
            raise BadQuestion(name, f"{asked} given, order {known.order_id} is {stands}")
    filled = known.quantity - known.remaining
    if question.quantity <= filled:
        raise BadQuestion("quantity", f"{question.quantity} given, {filled} are filled already")
    return msgspec.structs.replace(
        known,
        version=known.version + 1,
        price=question.price if "price" in given else known.price,
        quantity=question.quantity,
        reduce_only=question.reduce_only if "reduce_only" in given else known.reduce_only,
        auto_borrow=True,  # OV-4
        leverage=question.leverage if "leverage" in given else known.leverage,
    )
