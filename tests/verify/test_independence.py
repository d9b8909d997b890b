"""The check is a second reading of the rules: it may share only the messages and the decimals."""

from __future__ import annotations

import ast
from pathlib import Path

import streams.verify

ALLOWED = ("monitor.schema", "monitor.exact", "streams.verify")


def test_the_check_imports_nothing_of_the_engine() -> None:
    folder = Path(streams.verify.__file__).parent
    files = sorted(folder.glob("*.py"))
    imported = {
        (file.name, name)
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        for name in _names(node)
        if name.split(".")[0] in ("monitor", "streams")
    }

    assert len(files) > 10
    assert {pair for pair in imported if not pair[1].startswith(ALLOWED)} == set()


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports would hide where a name comes from"
        return [node.module or ""]
    return []
