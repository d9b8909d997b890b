"""The volatility surface that option marks are made from: no static arbitrage, whatever the spot did."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from monitor.options import value
from streams.replay.surface import Surface

FORWARD = 20_000.0
STRIKES = [FORWARD * math.exp(step / 25) for step in range(-60, 61)]
YEARS = (1 / 365, 7 / 365, 0.1, 0.25, 1.0, 3.0)
MOVES = (-0.5, -0.1, 0.0, 0.1, 0.35, 0.8)


def calls(surface: Surface, years: float) -> list[float]:
    return [surface.price("call", FORWARD, strike, years) for strike in STRIKES]


@pytest.mark.parametrize("fall", MOVES)
@pytest.mark.parametrize("years", YEARS)
def test_no_call_spread_and_no_butterfly_has_a_negative_price(years: float, fall: float) -> None:
    """Prices fall with the strike, by a dollar a dollar at most, and are convex."""
    prices = calls(Surface().moved(fall), years)
    slopes = [
        (high - low) / (upper - lower)
        for low, high, lower, upper in zip(prices, prices[1:], STRIKES, STRIKES[1:], strict=False)
    ]
    assert all(-1 - 1e-12 <= slope <= 1e-12 for slope in slopes)
    assert all(after >= before - 1e-10 for before, after in pairwise(slopes))


@pytest.mark.parametrize("fall", MOVES)
def test_no_calendar_spread_has_a_negative_price(fall: float) -> None:
    surface = Surface().moved(fall)
    for near, far in pairwise(YEARS):
        pairs = zip(calls(surface, near), calls(surface, far), strict=True)
        assert all(later >= sooner - 1e-9 for sooner, later in pairs)


def test_a_fall_lifts_volatility_and_a_rise_takes_it_off_short_ends_more() -> None:
    surface = Surface()
    fallen, risen = surface.moved(0.25), surface.moved(-0.25)
    for years in YEARS:
        at = [one.volatility(FORWARD, FORWARD, years) for one in (risen, surface, fallen)]
        assert at == sorted(at)
        assert at[0] < at[2]
    near, far = (
        fallen.volatility(FORWARD, FORWARD, years) / surface.volatility(FORWARD, FORWARD, years)
        for years in (1 / 365, 3.0)
    )
    assert near > far > 1


def test_puts_cost_more_than_calls_as_far_away() -> None:
    surface = Surface()
    put = surface.volatility(FORWARD, FORWARD / 1.2, 0.25)
    assert put > surface.volatility(FORWARD, FORWARD * 1.2, 0.25)


def test_without_time_an_option_is_worth_its_intrinsic_value() -> None:
    assert Surface().price("put", FORWARD, FORWARD + 500, 0.0) == 500
    assert Surface().price("call", FORWARD, FORWARD + 500, 0.0) == 0


def test_at_the_money_it_is_blacks_value_of_the_surfaces_volatility() -> None:
    surface = Surface()
    sigma = math.sqrt(surface.total_variance(0.25) / 0.25)
    found = surface.volatility(FORWARD, FORWARD, 0.25)
    assert found == pytest.approx(sigma)
    wanted = value("call", FORWARD, FORWARD, 0.25, sigma)
    assert surface.price("call", FORWARD, FORWARD, 0.25) == pytest.approx(wanted)


def test_a_surface_that_could_be_arbitraged_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 2 at most"):
        Surface(curvature=1.9, skew=-0.5)
    with pytest.raises(ValueError, match="power"):
        Surface(power=0.7)
