"""What a process beside the measuring one is started with, and what it answers: small files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from streams.settings import Settings

__all__ = ["Done", "MemberJob", "Ready"]


class MemberJob(msgspec.Struct, frozen=True, kw_only=True):
    """A process's role, where Kafka is, and how much it shall take."""

    role: str
    brokers: str
    redis_url: str
    prefix: str
    partitions: int
    worker_id: str
    data_dir: str
    session_timeout: float
    intake: Literal["faust", "aiokafka"] = "faust"
    metrics_port: int = 0
    warm: int = 0
    """Records after which a role that folds events is ready."""
    rounds: tuple[int, ...] = ()
    """After these it tells, once for each, that it has taken so many more."""

    def settings(self) -> Settings:
        """Return settings that neither the user's environment nor a `.env` file touches."""
        apart: dict[str, Any] = {"_env_file": None, "_env_prefix": "LIQMON_BENCH_"}
        return Settings(
            **apart,
            brokers=self.brokers,
            redis_url=self.redis_url,
            topic_prefix=self.prefix,
            partitions=self.partitions,
            worker_id=self.worker_id,
            data_dir=Path(self.data_dir),
            session_timeout=self.session_timeout,
            heartbeat_interval=min(1.0, self.session_timeout / 3),
            intake=self.intake,
            metrics_port=self.metrics_port,
            log_level="warning",
        )


class Ready(msgspec.Struct, frozen=True):
    """Written once the role reads what comes."""

    at_ns: int


class Done(msgspec.Struct, frozen=True):
    """Written when a round's records are taken; the monotonic clock is the machine's."""

    count: int
    at_ns: int
