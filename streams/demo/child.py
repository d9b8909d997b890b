"""One process of the demo: `python -m streams.demo.child ROLE DATA_DIR [WORKER_ID]`.

Everything that takes long to import is imported while Kafka starts. Output goes to the log.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from streams.demo.plan import Folder, Plan
from streams.logs import configure_logs

__all__ = ["main"]

_Role = Callable[[Plan, Folder, asyncio.Event], Awaitable[int]]


def main(arguments: list[str]) -> int:
    """Run one role until it ends or SIGTERM; return the exit code."""
    role, path, *names = arguments
    folder = Folder(Path(path))
    plan = folder.read("plan", Plan)
    if plan is None:
        sys.stderr.write(f"{path}: no plan.json there\n")
        return 1
    configure_logs(plan.settings())
    if role == "worker":
        return _worker(plan, folder, names[0])
    return asyncio.run(_until_signal(_roles(role), plan, folder))


def _worker(plan: Plan, folder: Folder, worker_id: str) -> int:
    from streams.worker import run

    asyncio.run(folder.passed("topics"))
    return run(plan.settings(worker_id))


def _roles(role: str) -> _Role:
    if role == "replay":
        from streams.demo.market import play_market

        return play_market
    if role == "exchange":
        from streams.demo.exchange import run_exchange

        return run_exchange
    if role == "page":
        from streams.demo.page import serve_page

        return serve_page
    # The check runs when the screen has little else to show; it may take every bit of this core.
    from streams.demo.check import run_check

    return run_check


async def _until_signal(role: _Role, plan: Plan, folder: Folder) -> int:
    stop = asyncio.Event()
    running = asyncio.ensure_future(role(plan, folder, stop))

    def end() -> None:
        stop.set()
        # What does not look at `stop` (waiting for a gate, reading a topic) is cut short.
        asyncio.get_running_loop().call_later(_STOP_SECONDS, running.cancel)

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        return await running
    except asyncio.CancelledError:
        return 0 if stop.is_set() else 1


_STOP_SECONDS = 3.0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    # Threads of client libraries that still wait for a broker must not hold the process.
    os._exit(code)
