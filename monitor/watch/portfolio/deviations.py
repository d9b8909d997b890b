"""The volatility × √years that marks imply: found, given a cell, and asked whether it has left it.

That a mark's deviation lies in a cell is asked without solving for it: the values at both ends enclose
the mark. Contracts are given by their numbers; `terms` is what the market lists (`market.Terms`), prices
and intervals go by row.
"""

from __future__ import annotations

import math
from typing import Any

from monitor.watch.compiled import compiled
from monitor.watch.portfolio.black import MOST, NOISE, below, black, density
from monitor.watch.portfolio.layout import GOES_BY

__all__ = [
    "guard_marks",
    "holds",
    "imply",
    "mark_between",
    "quoted",
    "still_in",
    "value_of",
    "widen",
]

_TURNS = 12
_DULL = 1e5
"""How much more than its noise a value must move with all of its deviation for floats to tell it."""
_LAG = 1e-4
"""How far a forward may be ahead of its options' marks, as a share, at most."""
_LAGS = 0.05
"""The same as a share of the forward's own way in the cell."""
_HALVINGS = 30


@compiled
def value_of(currency: int, terms: Any, rows: Any) -> float:
    """Return what a currency is worth in USD (PX-2)."""
    worth: float = rows[terms.routes[currency, 0]] * rows[terms.routes[currency, 1]]
    return worth


@compiled
def quoted(number: int, terms: Any, rows: Any, others: Any) -> float:
    """Return a contract's forward in its quote currency, whose own prices are `others`."""
    places = terms.places
    forward: float = rows[places[number, 3]]
    if places[number, 4] == places[number, 2]:
        return forward
    usd = forward * value_of(places[number, 4], terms, rows)
    return usd / value_of(places[number, 2], terms, others)


@compiled
def holds(
    call: bool,
    in_coin: bool,
    strike: float,
    forward_lo: float,
    forward_hi: float,
    mark_lo: float,
    mark_hi: float,
    deviation: Any,
    noise: float,
) -> bool:
    """Say whether the deviation is in its bounds wherever forward and mark are in theirs.

    Forward, strike and mark in quote currency (a coin-margined mark in coin). The deviation that a
    mark implies rises with the mark; with the forward a call's falls and a put's rises. What floats
    cannot tell holds with a `noise` below 0, and does not above.
    """
    floor = forward_hi if call else forward_lo
    roof = forward_lo if call else forward_hi
    low, high = deviation[0], deviation[1]
    if low > 0.0:
        price = mark_lo * floor if in_coin else mark_lo
        if not price - black(call, floor, strike, low) >= noise * (floor + strike):
            return False
    if high < MOST:
        price = mark_hi * roof if in_coin else mark_hi
        if not black(call, roof, strike, high) - price >= noise * (roof + strike):
            return False
    return True


@compiled
def still_in(
    chosen: Any, terms: Any, low: Any, high: Any, deviations: Any, noise: float, held: Any
) -> None:
    """Say whose deviations are in their bounds for all prices from `low` to `high` (`holds`)."""
    for n in range(len(chosen)):
        i = chosen[n]
        mark = terms.places[i, 1]
        forward_lo, forward_hi = quoted(i, terms, low, high), quoted(i, terms, high, low)
        held[n] = holds(
            terms.calls[i],
            terms.in_coin[i],
            terms.strikes[i],
            forward_lo,
            forward_hi,
            low[mark],
            high[mark],
            deviations[i],
            noise,
        )


@compiled
def imply(chosen: Any, terms: Any, prices: Any, deviations: Any, held: Any) -> None:
    """Turn near guesses of the deviations that marks imply into bounds of them; say which are verified.

    By Newton's steps; the bounds are as near as the value's own noise lets them be, and none where
    floats are too coarse for what is deep in the money.
    """
    for n in range(len(chosen)):
        i = chosen[n]
        call, in_coin, strike = terms.calls[i], terms.in_coin[i], terms.strikes[i]
        forward, mark = quoted(i, terms, prices, prices), prices[terms.places[i, 1]]
        price = mark * forward if in_coin else mark
        own = deviations[i]
        found = 0.5 * (own[0] + own[1])
        rise = 0.0
        if found > 0.0:
            away = math.log(forward / strike)
            for _ in range(_TURNS):
                rise = forward * density(away / found + 0.5 * found)
                if rise <= 0.0:
                    break
                step = (black(call, forward, strike, found) - price) / rise
                found -= max(-found, min(0.5 * found, step))
                if abs(step) <= 1e-13 * found:
                    break
        inside = forward - strike if call else strike - forward
        noise = NOISE * (forward + strike)
        if price < inside - noise:
            own[0] = own[1] = 0.0  # PM-4: below intrinsic value there is none
        elif rise * found > _DULL * noise:
            sharp = max(1e-9, 4.0 * noise / (rise * found))
            own[0], own[1] = found * (1.0 - sharp), found * (1.0 + sharp)
        else:
            own[0], own[1] = MOST, 0.0  # no mark is in there
        held[n] = holds(call, in_coin, strike, forward, forward, mark, mark, own, NOISE)


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
    chosen: Any, terms: Any, prices: Any, deviations: Any, volatility: float, price: float
) -> None:
    """Give each deviation its cell: a share of itself, and what a mark that lags may imply.

    A mark follows its forward late; until it does, what it implies strays, far in the money from
    nothing to much and back. How wide a cell is may be chosen freely: bounds are made of what was chosen.
    """
    lag = min(_LAG, _LAGS * price)
    for n in range(len(chosen)):
        i = chosen[n]
        call, strike = terms.calls[i], terms.strikes[i]
        forward, mark = quoted(i, terms, prices, prices), prices[terms.places[i, 1]]
        worth = mark * forward if terms.in_coin[i] else mark
        inside = forward - strike if call else strike - forward
        low, high = deviations[i, 0] * (1.0 - volatility), deviations[i, 1] * (1.0 + volatility)
        strays = lag * forward
        if high > 0.0:  # a mark that is late is late by its delta
            first = math.log(forward / strike) / high + 0.5 * high
            strays *= below(first if call else -first)
        high = max(high, near(call, forward, strike, max(worth, inside) + strays))
        if worth - strays <= max(0.0, inside):
            low = 0.0
        else:
            low = min(low, near(call, forward, strike, worth - strays))
        deviations[i, 0], deviations[i, 1] = low, min(MOST, high)


@compiled
def mark_between(
    call: bool,
    in_coin: bool,
    strike: float,
    forward_lo: float,
    forward_hi: float,
    mark_lo: float,
    mark_hi: float,
    deviation: Any,
) -> tuple[float, float]:
    """Return the lowest and highest mark: what its deviation makes it, and in its own interval.

    Units are those of `holds`.
    """
    low, high = deviation[0], deviation[1]
    least, most = mark_lo, mark_hi
    if low > 0.0:
        at = forward_lo if call else forward_hi
        worth = black(call, at, strike, low) - NOISE * (at + strike)
        least = max(mark_lo, worth / at if in_coin else worth)
    if 0.0 < high < MOST:
        at = forward_hi if call else forward_lo
        worth = black(call, at, strike, high) + NOISE * (at + strike)
        most = min(mark_hi, worth / at if in_coin else worth)
    return least, most


@compiled
def gate_mark(
    number: int, terms: Any, prices: Any, cell: Any, gates: Any, deviation: Any, expired: bool
) -> bool:
    """Give a mark the gate that other prices' gates let it have; say whether it is in that now.

    `cell` and `gates` are the lowest and highest by row. Between the ends of the gate the deviation is in
    its bounds wherever the forward is in its own, as `holds` tells with its noise.
    """
    low_gates, high_gates = gates
    call, in_coin, strike = terms.calls[number], terms.in_coin[number], terms.strikes[number]
    forward_lo = quoted(number, terms, low_gates, high_gates)
    forward_hi = quoted(number, terms, high_gates, low_gates)
    floor = forward_hi if call else forward_lo
    roof = forward_lo if call else forward_hi
    mark = terms.places[number, 1]
    least, most = cell[0][mark], cell[1][mark]
    if deviation[0] > 0.0:
        worth = black(call, floor, strike, deviation[0]) + NOISE * (floor + strike)
        least = max(least, worth / floor if in_coin else worth)
    if deviation[1] < MOST and not expired:
        worth = black(call, roof, strike, deviation[1]) - NOISE * (roof + strike)
        most = min(most, worth / roof if in_coin else worth)
    if not least <= prices[mark] <= most:
        return False
    low_gates[mark], high_gates[mark] = least, most
    return True


@compiled
def guard_marks(
    chosen: Any,
    terms: Any,
    prices: Any,
    moments: Any,
    row_table: Any,
    shares: Any,
    cell: Any,
    gates: Any,
    deviations: Any,
    held: Any,
) -> None:
    """Find gates in which options' deviations stay in their bounds; say which are in these now.

    The wider the gates of forward, index and quote (in `row_table` behind the mark), the narrower is the
    mark's: they are narrowed to `shares` of their prices, falling to 0, as far as it takes.
    """
    low_gates, high_gates = gates
    for n in range(len(chosen)):
        i = chosen[n]
        deviation, mark = deviations[i], terms.places[i, 1]
        expired = terms.expiries[i] <= moments[terms.places[i, 0]]
        held[n] = gate_mark(i, terms, prices, cell, gates, deviation, expired)
        if held[n]:
            continue
        forward, price = quoted(i, terms, prices, prices), prices[mark]
        if not (
            cell[0][mark] <= price <= cell[1][mark]
            and holds(
                terms.calls[i],
                terms.in_coin[i],
                terms.strikes[i],
                forward,
                forward,
                price,
                price,
                deviation,
                NOISE,
            )
        ):
            continue
        for k in range(len(shares)):
            for j in range(1, GOES_BY):
                row = row_table[i, j]
                low_gates[row] = max(low_gates[row], prices[row] * (1.0 - shares[k]))
                high_gates[row] = min(high_gates[row], prices[row] * (1.0 + shares[k]))
            held[n] = gate_mark(i, terms, prices, cell, gates, deviation, expired)
            if held[n]:
                break
        if not held[n]:
            low_gates[mark] = high_gates[mark] = price
            held[n] = True
