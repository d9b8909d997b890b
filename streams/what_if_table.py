"""A what-if answer as tables for people; figures are rounded against the account."""

from __future__ import annotations

from decimal import Decimal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.exact import plain
from monitor.scenario.messages import BandCounts, WhatIfAnswer
from streams.display import down, percent, up

__all__ = ["print_what_if"]

_COLOURS = {"normal": "green", "warning": "yellow", "liquidation": "red"}
_BANDS = ("normal", "warning", "liquidation", "unpriced", "unassessed")


def print_what_if(answer: WhatIfAnswer, screen: Console) -> None:
    """Print every account before and after, worst first, then the sums over all."""
    table = _table("account", "band before", "band after")
    for title in ("ratio before", "ratio after", "adjusted equity before", "adjusted equity after"):
        table.add_column(title, justify="right")
    for one in answer.moved:
        table.add_row(
            escape(one.account_id),
            _band(one.band_before),
            _band(one.band_after),
            _ratio(one.band_before, one.ratio_before),
            _ratio(one.band_after, one.ratio_after),
            down(one.adjusted_equity_before),
            down(one.adjusted_equity_after),
        )
    screen.print(table)
    screen.print()
    screen.print(_sums(answer))


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title)
    return table


def _band(band: str | None) -> str:
    return "unpriced" if band is None else f"[{_COLOURS[band]}]{band}[/]"


def _ratio(band: str | None, ratio: Decimal | None) -> str:
    """A ratio that is missing is infinite (MR-1), unless the account is unpriced."""
    return "–" if band is None else percent(ratio)


def _sums(answer: WhatIfAnswer) -> Table:
    table = _table("", "before")
    table.add_column("after")
    for title, before, after in (
        ("accounts", answer.before, answer.after),
        ("isolated positions", answer.isolated_before, answer.isolated_after),
    ):
        if any(before.model_dump().values()):
            table.add_row(title, _counts(before), _counts(after))
    for name, price in answer.prices.items():
        table.add_row(f"price of {escape(name)}", "", plain(price))
    table.add_row("band gets worse", "", str(answer.falling))
    table.add_row("expected reductions", "", str(answer.expected_reductions))
    table.add_row("adjusted equity below 0", "", str(answer.bankrupt))
    table.add_row("shortfall USD", up(answer.shortfall_before_usd), up(answer.shortfall_usd))
    table.add_row("notional at risk USD", "", up(answer.notional_at_risk_usd))
    return table


def _counts(counts: BandCounts) -> str:
    found = ((band, getattr(counts, band)) for band in _BANDS)
    return ", ".join(f"{number} {band}" for band, number in found if number)
