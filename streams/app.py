"""The Faust app for `faust -A streams.app worker`: the same worker, started and stopped by Faust.

`liqmon worker` is the usual way; it starts anew after a loss by itself. Here a loss ends the process,
and whatever runs it (a supervisor, Kubernetes) starts it again.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from mode import Service

from streams.intake.faust import FaustIntake, create_app
from streams.metrics.serving import measured
from streams.settings import load_settings
from streams.worker import Worker

__all__ = ["app"]

settings = load_settings()
app = create_app(settings)
intake = FaustIntake(settings, app, started_by_faust=True)


@app.service
class WorkerService(Service):
    """Starts the worker before the app begins to read, and stops it before the app ends."""

    worker: Worker | None = None
    measuring: AsyncExitStack | None = None

    async def on_start(self) -> None:
        """Connect and read ticks and reference set."""
        self.measuring = AsyncExitStack()
        meters = await self.measuring.enter_async_context(measured(settings))
        self.worker = Worker(settings, intake, meters)
        await self.worker.start()

    @Service.task
    async def _end_with_the_worker(self) -> None:
        if self.worker is not None:
            await self.worker.failed

    async def on_stop(self) -> None:
        """Flush, leave and close."""
        if self.worker is not None:
            await self.worker.stop()
        if self.measuring is not None:
            await self.measuring.aclose()
