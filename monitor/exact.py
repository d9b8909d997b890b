"""Exact decimals: the one context every figure is computed in, and their plain notation."""

from __future__ import annotations

from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    setcontext,
)

__all__ = ["CONTEXT", "ONE", "ZERO", "plain", "use_exact_context"]

ZERO = Decimal(0)
ONE = Decimal(1)

CONTEXT = Context(
    prec=50, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
)
"""Precision 50, half-even: the contract that INTERFACE fixes for every published figure."""


def use_exact_context() -> None:
    """Make `CONTEXT` the current one in this thread; a program does it once, at its start."""
    setcontext(CONTEXT.copy())


def plain(value: Decimal) -> str:
    """Return `value` in plain notation, without exponent or trailing zeros after the point."""
    if not value:
        return "0"
    text = str(value)  # half of what format() costs, and nearly always plain already
    if "E" in text:
        text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


# The rules are called from tests, scripts and workers alike; importing them is enough.
use_exact_context()
