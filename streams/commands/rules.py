"""`liqmon rules`: the table of rules, or every place of some of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from streams.exceptions import CommandError
from streams.rules import RuleRow, markdown, rule_rows, rules_by_code

__all__ = ["run_rules"]

_PIPE_WIDTH = 160


def run_rules(codes: Sequence[str], *, as_json: bool, as_markdown: bool) -> int:
    """Show all rules, or every place and test of those named; raises `CommandError`."""
    wanted = [code.upper() for code in codes]
    known = rules_by_code()
    unknown = [code for code in wanted if code not in known]
    if unknown:
        raise CommandError([f"{code}: no such rule; `liqmon rules` lists them" for code in unknown])
    rows = [row for row in rule_rows() if not wanted or row.rule.code in wanted]
    if as_json:
        data = [row.as_data() for row in rows]
        sys.stdout.write(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif as_markdown:
        sys.stdout.write(markdown(rule_rows()))
    elif wanted:
        _print_places(rows)
    else:
        _print_table(rows)
    return 0


def _console() -> Console:
    return Console(
        width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False, soft_wrap=False
    )


def _print_table(rows: list[RuleRow]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rule", no_wrap=True)
    table.add_column("in a line")
    table.add_column("where", overflow="fold")
    table.add_column("tests", justify="right")
    for row in rows:
        places = row.done_at
        if row.rule.not_yet:
            where = f"not yet: {row.rule.not_yet}"
        else:
            where = f"{places[0].file}:{places[0].line}" if places else "–"
            if len(places) > 1:
                where += f" and {len(places) - 1} more"
        table.add_row(
            row.rule.code, escape(row.rule.title), escape(where), str(len(row.tests) or "–")
        )
    console = _console()
    console.print(table)
    console.print("\n`liqmon rules CODE` shows every line and test of one.")


def _print_places(rows: list[RuleRow]) -> None:
    console = _console()
    for number, row in enumerate(rows):
        if number:
            console.print()
        console.print(f"[bold]{row.rule.code}[/]  {escape(row.rule.title)}")
        groups = (
            ("done at", [p for p in row.places if p.does_it]),
            ("spoken of at", [p for p in row.places if not p.does_it]),
        )
        for title, places in groups:
            if places:
                console.print(f"  {title}")
            for p in places:
                console.print(f"    {p.file}:{p.line}  {escape(p.name)}", soft_wrap=True)
        console.print("  tests" if row.tests else "  no test")
        for test in row.tests:
            at = f":{test.line}" if test.line else ""
            console.print(f"    {test.file}{at}  {test.name}", soft_wrap=True)
