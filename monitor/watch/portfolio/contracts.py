"""Bounds of linear and inverse contracts over a cell of prices (PM-3, PM-5).

A linear one gains with the index alone. The gain of an inverse one is monotone in mark and index: its
size rises with the index and falls with the mark, so that it lies between two corners.
"""

from __future__ import annotations

from typing import Any

from monitor.watch.compiled import compiled
from monitor.watch.portfolio.deviations import value_of
from monitor.watch.portfolio.layout import (
    BASIS_HI,
    BASIS_LO,
    COIN,
    CONTRACT,
    DELTA,
    EXTREME,
    LEAST_HI,
    LEAST_LO,
    LEG,
    NOTIONAL_HI,
    NOTIONAL_LO,
    POINTS,
    R_COIN,
    R_DELTA,
    R_GAIN,
    R_WORTH,
    S_GAIN,
    WORTH,
)
from monitor.watch.portfolio.parameters import YEAR_MS

__all__ = ["contract_rows", "date_rows"]

_LEAST = 1e-4
"""As of `monitor.margin.portfolio.contracts`: what is left of a mark at least."""
_ROUNDING = 1e-12


@compiled
def ball(low: float, high: float) -> tuple[float, float]:
    """Return middle and radius, rounding included."""
    return 0.5 * (low + high), 0.5 * (high - low) + _ROUNDING * max(abs(low), abs(high))


@compiled
def linear_row(
    mark_lo: float,
    mark_hi: float,
    usd_lo: float,
    usd_hi: float,
    index_lo: float,
    index_hi: float,
    shocks: Any,
    minimum: float,
    row: Any,
) -> None:
    """Write a linear contract's row; `usd`: its mark in USD."""
    middle, radius = 0.5 * (index_lo + index_hi), 0.5 * (index_hi - index_lo)
    steepest = 0.0
    for k in range(len(shocks)):
        steepest = max(steepest, abs(shocks[k]))
        if k >= POINTS:
            row[EXTREME + k - POINTS] = middle * shocks[k]
            row[S_GAIN + EXTREME + k - POINTS] = radius * shocks[k]
            continue
        for v in range(3):
            row[v * POINTS + k] = middle * shocks[k]
            row[S_GAIN + v * POINTS + k] = radius * shocks[k]
    row[R_GAIN] = _ROUNDING * middle * steepest
    row[COIN] = 1.0
    row[DELTA], row[R_DELTA] = ball(usd_lo, usd_hi)
    row[LEAST_LO], row[LEAST_HI] = usd_lo * minimum, usd_hi * minimum
    row[NOTIONAL_LO], row[NOTIONAL_HI] = usd_lo, usd_hi
    row[WORTH], row[R_WORTH] = ball(mark_lo, mark_hi)


@compiled
def inverse_gain(mark: float, index: float, shock: float) -> float:
    moved = max(mark + index * shock, mark * _LEAST)
    return (moved - mark) / (mark * moved) * index * (1.0 + shock)


@compiled
def inverse_row(
    mark_lo: float,
    mark_hi: float,
    index_lo: float,
    index_hi: float,
    shocks: Any,
    minimum: float,
    row: Any,
) -> None:
    """Write an inverse contract's row, for one USD."""
    furthest = 0.0
    for k in range(len(shocks)):
        low = inverse_gain(mark_hi, index_lo, shocks[k])
        high = inverse_gain(mark_lo, index_hi, shocks[k])
        gain, radius = ball(low, high) if shocks[k] > 0.0 else ball(high, low)
        furthest = max(furthest, radius)
        if k >= POINTS:
            row[EXTREME + k - POINTS] = gain
            continue
        for v in range(3):
            row[v * POINTS + k] = gain
    row[R_GAIN] = furthest
    row[COIN], row[R_COIN] = ball(1.0 / mark_hi, 1.0 / mark_lo)
    row[DELTA] = 1.0
    row[LEAST_LO] = row[LEAST_HI] = minimum
    row[NOTIONAL_LO] = row[NOTIONAL_HI] = 1.0
    row[WORTH], row[R_WORTH] = ball(-1.0 / mark_lo, -1.0 / mark_hi)


@compiled
def contract_rows(
    chosen: Any,
    terms: Any,
    coin: int,
    low: Any,
    high: Any,
    shocks: Any,
    minimum: float,
    table: Any,
) -> None:
    """Write rows of linear and inverse contracts of one underlying; `low`, `high`: the cell by row."""
    index_lo, index_hi = value_of(coin, terms, low), value_of(coin, terms, high)
    for n in range(len(chosen)):
        i = chosen[n]
        mark, quote, row = terms.places[i, 1], terms.places[i, 2], table[i]
        for k in range(CONTRACT):
            row[k] = 0.0
        if terms.inverse[i]:
            inverse_row(low[mark], high[mark], index_lo, index_hi, shocks, minimum, row)
            continue
        usd_lo = low[mark] * value_of(quote, terms, low)
        usd_hi = high[mark] * value_of(quote, terms, high)
        linear_row(low[mark], high[mark], usd_lo, usd_hi, index_lo, index_hi, shocks, minimum, row)


@compiled
def date_rows(
    chosen: Any,
    terms: Any,
    now: float,
    until: float,
    yearly: float,
    perpetual: float,
    table: Any,
) -> None:
    """Write MR4's share by what is left to expiry, and MR9's leg; `now`, `until` in epoch ms."""
    for n in range(len(chosen)):
        i = chosen[n]
        row = table[i]
        row[LEG] = terms.legs[i]
        row[BASIS_LO] = row[BASIS_HI] = perpetual
        if not terms.swaps[i]:
            row[BASIS_LO] = max(0.0, terms.expiries[i] - until) * (yearly / YEAR_MS)
            row[BASIS_HI] = max(0.0, terms.expiries[i] - now) * (yearly / YEAR_MS)
