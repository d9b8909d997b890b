"""Bare Faust agents: without state, and with a table of bytes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import faust

from streams.bench.pipeline.job import MemberJob
from streams.bench.pipeline.roles.report import Report

__all__ = ["run_bare", "run_table"]


def run_bare(job: MemberJob, report: Report) -> None:
    """Take raw bytes and do nothing with them."""
    app = _app(job)

    @app.agent(_topic(app, job))  # type: ignore[untyped-decorator,unused-ignore]
    async def take(stream: Any) -> None:
        async for _ in stream:
            report.took()

    asyncio.run(_serve(app))


def run_table(job: MemberJob, report: Report) -> None:
    """Count the events of each account in a table with a changelog."""
    app = _app(job)
    counts: Any = app.Table(
        "counts", key_type=bytes, value_type=bytes, default=bytes, partitions=job.partitions
    )

    @app.agent(_topic(app, job))  # type: ignore[untyped-decorator,unused-ignore]
    async def take(stream: Any) -> None:
        async for event in stream.events():
            counts[event.key] = b"%d" % (int(counts[event.key] or b"0") + 1)
            report.took()

    asyncio.run(_serve(app))


def _app(job: MemberJob) -> faust.App:
    datadir = Path(job.data_dir)
    datadir.mkdir(parents=True, exist_ok=True)
    return faust.App(
        f"{job.prefix}faust",
        broker="kafka://" + job.brokers,
        broker_session_timeout=job.session_timeout,
        broker_heartbeat_interval=1.0,
        broker_rebalance_timeout=2 * job.session_timeout,
        broker_max_poll_interval=job.session_timeout,
        consumer_auto_offset_reset="earliest",
        datadir=datadir,
        store="memory://",
        topic_partitions=job.partitions,
        topic_disable_leader=True,
        autodiscover=False,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )


def _topic(app: faust.App, job: MemberJob) -> Any:
    return app.topic(
        f"{job.prefix}transfers",
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        partitions=job.partitions,
    )


async def _serve(app: faust.App) -> None:
    app.finalize()
    await app.start()
    await asyncio.Event().wait()
