"""What the check found, and how it is shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from typing import Any

from monitor.exact import ZERO, plain

__all__ = ["LISTED", "VerifyReport", "Violation"]

LISTED = 20
"""How many violations a printed report lists."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something the topics hold that the rules do not allow, or the other way round."""

    rule: str
    account_id: str
    expected: str
    found: str
    command_id: str = ""
    where: str = ""
    """Episode, sequence, offsets: what it takes to look it up."""
    detail: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield the violation in a few plain lines."""
        yield f"{self.rule} · {self.account_id} {self.where} {self.command_id}".rstrip()
        yield f"    expected {self.expected}"
        yield f"    found    {self.found}"
        for line in self.detail:
            yield f"    | {line}"


@dataclass(slots=True)
class VerifyReport:
    """The outcome of a check; every number is counted from the topics alone."""

    commands: Counter[str] = field(default_factory=Counter)
    """Distinct commands by kind, episode notices as `episode`."""
    notices: Counter[str] = field(default_factory=Counter)
    """Warnings and episode notices by state."""
    cancels: Counter[str] = field(default_factory=Counter)
    """Order cancels by reason."""
    reductions: Counter[str] = field(default_factory=Counter)
    """Reductions by phase."""
    episodes_opened: int = 0
    episodes_closed: int = 0
    saved_by_cancel: int = 0
    """Accounts that a cancel alone brought above the liquidation level."""
    bankrupt_accounts: int = 0
    shortfall: Decimal = ZERO
    """USD, the last one stated by each bankrupt account."""
    resends: int = 0
    duplicates: int = 0
    """Records seen again byte for byte."""
    dead_letters: Counter[str] = field(default_factory=Counter)
    accounts: int = 0
    ticks: int = 0
    account_events: int = 0
    assessed: int = 0
    """Exact assessments that were made again."""
    crossings_answered: int = 0
    crossings_excused: Counter[str] = field(default_factory=Counter)
    unjudged: Counter[str] = field(default_factory=Counter)
    """What rests on more than one account's history, so that it was let pass."""
    notes: list[str] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    @property
    def crossings_checked(self) -> int:
        """Every crossing of a level in the recorded history."""
        unanswered = sum(violation.rule == "crossing" for violation in self.violations)
        return self.crossings_answered + sum(self.crossings_excused.values()) + unanswered

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.violations

    @property
    def exit_status(self) -> int:
        """0 when clean, 1 with violations."""
        return 0 if self.clean else 1

    def add(self, violations: Iterable[Violation]) -> None:
        """Take in violations."""
        self.violations.extend(violations)

    def rows(self) -> list[tuple[str, str]]:
        """Return the summary as (name, value) pairs, in the order in which they are shown."""
        crossings = (
            f"{self.crossings_checked:,} checked, {self.crossings_answered:,} answered, "
            f"{sum(self.crossings_excused.values()):,} excused"
        )
        return [
            ("read", f"{self.ticks:,} ticks, {self.account_events:,} account events"),
            ("accounts", f"{self.accounts:,}"),
            ("commands", _counts(self.commands)),
            ("warnings and notices", _counts(self.notices)),
            ("order cancels by reason", _counts(self.cancels)),
            ("reductions by phase", _counts(self.reductions)),
            ("episodes", f"{self.episodes_opened:,} opened, {self.episodes_closed:,} closed"),
            ("accounts saved by the cancel alone", f"{self.saved_by_cancel:,}"),
            (
                "bankruptcies",
                f"{self.bankrupt_accounts:,}, shortfall {_usd(self.shortfall)} USD",
            ),
            ("sent again", f"{self.resends:,} attempts, {self.duplicates:,} exact duplicates"),
            ("dead letters", _counts(self.dead_letters)),
            ("assessed again exactly", f"{self.assessed:,}"),
            ("crossings", crossings),
            ("excused because", _counts(self.crossings_excused)),
            ("not judged", _counts(self.unjudged)),
            ("violations", _counts(Counter(v.rule for v in self.violations))),
        ]

    def lines(self) -> Iterator[str]:
        """Yield the report as plain lines."""
        width = max(len(name) for name, _ in self.rows())
        for name, value in self.rows():
            yield f"{name:<{width}}  {value}"
        for note in self.notes:
            yield f"note: {note}"
        for violation in self.violations[:LISTED]:
            yield from violation.lines()
        if len(self.violations) > LISTED:
            yield f"… and {len(self.violations) - LISTED:,} more"
        yield "clean" if self.clean else "NOT CLEAN"

    def __rich_console__(self, _console: Any, _options: Any) -> Iterator[Any]:
        """Show the report with rich: a table, then the violations."""
        from rich.table import Table
        from rich.text import Text

        table = Table(title="Check over the topics", show_header=False, title_justify="left")
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in self.rows():
            table.add_row(name, Text(value))
        yield table
        for note in self.notes:
            yield Text(f"note: {note}", style="yellow")
        for violation in self.violations[:LISTED]:
            for line in violation.lines():
                yield Text(line, style="red" if not line.startswith(" ") else "")
        if len(self.violations) > LISTED:
            yield Text(f"… and {len(self.violations) - LISTED:,} more", style="red")
        yield Text("clean", "bold green") if self.clean else Text("NOT CLEAN", "bold red")

    def to_json(self) -> str:
        """Return everything as one JSON object; decimals are strings."""
        # Before Python 3.12 `asdict` of the whole would count the pairs of each Counter.
        content = {one.name: getattr(self, one.name) for one in fields(self)}
        content["violations"] = [asdict(violation) for violation in self.violations]
        content["crossings_checked"] = self.crossings_checked
        content["clean"] = self.clean
        return json.dumps(content, default=str)


def _counts(counter: Counter[str]) -> str:
    if not counter:
        return "none"
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counter.items()))


def _usd(amount: Decimal) -> str:
    return plain(amount.quantize(Decimal("0.01")))
