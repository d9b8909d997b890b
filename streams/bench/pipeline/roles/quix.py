"""quixstreams dataframes that add up per account: without state, and with state and changelog."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from streams.bench.part import BenchError
from streams.bench.pipeline.job import MemberJob
from streams.bench.pipeline.roles.report import Report

__all__ = ["run_stateful", "run_stateless"]

_TRIES = 10
_PAUSE_SECONDS = 0.5


def run_stateless(job: MemberJob, report: Report) -> None:
    """Decode each event and take its amount."""

    def amount(value: dict[str, Any]) -> float:
        report.took()
        return float(value["amount"])

    _run(job, amount, stateful=False)


def run_stateful(job: MemberJob, report: Report) -> None:
    """Add amounts up in RocksDB, with a changelog on Kafka."""

    def add(value: dict[str, Any], state: Any) -> float:
        total: float = state.get("sum", 0.0) + float(value["amount"])
        state.set("sum", total)
        report.took()
        return total

    _run(job, add, stateful=True)


def _run(job: MemberJob, function: Callable[..., float], *, stateful: bool) -> None:
    try:
        from quixstreams import Application
        from quixstreams.models.topics.exceptions import TopicNotFoundError
    except ImportError:
        raise BenchError(
            "quixstreams is not installed: it comes with the extra `bench` "
            "(pip install 'liqmon[bench]')"
        ) from None
    milliseconds = int(job.session_timeout * 1000)
    for left in reversed(range(_TRIES)):
        app = Application(
            broker_address=job.brokers,
            consumer_group=f"{job.prefix}quix",
            auto_offset_reset="earliest",
            state_dir=job.data_dir,
            consumer_extra_config={
                "session.timeout.ms": milliseconds,
                "max.poll.interval.ms": milliseconds,
            },
            loglevel="WARNING",
        )
        topic = app.topic(
            f"{job.prefix}transfers", key_deserializer="bytes", value_deserializer="json"
        )
        try:
            frame: Any = app.dataframe(topic)
            frame.apply(function, stateful=stateful)
            app.run()
        except TopicNotFoundError:
            # A broker that is busy does not show the changelog at once when it has made it.
            if not left:
                raise
            time.sleep(_PAUSE_SECONDS)
