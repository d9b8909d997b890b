"""Figures for people."""

from decimal import Decimal

import pytest

from streams.display import down, percent, up


@pytest.mark.parametrize(
    ("value", "has", "asked"),
    [
        ("1234.567", "1,234.56", "1,234.57"),
        ("-0.001", "-0.01", "-0.00"),
        ("5", "5.00", "5.00"),
        ("1" + "0" * 60, "1.00E+60", "1.00E+60"),
    ],
)
def test_rounding_is_against_the_account(value: str, has: str, asked: str) -> None:
    assert (down(Decimal(value)), up(Decimal(value))) == (has, asked)


def test_mr_1_no_ratio_is_infinite_and_no_figure_a_dash() -> None:
    assert percent(None) == "∞"
    assert percent(Decimal("0.99999")) == "99.99 %"
    assert down(None) == up(None) == "–"
