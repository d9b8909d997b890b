"""Assessments as tables for people; every figure is rounded against the account."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from monitor.schema import Assessment
from monitor.schema.assessment import PositionAssessment
from streams.display import down, percent, up
from streams.risk_unit_table import print_risk_units

__all__ = ["console", "print_assessments"]

_COLOURS = {"normal": "green", "warning": "yellow", "liquidation": "red"}
_PIPE_WIDTH = 200
_PRICE_DIGITS = 10


_COLUMNS: tuple[tuple[str, Callable[[Assessment], str]], ...] = (
    ("adjusted equity", lambda a: down(a.adjusted_equity)),
    ("maintenance", lambda a: up(a.maintenance_margin)),
    ("fee", lambda a: up(a.liquidation_fee)),
    ("initial margin", lambda a: up(a.initial_margin)),
    ("available", lambda a: down(a.available_margin)),
    ("total equity", lambda a: down(a.total_equity)),
)


def console() -> Console:
    """Return the console that tables are printed on; in a pipe as wide as they are."""
    return Console(
        width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False, soft_wrap=False
    )


def print_assessments(found: Sequence[Assessment], screen: Console) -> None:
    """Print one line an account (USD), and for a single account its coins and positions too."""
    table = _table("account", "mode", "band")
    for title in ("ratio", *(title for title, _ in _COLUMNS)):
        table.add_column(title, justify="right")
    for one in found:
        if one.unpriced:
            table.add_row(one.account_id, one.mode, "unpriced", *("–",) * (1 + len(_COLUMNS)))
            continue
        table.add_row(
            one.account_id,
            one.mode,
            _band(one.band or "–"),
            percent(one.ratio),
            *(show(one) for _, show in _COLUMNS),
        )
    screen.print(table)
    for one in found:
        if one.unpriced:
            screen.print(f"{one.account_id}: no price of {', '.join(one.unpriced)}")
    if len(found) == 1 and not found[0].unpriced:
        _print_coins(screen, found[0])
        _print_positions(screen, found[0])
        print_risk_units(screen, found[0])
        _print_isolated(screen, found[0])


def _table(*left: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in left:
        table.add_column(title)
    return table


def _band(band: str) -> str:
    return f"[{_COLOURS.get(band, 'none')}]{band}[/]"


def _amount(amount: Decimal) -> str:
    return f"{amount.normalize():,f}"


def _price(price: Decimal | None) -> str:
    """Return a liquidation price to ten digits; the JSON form has them all."""
    return "–" if price is None else _amount(Decimal(f"{price:.{_PRICE_DIGITS}g}"))


def _print_coins(screen: Console, one: Assessment) -> None:
    coins = _table("coin")
    titles = ("cash", "borrowed", "PnL", "options", "equity", "frozen", "liability")
    for title in (*titles, "potential borrowing", "price USD", "discounted USD", "liquidated at"):
        coins.add_column(title, justify="right")
    for name, c in one.currencies.items():
        amounts = (c.cash, c.borrowed, c.unrealised_pnl, c.options_value, c.equity, c.frozen)
        coins.add_row(
            name,
            *(_amount(amount) for amount in (*amounts, c.liability, c.potential_borrowing)),
            "–" if c.price is None else _amount(c.price),
            down(c.discounted_equity),
            _price(c.liquidation_price),
        )
    screen.print()
    screen.print(coins)


def _print_positions(screen: Console, one: Assessment) -> None:
    if not one.positions:
        return
    positions = _table("position", "side")
    titles = ("quantity", "notional USD", "PnL", "option value", "initial", "maintenance", "tier")
    for title in (*titles, "liquidated at", "buys filled", "sells filled"):
        positions.add_column(title, justify="right")
    for p in one.positions:
        positions.add_row(
            p.instrument,
            p.position_side,
            _amount(p.quantity),
            up(p.notional_usd),
            _amount(p.unrealised_pnl),
            _amount(p.options_value),
            *_own_margin(p),
            _price(p.liquidation_price),
            _price(p.liquidation_price_buys_filled),
            _price(p.liquidation_price_sells_filled),
        )
    screen.print()
    screen.print(positions)


def _own_margin(p: PositionAssessment) -> tuple[str, str, str]:
    """Return initial margin, maintenance margin and tier; in portfolio mode they are its unit's."""
    if not p.tier:
        return "unit", "unit", "–"
    beyond = " (beyond)" if p.beyond_last_tier else ""
    return up(p.initial_margin), up(p.maintenance_margin), f"{p.tier}{beyond}"


def _print_isolated(screen: Console, one: Assessment) -> None:
    if not one.isolated:
        return
    isolated = _table("isolated", "side", "band")
    titles = ("ratio", "quantity", "margin", "PnL", "owed", "maintenance", "fee", "tier")
    for title in (*titles, "liquidated at"):
        isolated.add_column(title, justify="right")
    for p in one.isolated:
        owed = p.liability + p.accrued_interest
        isolated.add_row(
            p.instrument,
            p.position_side,
            _band(p.band),
            percent(p.ratio),
            _amount(p.quantity),
            f"{_amount(p.margin)} {p.margin_currency}",
            _amount(p.unrealised_pnl),
            f"{_amount(owed)} {p.liability_currency}" if owed else "–",
            up(p.maintenance_margin),
            up(p.liquidation_fee),
            f"{p.tier}{' (beyond)' if p.beyond_last_tier else ''}",
            _price(p.liquidation_price),
        )
    screen.print()
    screen.print(isolated)
