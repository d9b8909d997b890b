"""Why an account's figures are what they are, down to book, prices and reference set."""

from __future__ import annotations

from monitor.account.state import Account
from monitor.exact import ZERO
from monitor.explain.currencies import (
    borrowed_usd,
    borrowing_margin,
    counted,
    discounted_equity,
    equity,
    estimated_fees,
    liability,
)
from monitor.explain.isolated import isolated_position
from monitor.explain.node import Node, figure, group, told_once, total
from monitor.explain.orders import (
    derivative_orders,
    initial_of_orders,
    isolated_frozen,
    liquidation_fee_of_order,
    maintenance_of_order,
    order_price,
    premium_frozen,
)
from monitor.explain.positions import (
    initial_of_position,
    maintenance_of_position,
    notional_of_position,
    remaining,
)
from monitor.explain.sheet import Sheet
from monitor.explain.spot_orders import spot_order_loss
from monitor.explain.units import initial_of_unit, maintenance_of_unit
from monitor.margin.figures import Figures
from monitor.prices import PriceBook
from monitor.reference import Reference

__all__ = ["explain"]


def explain(account: Account, figures: Figures, reference: Reference, prices: PriceBook) -> Node:
    """Return the account's figures as a tree; `figures` are those of `account` at `prices`.

    Below the heading: the ratio (MR-1), available margin and leverage (MR-2), total equity (AE-3),
    and the ratio of each isolated position (MR-3). An unpriced account names what it misses.
    """
    heading = f"account {account.account_id}"
    if figures.unpriced:
        return group(
            heading, *(group(f"no price of {name}", rule="PX-3") for name in figures.unpriced)
        )
    sheet = Sheet(account, figures, reference, prices)
    adjusted = _adjusted_equity(sheet)
    parts = [_ratio(sheet, adjusted), _available_margin(sheet, adjusted)]
    parts += _leverage(sheet, adjusted)
    if figures.total_equity is not None:
        parts.append(_total_equity(sheet))
    parts += [isolated_position(sheet, key, held) for key, held in account.isolated.items()]
    return told_once(group(heading, *parts))


def _ratio(sheet: Sheet, adjusted: Node) -> Node:
    """MR-1."""
    maintenance, fee = _maintenance_margin(sheet), _liquidation_fee(sheet)
    name = "maintenance margin ratio"
    if sheet.figures.ratio is None:
        none = f"{name}: none, nothing is asked"
        return group(none, adjusted, maintenance, fee, rule="MR-1")
    return figure(name, "", "MR-1", "{0} / ({1} + {2})", adjusted, maintenance, fee)


def _adjusted_equity(sheet: Sheet) -> Node:
    """AE-1."""
    coins = [discounted_equity(sheet, name) for name in sheet.figures.currencies]
    terms = " + ".join(f"{{{number}}}" for number in range(len(coins))) or "0"
    parts = [*coins, spot_order_loss(sheet), _estimated_fees(sheet)]
    formula = f"{terms} − ({{{len(coins)}}} + {{{len(coins) + 1}}})"
    if sheet.figures.frozen_isolated_usd or sheet.figures.frozen_premium_usd:
        formula += f" − ({{{len(parts)}}} + {{{len(parts) + 1}}})"
        parts += [_frozen_by_isolated(sheet), _frozen_premiums(sheet)]
    return figure("adjusted equity", "USD", "AE-1", formula, *parts)


def _estimated_fees(sheet: Sheet) -> Node:
    fees = [
        figure(
            f"estimated fees {name} in USD",
            "USD",
            "AE-1",
            "{0} × {1}",
            estimated_fees(sheet, name),
            sheet.index(name),
            label=name,
        )
        for name in sheet.figures.currencies
        if estimated_fees(sheet, name).value
    ]
    return total("estimated fees", "USD", "AE-1", fees)


def _in_usd(sheet: Sheet, frozen: Node, order_id: str, instrument: str) -> Node:
    price = sheet.index(sheet.settle(instrument))
    name = f"frozen by order {order_id} in USD"
    return figure(name, "USD", "AE-1", "{0} × {1}", frozen, price, label=f"order {order_id}")


def _frozen_by_isolated(sheet: Sheet) -> Node:
    parts = [
        _in_usd(sheet, isolated_frozen(sheet, order), order.order_id, order.instrument)
        for order in sheet.isolated_orders
    ]
    return total("equity frozen by isolated orders", "USD", "AE-1", parts)


def _frozen_premiums(sheet: Sheet) -> Node:
    parts = [
        _in_usd(sheet, premium_frozen(sheet, order), order.order_id, order.instrument)
        for order in derivative_orders(sheet)
        if order.side == "buy" and sheet.instrument(order.instrument).kind == "option"
    ]
    return total("equity frozen by option buys", "USD", "AE-1", parts)


def _charged(sheet: Sheet) -> list[str]:
    """Return the positions that carry margin: all but long options (MM-2)."""
    return [
        key
        for key, position in sheet.account.positions.items()
        if position.quantity < 0 or sheet.instrument(position.instrument).kind != "option"
    ]


def _borrowed(sheet: Sheet) -> list[str]:
    return [n for n, coin in sheet.figures.currencies.items() if coin.potential_borrowing]


def _maintenance_margin(sheet: Sheet) -> Node:
    """MM-1."""
    if sheet.account.mode == "portfolio":
        parts = [maintenance_of_unit(sheet, name) for name in sheet.figures.risk_units]
    else:
        held = sheet.account.positions
        parts = [maintenance_of_position(sheet, key, held[key]) for key in _charged(sheet)]
        orders = [maintenance_of_order(sheet, order) for order in derivative_orders(sheet)]
        parts += [part for part in orders if part is not None]
    for name in _borrowed(sheet):
        usd = borrowed_usd(sheet, name)
        rate = _borrow_rate(sheet, name)
        label = f"maintenance margin of borrowing {name}"
        parts.append(
            figure(label, "USD", "MM-1", "{0} × {1}", usd, rate, label=f"borrowing {name}")
        )
    return total("maintenance margin", "USD", "MM-1", parts)


def _borrow_rate(sheet: Sheet, currency: str) -> Node:
    return sheet.borrow_rate("maintenance", currency, borrowed_usd(sheet, currency).children[0])


def _liquidation_fee(sheet: Sheet) -> Node:
    """MM-4."""
    parts = _fees_of_derivatives(sheet)
    parts += [
        figure(
            f"liquidation fee of borrowing {name}",
            "USD",
            "MM-4",
            "{0} × (1 + {1}) × {2}",
            borrowed_usd(sheet, name),
            _borrow_rate(sheet, name),
            sheet.rate_of_fee(spot=True),
            label=f"borrowing {name}",
        )
        for name in _borrowed(sheet)
    ]
    return total("liquidation fee", "USD", "MM-4", parts)


def _fees_of_derivatives(sheet: Sheet) -> list[Node]:
    """MM-4; in portfolio mode only where the policy says so (PM-5)."""
    policy = sheet.reference.policy
    if sheet.account.mode == "portfolio" and not policy.portfolio_derivative_fee:
        return []
    held, taker = sheet.account.positions, sheet.rate_of_fee(spot=False)
    parts = [
        figure(
            f"liquidation fee of {key}",
            "USD",
            "MM-4",
            "{0} × {1}",
            notional_of_position(sheet, key, held[key]),
            taker,
            label=key,
        )
        for key in _charged(sheet)
    ]
    orders = [liquidation_fee_of_order(sheet, order) for order in derivative_orders(sheet)]
    return parts + [part for part in orders if part is not None]


def _available_margin(sheet: Sheet, adjusted: Node) -> Node:
    """MR-2, with IM-1."""
    if sheet.account.mode == "portfolio":
        parts = [initial_of_unit(sheet, name) for name in sheet.figures.risk_units]
    else:
        held = sheet.account.positions
        parts = [initial_of_position(sheet, key, held[key]) for key in _charged(sheet)]
        parts += initial_of_orders(sheet)
    parts += [borrowing_margin(sheet, name) for name in _borrowed(sheet)]
    initial = total("initial margin", "USD", "IM-1", parts)
    if not sheet.account.restricted:
        return figure("available margin", "USD", "MR-2", "{0} − {1}", adjusted, initial)
    kept = _restricted(sheet)
    return figure("available margin", "USD", "MR-2", "{0} − {1} − {2}", adjusted, initial, kept)


def _restricted(sheet: Sheet) -> Node:
    """MR-2: the discounted value of restricted collateral, held or being bought."""
    parts = []
    for name in sheet.account.restricted:
        if name not in sheet.figures.currencies:
            continue
        bought = total(f"{name} being bought", name, "MR-2", _being_bought(sheet, name))
        held = figure(
            f"{name} held and being bought", name, "MR-2", "{0} + {1}", equity(sheet, name), bought
        )
        value = counted(sheet, f"discounted {name}", name, held, sheet.index(name))
        parts.append(figure(f"restricted {name}", "USD", "MR-2", "max(0, {0})", value, label=name))
    return total("restricted collateral", "USD", "MR-2", parts)


def _being_bought(sheet: Sheet, currency: str) -> list[Node]:
    """What open spot orders receive of the currency, before their fee."""
    found = []
    for order in sheet.cross_orders:
        instrument = sheet.instrument(order.instrument)
        if instrument.kind != "spot":
            continue
        name, amount = f"received by order {order.order_id}", remaining(sheet, order.order_id)
        if order.side == "buy" and instrument.underlying == currency:
            found.append(figure(name, currency, "MR-2", "{0}", amount))
        elif order.side == "sell" and instrument.quote == currency:
            price = order_price(sheet, order)
            found.append(figure(name, currency, "MR-2", "{0} × {1}", amount, price))
    return found


def _leverage(sheet: Sheet, adjusted: Node) -> list[Node]:
    """MR-2: position value, and the account's leverage where there is equity."""
    held = sheet.account.positions
    notionals = [notional_of_position(sheet, key, held[key]) for key in _charged(sheet)]
    parts = notionals + [borrowed_usd(sheet, name) for name in _borrowed(sheet)]
    value = total("position value", "USD", "MR-2", parts)
    if sheet.figures.adjusted_equity <= ZERO:
        return [value]
    above = value
    if sheet.account.mode == "spot":
        owed = [
            figure(
                f"liability {name} in USD",
                "USD",
                "MR-2",
                "{0} × {1}",
                liability(sheet, name),
                sheet.index(name),
                label=name,
            )
            for name in sheet.figures.currencies
        ]
        above = total("liabilities", "USD", "MR-2", owed)
    elif sheet.account.mode == "portfolio":
        above = total("derivative notional", "USD", "MR-2", notionals)
    leverage = figure("account leverage", "", "MR-2", "{0} / {1}", above, adjusted)
    return [value, leverage]


def _total_equity(sheet: Sheet) -> Node:
    """AE-3."""
    parts = [
        figure(
            f"equity {name} in USD",
            "USD",
            "AE-3",
            "{0} × {1}",
            equity(sheet, name),
            sheet.index(name),
            label=name,
        )
        for name in sheet.figures.currencies
    ]
    return total("total equity", "USD", "AE-3", parts)
