"""Where each rule's code stands in the sources, and which tests are named after it.

Nothing is imported: comments come from the tokens of a file, docstrings and names from its tree.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from streams.rules.catalogue import FAMILIES

__all__ = ["Place", "TestPlace", "codes_in", "codes_of_test", "scan_sources", "scan_tests"]

_FAMILY = "|".join(FAMILIES)
_CODE = re.compile(rf"\b({_FAMILY})-(\d+)\b")
_RANGE = re.compile(rf"\b({_FAMILY})-(\d+) to \1-(\d+)\b")
_TEST = re.compile(rf"({_FAMILY.lower()})_(\d+)(?:_|$)")

_ASIDE = (
    "monitor/schema/",
    "streams/rules/",
    "streams/verify/",
    "streams/simulator/",
    "streams/demo/",
)
"""What says a code without doing the rule: messages, this list, the check written apart, the play."""

_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of the sources that bears a code; `name` is the function or class around it."""

    file: str
    """From the root, with slashes."""
    line: int
    code: str
    name: str
    """Qualified within the file; empty at its top."""
    kind: str
    """`comment`, `docstring` (the line is then that of what it describes), or `heading` of a file."""

    @property
    def does_it(self) -> bool:
        """Whether the rule is carried out here, rather than checked, played or spoken of."""
        return self.kind != "heading" and not self.file.startswith(_ASIDE)


@dataclass(frozen=True, slots=True, order=True)
class TestPlace:
    """A test named after a rule."""

    __test__ = False

    file: str
    line: int
    code: str
    name: str


def codes_in(text: str) -> set[str]:
    """Return the codes named in `text`; `CU-1 to CU-9` is a heading and names none."""
    return {match[0] for match in _CODE.finditer(_RANGE.sub("", text))}


def codes_of_test(name: str) -> tuple[str, ...]:
    """Return the codes that a test's name begins with: `test_h_5_h_7_x` → H-5, H-7."""
    if not name.startswith("test_"):
        return ()
    found: list[str] = []
    rest = name.removeprefix("test_")
    while match := _TEST.match(rest):
        found.append(f"{match[1].upper()}-{match[2]}")
        rest = rest[match.end() :]
    return tuple(found)


def scan_sources(root: Path, packages: Iterable[str] = ("monitor", "streams")) -> list[Place]:
    """Return every place of the packages below `root` that bears a code, sorted."""
    found: list[Place] = []
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            found.extend(_places(name, path.read_text(encoding="utf-8")))
    return sorted(found)


def scan_tests(folder: Path) -> list[TestPlace]:
    """Return every test below `folder` whose name begins with a code, sorted."""
    found: list[TestPlace] = []
    for path in sorted(folder.rglob("test_*.py")):
        file = path.relative_to(folder.parent).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in _names(node):
                found.extend(
                    TestPlace(file, node.lineno, code, name)  # type: ignore[attr-defined]
                    for code in codes_of_test(name)
                )
    return sorted(found)


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a definition or an assignment gives."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _places(file: str, source: str) -> Iterator[Place]:
    tree = ast.parse(source)
    spans = list(_spans(tree, ""))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            for code in codes_in(token.string):
                yield Place(file, line, code, _around(spans, line), "comment")
    for line, end, text in _docstrings(tree):
        for code in codes_in(text):
            around = _around(spans, end)
            yield Place(file, line, code, around, "docstring" if around or line > 1 else "heading")


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, int, str]]:
    """Yield (line to point at, a line within, text) of docstrings, those of attributes included."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | _Scope):
            continue
        before: ast.stmt | None = None
        for statement in node.body:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                first = before is None
                place = node if first and not isinstance(node, ast.Module) else before or statement
                yield getattr(place, "lineno", 1), statement.lineno, value.value
            before = statement


def _spans(node: ast.AST, prefix: str) -> Iterator[tuple[int, int, str]]:
    """Yield (first line, last line, qualified name) of every definition, outer ones first."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Scope):
            name = f"{prefix}{child.name}"
            yield child.lineno, child.end_lineno or child.lineno, name
            yield from _spans(child, f"{name}.")
        else:
            yield from _spans(child, prefix)


def _around(spans: list[tuple[int, int, str]], line: int) -> str:
    """Return the innermost definition around `line`."""
    inner = ""
    for start, end, name in spans:
        if start <= line <= end:
            inner = name
    return inner
