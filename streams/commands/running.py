"""How a command runs: settings and logs first, then until done or told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

from streams.logs import configure_logs
from streams.settings import Settings, load_settings

__all__ = ["run_until_stopped", "settings_and_logs"]

ResultT = TypeVar("ResultT")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def settings_and_logs() -> Settings:
    """Read the settings and set the logs up; raises `SettingsError`."""
    settings = load_settings()
    configure_logs(settings)
    return settings


def run_until_stopped(main: Callable[[asyncio.Event], Awaitable[ResultT]]) -> ResultT:
    """Run `main` with an event that SIGINT and SIGTERM set; a second signal ends it at once."""

    async def run() -> ResultT:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stopping() -> None:
            stop.set()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

        for number in _SIGNALS:
            loop.add_signal_handler(number, stopping)
        return await main(stop)

    return asyncio.run(run())
