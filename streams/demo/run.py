"""One demo from nothing to its verdict."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from streams.demo.figures import Figures
from streams.demo.options import DemoOptions
from streams.demo.page import PageStatus, has_display, open_page
from streams.demo.plan import CheckStatus, ExchangeStatus, Folder, Market, MarketStatus, Plan, until
from streams.demo.processes import (
    ChildEnded,
    Children,
    in_thread,
    new_data_dir,
    remove,
    remove_data,
)
from streams.demo.show import full_screen, keep_showing
from streams.demo.stage import Stage, Step
from streams.embedded import EmbeddedError

if TYPE_CHECKING:
    from streams.demo.follow import Follower

__all__ = ["DemoFailed", "run"]

_LOOK_SECONDS = 0.1
_READY_SECONDS = 180.0
"""How long workers may take until they cover everything; 20,000 accounts take a tenth of it."""
_QUIET_SECONDS = 3.0
"""Without a cancel or a reduction for so long, with hardly a tick waiting, the episodes rest."""
_FEW_TICKS = 100
"""Beats go on while the episodes come to rest, so a heartbeat may always see some."""
_CATCH_UP_SECONDS = 300.0
"""How long workers that fell behind may take to see the last tick."""
_SETTLE_SECONDS = 20.0
_STOP_SECONDS = 5.0
_COVERED_SECONDS = 15.0
_ALL_PARTITIONS = frozenset(range(16))


class DemoFailed(RuntimeError):
    """Raised when the demo cannot go on; the text says why and what to look at."""


class BadInput(DemoFailed):
    """Raised when the recording or its map cannot be used; the text names what and where."""


def run(options: DemoOptions) -> int:
    """Run a demo; return the exit code.

    0: the check over the topics is clean; 1: it is not, or the demo failed; 128 + n: ended by
    signal n, 130 for Ctrl-C. Whatever happens, no process is left, and no file but the logs and
    the report after a 1.
    """
    console = Console(highlight=False)
    folder = Folder(new_data_dir())
    code, logs = int(128 + signal.SIGINT), True
    try:
        code = asyncio.run(_run(options, folder, console))
    except BadInput as error:
        code = 1
        logs = False
        sys.stderr.write(f"{error}\n")
    except (DemoFailed, ChildEnded, EmbeddedError) as error:
        code = 1
        sys.stderr.write(f"{error}\n")
    except KeyboardInterrupt:
        # Only before the handlers stand, when nothing was started.
        sys.stderr.write("interrupted\n")
    finally:
        _leave(folder.path, everything=options.keep, logs=logs and code == 1)
    return code


def _leave(path: Path, *, everything: bool, logs: bool) -> None:
    """Remove the data directory, or what of it nobody asked for."""
    # Nothing runs any more; a Ctrl-C in this last moment would only leave half of the files.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if everything:
        sys.stderr.write(f"kept: {path}\n")
    elif logs:
        remove_data(path)
        sys.stderr.write(f"logs and report: {path}\n")
    else:
        remove(path)


async def _run(options: DemoOptions, folder: Folder, console: Console) -> int:
    """Run until the end or a signal, and leave no process behind."""
    children = Children(folder)
    demo = _Demo(options, folder, children, console)
    task = asyncio.ensure_future(demo.run())
    with _signals(task) as got:
        try:
            return await task
        except asyncio.CancelledError:
            if not got:
                raise
        finally:
            await children.kill_all()
    name = signal.Signals(got[0]).name
    sys.stderr.write(f"{'interrupted' if got[0] == signal.SIGINT else name}, all ended\n")
    return 128 + got[0]


@contextlib.contextmanager
def _signals(task: asyncio.Task[int]) -> Iterator[list[int]]:
    """Cancel the task at the first signal; give the list in which it is then noted."""
    got: list[int] = []
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int) -> None:
        # Once only: what cleans up after the first must not be cut short by the second.
        if not got:
            got.append(number)
            task.cancel()

    for number in numbers:
        loop.add_signal_handler(number, end, number)
    try:
        yield got
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


class _Demo:
    def __init__(
        self, options: DemoOptions, folder: Folder, children: Children, console: Console
    ) -> None:
        self._options = options
        self._folder = folder
        self._children = children
        self._console = console
        self._figures = Figures()
        self._stage = Stage(options.accounts)
        self._plan = self._make_plan()
        self._follower: Follower | None = None

    def _make_plan(self) -> Plan:
        options, services = self._options, self._children.services

        def absolute(path: Path | None) -> str | None:
            return None if path is None else str(path.resolve())

        return Plan(
            brokers=services.kafka.bootstrap,
            redis_url=services.redis.url,
            accounts=options.accounts,
            seed=options.seed,
            workers=options.workers,
            replay=absolute(options.replay),
            symbol_map=absolute(options.symbol_map),
            speed=options.speed,
            duration=options.duration,
            intake=os.environ.get("LIQMON_INTAKE") or "faust",
        )

    async def run(self) -> int:
        """Show everything and run it; print the summary when the screen is given back."""
        with keep_showing(self._console, self._stage, self._figures):
            await self._watched()
        from streams.demo.check import read_report
        from streams.demo.summary import print_summary

        report = read_report(self._folder)
        market = self._stage.market
        title = f"liqmon demo: {market.name if market else ''}, {self._stage.elapsed:.0f} s"
        plain = not full_screen(self._console)
        print_summary(self._console, report, title=title, plain_text=plain)
        if report.accounts < self._options.accounts:
            # A check that did not see everything proves nothing.
            msg = f"the check read {report.accounts:,} of {self._options.accounts:,} accounts"
            raise DemoFailed(msg)
        return report.exit_status

    async def _watched(self) -> None:
        """Run all phases; a process that ends by itself ends them."""
        watching = asyncio.ensure_future(self._children.watch())
        going = asyncio.ensure_future(self._phases())
        naming = asyncio.ensure_future(self._name_page())
        try:
            await asyncio.wait({watching, going}, return_when=asyncio.FIRST_COMPLETED)
            if not going.done():
                # Where a child knows a reason, that says more than the end of its log.
                self._raise_known_error()
                watching.result()
            await going
        finally:
            if self._follower is not None:
                self._follower.stop()
            for task in (watching, going, naming):
                task.cancel()
            await asyncio.gather(watching, going, naming, return_exceptions=True)

    def _raise_known_error(self) -> None:
        status = self._folder.read("replay", MarketStatus)
        if status is not None and status.error is not None:
            raise BadInput(status.error)

    async def _name_page(self) -> None:
        """Say where the page is, and open it where somebody sits in front of a screen."""
        page = await self._folder.wait_for("page", PageStatus)
        self._stage.page = page.url
        if not full_screen(self._console):
            sys.stdout.write(f"page: {page.url}\n")
            sys.stdout.flush()
        if not self._options.no_browser and self._console.is_terminal and has_display():
            await in_thread(lambda: open_page(page.url))

    async def _phases(self) -> None:
        await self._start()
        self._stage.phase = "playing"
        self._folder.open("play")
        await self._until(lambda: self._replay().done)
        self._stage.phase = "settling"
        await self._settle()
        self._stage.phase = "stopping"
        await self._children.stop("replay", _STOP_SECONDS)
        await self._children.stop("exchange", _STOP_SECONDS)
        # What no heartbeat covers cannot be checked, so the last one must come after the last tick.
        with contextlib.suppress(TimeoutError):
            covered = self._figures.covered_partitions
            await asyncio.wait_for(until(lambda: covered() == _ALL_PARTITIONS), _COVERED_SECONDS)
        await asyncio.gather(
            *(self._children.stop(name, 2 * _STOP_SECONDS) for name in self._worker_names())
        )
        self._stage.phase = "checking"
        await self._check()
        self._stage.phase = "done"

    # -- start --------------------------------------------------------------------------------

    def _worker_names(self) -> list[str]:
        return [f"worker-{number}" for number in range(1, self._options.workers + 1)]

    async def _start(self) -> None:
        """Start everything side by side; each process waits by itself for what it needs."""
        stage, accounts = self._stage, self._options.accounts
        stage.steps = {
            "services": Step("Kafka and Redis"),
            "market": Step("market and reference set"),
            "accounts": Step(f"{accounts:,} accounts"),
            "workers": Step("1 worker" if self._options.workers == 1 else "workers"),
        }
        self._folder.write("plan", self._plan)
        services = asyncio.ensure_future(self._start_services())
        for name in ("replay", "exchange", "page"):
            self._children.start(name, name)
        for name in self._worker_names():
            self._children.start(name, "worker", name)
        try:
            stage.market = await self._folder.wait_for("market", Market)
            await services
        finally:
            services.cancel()
        await self._folder.passed("topics")
        # Client libraries take long to import; by now all processes are on their way.
        from streams.demo.follow import Follower

        self._follower = Follower(self._plan.settings(), self._figures)
        self._follower.start()
        await self._folder.passed("inputs")
        stage.finish("market")
        await self._until(self._is_ready, _READY_SECONDS, "workers and exchange are not ready")

    async def _start_services(self) -> None:
        await self._children.start_services()
        self._folder.open("kafka")
        self._stage.finish("services")

    def _is_ready(self) -> bool:
        """Whether accounts are out and taken in, all partitions are covered, commands are read."""
        steps, total = self._stage.steps, self._options.accounts
        exchange = self._folder.read("exchange", ExchangeStatus) or ExchangeStatus()
        known = self._figures.known_accounts()
        covered = len(self._figures.ready_partitions())
        steps["accounts"].detail = f"{exchange.published:,} out"
        steps["workers"].detail = f"{known:,} accounts known, {covered} of 16 partitions ready"
        if exchange.ready:
            self._stage.finish("accounts")
        ready = covered == len(_ALL_PARTITIONS) and known >= total
        if ready:
            self._stage.finish("workers")
        return ready and exchange.ready

    # -- play and check -----------------------------------------------------------------------

    def _replay(self) -> MarketStatus:
        status = self._folder.read("replay", MarketStatus)
        if status is not None:
            self._stage.replay = status
        return self._stage.replay

    async def _settle(self) -> None:
        """Wait until no command is under way; a bounded time, for some may never get an answer."""
        figures = self._figures
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(until(lambda: figures.lag() <= _FEW_TICKS), _CATCH_UP_SECONDS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                until(lambda: figures.quiet_seconds() > _QUIET_SECONDS), _SETTLE_SECONDS
            )

    async def _check(self) -> None:
        finished = asyncio.ensure_future(self._run_check())
        try:
            while not finished.done():
                self._stage.check = self._folder.read("check", CheckStatus) or CheckStatus()
                await asyncio.wait({finished}, timeout=_LOOK_SECONDS)
            await finished
        finally:
            finished.cancel()

    async def _run_check(self) -> None:
        self._children.start("check", "check")
        await self._children.finished("check")

    async def _until(
        self, reached: Callable[[], bool], seconds: float | None = None, failure: str = ""
    ) -> None:
        """Return when `reached` says so; raises `DemoFailed` after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await until(reached, _LOOK_SECONDS)
        except TimeoutError:
            if not failure:
                raise
            detail = "; ".join(
                f"{step.what}: {step.detail}"
                for step in self._stage.steps.values()
                if step.done_at is None
            )
            msg = f"{failure} after {seconds:g} s ({detail}); logs in {self._folder.path / 'logs'}"
            raise DemoFailed(msg) from None
