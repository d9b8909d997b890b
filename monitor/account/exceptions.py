"""Why an account event cannot be used."""

from __future__ import annotations

__all__ = ["Rejected"]


class Rejected(ValueError):
    """Raised when an event contradicts the rules, the reference set or the book; says why."""
