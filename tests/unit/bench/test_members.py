"""How the processes of `liqmon bench pipeline` tell one another what they have done."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.bench.part import read_file
from streams.bench.pipeline.job import Done, MemberJob, Ready
from streams.bench.pipeline.load import Probed
from streams.bench.pipeline.roles.report import Report
from streams.bench.pipeline.seeding import partition_of


def job(warm: int, *rounds: int) -> MemberJob:
    return MemberJob(
        role="aiokafka",
        brokers="127.0.0.1:1",
        redis_url="none",
        prefix="p-",
        partitions=16,
        worker_id="one",
        data_dir="data",
        session_timeout=6.0,
        warm=warm,
        rounds=rounds,
    )


def test_a_role_is_ready_when_it_is_warm_and_done_after_each_round(tmp_path: Path) -> None:
    report = Report(tmp_path, job(10, 100, 50))
    report.took(9)
    assert read_file(tmp_path / "ready.json", Ready) is None
    report.took()
    assert read_file(tmp_path / "ready.json", Ready) is not None
    report.took(99)
    assert read_file(tmp_path / "round-0.json", Done) is None
    report.took(1)
    first = read_file(tmp_path / "round-0.json", Done)
    assert first is not None
    assert first.count == 110
    for _ in range(50):
        report.took()
    second = read_file(tmp_path / "round-1.json", Done)
    assert second is not None
    assert second.count == 160
    assert second.at_ns >= first.at_ns
    report.took(1_000)
    assert read_file(tmp_path / "round-2.json", Done) is None


def test_without_warming_rounds_begin_at_once(tmp_path: Path) -> None:
    report = Report(tmp_path, job(0, 5))
    report.took(5)
    assert not (tmp_path / "ready.json").exists()
    assert (tmp_path / "round-0.json").exists()


def test_a_jobs_settings_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQMON_BROKERS", "elsewhere:9092")
    settings = job(0).settings()
    assert settings.brokers == "127.0.0.1:1"
    assert settings.topic_prefix == "p-"
    assert settings.heartbeat_interval * 3 <= settings.session_timeout


def test_accounts_go_where_every_producer_puts_them() -> None:
    # As Kafka's own client: murmur2 of "21" is -973932308, of "foobar" -790332482.
    assert partition_of("21", 16) == (-973932308 & 0x7FFFFFFF) % 16
    assert partition_of("foobar", 7) == (-790332482 & 0x7FFFFFFF) % 7


def test_a_probe_that_nobody_answers_counts_with_its_wait() -> None:
    probed = Probed(sent={0: 0, 1: 5_000_000}, came={0: 2_000_000})
    answered, waited = probed.latencies([0, 1])
    assert answered == 2.0
    assert waited > answered
    assert probed.unanswered([0, 1]) == 1
