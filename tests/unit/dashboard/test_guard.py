"""Who is answered, and with which headers; errors all in one shape. Kafka and Redis are away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from streams.dashboard import create_app
from streams.dashboard.guard import is_loopback
from streams.dashboard.metrics import route_of
from streams.dashboard.serving import NotLoopback, listening, url_of
from streams.exceptions import CommandError
from streams.settings import Settings

NOBODY = {"brokers": "127.0.0.1:9", "redis_url": "redis://127.0.0.1:9/0"}


@asynccontextmanager
async def _client(
    page: Path | None = None, base: str = "http://127.0.0.1:8080", **more: Any
) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(**{**NOBODY, **more})
    app = create_app(settings) if page is None else create_app(settings, page=page)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=base) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),  # noqa: S104 - that is the point
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_without_a_token_only_loopback_may_listen() -> None:
    with pytest.raises(NotLoopback, match="LIQMON_API_TOKEN"):
        listening(Settings(), "0.0.0.0", 0)  # noqa: S104
    with listening(Settings(api_token=SecretStr("t")), "0.0.0.0", 0) as listener:  # noqa: S104
        assert url_of(listener).startswith("http://0.0.0.0:")


def test_a_port_in_use_is_named() -> None:
    with listening(Settings(), "127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"127.0.0.1:{port}"):
            listening(Settings(), "127.0.0.1", port)


@pytest.mark.parametrize(
    "base", ["http://evil.example", "http://localhost.evil.example:8080", "http://10.1.2.3:8080"]
)
async def test_without_a_token_a_name_from_elsewhere_is_refused(base: str) -> None:
    async with _client(base=base) as client:
        answer = await client.get("/api/v1/overview")
        assert answer.status_code == 403
        assert answer.json()["field"] == "host"


async def test_without_a_token_a_page_from_elsewhere_may_not_ask() -> None:
    async with _client() as client:
        foreign = await client.get("/api/v1/overview", headers={"Origin": "https://evil.example"})
        assert (foreign.status_code, foreign.json()["field"]) == (403, "origin")
        own = await client.get("/api/v1/overview", headers={"Origin": "http://localhost:8080"})
        assert own.status_code == 200


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic secret", "Bearer secre", "Bearer secrets"],
)
async def test_with_a_token_nothing_else_passes(given: str) -> None:
    async with _client(api_token="secret") as client:
        answer = await client.get("/api/v1/overview", headers={"Authorization": given})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        for path in ("/api/v1/commands", "/api/v1/stream", "/api/v1/nothing"):
            assert (await client.get(path)).status_code == 401


async def test_with_a_token_it_passes_from_anywhere() -> None:
    async with _client(api_token="secret", base="http://desk.example") as client:
        answer = await client.get("/api/v1/overview", headers={"Authorization": "bearer secret"})
        assert answer.status_code == 200
        assert (await client.get("/api/v1/overview?token=secret")).status_code == 200
        assert (await client.get("/api/v1/overview?token=&token=secret")).status_code == 200
        assert (await client.get("/")).status_code == 200


async def test_a_browser_is_told_to_load_nothing_from_elsewhere() -> None:
    async with _client() as client:
        for path in ("/", "/api/v1/overview", "/api/v1/nothing"):
            headers = (await client.get(path)).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        # Its scripts would come from elsewhere.
        assert (await client.get("/docs")).status_code == 404


async def test_long_answers_are_zipped() -> None:
    async with _client() as client:
        answer = await client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert "/api/v1/accounts/{account_id}" in answer.json()["paths"]


async def test_with_everything_away_it_still_answers() -> None:
    async with _client() as client:
        overview = (await client.get("/api/v1/overview")).json()
        assert overview["accounts"] == 0
        assert overview["kafka"].startswith("away since ")
        assert (await client.get("/healthz")).status_code == 200
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert {text.partition(":")[0] for text in ready.json()["missing"]} >= {
            "kafka",
            "reference",
        }
        nothing = await client.get("/api/v1/accounts")
        assert (nothing.status_code, nothing.json()["field"]) == (503, "redis")
        detail = await client.get("/api/v1/accounts/alice")
        assert detail.status_code == 503
        rates = await client.get("/api/v1/borrowing")
        assert (rates.status_code, rates.json()["field"]) == (503, "kafka")
        metrics = await client.get("/metrics")
        assert "liqmon_dashboard_kafka_up 0.0" in metrics.text
        wanted = 'liqmon_dashboard_requests_total{method="GET",route="/api/v1/accounts/{account_id}",status="503"} 1.0'
        assert wanted in metrics.text
        assert "alice" not in metrics.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("accounts?limit=0", "limit"),
        ("accounts?limit=x", "limit"),
        ("accounts?band=red", "band"),
        ("accounts?after=nonsense", "after"),
        ("accounts?after=x|y", "after"),
        ("commands?kind=fortune", "kind"),
        ("commands?limit=5000", "limit"),
    ],
)
async def test_a_wrong_question_names_its_field(query: str, field: str) -> None:
    async with _client() as client:
        answer = await client.get(f"/api/v1/{query}")
        assert answer.status_code == 422
        assert set(answer.json()) == {"error", "field"}
        assert answer.json()["field"] == field
        nowhere = await client.get("/api/v1/nothing")
        assert (nowhere.status_code, set(nowhere.json())) == (404, {"error", "field"})


async def test_the_page_may_be_absent(tmp_path: Path) -> None:
    async with _client(page=tmp_path / "none") as client:
        answer = await client.get("/")
        assert answer.status_code == 404
        assert "page" in answer.json()["error"]
        assert (await client.get("/static/x.js")).status_code == 404


async def test_the_page_and_its_files_are_served(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>liqmon</title>")
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "main.js").write_text("export {};")
    (tmp_path.parent / "secret.txt").write_text("no")
    async with _client(page=tmp_path) as client:
        start = await client.get("/")
        assert start.headers["content-type"].startswith("text/html")
        script = await client.get("/static/js/main.js")
        assert "javascript" in script.headers["content-type"]
        again = await client.get(
            "/static/js/main.js", headers={"If-None-Match": script.headers["etag"]}
        )
        assert again.status_code == 304
        assert (await client.get("/static/..%2fsecret.txt")).status_code == 404


def test_labels_of_metrics_do_not_grow_with_what_is_asked() -> None:
    known = {
        "path": "/api/v1/accounts/acc-1/borrowing",
        "route": object(),
        "path_params": {"account_id": "acc-1"},
    }
    assert route_of(known) == "/api/v1/accounts/{account_id}/borrowing"
    assert route_of({"path": "/static/js/main.js"}) == "/static"
    assert route_of({"path": "/wp-admin"}) == "other"
