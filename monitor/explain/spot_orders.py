"""What open spot orders would take from discounted equity, explained (AE-2)."""

from __future__ import annotations

from monitor.account.state import OpenOrder
from monitor.explain.currencies import counted, equity, spot_given
from monitor.explain.node import Node, figure, total
from monitor.explain.orders import order_price
from monitor.explain.positions import remaining
from monitor.explain.sheet import Sheet

__all__ = ["spot_order_loss"]


def spot_order_loss(sheet: Sheet) -> Node:
    """AE-2: order by order, each from the equities that the ones before have left."""
    left: dict[str, Node] = {}
    losses = [
        _loss(sheet, order, left)
        for order in sheet.cross_orders
        if sheet.instrument(order.instrument).kind == "spot"
    ]
    return total("spot order loss", "USD", "AE-2", losses)


def _loss(sheet: Sheet, order: OpenOrder, left: dict[str, Node]) -> Node:
    instrument = sheet.instrument(order.instrument)
    base, quote = instrument.underlying, instrument.quote
    gives, receives = (quote, base) if order.side == "buy" else (base, quote)
    of = f"order {order.order_id}"
    base_price, quote_price = _base_price(sheet, order), sheet.index(quote)
    gives_price = quote_price if order.side == "buy" else base_price
    receives_price = base_price if order.side == "buy" else quote_price
    before = left.get(gives) or equity(sheet, gives)
    after = figure(
        f"equity {gives} after {of}",
        gives,
        "AE-2",
        "{0} − {1}",
        before,
        spot_given(sheet, order.order_id),
    )
    given_usd = figure(
        f"value given by {of}",
        "USD",
        "AE-2",
        "{0} − {1}",
        counted(sheet, f"{gives} before {of}", gives, before, gives_price),
        counted(sheet, f"{gives} after {of}", gives, after, gives_price),
    )
    left[gives] = after
    before = left.get(receives) or equity(sheet, receives)
    after = _after(sheet, order, receives, before)
    received_usd = figure(
        f"value received by {of}, less the fee",
        "USD",
        "AE-2",
        "{0} − {1}",
        counted(sheet, f"{receives} after {of}", receives, after, receives_price),
        counted(sheet, f"{receives} before {of}", receives, before, receives_price),
    )
    left[receives] = after
    return figure(
        f"loss of {of}", "USD", "AE-2", "max(0, {0} − {1})", given_usd, received_usd, label=of
    )


def _base_price(sheet: Sheet, order: OpenOrder) -> Node:
    """The base's USD price at the order's price."""
    quote = sheet.instrument(order.instrument).quote

    def tell(name: str) -> Node:
        return figure(
            name, "USD", "AE-2", "{0} × {1}", order_price(sheet, order), sheet.index(quote)
        )

    return sheet.once(f"price of order {order.order_id} in USD", tell)


def _after(sheet: Sheet, order: OpenOrder, receives: str, before: Node) -> Node:
    """Equity with what the order receives, its taker fee taken off."""
    name = f"equity {receives} after {order.order_id} receives"
    amount, fee = remaining(sheet, order.order_id), sheet.rate_of_fee(spot=True)
    if order.side == "buy":
        return figure(name, receives, "AE-2", "{0} + {1} × (1 − {2})", before, amount, fee)
    price = order_price(sheet, order)
    formula = "{0} + {1} × {2} × (1 − {3})"
    return figure(name, receives, "AE-2", formula, before, amount, price, fee)
