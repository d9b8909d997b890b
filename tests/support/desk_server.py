"""Serves the page with the answers of a `Desk`, behind the dashboard's own guards and headers."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from streams.dashboard.app import PAGE
from streams.dashboard.guard import SecurityHeaders, TokenGuard
from tests.support.desk import ACCOUNT, NOW, Desk
from tests.support.desk_book import BOOK, book_detail

__all__ = ["DeskServer", "fallen", "map_of", "refused", "serving"]

_START_SECONDS = 10
_BEAT_SECONDS = 0.25


class DeskServer:
    """A running server; `silent` keeps its streams open without a word."""

    def __init__(self, desk: Desk, url: str) -> None:
        self.desk = desk
        self.url = url
        self.silent = False
        self.extra: list[dict[str, Any]] = []
        """Commands that go out on every stream."""

    def reset(self) -> None:
        """Make it as it was in the beginning; streams of before are gone by then."""
        self.desk.state = "crash"
        self.desk.asked.clear()
        self.silent = False
        self.extra = []


@contextmanager
def serving(desk: Desk, token: str | None = None) -> Iterator[DeskServer]:
    """Serve from a thread until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = DeskServer(desk, f"http://127.0.0.1:{listener.getsockname()[1]}")
        app = _app(found)
        if token is not None:
            app.add_middleware(TokenGuard, token=token)
        app.add_middleware(SecurityHeaders)
        config = uvicorn.Config(
            app, log_config=None, timeout_graceful_shutdown=1, lifespan="off", ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until = time.monotonic() + _START_SECONDS
        while not server.started:
            assert time.monotonic() < until, "the page's server did not start"
            time.sleep(0.01)
        try:
            yield found
        finally:
            server.should_exit = True
            thread.join()


def _app(server: DeskServer) -> FastAPI:
    app = FastAPI(openapi_url=None)
    desk = server.desk
    app.mount("/static", StaticFiles(directory=PAGE))

    @app.get("/")
    def start() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/api/v1/overview")
    def overview() -> Any:
        return desk.overview()

    @app.get("/api/v1/accounts")
    def accounts(
        band: str | None = None, limit: int = 50, after: str | None = None, q: str = ""
    ) -> Any:
        return desk.page(band, limit, after, q)

    @app.get("/api/v1/accounts/{account_id}")
    def account(account_id: str) -> Any:
        if account_id == BOOK:
            return book_detail(desk.folder, desk.detail())
        if account_id != ACCOUNT:
            error = {"error": f"unknown account {account_id}", "field": "account_id"}
            return JSONResponse(error, 404)
        return desk.detail()

    @app.get("/api/v1/accounts/{account_id}/borrowing")
    def borrowing_of(account_id: str) -> Any:
        return desk.borrowing()

    @app.get("/api/v1/accounts/{account_id}/interest")
    def interest(account_id: str) -> Any:
        return {"account_id": account_id, "records": [], "complete": True, "due": []}

    @app.get("/api/v1/borrowing")
    def borrowing() -> Any:
        row = {"currency": "USDT", "lent_out": "41234567.8", "last_rate": "0.06"}
        row |= {"next_rate": "0.0712", "pool": "400000000", "utilisation": "0.1031"}
        return {"currencies": [row]}

    @app.get("/api/v1/commands")
    def commands(kind: str | None = None, account: str | None = None, limit: int = 100) -> Any:
        found = [
            one
            for one in desk.commands()
            if kind in (None, one["kind"]) and account in (None, one["account_id"])
        ]
        return {"commands": found[:limit], "next": None, "source": "topics"}

    _add_scenarios(app, desk)
    _add_stream(app, server)
    return app


def _add_scenarios(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/v1/liquidation-map")
    def liquidation_map(symbol: str) -> Any:
        return map_of(symbol)

    @app.post("/api/v1/what-if")
    async def what_if(request: Request) -> Any:
        body = await request.json()
        desk.asked.append(body)
        return book_fallen(desk) if body.get("account_id") == BOOK else fallen(desk)

    @app.post("/api/v1/accounts/{account_id}/check-order")
    async def check_order(account_id: str, request: Request) -> Any:
        body = await request.json()
        desk.asked.append(body)
        if body.get("instrument") == "NOPE":
            return JSONResponse({"error": "unknown instrument NOPE", "field": "instrument"}, 422)
        return refused(account_id)


def _add_stream(app: FastAPI, server: DeskServer) -> None:
    async def events() -> AsyncIterator[str]:
        sent = 0
        yield "retry: 300\n\n"
        while True:
            if not server.silent:
                rows = {"accounts": server.desk.rows()[:50]}
                yield f"event: overview\ndata: {json.dumps(server.desk.overview())}\n\n"
                yield f"event: accounts\ndata: {json.dumps(rows)}\n\n"
                for command in server.extra[sent:]:
                    yield f"id: {sent}\nevent: command\ndata: {json.dumps(command)}\n\n"
                sent = len(server.extra)
            await asyncio.sleep(_BEAT_SECONDS)

    @app.get("/api/v1/stream")
    def stream() -> StreamingResponse:
        return StreamingResponse(events(), media_type="text/event-stream")


def fallen(desk: Desk) -> dict[str, Any]:
    moved = [
        {
            "account_id": row["account_id"],
            "ratio_before": "1.4123",
            "ratio_after": row["ratio"],
            "band_before": "warning",
            "band_after": row["band"],
            "adjusted_equity_before": "16947.6",
            "adjusted_equity_after": row["adjusted_equity"],
        }
        for row in desk.rows()[:200]
    ]
    return {
        "before": {"normal": 19_597, "warning": 61, "liquidation": 330, "unpriced": 12},
        "after": {"normal": 18_100, "warning": 702, "liquidation": 1_186, "unpriced": 12},
        "isolated_before": {"normal": 1_204, "liquidation": 3},
        "isolated_after": {"normal": 802, "liquidation": 405},
        "moved": moved,
        "moved_total": 1_510,
        "falling": 1_497,
        "bankrupt": 77,
        "shortfall_usd": "1834221.55",
        "shortfall_before_usd": "20110.2",
        "notional_at_risk_usd": "412345678.9",
        "expected_reductions": 1_122,
        "prices": {"BTC-USD": "39079.7"},
        "account": None,
    }


def book_fallen(desk: Desk) -> dict[str, Any]:
    """Return what becomes of the portfolio account: its units stay as they are."""
    then = book_detail(desk.folder, desk.detail())["assessment"]
    one = {"normal": 0, "warning": 0, "liquidation": 1, "unpriced": 0, "unassessed": 0}
    return {
        **fallen(desk),
        "before": one,
        "after": one,
        "moved": [],
        "moved_total": 0,
        "falling": 0,
        "account": {"before": then, "after": then},
    }


def map_of(symbol: str) -> dict[str, Any]:
    """Return steps as the real map has them: a quarter of a per cent to 10, a half to 20, one to 50."""
    price = 52_810.4
    moves = [n / 4 for n in range(1, 41)] + [10 + n / 2 for n in range(1, 21)] + list(range(21, 51))
    buckets: list[dict[str, Any]] = []
    for move in [-m for m in reversed(moves)] + moves:
        size = 0.25 if abs(move) <= 10 else 0.5 if abs(move) <= 20 else 1
        longs = size * 9e6 * 2.7 ** (-((move + 9) ** 2) / 60) if move < 0 else 0
        shorts = size * 5e6 * 2.7 ** (-((move - 14) ** 2) / 90) if move > 0 else 0
        at = f"{price * (1 + move / 100):.1f}"
        level1 = _level(longs, shorts)
        level3 = _level(longs * 2.2, shorts * 1.7)
        buckets.append({"move": str(move), "price": at, "level3": level3, "level1": level1})
    risk = {str(by): _at_risk(buckets, by) for by in (-10, -5, -3, -1, 1, 3, 5, 10)}
    now = {"move": "0", "price": str(price), "level3": _level(4e7, 2e6), "level1": _level(3e7, 0)}
    return {
        "symbol": symbol,
        "price": str(price),
        "ts": NOW,
        "levels": ["3", "1"],
        "now": now,
        "buckets": buckets,
        "at_risk": risk,
        "accounts": 20_000,
        "concerned": 14_211,
        "unassessed": 0,
    }


def _at_risk(buckets: list[dict[str, Any]], by: int) -> str:
    way = [one["level1"] for one in buckets if 0 < float(one["move"]) / by <= 1]
    total = sum(float(one["long_usd"]) + float(one["short_usd"]) for one in way)
    return f"{total:.2f}"


def _level(longs: float, shorts: float) -> dict[str, Any]:
    return {
        "accounts": round((longs + shorts) / 60_000),
        "isolated": round(longs / 1e6),
        "long_usd": f"{longs:.2f}",
        "short_usd": f"{shorts:.2f}",
    }


def refused(account_id: str) -> dict[str, Any]:
    message = "adjusted equity 8,460.00 USD is less than the initial margin of 9,000.00 USD"
    return {
        "check": "order",
        "account_id": account_id,
        "accepted": False,
        "rule": "OV-1",
        "refusals": [{"rule": "OV-1", "message": message}],
        "figures": {"adjusted_equity": "8460", "initial_margin": "9000", "ratio": "1.7"},
        "largest": "5.25",
        "auto_borrow": True,
        "borrows": {"USDT": "6000"},
        "borrowing": {},
        "plan": None,
        "unpriced": [],
        "stale_prices": [],
        "out_of_sync": False,
        "totals_age_ms": None,
        "source": "owner",
    }
