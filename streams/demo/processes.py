"""The demo's processes: started together, watched, and ended so that none is left behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from streams.demo.plan import Folder, until
from streams.embedded import Services
from streams.embedded.process import GuardedProcess

__all__ = ["ChildEnded", "Children", "in_thread", "new_data_dir", "remove", "remove_data"]

_LOOK_SECONDS = 0.2
_REMOVE_TRIES = 20
_Result = TypeVar("_Result")


class ChildEnded(RuntimeError):
    """Raised when a process of the demo ends by itself; the text names its log and shows its end."""


def new_data_dir() -> Path:
    """Make a fresh data directory, under LIQMON_DATA_DIR when that is set."""
    chosen = os.environ.get("LIQMON_DATA_DIR")
    if chosen:
        Path(chosen).mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="liqmon-demo-", dir=chosen or None)).resolve()


def remove(path: Path) -> None:
    """Remove a data directory; a process that was just killed may still have added a file."""
    for _ in range(_REMOVE_TRIES):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return


def remove_data(path: Path) -> None:
    """Remove what Kafka and Redis stored; logs and reports stay."""
    for part in ("kafka", "redis"):
        remove(path / "services" / part)


async def in_thread(function: Callable[[], _Result]) -> _Result:
    """Run a blocking call in a thread that cannot hold the process when it ends."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Result] = loop.create_future()

    def settle(result: _Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # None only beside an error

    def run() -> None:
        try:
            outcome: tuple[_Result | None, BaseException | None] = (function(), None)
        # It is raised again where the call is awaited.
        except BaseException as error:  # noqa: BLE001
            outcome = (None, error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, daemon=True).start()
    return await future


class Children:
    """Kafka, Redis and the processes of this package, under one data directory."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.services = Services(folder.path / "services")
        self._children: dict[str, GuardedProcess] = {}
        self._launching: asyncio.Future[None] | None = None
        self._ending: set[str] = set()
        """Processes that may end by themselves, with exit code 0."""
        self._services_watched = False

    # -- starting -----------------------------------------------------------------------------

    async def start_services(self) -> None:
        """Start Kafka and Redis; raises EmbeddedError with the end of the log."""
        self._launching = asyncio.ensure_future(in_thread(self._launch))
        await asyncio.shield(self._launching)
        await in_thread(self.services.redis.wait_ready)
        await in_thread(self.services.kafka.wait_ready)
        self._services_watched = True

    def _launch(self) -> None:
        self.services.redis.launch()
        self.services.kafka.launch()

    def start(self, name: str, role: str, *arguments: str) -> None:
        """Start one process of this package; it waits by itself for what it needs."""
        child = GuardedProcess(name, self._folder.log(name))
        # The user's own settings are for the user's own Kafka.
        env = {key: "" for key in os.environ if key.startswith("LIQMON_")}
        command = [sys.executable, "-m", "streams.demo.child", role, str(self._folder.path)]
        child.spawn([*command, *arguments], env)
        self._children[name] = child

    # -- watching -----------------------------------------------------------------------------

    async def watch(self) -> None:
        """Return never; raise `ChildEnded` when a process ends that was not told to."""
        while True:
            for name, child in self._children.items():
                if not child.running and (child.exit_code != 0 or name not in self._ending):
                    raise ChildEnded(self.obituary(name))
            if self._services_watched:
                for service in (self.services.kafka, self.services.redis):
                    if not service.running:
                        raise ChildEnded(f"{type(service).__name__} ended; log {service.log}")
            await asyncio.sleep(_LOOK_SECONDS)

    def obituary(self, name: str) -> str:
        """Say how a process ended, and show the end of its log."""
        child = self._children[name]
        return (
            f"{name} ended with exit code {child.exit_code}; log {child.log}, which ends with:\n"
            f"{child.tail()}"
        )

    async def finished(self, name: str) -> None:
        """Return when a process has ended as it should; raises `ChildEnded` when it failed."""
        self._ending.add(name)
        child = self._children[name]
        await until(lambda: not child.running, _LOOK_SECONDS)
        if child.exit_code != 0:
            raise ChildEnded(self.obituary(name))
        del self._children[name]

    # -- ending -------------------------------------------------------------------------------

    async def stop(self, name: str, seconds: float) -> None:
        """Ask a process to end, and kill it when it has not in time."""
        child = self._children.pop(name)
        await in_thread(lambda: child.stop(seconds))

    async def kill_all(self) -> None:
        """End everything at once, however far it has come."""
        self._services_watched = False
        if self._launching is not None:
            # Until then there may be a process that nobody knows of yet.
            await asyncio.wait({self._launching})
            self._launching.exception()
        children = list(self._children.values())
        self._children.clear()
        kills = [child.kill for child in children]
        kills += [self.services.kafka.kill, self.services.redis.kill]
        await asyncio.gather(*(in_thread(kill) for kill in kills))
