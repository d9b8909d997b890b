"""`liqmon worker`: one worker, started anew after every loss, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

import structlog

from monitor.watch import warm
from streams.intake.choice import create_intake
from streams.journal import JournalError, JournalRefused
from streams.metrics import Meters
from streams.metrics.serving import measured
from streams.settings import Settings
from streams.worker.collecting import collect_seldom
from streams.worker.worker import Worker

__all__ = ["run", "serve"]

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
REFUSED_PAUSE_SECONDS = 30.0
"""After a refusal (sources replaced, a journal that cannot be trusted) somebody has to look."""
STEADY_SECONDS = 30.0
"""A worker that ran so long starts the pauses from the first again."""
WATCH_SECONDS = 0.2


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run workers one after another until `stop`: each loss means new producers and new claims."""
    async with measured(settings) as meters:
        await _serve(settings, stop, meters)


async def _serve(settings: Settings, stop: asyncio.Event, meters: Meters) -> None:
    pause = FIRST_PAUSE_SECONDS
    loop = asyncio.get_running_loop()
    # Every worker waits for it before it joins; what it imports and connects to comes beside it.
    loop.run_in_executor(None, warm)
    while not stop.is_set():
        started = loop.time()
        error = await _run_one(settings, stop, meters)
        if stop.is_set():
            return
        meters.restarted(error)
        if isinstance(error, JournalRefused):
            wait = REFUSED_PAUSE_SECONDS
            log.critical("worker_not_ready", error=str(error), retry_seconds=wait)
        else:
            if loop.time() - started > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            wait, pause = pause, min(pause * 2, LONGEST_PAUSE_SECONDS)
            log.warning("worker_restarts", error=str(error), pause_seconds=wait)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await stop.wait()


async def _run_one(settings: Settings, stop: asyncio.Event, meters: Meters) -> BaseException | None:
    intake = create_intake(settings)
    worker = Worker(settings, intake, meters)
    stopping = asyncio.create_task(stop.wait())
    error: BaseException | None = None
    try:
        await worker.start()
        while not stopping.done() and not worker.failed.done() and intake.failure is None:
            await asyncio.wait(
                (stopping, worker.failed),
                timeout=WATCH_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
        if worker.failed.done():
            error = worker.failed.exception()
        elif intake.failure is not None:
            error = intake.failure
    except (JournalError, OSError) as failed:
        error = failed
    finally:
        stopping.cancel()
        await worker.stop()
    return error


def run(settings: Settings) -> int:
    """Run until SIGINT or SIGTERM; return the exit code."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await serve(settings, stop)

    collect_seldom()
    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        runner.run(main())
    return 0


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes uvloop's loops where the extra `loop` is installed, None for asyncio's."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
