"""The answer to a check as tables for people; figures are rounded against the account."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from decimal import Decimal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.exact import plain
from monitor.schema.checks import BorrowingFigures, CheckAnswer, LimitFigures, RepayPlan
from streams.display import down, percent, up

__all__ = ["print_answer"]

_PIPE_WIDTH = 200
_ASKED = ("initial_margin", "needed", "used", "added", "loss", "fees", "margin", "liability")
"""Figures that are asked of an account: they are rounded up, all others down."""
_DIGITS = Decimal("1e-8")


def print_answer(answer: CheckAnswer) -> None:
    """Print the verdict with its reasons, the largest that would pass, and every figure."""
    console = Console(
        width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False, soft_wrap=False
    )
    word = "[green]accepted[/]" if answer.accepted else f"[red]refused by {answer.rule}[/]"
    console.print(f"{escape(answer.account_id)}: {answer.check} {word}")
    for refusal in answer.refusals:
        console.print(f"  {refusal.rule}: {escape(refusal.message)}")
    if not answer.unpriced:
        most = "no bound" if answer.largest is None else _amount(answer.largest)
        console.print(f"largest that would pass: {most}")
    for line in _remarks(answer):
        console.print(line)
    if answer.figures:
        console.print()
        console.print(_figures(answer))
    if answer.borrowing:
        console.print()
        console.print(_borrowing(answer.borrowing.values()))
    if answer.plan is not None:
        _print_plan(console, answer.plan)


def _remarks(answer: CheckAnswer) -> Iterable[str]:
    if answer.auto_borrow is not None:
        yield f"checked {'with' if answer.auto_borrow else 'without'} auto-borrow"
    for name, added in answer.borrows.items():
        yield f"borrows {_amount(added)} {escape(name)}"
    if answer.stale_prices:
        yield f"stale prices: {', '.join(answer.stale_prices)}"
    if answer.out_of_sync:
        yield "the account is out of sync"


def _figures(answer: CheckAnswer) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in answer.figures.items():
        table.add_row(escape(name.replace("_", " ")), _figure(name, value))
    return table


def _figure(name: str, value: Decimal | None) -> str:
    if name.startswith("ratio"):
        return percent(value)
    if value is None:
        return "–"
    if "." in name or name == "opening":
        return _amount(value)
    if name.startswith(("suspension", "spot_taker")):
        return plain(value)
    return up(value) if name.startswith(_ASKED) or "_loss" in name else down(value)


def _amount(value: Decimal) -> str:
    """Return an amount in coin or contracts, to eight digits behind the point."""
    if abs(value) < Decimal(10) ** 30:
        value = value.quantize(_DIGITS)
    whole, point, rest = plain(value).partition(".")
    return f"{int(whole):,}{point}{rest}" if whole != "-0" else plain(value)


def _borrowing(found: Iterable[BorrowingFigures]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("borrowing before")
    titles = ("liability", "potential", "isolated", "leverage", "margin USD", "yearly", "next hour")
    for title in (*titles, "free", "left by tier", "by main account", "by platform"):
        table.add_column(title, justify="right")
    for one in found:
        table.add_row(
            escape(one.currency),
            _amount(one.liability),
            _amount(one.potential_borrowing),
            _amount(one.isolated_debt),
            plain(one.borrow_leverage),
            up(one.margin_usd),
            percent(one.yearly_rate),
            percent(one.next_yearly_rate),
            _amount(one.free_part),
            *(_left(limit) for limit in (one.tier, one.main_account, one.platform)),
        )
    return table


def _left(limit: LimitFigures) -> str:
    if limit.limit is None:
        return "no limit"
    return "unknown" if limit.left is None else _amount(limit.left)


def _print_plan(console: Console, plan: RepayPlan) -> None:
    console.print()
    name = escape(plan.currency)
    console.print(
        f"repays {_amount(plan.repaid)} of {_amount(plan.amount)} {name}, leaves "
        f"{_amount(plan.left)}"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("asset", "instrument", "side"):
        table.add_column(title)
    for title in ("quantity", "price", "received", "fee"):
        table.add_column(title, justify="right")
    for sale in plan.sales:
        table.add_row(
            escape(sale.asset),
            escape(sale.instrument),
            sale.side,
            _amount(sale.quantity),
            _amount(sale.price),
            f"{_amount(sale.received)} {escape(sale.received_currency)}",
            _amount(sale.fee),
        )
    if plan.sales:
        console.print(table)
    if plan.repay_transfer:
        console.print(f"then a `repay` transfer of {_amount(plan.repay_transfer)} {name}")
