"""Every part of `liqmon bench engine`, small: whole results, and baselines that agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.bench.engine import calm, moves, portfolio, single, watch_list
from streams.bench.engine.adapter import Probe
from streams.bench.part import Teller
from streams.bench.result import Figure, Sizes

SMALL = Sizes(accounts=150, ticks=400, runs=2, seed=3, seconds=2.0)


def run(measure: Callable[[Sizes, Teller], list[Figure]], folder: Path) -> dict[str, Figure]:
    figures = measure(SMALL, Teller(folder))
    found = {figure.key: figure for figure in figures}
    assert len(found) == len(figures)
    for figure in figures:
        assert figure.name
        assert figure.value >= 0
        assert all(math.isfinite(value) for value in (figure.value, *figure.runs)), figure
    return found


def test_calm_all_designs_agree_and_the_growth_has_its_figures(tmp_path: Path) -> None:
    found = run(calm.measure, tmp_path)
    assert found["differences"].value == 0
    assert {"tick.mean", "tick.p99", "tick.empty", "numpy", "python", "watch_list"} <= set(found)
    assert len(found["tick.mean"].runs) == SMALL.runs
    assert found["exact"].value <= found["hits"].value


def test_fall_finds_every_crossing(tmp_path: Path) -> None:
    found = run(moves.measure_fall, tmp_path)
    assert found["differences"].value == 0
    assert found["missed"].value == 0
    assert found["changed"].value > 10
    assert found["exact.count"].value >= found["changed"].value


def test_gap_finds_every_crossing_in_its_tick(tmp_path: Path) -> None:
    found = run(moves.measure_gap, tmp_path)
    assert found["btc.differences"].value == 0
    assert found["eth.differences"].value == 0
    assert found["btc.crossings"].value > 0


def test_watch_list_sees_late_what_the_engine_sees_at_once(tmp_path: Path) -> None:
    found = run(watch_list.measure, tmp_path)
    assert found["missed"].value == 0
    assert found["differences"].value == 0
    assert 0 < found["late"].value <= found["crossings"].value
    assert found["late.p50"].value <= found["late.p99"].value


def test_account_is_assessed_and_takes_events(tmp_path: Path) -> None:
    found = run(single.measure, tmp_path)
    assert set(found) == {"assess", "event", "event.decode"}


def test_portfolio_books_stand_where_decimals_place_them(tmp_path: Path) -> None:
    found = run(portfolio.measure, tmp_path)
    assert found["differences"].value == 0
    assert found["unsure"].value <= 1
    assert len(found["index"].runs) == SMALL.runs
    assert {"index", "mark", "screen", "named"} <= set(found)


def test_an_engine_that_overlooks_accounts_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Probe.ticks

    def deaf(engine: Probe, pairs: Any, now: int | None) -> Any:
        heard = []
        for tick, offset in pairs:
            if offset > 40 and tick.kind == "mark" and tick.symbol.startswith(("BTC-", "ETH-")):
                engine.prices.take(tick, offset, engine.reference.policy, tick.ts)
            else:
                heard.append((tick, offset))
        return whole(engine, heard, now)

    monkeypatch.setattr(Probe, "ticks", deaf)
    assert run(moves.measure_gap, tmp_path)["btc.differences"].value > 0
