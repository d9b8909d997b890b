"""What `liqmon replay` shows while it runs and when it ends."""

import pytest

from streams.replay import Pace, PlayReport, Progress, ReplayReport
from streams.replay.console import describe, show_progress
from streams.replay.formats import BadRows

HALF = Progress(
    published=1_234,
    beats=5,
    total=2_468,
    first_ns=0,
    last_ns=20_000_000_000,
    recorded_ns=10_000_000_000,
    rate=617.4,
    late=2.5,
)


def report(*, stopped: bool = False) -> ReplayReport:
    played = PlayReport(
        published=2_222, beats=30, shift_ms=1_500, last_ts=1, seconds=2.0, stopped=stopped
    )
    return ReplayReport(
        layout="own",
        series=("A", "B"),
        symbols=("A-USD",),
        points=1_000,
        interpolated=1_222,
        bad=BadRows(7, ["x.csv line 3: price is not a positive decimal"]),
        unmapped={"B": 500},
        played=played,
    )


def test_the_figures_at_the_end_name_everything_that_was_left_out() -> None:
    assert describe(report()).splitlines() == [
        "own: 2 series, 1,000 recorded prices, 1,222 interpolated, 2,222 in all",
        "published 2,222 ticks of 1 symbols and 30 repeats in 2.0 s (1,111 ticks/s)",
        "times moved forward by 1.500 s, past what the topic held",
        "series that feed no symbol: B (500)",
        "7 bad rows left out, the first:",
        "  x.csv line 3: price is not a positive decimal",
    ]


def test_an_interrupted_replay_says_so() -> None:
    lines = describe(report(stopped=True)).splitlines()
    assert lines[0].endswith("1,222 interpolated so far")
    assert lines[-1] == "interrupted"


async def test_without_a_terminal_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with show_progress("x.csv") as progress:
        progress(HALF)
        progress(HALF)

    assert capsys.readouterr().err == (
        "x.csv  50% 1970-01-01 00:00:10 1,234 of 2,468 ticks 617/s, 2.5 s late\n"
    )


async def test_on_a_terminal_progress_is_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with show_progress("x.csv") as progress:
        progress(HALF)

    shown = capsys.readouterr().err
    assert "━" in shown
    assert "1,234 of 2,468 ticks" in shown


@pytest.mark.parametrize(
    ("pace", "scale"),
    [
        (Pace(speed=960), 960.0),
        (Pace(speed=0), 1.0),
        (Pace(speed=float("inf")), 1.0),
        (Pace(speed=960, clock="wall"), 1.0),
    ],
)
def test_deadlines_stretch_with_the_speed_on_the_event_clock_only(pace: Pace, scale: float) -> None:
    assert pace.time_scale == scale


@pytest.mark.parametrize("speed", [-1.0, float("nan")])
def test_a_speed_must_be_a_number_from_0(speed: float) -> None:
    with pytest.raises(ValueError, match="a positive number, or 0"):
        Pace(speed=speed)
