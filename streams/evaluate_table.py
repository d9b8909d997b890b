"""Assessments as tables for people; every figure is rounded against the account."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from monitor.schema import Assessment
from streams.display import down, percent, up

__all__ = ["print_assessments"]

_COLOURS = {"normal": "green", "warning": "yellow", "liquidation": "red"}
_PIPE_WIDTH = 200


_COLUMNS: tuple[tuple[str, Callable[[Assessment], str]], ...] = (
    ("adjusted equity", lambda a: down(a.adjusted_equity)),
    ("maintenance", lambda a: up(a.maintenance_margin)),
    ("fee", lambda a: up(a.liquidation_fee)),
    ("initial margin", lambda a: up(a.initial_margin)),
    ("available", lambda a: down(a.available_margin)),
    ("total equity", lambda a: down(a.total_equity)),
)


def print_assessments(found: Sequence[Assessment]) -> None:
    """Print one line an account (USD), and for a single account its coins and positions too."""
    console = Console(
        width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False, soft_wrap=False
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("account", "mode", "band"):
        table.add_column(title)
    for title in ("ratio", *(title for title, _ in _COLUMNS)):
        table.add_column(title, justify="right")
    for one in found:
        if one.unpriced:
            table.add_row(one.account_id, one.mode, "unpriced", *("–",) * (1 + len(_COLUMNS)))
            continue
        band = one.band or "–"
        table.add_row(
            one.account_id,
            one.mode,
            f"[{_COLOURS.get(band, 'none')}]{band}[/]",
            percent(one.ratio),
            *(show(one) for _, show in _COLUMNS),
        )
    console.print(table)
    for one in found:
        if one.unpriced:
            console.print(f"{one.account_id}: no price of {', '.join(one.unpriced)}")
    if len(found) == 1 and not found[0].unpriced:
        _print_parts(console, found[0])


def _print_parts(console: Console, one: Assessment) -> None:
    coins = Table(box=None, pad_edge=False, header_style="bold")
    coins.add_column("coin")
    titles = ("cash", "borrowed", "PnL", "equity", "frozen", "liability", "potential borrowing")
    for title in (*titles, "price USD", "discounted USD"):
        coins.add_column(title, justify="right")
    for name, c in one.currencies.items():
        amounts = (c.cash, c.borrowed, c.unrealised_pnl, c.equity, c.frozen, c.liability)
        coins.add_row(
            name,
            *(f"{amount.normalize():,f}" for amount in (*amounts, c.potential_borrowing)),
            "–" if c.price is None else f"{c.price.normalize():,f}",
            down(c.discounted_equity),
        )
    console.print()
    console.print(coins)
    if not one.positions:
        return
    positions = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("position", "side"):
        positions.add_column(title)
    for title in ("quantity", "notional USD", "PnL", "initial", "maintenance", "tier"):
        positions.add_column(title, justify="right")
    for p in one.positions:
        positions.add_row(
            p.instrument,
            p.position_side,
            f"{p.quantity.normalize():,f}",
            up(p.notional_usd),
            f"{p.unrealised_pnl.normalize():,f}",
            up(p.initial_margin),
            up(p.maintenance_margin),
            f"{p.tier}{' (beyond)' if p.beyond_last_tier else ''}",
        )
    console.print()
    console.print(positions)
