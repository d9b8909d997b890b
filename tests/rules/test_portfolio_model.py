"""The value model of options: its stated error, its limits, and what deep and dead options do (PM-4)."""

from __future__ import annotations

import math
from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.margin.portfolio.grid import Grid
from monitor.margin.portfolio.option_risk import OptionAt, option_risk
from monitor.options.black76 import Kind
from monitor.options.implied import MOST_DEVIATION
from monitor.options.time_value import ERROR, deviation_of, time_value, values
from monitor.schema.portfolio import PortfolioParameters
from monitor.schema.reference import Instrument
from tests.support.portfolio import DAY, NOW, parameters

DIGITS = Context(prec=60)


def erfc(x: Decimal) -> Decimal:
    """1 − erf by its series (x below 3), else by the continued fraction; in 60 digits and more."""
    with localcontext(Context(prec=120)):
        pi = Decimal(
            "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899"
        )
        if x < 0:
            return 2 - erfc(-x)
        if x < 4:
            term = total = x
            number = 0
            while abs(term) > Decimal("1e-110"):
                number += 1
                term = -term * x * x / number
                total += term / (2 * number + 1)
            return 1 - 2 * total / pi.sqrt()
        tail = Decimal(0)
        for number in range(400, 0, -1):
            tail = Decimal(number) / 2 / (x + tail)
        return (-x * x).exp() / ((x + tail) * pi.sqrt())


def exact_time_value(forward: float, strike: float, deviation: float) -> Decimal:
    """Black's formula in 60 digits, of the option out of the money."""
    with localcontext(DIGITS):
        f, k, s = Decimal(forward), Decimal(strike), Decimal(deviation)
        low, high = min(f, k), max(f, k)  # a call on `low` struck at `high` is as much
        first = (low / high).ln() / s + s / 2
        root = Decimal(2).sqrt()
        return (low * erfc(-first / root) - high * erfc(-(first - s) / root)) / 2


forwards = st.floats(1e-3, 1e6)
ratios = st.floats(-3.0, 3.0)
deviations = st.floats(0.002, 6.0)


@settings(max_examples=150, deadline=None)
@given(forwards, ratios, deviations)
def test_a_value_is_within_the_stated_error(forward: float, ratio: float, deviation: float) -> None:
    strike = forward * math.exp(ratio * min(1.0, 5 * deviation))
    found = float(time_value(forward, strike, deviation))
    wanted = float(exact_time_value(forward, strike, deviation))
    assert abs(found - wanted) <= 1e-2 * ERROR * max(forward, strike)
    if wanted > 1e-250 * forward:
        assert found == pytest.approx(wanted, rel=1e-11)


@settings(max_examples=300, deadline=None)
@given(forwards, ratios, deviations)
def test_implied_volatility_comes_back(forward: float, ratio: float, deviation: float) -> None:
    """Of every price whose bits still tell volatilities apart."""
    strike = forward * math.exp(ratio)
    price = float(time_value(forward, strike, deviation))
    most = float(time_value(forward, strike, MOST_DEVIATION))
    found = deviation_of(price, forward, strike)
    again = float(time_value(forward, strike, found))
    assert abs(again - price) <= 1e-2 * ERROR * max(forward, strike)
    if 1e-280 * forward < price < most * (1 - 1e-6):
        assert found == pytest.approx(deviation, rel=1e-8)


@settings(max_examples=150, deadline=None)
@given(forwards, st.floats(-0.6, 0.6), st.floats(0.05, 2.0), st.floats(0.05, 3.0))
def test_an_error_in_the_implied_volatility_stays_small_after_any_shock(
    forward: float, ratio: float, deviation: float, factor: float
) -> None:
    """The whole way from a price to the value at other volatility and forward keeps the bound."""
    strike = forward * math.exp(ratio)
    price = exact_time_value(forward, strike, deviation)
    if price < Decimal(forward) * Decimal("1e-30"):
        return
    found = deviation_of(float(price), forward, strike)
    moved = forward * 1.24
    wanted = float(exact_time_value(moved, strike, deviation * factor))
    error = abs(float(time_value(moved, strike, found * factor)) - wanted)
    assert error <= ERROR * max(moved, strike)


@settings(max_examples=200, deadline=None)
@given(forwards, ratios, deviations)
def test_put_call_parity(forward: float, ratio: float, deviation: float) -> None:
    strike = forward * math.exp(ratio)
    call = float(values("call", forward, strike, deviation))
    put = float(values("put", forward, strike, deviation))
    assert abs((call - put) - (forward - strike)) <= 1e-2 * ERROR * max(forward, strike)


@pytest.mark.parametrize("kind", ["call", "put"])
@pytest.mark.parametrize("forward", [80.0, 100.0, 120.0])
def test_without_time_or_volatility_an_option_is_worth_its_intrinsic_value(
    kind: Kind, forward: float
) -> None:
    inside = max(0.0, forward - 100.0 if kind == "call" else 100.0 - forward)
    assert float(values(kind, forward, 100.0, 0.0)) == inside
    # √(2 / π) / 2 × s × F is the value at the money: it goes to 0 with the deviation
    assert float(values(kind, forward, 100.0, 1e-9)) == pytest.approx(inside, abs=1e-7)


def test_at_the_money_with_hardly_any_volatility() -> None:
    found = float(time_value(100.0, 100.0, 1e-4))
    assert found == pytest.approx(100.0 * math.erf(1e-4 / 2 / math.sqrt(2)), rel=1e-11)


def test_as_much_volatility_as_there_is_makes_an_option_worth_all_it_can_be() -> None:
    assert float(values("call", 90.0, 100.0, MOST_DEVIATION)) == pytest.approx(90.0, rel=1e-15)
    assert float(values("put", 90.0, 100.0, MOST_DEVIATION)) == pytest.approx(100.0, rel=1e-15)
    assert deviation_of(90.0, 90.0, 100.0) == MOST_DEVIATION
    assert deviation_of(1e9, 90.0, 100.0) == MOST_DEVIATION


def test_a_price_without_time_value_has_no_volatility() -> None:
    assert deviation_of(0.0, 90.0, 100.0) == 0.0
    assert deviation_of(-3.0, 90.0, 100.0) == 0.0


def test_deep_out_of_the_money_prices_are_told_apart_far_below_the_rounding_of_the_forward() -> (
    None
):
    """1e-60 of the forward: a difference of normal probabilities is 0 there."""
    for deviation in (0.05, 0.0501, 0.06):
        price = float(time_value(100.0, 230.0, deviation))
        assert 0 < price < 1e-28
        assert deviation_of(price, 100.0, 230.0) == pytest.approx(deviation, rel=1e-12)


def test_the_solver_ends_on_the_smallest_float() -> None:
    assert deviation_of(5e-324, 100.0, 230.0) == 0.0  # over the scale it is none any more
    assert 0.02 < deviation_of(1e-300, 100.0, 230.0) < 0.05


@settings(max_examples=200, deadline=None)
@given(
    st.decimals("1e-12", "1e12", places=12),
    st.decimals("1e-6", "1e7", places=6),
    st.decimals("1e-6", "1e7", places=6),
    st.integers(-DAY, 2000 * DAY),
    st.sampled_from(["call", "put"]),
    st.booleans(),
    st.sampled_from(["0.9", "1", "9"]),
)
def test_whatever_the_prices_every_figure_is_a_number(
    mark: Decimal,
    index: Decimal,
    strike: Decimal,
    left: int,
    kind: Kind,
    in_coin: bool,
    up: str,
) -> None:
    """A mark above all that an option can be worth, a strike anywhere, an hour or years, or none."""
    shocks = [{"days": "30", "up": up, "down": "1"}, {"days": "900", "up": "0", "down": "0"}]
    dated = PortfolioParameters.model_validate(
        {
            "valid_from": "2025-01-06",
            "units": {"default": parameters(volatility_shocks=shocks, extreme_shock="0.99")},
        }
    )
    unit = dated.unit("BTC")
    assert unit is not None
    instrument = Instrument.model_validate(
        {
            "kind": "option",
            "family": "BTC-USD",
            "underlying": "BTC",
            "quote": "USD",
            "settle": "BTC" if in_coin else "USD",
            "lot": "1",
            "tick": "0.1",
            "strike": str(strike),
            "expiry": NOW + left,
            "option_type": kind,
            "position_tiers": [{"up_to": "1", "initial": "0", "maintenance": "0"}],
        }
    )
    risk = option_risk(
        Grid(dated, unit), instrument, OptionAt(mark, index, Decimal(1), index * 2, NOW)
    )
    figures = [*risk.pnl[0], *risk.pnl[1], *risk.pnl[2], *risk.extremes, *risk.decay]
    figures += [risk.delta, risk.gamma, risk.vega, risk.theta, risk.rho]
    assert all(one.is_finite() for one in figures)
    assert risk.implied_volatility is not None
    assert risk.implied_volatility >= 0
    assert abs(risk.delta_coin) <= 1
    if left <= 0:
        assert risk.vega == risk.theta == risk.rho == 0
