"""Rows of the table of rules, as data and as the page `docs/rules.md`.

The sources are read where they are installed. Tests are not installed, so their names ship in a
file beside this one; in a checkout the tests themselves are read, and `make rules` writes the file
and the page anew. Both name functions, not lines: a line would be wrong after the next edit above
it. `liqmon rules CODE` reads the lines when asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import monitor
from streams.rules.catalogue import CATALOGUE, NOT_YET, Rule, rules_by_code
from streams.rules.scan import Place, TestPlace, scan_sources, scan_tests

__all__ = ["RuleRow", "checkout", "markdown", "rule_rows", "shipped_tests", "write_generated"]

_SHIPPED = "tests.json"
_PAGE = "docs/rules.md"


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule with every place that bears its code and every test named after it."""

    rule: Rule
    places: tuple[Place, ...]
    tests: tuple[TestPlace, ...]

    @property
    def done_at(self) -> tuple[Place, ...]:
        """The places that carry the rule out: one a function, comments before docstrings."""
        first: dict[tuple[str, str], Place] = {}
        for place in sorted(self.places, key=lambda p: (p.kind != "comment", p)):
            if place.does_it:
                first.setdefault((place.file, place.name), place)
        return tuple(sorted(first.values()))

    def as_data(self) -> dict[str, Any]:
        """Return the row as plain data, ready for JSON."""
        return {
            "code": self.rule.code,
            "title": self.rule.title,
            "not_yet": self.rule.not_yet,
            "places": [
                {
                    "file": p.file,
                    "line": p.line,
                    "name": p.name,
                    "kind": p.kind,
                    "does_it": p.does_it,
                }
                for p in self.places
            ],
            "tests": [{"file": t.file, "line": t.line or None, "name": t.name} for t in self.tests],
        }


def checkout() -> Path | None:
    """Return the root of the checkout this package is imported from; None when it is installed."""
    root = _installed()
    found = (root / "tests" / "rules").is_dir() and (root / "pyproject.toml").is_file()
    return root if found else None


def rule_rows() -> list[RuleRow]:
    """Return every rule's row in the order of the catalogue."""
    root = checkout()
    tests = scan_tests(root / "tests") if root is not None else shipped_tests()
    return _rows(scan_sources(_installed()), tests)


def shipped_tests() -> list[TestPlace]:
    """Return the tests named in the file that ships with this package; their lines are 0."""
    text = resources.files("streams.rules").joinpath(_SHIPPED).read_text(encoding="utf-8")
    return [
        TestPlace(file, 0, code, name)
        for code, files in json.loads(text).items()
        for file, names in files.items()
        for name in names
    ]


def write_generated(root: Path) -> list[Path]:
    """Write the shipped names of tests and the page below `root`; return the files that changed."""
    changed = []
    for path, text in generated(root).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def generated(root: Path) -> dict[Path, str]:
    """Return file → text of what is generated from the sources and tests below `root`."""
    tests = scan_tests(root / "tests")
    shipped: dict[str, dict[str, list[str]]] = {}
    for test in tests:
        shipped.setdefault(test.code, {}).setdefault(test.file, []).append(test.name)
    ordered = {
        code: {file: sorted(names) for file, names in sorted(shipped[code].items())}
        for code in rules_by_code()
        if code in shipped
    }
    return {
        root / "streams" / "rules" / _SHIPPED: json.dumps(ordered, indent=1) + "\n",
        root / _PAGE: markdown(_rows(scan_sources(root), tests)),
    }


def markdown(rows: list[RuleRow]) -> str:
    """Return the table as a page, links relative to `docs/`."""
    by_code = {row.rule.code: row for row in rows}
    lines = [
        "# Rules",
        "",
        "Each rule, the functions that carry it out, and the tests named after it. Written by",
        "`make rules` from the comments, docstrings and test names themselves; a test fails when it",
        "is out of date. `liqmon rules CODE` shows the lines.",
    ]
    for section, entries in CATALOGUE.items():
        lines += ["", f"## {section}", ""]
        family = section.partition(" ")[0]
        if family in NOT_YET:
            lines += [f"Not yet: {NOT_YET[family]}.", ""]
            lines += [f"- {entry.replace('  ', ' ', 1)}" for entry in entries]
            continue
        lines += ["| rule | | where | tests |", "|---|---|---|---|"]
        for entry in entries:
            row = by_code[entry.partition(" ")[0]]
            if row.rule.not_yet:
                lines.append(
                    f"| {row.rule.code} | {row.rule.title} | not yet: {row.rule.not_yet} | |"
                )
                continue
            where = "<br>".join(_places_of(row)) or "–"
            tests = "<br>".join(_tests_of(row)) or "–"
            lines.append(f"| {row.rule.code} | {row.rule.title} | {where} | {tests} |")
    return "\n".join(lines) + "\n"


def _places_of(row: RuleRow) -> list[str]:
    """Return one entry a file, with the functions in it."""
    by_file: dict[str, list[str]] = {}
    for place in row.done_at:
        names = by_file.setdefault(place.file, [])
        if place.name:
            names.append(f"`{place.name}`")
    return [
        f"[{file}](../{file}){': ' if names else ''}{', '.join(sorted(names))}"
        for file, names in by_file.items()
    ]


def _tests_of(row: RuleRow) -> list[str]:
    """Return one entry a file, with its tests by the name that is left without the code."""
    by_file: dict[str, list[str]] = {}
    for test in row.tests:
        by_file.setdefault(test.file, []).append(f"`{test.name}`")
    return [f"[{file}](../{file}): {', '.join(sorted(names))}" for file, names in by_file.items()]


def _installed() -> Path:
    """Return the folder that holds the packages."""
    return Path(monitor.__file__).resolve().parent.parent


def _rows(places: list[Place], tests: list[TestPlace]) -> list[RuleRow]:
    return [
        RuleRow(
            rule,
            tuple(place for place in places if place.code == rule.code),
            tuple(test for test in tests if test.code == rule.code),
        )
        for rule in rules_by_code().values()
    ]
