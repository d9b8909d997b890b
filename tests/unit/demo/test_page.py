"""Where the page is, as the demo says it; a browser is opened only where it has a window."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from streams.demo.figures import Shown
from streams.demo.page import has_display, open_page
from streams.demo.screen import Screen
from streams.demo.stage import Stage

URL = "http://127.0.0.1:8080"


def _header(width: int, page: str) -> str:
    console = Console(file=io.StringIO(), width=width, height=24, force_terminal=True)
    console.print(Screen(Stage(20_000, page=page), Shown()), height=24)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().split("\n")[0]


def test_the_header_says_where_the_page_is() -> None:
    assert URL in _header(80, URL)
    assert "http" not in _header(80, "")


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {}, False),
        ("darwin", {}, True),
        ("darwin", {"SSH_CONNECTION": "1"}, False),
    ],
)
def test_a_browser_needs_a_display(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: bool
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert has_display() is expected


def test_without_a_browser_nothing_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser._tryorder", [])
    assert open_page(URL) is False
