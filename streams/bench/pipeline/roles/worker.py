"""The worker itself, as `liqmon worker` runs it."""

from __future__ import annotations

from streams.bench.pipeline.job import MemberJob
from streams.bench.pipeline.roles.report import Report
from streams.logs import configure_logs
from streams.worker import run as run_worker

__all__ = ["run"]


def run(job: MemberJob, report: Report) -> None:
    """Run one worker; whether it is ready its own `/readyz` says."""
    del report
    settings = job.settings()
    configure_logs(settings)
    run_worker(settings)
