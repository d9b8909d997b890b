"""Cross positions explained: PnL, value, notional, margins (CU-2, CU-3, IM-1, MM-1 to MM-4)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import Position
from monitor.exact import ZERO
from monitor.explain.node import Node, figure, given
from monitor.explain.sheet import Sheet
from monitor.margin.derivative_orders import cross_leverage
from monitor.margin.options import forward_mark
from monitor.schema.reference import Instrument

__all__ = [
    "family_size",
    "initial_of_position",
    "maintenance_of_position",
    "notional",
    "notional_of_position",
    "opening",
    "option_value",
    "pnl",
    "remaining",
    "short_initial",
    "short_maintenance",
]


def contracts(key: str, quantity: Decimal) -> Node:
    return given(f"contracts of {key}", quantity, "", "book")


def pnl(
    sheet: Sheet, name: str, key: str, instrument: str, quantity: Decimal, entry: Decimal
) -> Node:
    """CU-2: of a linear or inverse contract, in the settle currency."""
    at = given(f"entry price of {key}", entry, sheet.instrument(instrument).quote, "book")
    mark, held, size = sheet.mark(instrument), contracts(key, quantity), sheet.size(instrument)
    unit = sheet.settle(instrument)
    if sheet.instrument(instrument).inverse:
        return figure(name, unit, "CU-2", "(1 / {0} − 1 / {1}) × {2} × {3}", at, mark, held, size)
    return figure(name, unit, "CU-2", "({0} − {1}) × {2} × {3}", mark, at, held, size)


def option_value(sheet: Sheet, key: str, position: Position) -> Node:
    """CU-3."""
    name = position.instrument
    held, size, mark = contracts(key, position.quantity), sheet.size(name), sheet.mark(name)
    unit = sheet.settle(name)
    return figure(f"value of {key}", unit, "CU-3", "{0} × {1} × {2}", held, size, mark, label=key)


def notional(sheet: Sheet, name: str, instrument: str, held: Node, price: Node) -> Node:
    """MM-2: USD notional of a linear or inverse contract, `held` contracts at `price`."""
    size = sheet.size(instrument)
    if sheet.instrument(instrument).inverse:
        return figure(name, "USD", "MM-2", "abs({0}) × {1}", held, size)
    quote = sheet.index(sheet.settle(instrument))
    return figure(name, "USD", "MM-2", "abs({0}) × {1} × {2} × {3}", held, size, price, quote)


def notional_of_position(sheet: Sheet, key: str, position: Position) -> Node:
    """MM-2: of a short option at the index; long ones have none."""
    instrument = sheet.instrument(position.instrument)

    def tell(name: str) -> Node:
        held = contracts(key, position.quantity)
        if instrument.kind == "option":
            size, index = sheet.size(position.instrument), sheet.index(instrument.underlying)
            return figure(name, "USD", "MM-2", "−{0} × {1} × {2}", held, size, index)
        return notional(sheet, name, position.instrument, held, sheet.mark(position.instrument))

    return sheet.once(f"notional of {key}", tell)


def _of_short_option(sheet: Sheet, name: str, key: str, position: Position, each: Node) -> Node:
    """MM-3: `each` coin's margin over all contracts."""
    return figure(
        name,
        "USD",
        "MM-3",
        "−{0} × {1} × {2}",
        contracts(key, position.quantity),
        sheet.size(position.instrument),
        each,
        label=key,
    )


def maintenance_of_position(sheet: Sheet, key: str, position: Position) -> Node:
    """MM-1."""
    name = f"maintenance margin of {key}"
    instrument = sheet.instrument(position.instrument)
    if instrument.kind == "option":
        each = short_maintenance(sheet, position.instrument)
        return _of_short_option(sheet, name, key, position, each)
    rate = rate_of(sheet, "maintenance", position.instrument)
    whole = notional_of_position(sheet, key, position)
    return figure(name, "USD", "MM-1", "{0} × {1}", whole, rate, label=key)


def initial_of_position(sheet: Sheet, key: str, position: Position) -> Node:
    """IM-1."""
    name = f"initial margin of {key}"
    instrument = sheet.instrument(position.instrument)
    if instrument.kind == "option":
        each = short_initial(sheet, position.instrument)
        return _of_short_option(sheet, name, key, position, each)
    leverage = cross_leverage(sheet.account, position.instrument)
    return figure(
        name,
        "USD",
        "IM-1",
        "{0} × max(1 / {1}, {2})",
        notional_of_position(sheet, key, position),
        given(f"leverage of {position.instrument}", leverage, "", "book"),
        rate_of(sheet, "initial", position.instrument),
        label=key,
    )


# -- size and tier (MM-2) --------------------------------------------------------------------------


def rate_of(sheet: Sheet, label: str, instrument: str) -> Node:
    """Return the rate of the tier of the instrument's family and kind."""
    entry = sheet.instrument(instrument)
    size = family_size(sheet, entry)
    return sheet.position_rate(label, entry.position_tiers, _family(entry), size)


def _family(instrument: Instrument) -> str:
    return f"{instrument.family} {instrument.kind}"


def family_size(sheet: Sheet, instrument: Instrument) -> Node:
    """MM-2: gross contracts of a family and kind over all expiries, opening orders included."""

    def same(name: str) -> bool:
        other = sheet.instrument(name)
        return (other.family, other.kind) == (instrument.family, instrument.kind)

    def counts(*, buys: bool) -> bool:
        return instrument.kind != "option" or not buys  # long options carry no margin

    def tell(name: str) -> Node:
        held = [
            contracts(key, position.quantity)
            for key, position in sheet.account.positions.items()
            if same(position.instrument) and counts(buys=position.quantity > 0)
        ]
        opened = [
            opening(sheet, order.order_id)
            for order in sheet.cross_orders
            if same(order.instrument) and counts(buys=order.side == "buy")
        ]
        terms = [f"abs({{{number}}})" for number in range(len(held))]
        terms += [f"{{{len(held) + number}}}" for number in range(len(opened))]
        return figure(name, "", "MM-2", " + ".join(terms) or "0", *held, *opened)

    return sheet.once(f"contracts of {_family(instrument)} in all", tell)


def remaining(sheet: Sheet, order_id: str) -> Node:
    """What of an order may still fill: a fill may come before the order's own update."""
    order = sheet.account.orders[order_id]
    parts = (
        given(f"quantity of order {order_id}", order.quantity, "", "book"),
        given(f"filled quantity of order {order_id}", order.filled_quantity, "", "book"),
        given(f"fills seen of order {order_id}", order.fills_seen, "", "book"),
    )
    return sheet.once(
        f"remaining of order {order_id}",
        lambda name: figure(name, "", "CU-4", "max(0, {0} − max({1}, {2}))", *parts),
    )


def opening(sheet: Sheet, order_id: str) -> Node:
    """MM-2: the part of an order that opens or adds."""
    order = sheet.account.orders[order_id]
    closes = order.remaining - sheet.figures.orders[order_id].opening
    why = "reduce-only" if order.reduce_only else "against what is held, in the order of ids"
    return sheet.once(
        f"opening part of order {order_id}",
        lambda name: figure(
            name,
            "",
            "MM-2",
            "{0} − {1}",
            remaining(sheet, order_id),
            given(f"closing part of order {order_id}", closes, "", why, "MM-2"),
        ),
    )


# -- short options (MM-3), USD per coin --------------------------------------------------------------


def _factor(sheet: Sheet, instrument: Instrument) -> Node:
    size = family_size(sheet, instrument)
    return sheet.option_factor(instrument.position_tiers, _family(instrument), size)


def _mark_usd(sheet: Sheet, name: str) -> Node:
    def tell(label: str) -> Node:
        return figure(
            label, "USD", "MM-3", "{0} × {1}", sheet.mark(name), sheet.index(sheet.settle(name))
        )

    return sheet.once(f"mark of {name} in USD", tell)


def _parameter(sheet: Sheet, underlying: str, letter: str) -> Node:
    value = getattr(sheet.reference.options[underlying], letter)
    return given(f"{letter} of options on {underlying}", value, "", "reference set", "MM-3")


def short_maintenance(sheet: Sheet, name: str) -> Node:
    """MM-3: what one coin of a short option asks for maintenance."""
    instrument = sheet.instrument(name)

    def tell(label: str) -> Node:
        index = sheet.index(instrument.underlying)
        c, mark = _parameter(sheet, instrument.underlying, "c"), _mark_usd(sheet, name)
        base = "{1}" if instrument.option_type == "call" else "max({1}, {3})"
        formula = f"{{0}} × {base} × {{2}} + {{3}}"
        return figure(label, "USD", "MM-3", formula, c, index, _factor(sheet, instrument), mark)

    return sheet.once(f"maintenance of a coin short {name}", tell)


def short_initial(sheet: Sheet, name: str) -> Node:
    """MM-3: what one coin of a short option asks for initial margin."""
    instrument = sheet.instrument(name)

    def tell(label: str) -> Node:
        forward = _forward(sheet, name, instrument)
        strike = given(
            f"strike of {name}", instrument.strike or ZERO, instrument.quote, f"instrument {name}"
        )
        call = instrument.option_type == "call"
        away = figure(
            f"out of the money, {name}",
            instrument.quote,
            "MM-3",
            "max(0, {0} − {1})",
            *((strike, forward) if call else (forward, strike)),
        )
        rate = figure(
            f"initial rate of {name}",
            "",
            "MM-3",
            "max({0}, {1} − {2} / {3})",
            _parameter(sheet, instrument.underlying, "a"),
            _parameter(sheet, instrument.underlying, "b"),
            away,
            forward,
        )
        index, factor = sheet.index(instrument.underlying), _factor(sheet, instrument)
        mark = _mark_usd(sheet, name)
        return figure(label, "USD", "MM-3", "{0} × {1} × {2} + {3}", rate, index, factor, mark)

    return sheet.once(f"initial margin of a coin short {name}", tell)


def _forward(sheet: Sheet, name: str, instrument: Instrument) -> Node:
    found = forward_mark(instrument, sheet.reference, sheet.prices)
    if found is None:
        return sheet.index(instrument.underlying)
    symbol, price = found
    return given(f"forward of {name}", price, instrument.quote, f"tick {symbol}", "MM-3")
