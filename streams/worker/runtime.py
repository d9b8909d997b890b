"""What the parts of one worker share: settings, the engine with its clock, and how to fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import structlog

from monitor.engine import Engine
from streams.journal import JournalError
from streams.metrics import Meters
from streams.settings import Settings
from streams.topics import Topics

__all__ = ["SLICE_SECONDS", "TURN_SECONDS", "Runtime", "wall"]

log = structlog.get_logger(__name__)

TURN_SECONDS = 0.004
"""H-8: what one turn of the loop takes at the most."""
SLICE_SECONDS = 0.001
"""The same for work that nobody waits for: a command has to cross the loop several times to get out, and may meet
such a turn each time."""


def wall() -> int:
    """Return this machine's clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Runtime:
    """Lives as long as one worker."""

    def __init__(self, settings: Settings, meters: Meters | None = None) -> None:
        self.settings = settings
        self.meters = meters if meters is not None else Meters()
        self.topics = Topics(settings.topic_prefix)
        self.engine: Engine | None = None
        """None until a reference set is known."""
        self.has_engine = asyncio.Event()
        self.ticks_read = asyncio.Event()
        """Set once the ticks are read to where they ended at the start."""
        self.inputs = asyncio.Event()
        """Set while reference set, ticks and full hours are complete: events may be folded."""
        self.tick = -1
        """Offset of the last tick taken."""
        self.late = False
        """Whether ticks had stood in line for a while when they were taken, and more stand there."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises what made the worker unable to go on."""

    def present_engine(self) -> Engine:
        """Return the engine. Raises RuntimeError while there is none."""
        if self.engine is None:
            raise RuntimeError("no reference set yet")
        return self.engine

    def now(self) -> int:
        """Return the engine's time: this machine's clock, or the highest tick's (event clock)."""
        engine = self.engine
        if engine is None:
            return 0
        if self.settings.clock == "wall":
            engine.now = max(engine.now, wall())
        return engine.now

    def fail(self, error: BaseException) -> None:
        """End the worker; the first reason is kept."""
        if not self.failed.done():
            self.failed.set_exception(error)

    async def guarded(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run one of the loops; whatever ends it ends the worker, which then starts anew."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        # A loop that died silently would leave a worker that looks alive and sees nothing.
        except Exception as error:
            if not isinstance(error, JournalError):
                log.exception("worker_loop_failed", loop=name)
            self.fail(error)
