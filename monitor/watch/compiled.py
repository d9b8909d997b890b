"""The one door to numba: inner loops compiled where it is installed, else run as they stand."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar, cast

__all__ = ["HAS_NUMBA", "compiled"]

HAS_NUMBA = find_spec("numba") is not None and not os.environ.get("LIQMON_NO_NUMBA")

F = TypeVar("F", bound=Callable[..., object])

if HAS_NUMBA:
    import numba

    def compiled(function: F) -> F:
        """Compile with numba, without the interpreter; divisions by zero follow IEEE 754."""
        return cast("F", numba.njit(cache=True, error_model="numpy")(function))

else:

    def compiled(function: F) -> F:
        """Leave the function as it is: numba is missing."""
        return function
