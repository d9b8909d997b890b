"""The live view fits its terminal and says what matters."""

import io
from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console

from streams.demo.figures import Nearest, Shown, WorkerLine
from streams.demo.plan import CheckStatus, Market, MarketStatus
from streams.demo.screen import Screen, bar, feed
from streams.demo.show import line
from streams.demo.stage import Phase, Stage, Step
from streams.demo.words import Line, Tone

_START = 1_667_779_200_000
_LONG = 345_600_000


def _line(number: int, tone: Tone, what: str) -> Line:
    return Line(_START + number * 1_000, f"acc-{number:06d}", 0.973, what, tone)


def _stage(phase: Phase = "playing") -> Stage:
    stage = Stage(20_000, phase=phase)
    stage.market = Market("recording.parquet", 1152, _START, _START + _LONG, (), {})
    stage.replay = MarketStatus(published=81_234, recorded_ms=_START + _LONG // 2, fraction=0.5)
    stage.steps = {"services": Step("Kafka and Redis", done_at=2.3), "accounts": Step("accounts")}
    stage.steps["accounts"].detail = "12,300 out"
    stage.check = CheckStatus("crossings of accounts", 30, 100)
    return stage


def _shown() -> Shown:
    return Shown(
        bands={"normal": 18_211, "warning": 1_730, "liquidation": 59},
        workers=(WorkerLine("worker-1", "ready", 16, 16, 0),),
        ticks=91_234,
        tick_rate=652.2,
        prices={"BTC-USD": (18_233, 20_910), "ETH-USD": (1_333, 1_568)},
        commands=Counter(warning=2_310, order_cancel=412, reduction=388),
        open_episodes=1_788,
        closed_episodes=413,
        saved=31,
        bankrupt=7,
        shortfall=12_345.6,
        ages=(4, 29),
        alerts=tuple(
            _line(n, "reduce", "step 2: close 12.5 BTC-USDT-SWAP") for n in range(90, 0, -2)
        ),
        warnings=tuple(_line(n, "warning", "warning: 300 % or less") for n in range(99, 0, -2)),
        nearest=tuple(
            Nearest(f"acc-{n:06d}", 1.01 + n / 10, "warning", 1_000.0 * n, 10.0) for n in range(30)
        ),
    )


def _drawn(width: int, height: int, stage: Stage, shown: Shown) -> list[str]:
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None
    )
    console.print(Screen(stage, shown), height=height)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60), (60, 18)])
def test_the_screen_is_exactly_as_large_as_the_terminal(width: int, height: int) -> None:
    lines = _drawn(width, height, _stage(), _shown())
    assert len(lines) == height
    assert {len(drawn) for drawn in lines} == {width}


def test_80_by_24_shows_every_figure_whole() -> None:
    text = "\n".join(_drawn(80, 24, _stage(), _shown()))
    for words in (
        "recording.parquet  ×1,152",
        "2022-11-09 00:00:00 UTC",
        "50%  2:30 left",
        "18,211",
        "1,730",
        "1,788 open, 413 closed",
        "31 by the cancel alone",
        "7, 12.3 k USD short",
        "652/s, 91,234 out",
        "in 4 ms, 99 of 100 in 29 ms",
        "412 of orders, 388 reductions",
        "BTC 18.2 k −12.8%  ETH −15.0%",
        "1/1 ready, 16/16 partitions",
        "97.3 % step 2: close 12.5 BTC-USDT-SWAP",
        "acc-000000  101.0 %",
    ):
        assert words in text


def test_the_start_shows_what_is_done_and_what_is_awaited() -> None:
    text = "\n".join(_drawn(80, 24, _stage("starting"), Shown()))
    assert "✓  Kafka and Redis  2.3 s" in text
    assert "…  accounts" in text
    assert "12,300 out" in text


def test_the_start_shows_the_first_accounts_while_others_are_on_their_way() -> None:
    text = "\n".join(_drawn(120, 40, _stage("starting"), _shown()))
    assert "…  accounts" in text
    assert "liquidation ≤ 100 %      59" in text
    assert "acc-000000" in text
    assert "59 liquidation" in line(_stage("starting"), _shown())


def test_the_check_shows_its_progress() -> None:
    text = "\n".join(_drawn(80, 24, _stage("checking"), _shown()))
    assert "crossings of accounts" in text
    assert "30%  checking the run from its topics" in text


def test_a_wide_screen_names_every_worker() -> None:
    workers = (
        WorkerLine("worker-1", "ready", 8, 8, 0),
        WorkerLine("worker-2", "unready", 8, 5, 12),
    )
    text = "\n".join(_drawn(120, 40, _stage(), replace(_shown(), workers=workers)))
    assert "worker-1 ready, 8 of 8 partitions" in text
    assert "worker-2 unready, 5 of 8 partitions, lag 12" in text
    narrow = "\n".join(_drawn(80, 24, _stage(), replace(_shown(), workers=workers)))
    assert "1/2 ready, 13/16 partitions" in narrow


def test_warnings_do_not_push_commands_out_of_the_feed() -> None:
    shown = _shown()
    kept = feed(shown, 9)
    assert len(kept) == 9
    assert sum(one.tone == "warning" for one in kept) == 3
    assert [one.at_ms for one in kept] == sorted((one.at_ms for one in kept), reverse=True)
    assert len(feed(replace(shown, alerts=()), 9)) == 9


@pytest.mark.parametrize(
    ("share", "drawn"), [(0.0, ""), (1e-9, "▏"), (0.5, "██"), (0.53125, "██▏"), (7.0, "████")]
)
def test_a_bar_never_hides_the_few(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn


def test_a_line_says_the_same_without_a_terminal() -> None:
    text = line(_stage(), _shown())
    assert "652 ticks/s" in text
    assert "59 liquidation, 18,211 normal, 1,730 warning" in text
    assert "age 4/29 ms" in text
    assert "2,310 warnings, 412 cancels, 388 reductions, 7 bankrupt" in text
    assert "starting: accounts 12,300 out" in line(_stage("starting"), Shown())
    assert "checking: crossings of accounts 30%" in line(_stage("checking"), Shown())


def test_workers_that_fall_behind_show_it_in_80_columns() -> None:
    late = replace(_shown(), lag=118_252, ticks=331_441, ages=(91_460, 103_000), stuck=12)
    text = "\n".join(_drawn(80, 24, _stage(), late))
    assert "652/s, 118 k of 331 k wait" in text
    assert "in 91 s, 99 of 100 in 103 s" in text
    assert "12 stuck, 0 resent, 0 dead letters" in text
