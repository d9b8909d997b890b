"""The child process that serves the page, and how a browser comes to it."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser

import msgspec

from streams.demo.plan import Folder, Plan
from streams.exceptions import CommandError

__all__ = ["PageStatus", "has_display", "open_page", "serve_page"]

PORT = 8080
"""Where it is free; else any."""
_HOST = "127.0.0.1"


class PageStatus(msgspec.Struct, frozen=True):
    """Where the page is."""

    url: str


async def serve_page(plan: Plan, folder: Folder, stop: asyncio.Event) -> int:
    """Serve page and API of this demo until told to stop."""
    await folder.passed("topics")
    # Loaded only now: while everything starts, the core belongs to the others.
    from streams.dashboard.serving import listening, serve, url_of

    settings = plan.settings("dashboard")
    try:
        listener = listening(settings, _HOST, PORT)
    except CommandError:
        listener = listening(settings, _HOST, 0)
    folder.write("page", PageStatus(url_of(listener)))
    await serve(settings, listener, stop)
    return 0


def has_display() -> bool:
    """Whether a browser would open in a window of its own."""
    if sys.platform == "darwin":
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_page(url: str) -> bool:
    """Open a browser; False when there is none."""
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False
