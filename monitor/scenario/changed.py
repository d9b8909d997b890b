"""One account as it would be after fills and cash that did not happen (WI-1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from monitor.account.exceptions import Rejected
from monitor.account.fills import apply_fill
from monitor.account.positions import check_side, check_tradable
from monitor.account.state import Account, OpenOrder
from monitor.contracts import trade_value
from monitor.exact import ONE
from monitor.prices import MissingPrice, PriceBook
from monitor.reference import Reference
from monitor.scenario.messages import FillAsked
from monitor.scenario.shock import BadScenario
from monitor.schema.events import Fill
from monitor.schema.reference import Instrument

__all__ = ["changed"]


def changed(
    account: Account,
    fills: Sequence[FillAsked],
    cash: Mapping[str, Decimal],
    reference: Reference,
    prices: PriceBook,
) -> Account:
    """Return a copy with the fills, in their order, and the cash. Raises `BadScenario`."""
    copy = account.copy()
    for name, amount in cash.items():
        if name != "USD" and name not in reference.currencies:
            raise BadScenario(f"cash.{name}", "no such currency in the reference set")
        copy.balance(name).cash += amount
    for number, asked in enumerate(fills):
        _fill(copy, asked, f"fills.{number}", reference, prices)
    return copy


def _fill(
    account: Account, asked: FillAsked, where: str, reference: Reference, prices: PriceBook
) -> None:
    order = None
    if asked.order_id is not None:
        order = account.orders.get(asked.order_id)
        if order is None:
            raise BadScenario(f"{where}.order_id", f"{asked.order_id} is no open order of it")
    name = order.instrument if order is not None else asked.instrument
    instrument = reference.instruments.get(name or "")
    if name is None or instrument is None:
        raise BadScenario(f"{where}.instrument", f"{name} is not in the reference set")
    made = _made(account, asked, order, name, instrument, where, prices, reference)
    try:
        check_tradable(name, made.margin_mode, account.mode, reference)
        if instrument.kind != "spot" or made.margin_mode == "isolated":
            check_side(name, instrument, made, account.position_mode)
        if order is not None:
            _use_up(account, order, made.quantity, where)
        apply_fill(account, made, instrument)
    except Rejected as error:
        raise BadScenario(where, str(error)) from None


def _made(
    account: Account,
    asked: FillAsked,
    order: OpenOrder | None,
    name: str,
    instrument: Instrument,
    where: str,
    prices: PriceBook,
    reference: Reference,
) -> Fill:
    """Return the whole fill: what is not asked for is the order's, or the market's."""
    side = order.side if order is not None else asked.side
    quantity = asked.quantity
    if quantity is None:
        quantity = order.remaining if order is not None else None
    price = asked.price if asked.price is not None or order is None else order.price
    if price is None:
        price = _market_price(name, instrument, prices, where)
    if side is None or quantity is None:
        raise BadScenario(where, "side and quantity are needed")
    margin_mode = order.margin_mode if order is not None else asked.margin_mode
    fee, fee_currency = _fee(
        account, name, instrument, side, margin_mode, quantity, price, reference
    )
    return Fill.model_construct(
        account_id=account.account_id,
        ts=0,
        fill_id=where,
        order_id=order.order_id if order is not None else where,
        instrument=name,
        side=side,
        position_side=order.position_side if order is not None else asked.position_side,
        margin_mode=margin_mode,
        price=price,
        quantity=quantity,
        fee=fee if asked.fee is None else asked.fee,
        fee_currency=fee_currency,
        leverage=asked.leverage or (order.leverage if order is not None else None),
    )


def _market_price(name: str, instrument: Instrument, prices: PriceBook, where: str) -> Decimal:
    try:
        if instrument.kind == "spot":
            return prices.index(instrument.underlying) / prices.index(instrument.quote)
        return prices.mark(name)
    except MissingPrice as missing:
        raise BadScenario(f"{where}.price", f"none given, and {missing} is not known") from None


def _fee(
    account: Account,
    name: str,
    instrument: Instrument,
    side: str,
    margin_mode: str,
    quantity: Decimal,
    price: Decimal,
    reference: Reference,
) -> tuple[Decimal, str]:
    """Return the taker fee and its currency: what is received, or the settle coin."""
    fees = reference.fees_of(account.fee_schedule)
    if instrument.kind != "spot":
        value = trade_value(instrument, reference.sizes[name], quantity, price)
        return value * fees.derivative_taker, instrument.settle or instrument.quote
    if side == "buy" and margin_mode == "cross":
        return quantity * fees.spot_taker, instrument.underlying
    return trade_value(instrument, ONE, quantity, price) * fees.spot_taker, instrument.quote


def _use_up(account: Account, order: OpenOrder, quantity: Decimal, where: str) -> None:
    """Take what fills off the open order."""
    left = order.remaining - quantity
    if left < 0:
        raise BadScenario(
            f"{where}.quantity", f"{quantity} given, {order.remaining} of {order.order_id} is open"
        )
    if not left:
        del account.orders[order.order_id]
        return
    account.orders[order.order_id] = msgspec.structs.replace(
        order, filled_quantity=order.quantity - left
    )
