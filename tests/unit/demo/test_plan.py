"""Options, speeds, files between processes, and the summary."""

import asyncio
import io
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from streams.demo import DemoOptions, OptionsError
from streams.demo.check import read_report, report_path
from streams.demo.market import chosen_speed
from streams.demo.plan import ExchangeStatus, Folder, Plan
from streams.demo.summary import print_summary, verdict
from streams.verify import VerifyReport, Violation


def _report() -> VerifyReport:
    return VerifyReport(
        commands=Counter(warning=12, order_cancel=5, reduction=4, episode=9),
        notices=Counter({"warning entered": 12, "opened": 3, "closed": 2, "bankrupt": 1}),
        cancels=Counter({"ES-4": 5}),
        reductions=Counter(unhedged=3, takeover=1),
        episodes_opened=3,
        episodes_closed=2,
        saved_by_cancel=1,
        bankrupt_accounts=1,
        shortfall=Decimal("12.3456"),
        resends=2,
        duplicates=1,
        dead_letters=Counter({"unknown account": 1}),
        accounts=500,
        ticks=1000,
        account_events=600,
        crossings_answered=21,
        crossings_excused=Counter({"not ready": 2}),
        violations=[Violation("crossing", f"acc-{n}", "a warning", "nothing") for n in range(7)],
    )


def test_wrong_options_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(OptionsError) as caught:
        DemoOptions(replay=tmp_path / "none.csv", speed=0.0, accounts=0, workers=17)
    named = [error.split()[0] for error in caught.value.errors]
    assert named == ["--replay", "--speed", "--accounts", "--workers"]


def test_a_recording_takes_speed_or_duration() -> None:
    with pytest.raises(OptionsError, match="give one of them"):
        DemoOptions(replay=Path(__file__), speed=2.0, duration=10.0)


@pytest.mark.parametrize(
    ("speed", "duration", "chosen"),
    [(None, None, 1152.0), (60.0, None, 60.0), (None, 100.0, 3456.0)],
)
def test_four_days_take_five_minutes_unless_told_otherwise(
    speed: float | None, duration: float | None, chosen: float
) -> None:
    assert chosen_speed(345_600.0, speed, duration) == chosen


def test_a_short_recording_is_not_slowed_down() -> None:
    assert chosen_speed(60.0, None, None) == 1.0


def test_settings_of_the_demo_are_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIQMON_TOPIC_PREFIX", "production.")
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("LIQMON_SECURITY_PROTOCOL=SSL\nLIQMON_BROKERS=elsewhere:9092\n")
    plan = Plan("127.0.0.1:1", "redis://127.0.0.1:2", 5, 1, 1, None, None, None, None)
    settings = plan.settings("worker-1")
    assert settings.brokers == "127.0.0.1:1"
    assert settings.topic_prefix == ""
    assert settings.security_protocol == "PLAINTEXT"
    assert (settings.worker_id, settings.clock) == ("worker-1", "event")


async def test_files_and_gates_pass_from_process_to_process(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    waiting = asyncio.gather(folder.wait_for("exchange", ExchangeStatus), folder.passed("topics"))
    await asyncio.sleep(0)
    assert folder.read("exchange", ExchangeStatus) is None
    assert not folder.is_open("topics")
    folder.write("exchange", ExchangeStatus(7, ready=True))
    folder.open("topics")
    found, _ = await waiting
    assert found == ExchangeStatus(7, ready=True)


def test_the_report_survives_its_file(tmp_path: Path) -> None:
    folder, report = Folder(tmp_path), _report()
    report_path(folder).write_text(report.to_json())
    assert read_report(folder) == report
    assert json.loads(report.to_json())["clean"] is False


def test_the_summary_says_what_the_check_counted() -> None:
    console = Console(file=io.StringIO(), width=100)
    report = _report()
    print_summary(console, report, title="liqmon demo", plain_text=True)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for words in (
        "12 warnings, 5 order cancels, 4 reductions",
        "3 opened, 2 closed again, 0 stuck",
        "1 account\n",
        "1, together 12.35 USD short",
        "2 commands, 1 exact duplicates",
        "1 unknown account",
        "NOT CLEAN, 7 crossing; 21 crossings answered, 2 excused (2 not ready)",
        "crossing · acc-4",
        "and 2 more",
    ):
        assert words in text
    assert "acc-5" not in text


def test_a_clean_run_says_so_in_one_line() -> None:
    report = _report()
    report.violations = []
    expected = "check over the topics: clean, 21 crossings answered, 2 excused (2 not ready)"
    assert verdict(report) == expected
