"""`liqmon check`."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from streams.check import check_file
from streams.check_table import print_answer

__all__ = ["run_check"]


def run_check(file: Path, *, as_json: bool) -> int:
    """Answer the question of a file; raises `BadDocument` with every error."""
    found = check_file(file)
    if as_json:
        plain = found.model_dump(mode="json")
        sys.stdout.write(orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        print_answer(found)
    return 0
