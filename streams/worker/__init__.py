"""The stream worker: intake, ticks, reference set and journal around one engine."""

from streams.worker.service import run, serve
from streams.worker.worker import Worker

__all__ = ["Worker", "run", "serve"]
