"""quixstreams dataframes that add up per account: in memory of nothing, and with state and changelog."""

from __future__ import annotations

import warnings
from typing import Any

from streams.bench.part import BenchError
from streams.bench.pipeline.job import MemberJob
from streams.bench.pipeline.roles.report import Report

__all__ = ["run_stateful", "run_stateless"]


def run_stateless(job: MemberJob, report: Report) -> None:
    """Decode each event and take its amount."""
    app, frame = _frame(job)

    def amount(value: dict[str, Any]) -> float:
        report.took()
        return float(value["amount"])

    frame.apply(amount)
    app.run()


def run_stateful(job: MemberJob, report: Report) -> None:
    """Add amounts up in RocksDB, with a changelog on Kafka."""
    app, frame = _frame(job)

    def add(value: dict[str, Any], state: Any) -> float:
        total: float = state.get("sum", 0.0) + float(value["amount"])
        state.set("sum", total)
        report.took()
        return total

    frame.apply(add, stateful=True)
    app.run()


def _frame(job: MemberJob) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        # Deprecations between its own dependencies; nothing a reader of figures can act on.
        warnings.simplefilter("ignore")
        try:
            from quixstreams import Application
        except ImportError:
            raise BenchError(
                "quixstreams is not installed: it comes with the extra `bench` "
                "(pip install 'liqmon[bench]')"
            ) from None
    milliseconds = int(job.session_timeout * 1000)
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
    topic = app.topic(f"{job.prefix}transfers", key_deserializer="bytes", value_deserializer="json")
    return app, app.dataframe(topic)
