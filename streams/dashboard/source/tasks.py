"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

__all__ = ["end_tasks"]

_AGAIN_SECONDS = 0.1


async def end_tasks(tasks: Iterable[asyncio.Future[None]]) -> None:
    """Cancel until all have ended: `wait_for` of Python 3.11, within redis, may lose one cancel."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
