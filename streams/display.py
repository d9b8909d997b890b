"""Figures for people, rounded against the account."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

__all__ = ["down", "percent", "up"]

_CENT = Decimal("0.01")
# A quantity with cents beyond this would pass the 50 digits of the context.
_HUGE = Decimal(10) ** 30


def _rounded(value: Decimal | None, rounding: str) -> str:
    if value is None:
        return "–"
    if abs(value) >= _HUGE:
        return f"{value:.2E}"
    return f"{value.quantize(_CENT, rounding):,}"


def down(value: Decimal | None) -> str:
    """Return, with two digits, what an account has."""
    return _rounded(value, ROUND_FLOOR)


def up(value: Decimal | None) -> str:
    """Return, with two digits, what is asked of an account."""
    return _rounded(value, ROUND_CEILING)


def percent(ratio: Decimal | None) -> str:
    """Return a ratio in percent; none is infinite (MR-1)."""
    return "∞" if ratio is None else f"{down(ratio * 100)} %"
