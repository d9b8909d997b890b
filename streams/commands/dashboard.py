"""`liqmon dashboard`."""

from __future__ import annotations

import asyncio

from streams.commands.running import run_until_stopped, settings_and_logs
from streams.dashboard import run

__all__ = ["run_dashboard"]


def run_dashboard(host: str, port: int) -> int:
    """Serve the page and the API until stopped; raises `CommandError` when it cannot listen."""
    settings = settings_and_logs()

    async def main(stop: asyncio.Event) -> int:
        return await run(settings, host, port, stop)

    return run_until_stopped(main)
