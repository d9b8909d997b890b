"""`liqmon verify`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from streams.commands.running import settings_and_logs
from streams.connection import kafka_client
from streams.exceptions import CommandError
from streams.verify import MissingTopicError, verify

__all__ = ["run"]

_LINE_SECONDS = 5.0
_INTERRUPTED = 130


def run(*, as_json: bool) -> int:
    """Check the topics; return 1 when something was found. Raises `CommandError`."""
    settings = settings_and_logs()
    client = kafka_client(settings)
    brokers = client.pop("bootstrap_servers")
    # The check computes for minutes in a thread, which nothing can interrupt; it only reads.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(_INTERRUPTED))
    shown = _Shown()
    try:
        report = asyncio.run(
            verify(brokers, prefix=settings.topic_prefix, client=client, progress=shown.show)
        )
    except MissingTopicError as error:
        raise CommandError(f"{error} (liqmon topics creates them)") from error
    except KafkaError as error:
        raise CommandError(f"brokers {settings.brokers}: {error!r}") from error
    finally:
        shown.end()
    if as_json:
        typer.echo(report.to_json())
    elif sys.stdout.isatty():
        Console().print(report)
    else:
        typer.echo("\n".join(report.lines()))
    return report.exit_status


class _Shown:
    """Progress on standard error: in place on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()

    def show(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._terminal and now - self._last < _LINE_SECONDS:
            return
        self._last = now
        text = f"{what}: {done:,} of {total:,}"
        sys.stderr.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
