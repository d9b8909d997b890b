"""What ends a command with its reasons on standard error."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["CommandError"]


class CommandError(Exception):
    """Raised for what the user can put right; `errors` holds one line for each."""

    exit_code: ClassVar[int] = 1

    def __init__(self, errors: list[str] | str) -> None:
        self.errors = [errors] if isinstance(errors, str) else errors
        super().__init__("\n".join(self.errors))
