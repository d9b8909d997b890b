"""The volatility × √years that marks imply: found, given a cell, and asked whether it has left it.

That a mark's deviation lies in a cell is asked without solving for it: the values at both ends enclose
the mark. All over arrays by contract.
"""

from __future__ import annotations

import math
from typing import Any

from monitor.watch.compiled import compiled
from monitor.watch.portfolio.black import MOST, NOISE, black, density

__all__ = ["bound_marks", "imply", "marks_within", "still_in", "widen"]

_TURNS = 12
_DULL = 1e5
"""How much more than its noise a value must move with all of its deviation for floats to tell it."""
_LAG = 1e-4
"""How far a forward may be ahead of its options' marks, as a share."""
_LAGS = 0.05
"""The same as a share of the forward's own way in the cell."""
_HALVINGS = 30


@compiled
def imply(
    calls: Any, in_coin: Any, forwards: Any, strikes: Any, marks: Any, deviations: Any
) -> None:
    """Turn near guesses of the deviations that marks imply into bounds of them, to be verified.

    By Newton's steps; the bounds are as near as the value's own noise lets them be, and none where
    floats are too coarse for what is deep in the money.
    """
    for n in range(len(calls)):
        forward, strike = forwards[n], strikes[n]
        price = marks[n] * forward if in_coin[n] else marks[n]
        found = 0.5 * (deviations[n, 0] + deviations[n, 1])
        rise = 0.0
        if found > 0.0:
            away = math.log(forward / strike)
            for _ in range(_TURNS):
                rise = forward * density(away / found + 0.5 * found)
                if rise <= 0.0:
                    break
                step = (black(calls[n], forward, strike, found) - price) / rise
                found -= max(-found, min(0.5 * found, step))
                if abs(step) <= 1e-13 * found:
                    break
        inside = forward - strike if calls[n] else strike - forward
        noise = NOISE * (forward + strike)
        if price < inside - noise:
            deviations[n, 0] = deviations[n, 1] = 0.0  # PM-4: below intrinsic value there is none
        elif rise * found > _DULL * noise:
            sharp = max(1e-9, 4.0 * noise / (rise * found))
            deviations[n, 0], deviations[n, 1] = found * (1.0 - sharp), found * (1.0 + sharp)
        else:
            deviations[n, 0], deviations[n, 1] = MOST, 0.0  # no mark is in there


@compiled
def near(call: bool, forward: float, strike: float, price: float) -> float:
    """Return about the deviation at which an option is worth `price`."""
    low, high = 0.0, MOST
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if black(call, forward, strike, middle) < price:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@compiled
def widen(
    calls: Any,
    in_coin: Any,
    forwards: Any,
    strikes: Any,
    marks: Any,
    deviations: Any,
    volatility: float,
    price: float,
) -> None:
    """Give each deviation its cell: a share of itself, and what a mark that lags may imply.

    A mark follows its forward late; until it does, what it implies strays, far in the money from
    nothing to much and back. How wide a cell is may be chosen freely: bounds are made of what was chosen.
    """
    lag = min(_LAG, _LAGS * price)
    for n in range(len(calls)):
        forward, strike = forwards[n], strikes[n]
        worth = marks[n] * forward if in_coin[n] else marks[n]
        inside = forward - strike if calls[n] else strike - forward
        low, high = deviations[n, 0] * (1.0 - volatility), deviations[n, 1] * (1.0 + volatility)
        strays = lag * forward
        high = max(high, near(calls[n], forward, strike, max(worth, inside) + strays))
        if worth - strays <= max(0.0, inside):
            low = 0.0
        else:
            low = min(low, near(calls[n], forward, strike, worth - strays))
        deviations[n, 0], deviations[n, 1] = low, min(MOST, high)


@compiled
def bound_marks(
    calls: Any,
    in_coin: Any,
    forward_lo: Any,
    forward_hi: Any,
    strikes: Any,
    deviations: Any,
    mark_lo: Any,
    mark_hi: Any,
    found: Any,
) -> None:
    """Write the lowest and highest mark: what its deviation makes it, and in its own interval.

    Forward, strike and mark in quote currency (a coin-margined mark in coin).
    """
    for n in range(len(calls)):
        low, high, strike = deviations[n, 0], deviations[n, 1], strikes[n]
        found[n, 0], found[n, 1] = mark_lo[n], mark_hi[n]
        if low > 0.0:
            at = forward_lo[n] if calls[n] else forward_hi[n]
            worth = black(calls[n], at, strike, low) - NOISE * (at + strike)
            found[n, 0] = max(mark_lo[n], worth / at if in_coin[n] else worth)
        if 0.0 < high < MOST:
            at = forward_hi[n] if calls[n] else forward_lo[n]
            worth = black(calls[n], at, strike, high) + NOISE * (at + strike)
            found[n, 1] = min(mark_hi[n], worth / at if in_coin[n] else worth)


@compiled
def still_in(
    calls: Any,
    in_coin: Any,
    forward_lo: Any,
    forward_hi: Any,
    strikes: Any,
    mark_lo: Any,
    mark_hi: Any,
    deviations: Any,
    noise: float,
    held: Any,
) -> None:
    """Say whose implied deviation lies in its bounds wherever forward and mark are in theirs.

    Forward, strike and mark in quote currency (a coin-margined mark in coin). The deviation that a
    mark implies rises with the mark; with the forward a call's falls and a put's rises. What floats
    cannot tell holds with a `noise` below 0, and does not above.
    """
    for n in range(len(calls)):
        floor = forward_hi[n] if calls[n] else forward_lo[n]
        roof = forward_lo[n] if calls[n] else forward_hi[n]
        low, high, strike = deviations[n, 0], deviations[n, 1], strikes[n]
        found = True
        if low > 0.0:
            price = mark_lo[n] * floor if in_coin[n] else mark_lo[n]
            found = price - black(calls[n], floor, strike, low) >= noise * (floor + strike)
        if found and high < MOST:
            price = mark_hi[n] * roof if in_coin[n] else mark_hi[n]
            found = black(calls[n], roof, strike, high) - price >= noise * (roof + strike)
        held[n] = found


@compiled
def marks_within(
    calls: Any,
    in_coin: Any,
    forward_lo: Any,
    forward_hi: Any,
    strikes: Any,
    deviations: Any,
    least: Any,
    most: Any,
) -> None:
    """Write between which marks the implied deviation is in its bounds wherever the forward is in its own.

    As `still_in` tells, with its noise; there may be none. Units are those of `still_in`.
    """
    for n in range(len(calls)):
        floor = forward_hi[n] if calls[n] else forward_lo[n]
        roof = forward_lo[n] if calls[n] else forward_hi[n]
        low, high, strike = deviations[n, 0], deviations[n, 1], strikes[n]
        least[n], most[n] = 0.0, math.inf
        if low > 0.0:
            worth = black(calls[n], floor, strike, low) + NOISE * (floor + strike)
            least[n] = worth / floor if in_coin[n] else worth
        if high < MOST:
            worth = black(calls[n], roof, strike, high) - NOISE * (roof + strike)
            most[n] = worth / roof if in_coin[n] else worth
