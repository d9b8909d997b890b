"""Bounds of linear and inverse contracts over a cell of prices (PM-3, PM-5).

A linear one gains with the index alone. The gain of an inverse one is monotone in mark and index: its
size rises with the index and falls with the mark, so that it lies between two corners.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.watch.portfolio.layout import (
    COIN,
    CONTRACT,
    DECAY,
    DELTA,
    LEAST_HI,
    LEAST_LO,
    NOTIONAL_HI,
    NOTIONAL_LO,
    POINTS,
    R_COIN,
    R_DELTA,
    R_GAIN,
    R_WORTH,
    S_GAIN,
    SCENARIOS,
    WORTH,
)

__all__ = ["inverse_rows", "linear_rows"]

Floats = NDArray[np.float64]

_LEAST = 1e-4
"""As of `monitor.margin.portfolio.contracts`: what is left of a mark at least."""
_ROUNDING = 1e-12


def linear_rows(
    mark: tuple[Floats, Floats],
    usd: tuple[Floats, Floats],
    index: tuple[float, float],
    shocks: Floats,
    minimum: float,
) -> Floats:
    """Return rows of linear contracts; `usd`: marks in USD."""
    rows = np.zeros((len(mark[0]), CONTRACT))
    middle, radius = 0.5 * (index[0] + index[1]), 0.5 * (index[1] - index[0])
    gains = middle * shocks
    rows[:, :SCENARIOS] = np.tile(gains[:POINTS], 3)
    rows[:, SCENARIOS:DECAY] = gains[POINTS:]
    rows[:, R_GAIN] = _ROUNDING * middle * np.abs(shocks).max()
    rows[:, S_GAIN : S_GAIN + SCENARIOS] = np.tile(radius * shocks[:POINTS], 3)
    rows[:, S_GAIN + SCENARIOS : S_GAIN + DECAY] = radius * shocks[POINTS:]
    rows[:, COIN] = 1.0
    rows[:, DELTA], rows[:, R_DELTA] = _ball(*usd)
    rows[:, LEAST_LO], rows[:, LEAST_HI] = usd[0] * minimum, usd[1] * minimum
    rows[:, NOTIONAL_LO], rows[:, NOTIONAL_HI] = usd
    rows[:, WORTH], rows[:, R_WORTH] = _ball(*mark)
    return rows


def inverse_rows(
    mark: tuple[Floats, Floats], index: tuple[float, float], shocks: Floats, minimum: float
) -> Floats:
    """Return rows of inverse contracts, for one USD."""
    rows = np.zeros((len(mark[0]), CONTRACT))
    least = _inverse(mark[1][:, None], index[0], shocks)
    most = _inverse(mark[0][:, None], index[1], shocks)
    up = shocks > 0.0
    gain, radius = _ball(np.where(up, least, most), np.where(up, most, least))
    rows[:, :SCENARIOS] = np.tile(gain[:, :POINTS], (1, 3))
    rows[:, SCENARIOS:DECAY] = gain[:, POINTS:]
    rows[:, R_GAIN] = radius.max(axis=1)
    rows[:, COIN], rows[:, R_COIN] = _ball(1.0 / mark[1], 1.0 / mark[0])
    rows[:, DELTA] = 1.0
    rows[:, LEAST_LO] = rows[:, LEAST_HI] = minimum
    rows[:, NOTIONAL_LO] = rows[:, NOTIONAL_HI] = 1.0
    rows[:, WORTH], rows[:, R_WORTH] = _ball(-1.0 / mark[0], -1.0 / mark[1])
    return rows


def _inverse(mark: Floats, index: float, shocks: Floats) -> Floats:
    moved = np.maximum(mark + index * shocks, mark * _LEAST)
    gain: Floats = (moved - mark) / (mark * moved) * index * (1.0 + shocks)
    return gain


def _ball(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return middle and radius, rounding included."""
    middle = 0.5 * (low + high)
    return middle, 0.5 * (high - low) + _ROUNDING * np.maximum(np.abs(low), np.abs(high))
