"""Black-76: values, sensitivities, implied volatility, delta in coin (RD-2, PM-4)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from monitor.options import (
    MOST_DEVIATION,
    Kind,
    coin_delta,
    implied_volatility,
    option_point,
    sensitivities,
    value,
    years_between,
)
from monitor.schema.reference import Instrument
from tests.support.accounts import EXPIRY, full_reference

REFERENCE = full_reference()
YEAR = 365 * 24 * 3_600_000
kinds = st.sampled_from(["call", "put"])
prices = st.floats(1, 1_000)
times = st.floats(0.01, 3)
volatilities = st.floats(0.05, 2)


# -- values ----------------------------------------------------------------------------------------


def integrated(kind: Kind, forward: float, strike: float, years: float, sigma: float) -> float:
    """The mean payoff over the lognormal forward, by quadrature: no closed form in it."""
    s = sigma * math.sqrt(years)
    sign = 1 if kind == "call" else -1
    at = (math.log(strike / forward) + s * s / 2) / s  # where the payoff begins

    def payoff(z: float) -> float:
        outcome = forward * math.exp(s * z - s * s / 2)
        return sign * (outcome - strike) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    low, high = (max(at, -12.0), 12.0) if kind == "call" else (-12.0, min(at, 12.0))
    if low >= high:
        return 0.0
    peak = s if kind == "call" else 0.0
    inside = [min(max(peak, low), high)]
    return float(quad(payoff, low, high, points=inside, limit=400, epsabs=1e-11)[0])


@settings(max_examples=60, deadline=None)
@given(kinds, st.floats(50, 200), st.floats(50, 200), times, st.floats(0.1, 1.5))
def test_the_value_is_the_mean_payoff(
    kind: Kind, forward: float, strike: float, years: float, sigma: float
) -> None:
    expected = integrated(kind, forward, strike, years, sigma)
    assert value(kind, forward, strike, years, sigma) == pytest.approx(expected, abs=1e-6)


def test_a_published_value() -> None:
    """J. Hull, Options, Futures, and Other Derivatives: a put on oil futures at 20, worth 1.12.

    Strike 20, four months, volatility 25 %, rate 9 %, which discounts only.
    """
    found = value("put", 20, 20, 1 / 3, 0.25)
    assert found * math.exp(-0.09 / 3) == pytest.approx(1.12, abs=5e-3)
    assert found == pytest.approx(20 * math.erf(0.125 / math.sqrt(6)), rel=1e-12)


@given(prices, prices, times, volatilities)
def test_a_call_less_a_put_is_forward_less_strike(
    forward: float, strike: float, years: float, sigma: float
) -> None:
    call, put = (value(kind, forward, strike, years, sigma) for kind in ("call", "put"))
    assert call - put == pytest.approx(forward - strike, abs=1e-9 * (forward + strike))
    assert max(0.0, forward - strike) <= call <= forward * (1 + 1e-12)


@settings(max_examples=80, deadline=None)
@given(kinds, st.floats(50, 200), st.floats(50, 200), st.floats(0.1, 2), st.floats(0.2, 1.5))
def test_sensitivities_are_the_slopes_of_the_value(
    kind: Kind, forward: float, strike: float, years: float, sigma: float
) -> None:
    found = sensitivities(kind, forward, strike, years, sigma)

    def slope(low: float, high: float, step: float) -> float:
        return (high - low) / (2 * step)

    h = 1e-3
    up, down = (value(kind, forward + x, strike, years, sigma) for x in (h, -h))
    assert found.delta == pytest.approx(slope(down, up, h), abs=1e-6)
    assert found.gamma == pytest.approx((up - 2 * found.value + down) / h**2, abs=1e-4)
    h = 1e-4
    up, down = (value(kind, forward, strike, years, sigma + x) for x in (h, -h))
    assert found.vega == pytest.approx(slope(down, up, h), abs=1e-4)
    up, down = (value(kind, forward, strike, years + x, sigma) for x in (h, -h))
    assert found.theta == pytest.approx(-slope(down, up, h), abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "forward", "worth", "delta"),
    [
        ("call", 110.0, 10.0, 1.0),
        ("call", 90.0, 0.0, 0.0),
        ("call", 100.0, 0.0, 0.5),
        ("put", 110.0, 0.0, 0.0),
        ("put", 90.0, 10.0, -1.0),
        ("put", 100.0, 0.0, -0.5),
    ],
)
@pytest.mark.parametrize(("years", "sigma"), [(0.0, 0.5), (1.0, 0.0)])
def test_without_time_or_volatility_it_is_worth_what_it_is_in_the_money(
    kind: Kind, forward: float, worth: float, delta: float, years: float, sigma: float
) -> None:
    assert sensitivities(kind, forward, 100.0, years, sigma) == (worth, delta, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "numbers",
    [(0.0, 1.0, 1.0, 1.0), (1.0, -1.0, 1.0, 1.0), (1.0, 1.0, -1.0, 1.0), (1.0, 1.0, 1.0, -0.1)],
)
def test_what_is_no_option_is_refused(numbers: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        sensitivities("call", *numbers)


def test_pm_4_a_year_has_365_days_and_expiry_is_an_instant() -> None:
    assert years_between(0, YEAR) == 1.0
    assert years_between(EXPIRY, EXPIRY) == years_between(EXPIRY + 1, EXPIRY) == 0.0


# -- implied volatility ------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(kinds, st.floats(50, 200), st.floats(50, 200), st.floats(0.05, 2), st.floats(0.2, 2))
def test_pm_4_the_implied_volatility_gives_the_price_back(
    kind: Kind, forward: float, strike: float, years: float, sigma: float
) -> None:
    price = value(kind, forward, strike, years, sigma)
    found = implied_volatility(kind, price, forward, strike, years)
    assert value(kind, forward, strike, years, found) == pytest.approx(price, abs=1e-9)
    outside = price - max(0.0, forward - strike if kind == "call" else strike - forward)
    if outside > 1e-3:
        assert found == pytest.approx(sigma, rel=1e-7)


@pytest.mark.parametrize(
    ("price", "years", "expected"),
    [
        (10.0, 1.0, 0.0),  # exactly what it is in the money
        (9.0, 1.0, 0.0),  # PM-4: below it
        (15.0, 0.0, 0.0),  # no time left
        (110.0, 1.0, MOST_DEVIATION),  # a call is worth the forward at most
        (500.0, 4.0, MOST_DEVIATION / 2),
    ],
)
def test_pm_4_prices_that_no_volatility_makes(price: float, years: float, expected: float) -> None:
    assert implied_volatility("call", price, 110.0, 100.0, years) == expected


# -- from a mark to coin -------------------------------------------------------------------------------


def mark_of(instrument: Instrument, sigma: float, forward: float, now: int) -> Decimal:
    kind: Any = instrument.option_type
    years = years_between(now, instrument.expiry or 0)
    worth = value(kind, forward, float(instrument.strike or 0), years, sigma)
    in_coin = instrument.settle == instrument.underlying
    return Decimal(worth / forward if in_coin else worth)


@pytest.mark.parametrize("name", ["BTC-USD-60000-C", "BTC-USD-60000-P", "BTC-USDT-60000-C"])
def test_rd_2_delta_comes_from_the_mark_s_volatility_in_coin_or_in_quote(name: str) -> None:
    instrument, now = REFERENCE.instruments[name], EXPIRY - YEAR // 4
    mark = mark_of(instrument, 0.6, 62_000.0, now)
    point = option_point(instrument, mark, Decimal(62_000), now)
    assert point.volatility == pytest.approx(0.6, rel=1e-9)
    kind: Any = instrument.option_type
    expected = sensitivities(kind, 62_000.0, 60_000.0, 0.25, 0.6).delta
    found = coin_delta(instrument, mark, Decimal(62_000), now)
    assert float(found) == pytest.approx(expected, abs=1e-8)
    assert found == found.quantize(Decimal("1e-9"))
    assert (found > 0) == (kind == "call")


def test_rd_2_an_expired_option_in_the_money_moves_like_the_coin() -> None:
    instrument = REFERENCE.instruments["BTC-USD-60000-C"]
    assert coin_delta(instrument, Decimal("0.05"), Decimal(63_000), EXPIRY) == 1
    assert coin_delta(instrument, Decimal(0), Decimal(50_000), EXPIRY) == 0


def test_only_options_have_a_point() -> None:
    with pytest.raises(ValueError, match="an option is wanted, a swap given"):
        option_point(REFERENCE.instruments["BTC-USDT-SWAP"], Decimal(1), Decimal(1), 0)
