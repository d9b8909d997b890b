"""`liqmon what-if`."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from streams.evaluate_table import console
from streams.what_if import what_if_file
from streams.what_if_table import print_what_if

__all__ = ["run_what_if"]


def run_what_if(file: Path, *, as_json: bool) -> int:
    """Show what a scenario does to the accounts of a file; raises `BadDocument` with every error."""
    found = what_if_file(file)
    if as_json:
        plain = found.model_dump(mode="json")
        sys.stdout.write(orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        print_what_if(found, console())
    return 0
