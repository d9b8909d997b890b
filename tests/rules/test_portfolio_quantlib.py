"""A book of some hundred options against QuantLib: values, greeks, volatilities, scenarios (PM-4)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

import pytest
import QuantLib  # type: ignore[import-untyped]

from monitor.margin.portfolio.contracts import contract_risk
from monitor.margin.portfolio.grid import Grid
from monitor.margin.portfolio.risk import Risk
from monitor.options.black76 import Kind
from monitor.schema.portfolio import PortfolioParameters
from monitor.schema.reference import Instrument
from tests.support.portfolio import DAY, NOW, parameters

INDEX = 97034.2
SHARES = (-0.12, -0.08, -0.04, 0.0, 0.04, 0.08, 0.12)
MOVES = {7: (0.6, 1.6), 30: (0.7, 1.4), 365: (0.85, 1.2)}
"""Days → factors of volatility down and up in the parameters."""


@dataclass(frozen=True)
class Option:
    kind: Kind
    strike: float
    days: int
    volatility: float
    in_coin: bool


def calculator(one: Option, forward: float, volatility: float, years: float) -> Any:
    kind = QuantLib.Option.Call if one.kind == "call" else QuantLib.Option.Put
    payoff = QuantLib.PlainVanillaPayoff(kind, one.strike)
    return QuantLib.BlackCalculator(payoff, forward, volatility * math.sqrt(years), 1.0)


def book(count: int = 300) -> Iterator[Option]:
    rng = Random(76)
    for _ in range(count):
        days = rng.choice((1, 2, 6, 7, 8, 16, 30, 31, 72, 180, 345))
        spread = 0.9 * math.sqrt(days / 365)
        yield Option(
            rng.choice(("call", "put")),
            round(INDEX * math.exp(rng.uniform(-2, 2) * spread), -2),
            days,
            rng.uniform(0.3, 1.4),
            rng.random() < 0.7,
        )


@pytest.fixture(scope="module")
def grid() -> Grid:
    dated = PortfolioParameters.model_validate(
        {"valid_from": "2025-01-06", "units": {"default": parameters()}}
    )
    unit = dated.unit("BTC")
    assert unit is not None
    return Grid(dated, unit)


def risk_of(one: Option, grid: Grid, number: int) -> tuple[Risk, float]:
    """The risk at the price that QuantLib gives the option, and that price in USD."""
    worth = calculator(one, INDEX, one.volatility, one.days / 365).value()
    instrument = Instrument.model_validate(
        {
            "kind": "option",
            "family": "BTC-USD",
            "underlying": "BTC",
            "quote": "USD",
            "settle": "BTC" if one.in_coin else "USD",
            "lot": "1",
            "tick": "0.1",
            "strike": str(one.strike),
            "expiry": NOW + one.days * DAY,
            "option_type": one.kind,
            "position_tiers": [{"up_to": "1", "initial": "0", "maintenance": "0"}],
        }
    )
    mark = Decimal(worth) / Decimal(str(INDEX)) if one.in_coin else Decimal(worth)
    index = Decimal(str(INDEX))
    risk = contract_risk(grid, f"O{number}", instrument, mark, index, Decimal(1), index, NOW)
    return risk, worth


def test_values_greeks_and_scenarios_of_three_hundred_options(grid: Grid) -> None:
    compared = 0
    for number, one in enumerate(book()):
        risk, worth = risk_of(one, grid, number)
        years = one.days / 365
        model = calculator(one, INDEX, one.volatility, years)
        if worth < 1e-6 * INDEX or model.vega(years) < 1e-4 * INDEX:
            continue  # QuantLib's own rounding tells no volatility apart there
        compared += 1
        assert risk.implied_volatility is not None
        assert float(risk.implied_volatility) == pytest.approx(one.volatility, abs=2e-8)
        assert float(risk.delta_coin) == pytest.approx(model.deltaForward(), abs=1e-7)
        gamma = model.gammaForward() * INDEX * INDEX * 0.01
        assert float(risk.gamma) == pytest.approx(gamma, rel=1e-6, abs=1e-6 * INDEX)
        assert float(risk.vega) == pytest.approx(model.vega(years), rel=1e-6, abs=1e-6 * INDEX)
        theta = -0.5 * model.gammaForward() * (INDEX * one.volatility) ** 2 / 365
        assert float(risk.theta) == pytest.approx(theta, rel=1e-6, abs=1e-7 * INDEX)
        _compare_scenarios(one, risk, worth)
    assert compared > 200


def _compare_scenarios(one: Option, risk: Risk, worth: float) -> None:
    factors = next(found for days, found in MOVES.items() if one.days <= days)
    for row, factor in zip(risk.pnl, (factors[0], 1.0, factors[1]), strict=True):
        for gain, share in zip(row, SHARES, strict=True):
            moved = INDEX * (1 + share)
            after = calculator(one, moved, one.volatility * factor, one.days / 365).value()
            assert float(gain) == pytest.approx(after - worth, abs=1e-8 * INDEX)
    for gain, factor in zip(risk.decay, (factors[0], 1.0, factors[1]), strict=True):
        left = (one.days - 1) / 365
        after = calculator(one, INDEX, one.volatility * factor, left).value()
        assert float(gain) == pytest.approx(after - worth, abs=1e-8 * INDEX)
