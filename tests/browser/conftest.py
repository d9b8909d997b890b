"""A browser and a made-up desk. Playwright keeps a loop running, so it never outlives a module."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import WIDE, chromium, watched
from tests.support.desk import Desk
from tests.support.desk_server import DeskServer, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The distribution's Chromium; a test is skipped without it, and says why."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root, in a container, Chromium refuses its sandbox.
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskServer]:
    """The page's server, for tests that change nothing about it."""
    with serving(Desk(tmp_path_factory.mktemp("desk"))) as running:
        yield running


@pytest.fixture
def desk(server: DeskServer) -> DeskServer:
    """The page's server in the middle of a crash, as if nobody had asked yet."""
    server.reset()
    return server


@pytest.fixture
def page(browser: Browser, desk: DeskServer) -> Iterator[Page]:
    """A page of 1,280 px; what it logs as an error fails the test."""
    with watched(browser, viewport=WIDE, base_url=desk.url) as found:
        yield found


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[Page, str], None]:
    """Keep a picture: in LIQMON_SCREENSHOTS where that is set."""
    folder = Path(os.environ.get("LIQMON_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def shot(page: Page, name: str) -> None:
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=folder / f"{name}.png", full_page=True)

    return shot
