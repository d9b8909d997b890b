"""Half of a computation in a process of its own, which sees everything that was made before it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

__all__ = ["Aside", "can_go_aside"]

Result = TypeVar("Result")


def can_go_aside() -> bool:
    """Say whether a second process would help: two cores, and a system that forks."""
    return "fork" in multiprocessing.get_all_start_methods() and (os.cpu_count() or 1) > 1


class Aside(Generic[Result]):
    """Runs `compute` in a forked process; nothing is copied but what it returns."""

    def __init__(self, compute: Callable[[], Result]) -> None:
        context = multiprocessing.get_context("fork")
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(compute, sender), daemon=True)
        self._process.start()
        sender.close()

    def result(self) -> Result:
        """Wait for it. Raises EOFError when the process died."""
        found: Result = self._receiver.recv()
        self._process.join()
        return found


def _run(compute: Callable[[], Result], sender: Connection) -> None:
    sender.send(compute())
    sender.close()
