"""Why a question cannot be answered."""

from __future__ import annotations

__all__ = ["BadQuestion"]


class BadQuestion(ValueError):
    """Raised when a question contradicts the reference set or the book; names the field first."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field
        """Of the question's model; empty where no single field is wrong."""
        self.problem = problem
