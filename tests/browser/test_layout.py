"""Widths, themes, what a screen reader meets, and that nothing comes from elsewhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import pytest

from streams.dashboard.app import PAGE
from tests.support.browser import (
    NARROW,
    WIDE,
    faint_texts,
    spoken_faults,
    watched,
    wider_than_window,
)
from tests.support.desk import ACCOUNT
from tests.support.desk_server import DeskServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

VIEWS = {
    "overview": ("#/", ".nearest tbody tr"),
    "accounts": ("#/accounts", ".tabulator-row"),
    "account": (f"#/account/{ACCOUNT}", ".timeline li"),
    "commands": ("#/commands", ".feed .line"),
    "map": ("#/map?symbol=BTC", "#risk tbody td"),
    "what-if": ("#/what-if?shocks=BTC:-0.26", ".tabulator-row"),
    "checks": ("#/checks", "form.check"),
}
_views = pytest.mark.parametrize("view", list(VIEWS))


def _open(page: Page, view: str) -> None:
    address, ready = VIEWS[view]
    page.goto(f"/{address}")
    page.wait_for_selector(ready)
    page.wait_for_timeout(300)


@_views
def test_at_390_px_nothing_sticks_out(
    browser: Browser, desk: DeskServer, keep: Callable[[Page, str], None], view: str
) -> None:
    options = {"viewport": NARROW, "base_url": desk.url, "is_mobile": True, "has_touch": True}
    with watched(browser, **options) as page:
        _open(page, view)
        assert wider_than_window(page) == 0
        keep(page, f"{view}-390")


@_views
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_in_both_themes(
    browser: Browser,
    desk: DeskServer,
    keep: Callable[[Page, str], None],
    view: str,
    scheme: Literal["light", "dark"],
) -> None:
    with watched(browser, viewport=WIDE, base_url=desk.url, color_scheme=scheme) as page:
        _open(page, view)
        dark = page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
        assert (dark == "rgb(16, 19, 24)") == (scheme == "dark")
        assert faint_texts(page) == []
        assert wider_than_window(page) == 0
        if view == "overview":
            keep(page, f"overview-{scheme}")


@_views
def test_a_screen_reader_finds_names_headings_and_headers(page: Page, view: str) -> None:
    _open(page, view)
    assert spoken_faults(page) == []


def test_only_the_sentence_is_read_out_by_itself(page: Page) -> None:
    _open(page, "overview")
    live = page.locator("[aria-live]:not([aria-live=off]), [role=status], [role=alert]")
    assert live.count() == 1
    page.wait_for_function("() => document.getElementById('announce').textContent")
    assert page.text_content("#announce") == page.text_content("#sentence")


def test_a_chosen_theme_is_kept(page: Page) -> None:
    page.goto("/")
    for wanted in ("light", "dark"):
        page.click("#theme")
        assert page.text_content("#theme") == f"Theme: {wanted}"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") is None


def test_nothing_is_loaded_from_elsewhere(page: Page, desk: DeskServer) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for view in VIEWS:
        _open(page, view)
    assert [url for url in asked if not url.startswith(desk.url)] == []


def test_text_from_the_wire_never_becomes_markup(page: Page, desk: DeskServer) -> None:
    bad = {**desk.desk.episode()[0], "command_id": "x", "decided_at": 1_760_130_300_000}
    bad["account_id"] = "<img src=x onerror=document.title='broken'>"
    desk.extra.append(bad)
    page.goto("/")
    page.wait_for_function(
        "() => document.querySelector('.feed .account')?.textContent.startsWith('<img')"
    )
    assert page.locator(".feed img").count() == 0
    assert page.title() == "Overview · liqmon"


def test_shipped_libraries_are_what_versions_says() -> None:
    text = (PAGE / "vendor/VERSIONS.md").read_text()
    named = dict(re.findall(r"`([\w./]+)` \| `([0-9a-f]{64})`", text))
    shipped = {
        str(path.relative_to(PAGE / "vendor"))
        for path in (PAGE / "vendor").rglob("*")
        if path.is_file() and path.name not in {"VERSIONS.md", "LICENSE"}
    }
    assert set(named) == shipped
    for name, wanted in named.items():
        path = PAGE / "vendor" / name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == wanted
        assert (path.parent / "LICENSE").is_file()
