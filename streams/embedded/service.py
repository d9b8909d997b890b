"""The embedded services in the foreground, for `liqmon services`."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from streams.embedded.exceptions import EmbeddedError
from streams.embedded.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["serve"]

_CHECK_SECONDS = 0.5


def serve(
    kafka_port: int | None = None, redis_port: int | None = None, data_dir: Path | None = None
) -> int:
    """Run Kafka and Redis until SIGINT or SIGTERM; return the exit code.

    Prints one JSON line, `{"kafka": ..., "redis": ...}`, when both are ready. Without `data_dir`
    everything goes to a temporary directory that is removed at the end.
    """
    with contextlib.ExitStack() as stack:
        if data_dir is None:
            data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="liqmon-")))
        stop = stack.enter_context(_stop_signals())
        try:
            with Services(data_dir, kafka_port=kafka_port, redis_port=redis_port) as services:
                addresses = {"kafka": services.kafka.bootstrap, "redis": services.redis.url}
                sys.stdout.write(json.dumps(addresses) + "\n")
                sys.stdout.flush()
                return _watch(services, stop)
        except EmbeddedError as error:
            sys.stderr.write(f"{error}\n")
            return 1


def _watch(services: Services, stop: threading.Event) -> int:
    """Wait for the stop signal; end with an error when a service ends by itself."""
    while not stop.wait(_CHECK_SECONDS):
        for service in (services.kafka, services.redis):
            if not service.running:
                sys.stderr.write(f"{type(service).__name__} ended; log file {service.log}\n")
                return 1
    return 0


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Give the event that SIGINT and SIGTERM set, also while the services start."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
