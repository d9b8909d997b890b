"""`liqmon evaluate` on the example of a portfolio account: figures, tables, explanation."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.display import down, up

EXAMPLE = Path(__file__).parents[2] / "docs/examples/evaluate/portfolio.yaml"


def _told(*more: str) -> str:
    found = CliRunner().invoke(app, ["evaluate", str(EXAMPLE), *more])
    assert found.exit_code == 0, found.output
    return found.output


@pytest.fixture(scope="module")
def unit() -> dict[str, Any]:
    (one,) = json.loads(_told("--json"))
    assert one["mode"] == "portfolio"
    assert one["maintenance_margin"] == one["risk_units"]["BTC"]["maintenance_margin"]
    found: dict[str, Any] = one["risk_units"]["BTC"]
    return found


def test_pm_2_margins_follow_from_the_charges(unit: dict[str, Any]) -> None:
    charge = {name: Decimal(value) for name, value in unit["charges"].items()}
    largest = max(charge["mr1"], charge["mr2"], charge["mr6"])
    added = sum((charge[name] for name in ("mr3", "mr4", "mr5", "mr9")), Decimal(0))
    maintenance = Decimal(unit["maintenance_margin"])
    assert maintenance == max(largest + added, charge["mr7"])
    assert Decimal(unit["initial_margin"]) == Decimal("1.3") * maintenance


def test_pm_1_spot_offsets_the_short_delta_up_to_the_cap(unit: dict[str, Any]) -> None:
    assert unit["spot_in_use"] == "2"
    assert Decimal(unit["delta"]) < 0
    greeks = ("delta", "gamma", "vega", "theta")
    for greek in greeks:
        assert sum(Decimal(p[greek]) for p in unit["positions"]) == Decimal(unit[greek])
    implied = [p.get("implied_volatility") for p in unit["positions"]]
    assert [one is not None for one in implied] == [True, True, False]


def test_the_table_marks_the_worst_scenario(unit: dict[str, Any]) -> None:
    text = _told()
    worst = unit["worst"]
    assert f"worst {down(Decimal(worst['pnl']))}" in text
    assert text.count("worst ") == 1
    assert up(Decimal(unit["charges"]["mr4"])) in text
    rows = [line for line in text.splitlines() if line.startswith(("down ", "same ", "up "))]
    assert [row.split()[0] for row in rows] == ["down", "same", "up"]
    assert all(len(row.replace("worst", "").split()) == 8 for row in rows)


def test_the_explanation_goes_down_to_every_contract(unit: dict[str, Any]) -> None:
    text = _told("--explain")
    assert "maintenance margin of unit BTC" in text
    worst = f"at {_percent(unit['worst']['spot'])} and volatility {unit['worst']['volatility']}"
    for held in unit["positions"]:
        assert f"{held['instrument']} {worst}" in text
    assert f"MR4 of BTC {up(Decimal(unit['charges']['mr4']))} USD" in text


def _percent(share: str) -> str:
    return f"{100 * Decimal(share):+.2f} %"
