"""Kafka and Redis together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from streams.embedded.kafka import Kafka
from streams.embedded.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Services"]


class Services:
    """Both services under one data directory; a context manager that starts and stops them."""

    def __init__(
        self,
        data_dir: Path,
        *,
        kafka_port: int | None = None,
        redis_port: int | None = None,
        kafka_settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.kafka = Kafka(data_dir, port=kafka_port, settings=kafka_settings)
        self.redis = Redis(data_dir, port=redis_port)

    def start(self, timeout: float = 60) -> None:
        """Start both side by side; raise what their own `start` raises, with none left behind."""
        try:
            self.redis.launch()
            self.kafka.launch()
            self.redis.wait_ready(timeout)
            self.kafka.wait_ready(timeout)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout: float = 10) -> None:
        """End both in order, Kafka first; SIGKILL for what takes longer than `timeout` seconds."""
        self.kafka.stop(timeout)
        self.redis.stop(timeout)

    def kill(self) -> None:
        """Send SIGKILL to both."""
        self.kafka.kill()
        self.redis.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
