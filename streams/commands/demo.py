"""`liqmon demo`."""

from __future__ import annotations

from typing import Any

from streams.demo import DemoOptions, OptionsError, run
from streams.exceptions import CommandError

__all__ = ["WrongOptions", "run_demo"]


class WrongOptions(CommandError):
    """Raised when options are out of their bounds or exclude each other."""

    exit_code = 2


def run_demo(**options: Any) -> int:
    """Run one demo; raises `WrongOptions` with every wrong one."""
    try:
        chosen = DemoOptions(**options)
    except OptionsError as error:
        raise WrongOptions(error.errors) from None
    return run(chosen)
