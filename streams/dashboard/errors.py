"""Every error as `{"error": …, "field": …}`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from streams.dashboard.api.answers import ApiError
from streams.dashboard.source import Away, NotKnown, NotPriced

__all__ = ["handle_errors"]


def _error(status: int, error: str, field: str = "") -> JSONResponse:
    return JSONResponse({"error": error, "field": field}, status)


def handle_errors(app: FastAPI) -> None:
    """Answer what the endpoints raise."""

    async def api_error(_: Request, error: Any) -> JSONResponse:
        return _error(error.status, error.error, error.field)

    async def invalid(_: Request, error: Any) -> JSONResponse:
        first = error.errors()[0]
        # The first part says where it was given: query, path or body.
        field = ".".join(str(part) for part in first["loc"][1:])
        return _error(422, first["msg"].removeprefix("Value error, "), field)

    async def http_error(_: Request, error: Any) -> JSONResponse:
        return _error(error.status_code, str(error.detail))

    async def away(_: Request, error: Any) -> JSONResponse:
        return _error(503, str(error), error.service)

    async def not_known(_: Request, error: Any) -> JSONResponse:
        return _error(404, str(error), "account_id")

    async def not_priced(_: Request, error: Any) -> JSONResponse:
        return _error(409, str(error), "prices")

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Away, away)
    app.add_exception_handler(NotKnown, not_known)
    app.add_exception_handler(NotPriced, not_priced)
