"""One currency of an account explained (CU-1, CU-3, CU-4, CU-6 to CU-9)."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.account.state import Balance
from monitor.currency import borrow_leverage, counts_as_collateral
from monitor.explain.node import Node, figure, given, total
from monitor.explain.orders import (
    derivative_orders,
    fee_of_order,
    isolated_frozen,
    order_price,
    premium_frozen,
)
from monitor.explain.positions import option_value, pnl, remaining
from monitor.explain.sheet import Sheet

__all__ = [
    "borrowed_usd",
    "borrowing_margin",
    "counted",
    "discounted_equity",
    "equity",
    "estimated_fees",
    "liability",
    "potential_borrowing",
]

_NOTHING = Balance()


def equity(sheet: Sheet, currency: str) -> Node:
    """CU-1."""

    def tell(name: str) -> Node:
        balance = sheet.account.balances.get(currency, _NOTHING)
        parts = [sheet.cash(currency)]
        formula = "{0}"
        if balance.borrowed:
            formula += f" − {{{len(parts)}}}"
            parts.append(given(f"borrowed {currency}", balance.borrowed, currency, "book"))
        results = list(_results(sheet, currency))
        if results:
            formula += f" + {{{len(parts)}}}"
            parts.append(total(f"unrealised PnL {currency}", currency, "CU-2", results))
        if balance.accrued_interest:
            formula += f" − {{{len(parts)}}}"
            parts.append(_interest(currency, balance))
        values = [
            option_value(sheet, key, position)
            for key, position in sheet.account.positions.items()
            if sheet.instrument(position.instrument).kind == "option"
            and sheet.settle(position.instrument) == currency
        ]
        if values:
            formula += f" + {{{len(parts)}}}"
            parts.append(total(f"options value {currency}", currency, "CU-3", values))
        return figure(name, currency, "CU-1", formula, *parts)

    return sheet.once(f"equity {currency}", tell)


def _interest(currency: str, balance: Balance) -> Node:
    return given(f"accrued interest {currency}", balance.accrued_interest, currency, "book")


def _results(sheet: Sheet, currency: str) -> Iterator[Node]:
    """CU-2: the PnL of every contract that settles in the currency."""
    for key, position in sheet.account.positions.items():
        name = position.instrument
        if sheet.instrument(name).kind != "option" and sheet.settle(name) == currency:
            quantity, entry = position.quantity, position.entry_price
            yield pnl(sheet, f"unrealised PnL of {key}", key, name, quantity, entry)


def discounted_equity(sheet: Sheet, currency: str) -> Node:
    """CU-9: the account's equity in the currency, at its index."""
    coin, price = equity(sheet, currency), sheet.index(currency)
    return counted(sheet, f"discounted equity {currency}", currency, coin, price, label=currency)


def counted(
    sheet: Sheet, name: str, currency: str, coin: Node, price: Node, label: str = ""
) -> Node:
    """CU-9: what `coin` of a currency counts for at `price`, in USD."""
    entry = sheet.currency(currency)
    amount = coin.value
    if amount is None or amount <= 0:
        return figure(name, "USD", "CU-9", "{0} × {1}", coin, price, label=label)
    if not counts_as_collateral(sheet.account, currency, entry):
        off = f"{name} (no collateral)"
        return figure(off, "USD", "CU-9", "0 × {0}", coin, label=label)
    unit = currency
    if entry.tier_unit == "usd":
        coin = figure(f"{name}, undiscounted", "USD", "CU-9", "{0} × {1}", coin, price)
        amount, unit = coin.value, "USD"
    slices: list[Node] = []
    below: Node | None = None
    for number, tier in enumerate(entry.discount_tiers, 1):
        upper = given(f"discount tier {number} up to", tier.up_to, unit, "reference set", "CU-9")
        last = amount is not None and amount <= tier.up_to
        rate = given(
            f"discount rate {number} of {currency}", tier.rate, "", "reference set", "CU-9"
        )
        slices.append(_slice(f"{name}, slice {number}", unit, coin if last else upper, below, rate))
        below = upper
        if last:
            break
    else:
        rate = given(f"minimum rate of {currency}", entry.minimum_rate, "", "reference set", "CU-9")
        slices.append(_slice(f"{name}, the rest", unit, coin, below, rate))
    terms = " + ".join(f"{{{number}}}" for number in range(len(slices)))
    if unit == "USD" and entry.tier_unit == "usd":
        return figure(name, "USD", "CU-9", terms, *slices, label=label)
    formula = f"({terms}) × {{{len(slices)}}}" if len(slices) > 1 else "{0} × {1}"
    return figure(name, "USD", "CU-9", formula, *slices, price, label=label)


def _slice(name: str, unit: str, upper: Node, below: Node | None, rate: Node) -> Node:
    if below is None:
        return figure(name, unit, "CU-9", "{0} × {1}", upper, rate)
    return figure(name, unit, "CU-9", "({0} − {1}) × {2}", upper, below, rate)


# -- frozen (CU-4) ---------------------------------------------------------------------------------


def estimated_fees(sheet: Sheet, currency: str) -> Node:
    """CU-4: the fees of open derivative orders in the currency; option buys freeze theirs apart."""

    def tell(name: str) -> Node:
        fees = [
            fee_of_order(sheet, order)
            for order in derivative_orders(sheet)
            if sheet.settle(order.instrument) == currency
            and not _pays_premium(sheet, order.order_id)
        ]
        return total(name, currency, "CU-4", fees)

    return sheet.once(f"estimated fees {currency}", tell)


def _pays_premium(sheet: Sheet, order_id: str) -> bool:
    order = sheet.account.orders[order_id]
    return order.side == "buy" and sheet.instrument(order.instrument).kind == "option"


def frozen(sheet: Sheet, currency: str, *, borrows: bool) -> Node:
    """CU-4: what orders with (without) auto-borrow freeze of the currency."""

    def tell(name: str) -> Node:
        parts = list(_funding(sheet, currency, isolated=False)) if borrows else []
        if borrows:
            parts += [
                premium_frozen(sheet, order)
                for order in derivative_orders(sheet)
                if _pays_premium(sheet, order.order_id)
                and sheet.settle(order.instrument) == currency
            ]
            parts += _funding(sheet, currency, isolated=True)
            parts += [
                isolated_frozen(sheet, order)
                for order in sheet.isolated_orders
                if sheet.settle(order.instrument) == currency
            ]
        parts += _spot(sheet, currency, borrows=borrows)
        if borrows:
            parts.append(estimated_fees(sheet, currency))
        return total(name, currency, "CU-4", parts)

    kind = "with" if borrows else "without"
    return sheet.once(f"frozen {kind} auto-borrow {currency}", tell)


def _spot(sheet: Sheet, currency: str, *, borrows: bool) -> Iterator[Node]:
    for order in sheet.cross_orders:
        instrument = sheet.instrument(order.instrument)
        gives = instrument.quote if order.side == "buy" else instrument.underlying
        own = order.auto_borrow if sheet.account.mode == "spot" else sheet.account.auto_borrow
        if instrument.kind != "spot" or gives != currency or own != borrows:
            continue
        yield spot_given(sheet, order.order_id)


def spot_given(sheet: Sheet, order_id: str) -> Node:
    """CU-4: what a spot order gives, in coin."""
    order = sheet.account.orders[order_id]
    instrument = sheet.instrument(order.instrument)

    def tell(name: str) -> Node:
        amount = remaining(sheet, order_id)
        if order.side == "sell":
            return figure(name, instrument.underlying, "CU-4", "{0}", amount)
        price = order_price(sheet, order)
        return figure(name, instrument.quote, "CU-4", "{0} × {1}", amount, price)

    return sheet.once(f"given by order {order_id}", tell)


def _funding(sheet: Sheet, currency: str, *, isolated: bool) -> Iterator[Node]:
    """CU-4: the next funding owed, where the policy anticipates it."""
    if not sheet.reference.policy.anticipate_funding:
        return
    held = sheet.account.isolated if isolated else sheet.account.positions
    for key, position in held.items():
        instrument = sheet.instrument(position.instrument)
        rate = instrument.funding_rate
        if instrument.kind in ("spot", "option") or rate is None:
            continue
        if sheet.settle(position.instrument) != currency:
            continue
        sign = "/" if instrument.inverse else "×"
        yield figure(
            f"next funding of {key}",
            currency,
            "CU-4",
            f"max(0, {{0}} × {{1}} {sign} {{2}} × {{3}})",
            given(f"contracts of {key}", position.quantity, "", "book"),
            sheet.size(position.instrument),
            sheet.mark(position.instrument),
            given(f"funding rate of {position.instrument}", rate, "", "reference set"),
        )


# -- owed and borrowed (CU-6 to CU-8) --------------------------------------------------------------


def liability(sheet: Sheet, currency: str) -> Node:
    """CU-6."""

    def tell(name: str) -> Node:
        if sheet.account.mode != "spot":
            return figure(name, currency, "CU-6", "max(0, −{0})", equity(sheet, currency))
        balance = sheet.account.balances.get(currency, _NOTHING)
        return figure(
            name,
            currency,
            "CU-6",
            "{0} + {1} + max(0, −{2})",
            given(f"borrowed {currency}", balance.borrowed, currency, "book"),
            _interest(currency, balance),
            sheet.cash(currency),
        )

    return sheet.once(f"liability {currency}", tell)


def potential_borrowing(sheet: Sheet, currency: str) -> Node:
    """CU-7."""

    def tell(name: str) -> Node:
        owed = liability(sheet, currency)
        if sheet.account.mode != "spot" and not sheet.account.auto_borrow:
            return figure(name, currency, "CU-7", "{0}", owed)
        with_ = frozen(sheet, currency, borrows=True)
        without = frozen(sheet, currency, borrows=False)
        if sheet.account.mode == "spot":
            formula = "{0} + max(0, {1} − max(0, max(0, {2}) − {3}))"
            cash = sheet.cash(currency)
            return figure(name, currency, "CU-7", formula, owed, with_, cash, without)
        formula = "max({0}, −({1} − {2} − {3}))"
        coin = equity(sheet, currency)
        return figure(name, currency, "CU-7", formula, owed, coin, with_, without)

    return sheet.once(f"potential borrowing {currency}", tell)


def borrowed_usd(sheet: Sheet, currency: str) -> Node:
    """MM-1: the potential borrowing in USD."""

    def tell(name: str) -> Node:
        amount, price = potential_borrowing(sheet, currency), sheet.index(currency)
        return figure(name, "USD", "MM-1", "{0} × {1}", amount, price, label=currency)

    return sheet.once(f"potential borrowing {currency} in USD", tell)


def borrowing_margin(sheet: Sheet, currency: str) -> Node:
    """CU-8, in USD."""
    leverage = borrow_leverage(sheet.account, currency)

    def tell(name: str) -> Node:
        if sheet.account.mode == "portfolio":  # MR8
            rate = sheet.borrow_rate("initial", currency, potential_borrowing(sheet, currency))
            whole = borrowed_usd(sheet, currency)
            label = f"borrowing {currency}"
            return figure(name, "USD", "PM-2", "{0} × {1}", whole, rate, label=label)
        return figure(
            name,
            "USD",
            "CU-8",
            "{0} × max(1 / {1}, {2})",
            borrowed_usd(sheet, currency),
            given(f"borrow leverage of {currency}", leverage, "", "book"),
            sheet.borrow_rate("initial", currency, potential_borrowing(sheet, currency)),
            label=f"borrowing {currency}",
        )

    return sheet.once(f"margin for borrowing {currency}", tell)
