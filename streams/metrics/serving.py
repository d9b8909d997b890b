"""Metrics and traces beside the workers of one process, as the settings ask for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from streams.metrics.meters import Meters
from streams.metrics.server import MetricsServer
from streams.metrics.tracing import make_tracer
from streams.metrics.watching import Watching
from streams.settings import Settings

__all__ = ["measured"]


@contextlib.asynccontextmanager
async def measured(settings: Settings) -> AsyncIterator[Meters]:
    """Give the meters that workers count in; serve them on LIQMON_METRICS_PORT, if there is one.

    Raises `CommandError` when the port cannot be had or tracing is not installed.
    """
    tracer = make_tracer(settings)
    meters = Meters(tracer)
    try:
        if settings.metrics_port == 0:
            yield meters
            return
        watching = Watching(meters)
        loop = asyncio.get_running_loop()
        server = MetricsServer(settings, meters, watching.standstills, loop)
        server.start()
        task = asyncio.create_task(watching.run(), name="metrics watching")
        try:
            yield meters
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            # In a thread: a scrape under way is still answered by this loop.
            await asyncio.to_thread(server.stop)
    finally:
        if tracer is not None:
            await asyncio.to_thread(tracer.close)
