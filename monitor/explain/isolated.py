"""Isolated positions explained: each one's own ratio (MR-3)."""

from __future__ import annotations

from monitor.account.state import IsolatedPosition
from monitor.explain.node import Node, figure, given, group
from monitor.explain.positions import contracts, notional, pnl
from monitor.explain.sheet import Sheet

__all__ = ["isolated_position"]


def isolated_position(sheet: Sheet, key: str, held: IsolatedPosition) -> Node:
    """MR-3: (margin + PnL) / (maintenance margin + fee)."""
    if sheet.instrument(held.instrument).kind == "spot":
        equity, maintenance, fee = _margin_position(sheet, key, held)
    else:
        equity, maintenance, fee = _derivative(sheet, key, held)
    name = f"ratio of {key}"
    if not (maintenance.value or fee.value):
        return group(f"{name}: none, nothing is asked", equity, maintenance, fee, rule="MR-3")
    return figure(name, "", "MR-3", "{0} / ({1} + {2})", equity, maintenance, fee)


def _equity(sheet: Sheet, key: str, held: IsolatedPosition, result: Node) -> Node:
    """Margin + PnL, in USD."""
    return figure(
        f"equity of {key}",
        "USD",
        "MR-3",
        "{0} × {1} + {2} × {3}",
        given(f"margin of {key}", held.margin, held.margin_currency, "book"),
        sheet.index(held.margin_currency),
        result,
        sheet.index(sheet.settle(held.instrument)),
    )


def _derivative(sheet: Sheet, key: str, held: IsolatedPosition) -> tuple[Node, Node, Node]:
    name = held.instrument
    instrument, size = sheet.instrument(name), contracts(key, held.quantity)
    result = pnl(sheet, f"unrealised PnL of {key}", key, name, held.quantity, held.entry_price)
    whole = notional(sheet, f"notional of {key}", name, size, sheet.mark(name))
    alone = figure(f"size of {key}", "", "MM-2", "abs({0})", size)
    rate = sheet.position_rate("maintenance", instrument.position_tiers, key, alone)
    taker = sheet.rate_of_fee(spot=False)
    return (
        _equity(sheet, key, held, result),
        figure(f"maintenance margin of {key}", "USD", "MR-3", "{0} × {1}", whole, rate),
        figure(f"liquidation fee of {key}", "USD", "MR-3", "{0} × {1}", whole, taker),
    )


def _margin_position(sheet: Sheet, key: str, held: IsolatedPosition) -> tuple[Node, Node, Node]:
    instrument = sheet.instrument(held.instrument)
    coin = held.liability_currency
    quote = sheet.index(instrument.quote)
    liability = given(f"liability of {key}", held.liability, coin, "book")
    accrued = given(f"accrued interest of {key}", held.accrued_interest, coin, "book")
    rate_now = figure(
        f"price of {held.instrument}",
        instrument.quote,
        "MR-3",
        "{0} / {1}",
        sheet.index(instrument.underlying),
        quote,
    )
    result = figure(
        f"unrealised PnL of {key}",
        instrument.quote,
        "MR-3",
        "{0} × ({1} − {2}) − {3} × {4} / {5}",
        given(f"quantity of {key}", held.quantity, instrument.underlying, "book"),
        rate_now,
        given(f"entry price of {key}", held.entry_price, instrument.quote, "book"),
        accrued,
        sheet.index(coin),
        quote,
    )
    owed = figure(f"debt of {key}", coin, "MR-3", "{0} + {1}", liability, accrued)
    debt = figure(f"debt of {key} in USD", "USD", "MR-3", "{0} × {1}", owed, sheet.index(coin))
    rate = sheet.borrow_rate("maintenance", coin, owed)
    taker = sheet.rate_of_fee(spot=True)
    return (
        _equity(sheet, key, held, result),
        figure(f"maintenance margin of {key}", "USD", "MR-3", "{0} × {1}", debt, rate),
        figure(
            f"liquidation fee of {key}", "USD", "MR-3", "{0} × (1 + {1}) × {2}", debt, rate, taker
        ),
    )
