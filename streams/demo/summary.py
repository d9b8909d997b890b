"""What a demo says at its end; every figure comes from the check over the topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.verify import VerifyReport

__all__ = ["print_summary", "rows", "verdict"]

_LISTED = 5


def rows(report: VerifyReport) -> Iterator[tuple[str, str]]:
    """Yield the summary as (name, value), in the order in which it is shown."""
    commands = report.commands
    states = report.notices
    reduced = f"{commands['reduction']:,} reductions"
    closed = f"{report.episodes_closed:,} closed again, {states['stuck']:,} stuck"
    saved = report.saved_by_cancel
    over = f"{states['warning cleared']:,} cleared"
    yield "read back", f"{report.ticks:,} ticks, {report.account_events:,} account events"
    yield "accounts", f"{report.accounts:,}"
    yield (
        "commands",
        f"{commands['warning']:,} warnings, {commands['order_cancel']:,} order cancels, {reduced}",
    )
    yield (
        "warnings",
        f"{states['warning entered']:,} entered, {states['warning worsened']:,} worsened, {over}",
    )
    yield "order cancels", _counts(report.cancels)
    yield "reductions", _counts(report.reductions)
    yield "episodes", f"{report.episodes_opened:,} opened, {closed}"
    yield "saved by the cancel alone", f"{saved:,} {'account' if saved == 1 else 'accounts'}"
    yield (
        "bankruptcies",
        f"{report.bankrupt_accounts:,}, together {round(report.shortfall, 2):,f} USD short",
    )
    yield "sent again", f"{report.resends:,} commands, {report.duplicates:,} exact duplicates"
    yield "dead letters", _counts(report.dead_letters)


def verdict(report: VerifyReport) -> str:
    """Return what the check found in one line."""
    excused = sum(report.crossings_excused.values())
    crossings = f"{report.crossings_answered:,} crossings answered"
    if excused:
        crossings += f", {excused:,} excused ({_counts(report.crossings_excused)})"
    if report.clean:
        return f"check over the topics: clean, {crossings}"
    found = _counts(Counter(violation.rule for violation in report.violations))
    return f"check over the topics: NOT CLEAN, {found}; {crossings}"


def print_summary(console: Console, report: VerifyReport, *, title: str, plain_text: bool) -> None:
    """Print summary and verdict; the first violations where there are any."""
    shown = list(rows(report))
    if plain_text:
        width = max(len(name) for name, _ in shown)
        lines = [title, *(f"  {name:<{width}}  {value}" for name, value in shown), verdict(report)]
        console.file.write("".join(f"{text}\n" for text in lines))
    else:
        table = Table(title=title, show_header=False, title_justify="left", title_style="bold")
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, value in shown:
            table.add_row(name, Text(value))
        console.print(table)
        console.print(Text(verdict(report), "bold green" if report.clean else "bold red"))
    for note in report.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)
    for violation in report.violations[:_LISTED]:
        for text in replace(violation, detail=()).lines():
            console.print(Text(f"  {text}"), soft_wrap=True)
    if len(report.violations) > _LISTED:
        more = len(report.violations) - _LISTED
        console.print(f"  … and {more:,} more, all of them in report.json", soft_wrap=True)
    console.file.flush()


def _counts(counter: Counter[str]) -> str:
    if not counter:
        return "none"
    return ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(counter.items())
    )
