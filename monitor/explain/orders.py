"""Open derivative and isolated orders explained: fees, premiums, margins (CU-4, IM-1, MM-1, MM-4)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from monitor.account.isolated import isolated_leverage
from monitor.account.state import OpenOrder
from monitor.explain.node import Node, figure, given
from monitor.explain.positions import (
    notional,
    opening,
    rate_of,
    remaining,
    short_initial,
    short_maintenance,
)
from monitor.explain.sheet import Sheet
from monitor.margin.derivative_orders import cross_leverage
from monitor.margin.option_legs import bought_back
from monitor.margin.options import LEAST_ORDER_MARGIN

__all__ = [
    "derivative_orders",
    "fee_of_order",
    "initial_of_orders",
    "isolated_frozen",
    "liquidation_fee_of_order",
    "maintenance_of_order",
    "order_price",
    "premium_frozen",
]


def derivative_orders(sheet: Sheet) -> list[OpenOrder]:
    return [o for o in sheet.cross_orders if sheet.instrument(o.instrument).kind != "spot"]


def order_price(sheet: Sheet, order: OpenOrder) -> Node:
    """The order's price; of a market order the mark, or the cross rate of the indices."""
    instrument = sheet.instrument(order.instrument)
    if order.price is not None:
        unit = sheet.settle(order.instrument) if instrument.kind == "option" else instrument.quote
        return given(f"price of order {order.order_id}", order.price, unit, "book")
    if instrument.kind != "spot":
        return sheet.mark(order.instrument)
    return sheet.once(
        f"price of order {order.order_id}",
        lambda name: figure(
            name,
            instrument.quote,
            "CU-4",
            "{0} / {1}",
            sheet.index(instrument.underlying),
            sheet.index(instrument.quote),
        ),
    )


def _value(sheet: Sheet, name: str, order: OpenOrder, amount: Node) -> Node:
    """What `amount` contracts (base coin) of the order are worth at its price, in settle coin."""
    instrument = sheet.instrument(order.instrument)
    price, unit = order_price(sheet, order), sheet.settle(order.instrument)
    if instrument.kind == "spot":
        return figure(name, unit, "CU-4", "{0} × {1}", amount, price)
    sign = "/" if instrument.inverse and instrument.kind != "option" else "×"
    size = sheet.size(order.instrument)
    return figure(name, unit, "CU-4", f"{{0}} × {{1}} {sign} {{2}}", amount, size, price)


def fee_of_order(sheet: Sheet, order: OpenOrder) -> Node:
    """CU-4: the estimated taker fee, in the settle (quote) currency."""
    spot = sheet.instrument(order.instrument).kind == "spot"

    def tell(name: str) -> Node:
        whole = _value(
            sheet, f"value of order {order.order_id}", order, remaining(sheet, order.order_id)
        )
        unit = sheet.settle(order.instrument)
        return figure(name, unit, "CU-4", "{0} × {1}", whole, sheet.rate_of_fee(spot=spot))

    return sheet.once(f"estimated fee of order {order.order_id}", tell)


def premium_frozen(sheet: Sheet, order: OpenOrder) -> Node:
    """CU-4: premium and fee of an option buy, in the settle currency."""

    def tell(name: str) -> Node:
        whole = _value(
            sheet, f"premium of order {order.order_id}", order, remaining(sheet, order.order_id)
        )
        fee = fee_of_order(sheet, order)
        return figure(name, sheet.settle(order.instrument), "CU-4", "{0} + {1}", whole, fee)

    return sheet.once(f"frozen by order {order.order_id}", tell)


def isolated_frozen(sheet: Sheet, order: OpenOrder) -> Node:
    """CU-4: the margin of what an isolated order opens, and the fee of all of it."""
    opens = sheet.figures.orders[order.order_id].opening
    leverage = isolated_leverage(
        sheet.account, order.instrument, order.position_side, order.leverage
    )

    def tell(name: str) -> Node:
        unit = sheet.settle(order.instrument)
        fee = fee_of_order(sheet, order)
        if not opens:
            return figure(name, unit, "CU-4", "{0}", fee)
        return figure(
            name,
            unit,
            "CU-4",
            "{0} + {1} / {2}",
            fee,
            _value(
                sheet,
                f"value that order {order.order_id} opens",
                order,
                opening(sheet, order.order_id),
            ),
            given(f"leverage of order {order.order_id}", leverage, "", "order or book", "MR-3"),
        )

    return sheet.once(f"frozen by order {order.order_id}", tell)


# -- margins -------------------------------------------------------------------------------------


def _opens(sheet: Sheet, order: OpenOrder) -> bool:
    if sheet.instrument(order.instrument).kind == "option" and order.side == "buy":
        return False  # its premium is paid
    return sheet.figures.orders[order.order_id].opening > 0


def _at_mark(sheet: Sheet, order: OpenOrder) -> Node:
    """MM-1, MM-2: the notional of the opening part at mark, of an option at the index."""
    instrument = sheet.instrument(order.instrument)

    def tell(name: str) -> Node:
        opened = opening(sheet, order.order_id)
        if instrument.kind == "option":
            size, index = sheet.size(order.instrument), sheet.index(instrument.underlying)
            return figure(name, "USD", "MM-2", "{0} × {1} × {2}", opened, size, index)
        return notional(sheet, name, order.instrument, opened, sheet.mark(order.instrument))

    return sheet.once(f"notional that order {order.order_id} opens", tell)


def maintenance_of_order(sheet: Sheet, order: OpenOrder) -> Node | None:
    """MM-1: of the opening part at mark; None when it opens nothing."""
    if not _opens(sheet, order):
        return None
    name, label = f"maintenance margin of order {order.order_id}", f"order {order.order_id}"
    if sheet.instrument(order.instrument).kind == "option":
        opened, size = opening(sheet, order.order_id), sheet.size(order.instrument)
        each = short_maintenance(sheet, order.instrument)
        return figure(name, "USD", "MM-3", "{0} × {1} × {2}", opened, size, each, label=label)
    rate = rate_of(sheet, "maintenance", order.instrument)
    return figure(name, "USD", "MM-1", "{0} × {1}", _at_mark(sheet, order), rate, label=label)


def liquidation_fee_of_order(sheet: Sheet, order: OpenOrder) -> Node | None:
    """MM-4; None when it opens nothing."""
    if not _opens(sheet, order):
        return None
    name, label = f"liquidation fee of order {order.order_id}", f"order {order.order_id}"
    fee = sheet.rate_of_fee(spot=False)
    return figure(name, "USD", "MM-4", "{0} × {1}", _at_mark(sheet, order), fee, label=label)


def initial_of_orders(sheet: Sheet) -> Iterator[Node]:
    """IM-1, MM-3: the margins of orders that open or add, and of buying short options back."""
    buys_back: dict[str, Decimal] = {}
    for order in derivative_orders(sheet):
        if sheet.instrument(order.instrument).kind != "option":
            if _opens(sheet, order):
                yield _initial(sheet, order)
        elif order.side == "sell":
            if _opens(sheet, order):
                yield _sell_to_open(sheet, order)
        else:
            opens = sheet.figures.orders[order.order_id].opening
            closes = bought_back(sheet.account, order, opens, buys_back)
            if closes:
                yield _buy_to_close(sheet, order, closes)


def _initial(sheet: Sheet, order: OpenOrder) -> Node:
    leverage = cross_leverage(sheet.account, order.instrument, order.leverage)
    at_price = notional(
        sheet,
        f"notional of order {order.order_id} at its price",
        order.instrument,
        opening(sheet, order.order_id),
        order_price(sheet, order),
    )
    return figure(
        f"initial margin of order {order.order_id}",
        "USD",
        "IM-1",
        "{0} × max(1 / {1}, {2})",
        at_price,
        given(f"leverage of order {order.order_id}", leverage, "", "order or book"),
        rate_of(sheet, "initial", order.instrument),
        label=f"order {order.order_id}",
    )


def _price_usd(sheet: Sheet, order: OpenOrder) -> Node:
    price, settle = order_price(sheet, order), sheet.index(sheet.settle(order.instrument))
    name = f"price of order {order.order_id} in USD"
    return figure(name, "USD", "MM-3", "{0} × {1}", price, settle)


def _sell_to_open(sheet: Sheet, order: OpenOrder) -> Node:
    return figure(
        f"initial margin of order {order.order_id}",
        "USD",
        "MM-3",
        "{0} × {1} × max({2} − {3}, {4} × {5})",
        opening(sheet, order.order_id),
        sheet.size(order.instrument),
        short_initial(sheet, order.instrument),
        _price_usd(sheet, order),
        given("least margin of selling to open", LEAST_ORDER_MARGIN, "", "of the index", "MM-3"),
        sheet.index(sheet.instrument(order.instrument).underlying),
        label=f"order {order.order_id}",
    )


def _buy_to_close(sheet: Sheet, order: OpenOrder, closes: Decimal) -> Node:
    return figure(
        f"initial margin of order {order.order_id}",
        "USD",
        "MM-3",
        "{0} × {1} × max({3} − {2}, 0)",
        given(f"contracts that order {order.order_id} buys back", closes, "", "short held", "MM-3"),
        sheet.size(order.instrument),
        short_initial(sheet, order.instrument),
        _price_usd(sheet, order),
        label=f"order {order.order_id}",
    )
