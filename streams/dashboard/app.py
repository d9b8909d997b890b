"""The application: routers, guards, the page."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from streams.dashboard.api import accounts, borrowing, checks, commands, health, overview, stream
from streams.dashboard.api.models import Error
from streams.dashboard.errors import handle_errors
from streams.dashboard.guard import HostGuard, SecurityHeaders, TokenGuard
from streams.dashboard.metrics import Metrics, Timed
from streams.dashboard.source import Source
from streams.settings import Settings

__all__ = ["PAGE", "create_app"]

PAGE = Path(__file__).parent / "page"
_SMALLEST_ZIPPED = 1_000


def create_app(settings: Settings, *, page: Path = PAGE) -> FastAPI:
    """Return the app; its lifespan starts and stops the source (`app.state.source`).

    Guards stand around it: with a token for /api, without one only for this machine's own names.
    """
    source = Source(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        source.start()
        try:
            yield
        finally:
            await source.close()

    app = FastAPI(
        title="liqmon",
        version=_version(),
        summary="Accounts by their margin ratio, commands as they go out, and questions before acting.",
        lifespan=lifespan,
        # Both pages load their scripts from elsewhere; /openapi.json is what is promised.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={code: {"model": Error} for code in (404, 422, 503)},
    )
    app.state.source = source
    metrics = app.state.metrics = Metrics(source)
    api = APIRouter(prefix="/api/v1")
    for module in (overview, accounts, commands, borrowing, checks, stream):
        api.include_router(module.router)
    _include_scenarios(api)
    app.include_router(api)
    app.include_router(health.router)
    handle_errors(app)
    _mount_page(app, page)
    # The last one added is the first that a request meets.
    app.add_middleware(GZipMiddleware, minimum_size=_SMALLEST_ZIPPED, compresslevel=5)
    if settings.api_token is not None:
        app.add_middleware(TokenGuard, token=settings.api_token.get_secret_value())
    else:
        app.add_middleware(HostGuard)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Timed, metrics=metrics)
    return app


def _include_scenarios(api: APIRouter) -> None:
    name = "streams.dashboard.api.scenario"
    if find_spec(name) is not None:
        api.include_router(importlib.import_module(name).router)


def _mount_page(app: FastAPI, page: Path) -> None:
    """Serve `index.html` at / and all files of the page under /static; without them say so."""
    index = page / "index.html"
    if page.is_dir():
        app.mount("/static", StaticFiles(directory=page), name="static")

    @app.get("/", include_in_schema=False)
    async def start() -> Response:
        if not index.is_file():
            body = {"error": "the page is not in this installation", "field": ""}
            return JSONResponse(body, 404)
        return FileResponse(index, media_type="text/html")


def _version() -> str:
    try:
        return version("liqmon")
    except PackageNotFoundError:
        return "0"
