"""How an endpoint gets at the source, and how its answer travels."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request, Response

from streams.dashboard.source import Source
from streams.dashboard.source.words import encode

__all__ = ["ApiError", "Bad", "SourceOf", "answered"]


class ApiError(Exception):
    """Raised with the status and the text that the asker gets; `field` names what is wrong."""

    def __init__(self, status: int, error: str, field: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.field = status, error, field


def Bad(error: str, field: str) -> ApiError:  # noqa: N802 - it is raised like a class
    """Return the error of a wrong question."""
    return ApiError(422, error, field)


def _source(request: Request) -> Source:
    found: Source = request.app.state.source
    return found


SourceOf = Annotated[Source, Depends(_source)]


def answered(value: Any) -> Response:
    """Return an answer as JSON; what was published stays byte for byte."""
    return Response(encode(value), media_type="application/json")
