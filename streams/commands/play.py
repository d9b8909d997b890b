"""`liqmon replay` and `liqmon simulate`."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import structlog
import typer

from streams.commands.running import run_until_stopped, settings_and_logs
from streams.connection import kafka_client
from streams.exceptions import CommandError
from streams.reference import published_file
from streams.replay import (
    Pace,
    Progress,
    ReplayError,
    ReplayReport,
    ReplaySettings,
    Target,
    replay,
)
from streams.settings import Settings
from streams.simulator import MissingTopic, SimulateSettings, simulate

__all__ = ["run_replay", "run_simulate"]

_log = structlog.get_logger(__name__)

_LINE_SECONDS = 5.0


def run_replay(file: Path, speed: float, symbol_map: Path | None, *, raw: bool) -> int:
    """Publish a recorded file on the tick topic; raises `CommandError`."""
    settings = settings_and_logs()
    request = ReplaySettings(
        file=file,
        target=Target(settings.brokers, settings.topic_prefix, _security(settings)),
        pace=Pace(speed=speed, clock=settings.clock),
        symbol_map=symbol_map,
        raw=raw,
    )
    shown = _Shown()

    async def main(stop: asyncio.Event) -> ReplayReport:
        if settings.clock == "event":
            _warn_of_scale(await published_file(settings), request.pace.time_scale)
        return await replay(request, progress=shown.show, stop=stop)

    try:
        report = run_until_stopped(main)
    except ReplayError as error:
        raise CommandError(str(error)) from error
    finally:
        shown.end()
    _summarise(report)
    return 0


def _warn_of_scale(reference: dict[str, Any] | None, needed: float) -> None:
    """Say when deadlines on the event clock would pass in another time than on the wall."""
    published = float((reference or {}).get("policy", {}).get("time_scale", 1))
    if published != needed:
        _log.warning(
            "time_scale_differs",
            published=published,
            speed=needed,
            hint="publish a policy with this time_scale, and max_age_seconds of 10 times as much",
        )


def _security(settings: Settings) -> dict[str, Any]:
    """Return what aiokafka needs apart from the brokers' addresses."""
    client = kafka_client(settings)
    del client["bootstrap_servers"]
    return client


class _Shown:
    """Progress on standard error: in place on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if not self._terminal and now - self._last < _LINE_SECONDS:
            return
        self._last = now
        at = time.strftime("%Y-%m-%d %H:%M", time.gmtime(progress.recorded_ns / 1e9))
        text = (
            f"{progress.fraction:6.1%}  {at}  {progress.published:,} ticks  {progress.rate:,.0f}/s"
        )
        if progress.late >= 1:
            text += f"  {progress.late:.0f} s behind"
        sys.stderr.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        if self._terminal:
            sys.stderr.write("\n")


def _summarise(report: ReplayReport) -> None:
    played = report.played
    typer.echo(
        f"{report.layout}: {report.points:,} points of {len(report.series)} series, "
        f"{report.interpolated:,} interpolated"
    )
    typer.echo(
        f"{played.published:,} ticks of {len(report.symbols)} symbols and {played.beats:,} beats "
        f"in {played.seconds:.1f} s{', stopped before the end' if played.stopped else ''}"
    )
    for series, count in sorted(report.unmapped.items()):
        typer.echo(f"series {series}: {count:,} points feed no symbol", err=True)
    if report.bad.count:
        typer.echo(f"{report.bad.count:,} rows without a price:", err=True)
        for sample in report.bad.samples:
            typer.echo(f"  {sample}", err=True)


def run_simulate(accounts: int, seed: int) -> int:
    """Be the exchange until stopped; raises `CommandError`."""
    settings = settings_and_logs()

    async def main(stop: asyncio.Event) -> int:
        reference = await published_file(settings)
        if reference is None:
            _log.warning("reference_missing", used="the packaged set")
        policy = (reference or {}).get("policy", {})
        counters = await simulate(
            SimulateSettings(
                brokers=settings.brokers,
                client=_security(settings),
                prefix=settings.topic_prefix,
                accounts=accounts,
                seed=seed,
                clock=settings.clock,
                time_scale=float(policy.get("time_scale", 1)),
                reference=reference,
            ),
            stop,
            progress=lambda p: _log.info("accounts", published=p.published, total=p.total),
        )
        for name, count in counters.as_dict().items():
            typer.echo(f"{name} {count}")
        return 0

    try:
        return run_until_stopped(main)
    except MissingTopic as error:
        raise CommandError(f"{error} (liqmon topics creates them)") from error
