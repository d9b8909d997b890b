"""One option's risk over a cell: its middle, and how far slopes let it be off (PM-3, PM-5).

By the mean value theorem a figure differs from its value in the middle of a box by at most Σ half the
range of each variable × the greatest slope in it anywhere in the box. Slopes of a gain are differences
of slopes of the worth after and before the move, each an interval: so what moves both moves little.

With v Black's value, F' = F + shock × S, s' = s × volatility shock × fading, of a worth v(F', K, s')
in USD the slopes are N(±d1) in F, shock × that in S, ∓N(±d2) in K and F' n(d1) in s'. A coin-margined
option is worth g × S (1 + shock) with g = v / F', whose slope in F' is ±K N(±d2) / F'². d1 = x / s + s / 2
with x = ln(F' / K) rises with x and has one lowest point, √(2x), in s; d2 of x is −d1 of −x.
"""

from __future__ import annotations

import math
from typing import Any

from monitor.watch.compiled import compiled
from monitor.watch.portfolio.black import (
    MOST,
    apart,
    below,
    black,
    density_between,
    first_between,
)
from monitor.watch.portfolio.deviations import mark_between, quoted, value_of
from monitor.watch.portfolio.layout import (
    APART,
    COIN,
    CONTRACT,
    DECAY,
    DELTA,
    EXTREME,
    F_GAIN,
    F_WORTH,
    LEAST_HI,
    LEAST_LO,
    NOTIONAL_HI,
    NOTIONAL_LO,
    OPTION,
    POINTS,
    R_COIN,
    R_DELTA,
    R_GAIN,
    R_RHO,
    R_VEGA,
    R_WORTH,
    RHO,
    S_GAIN,
    STILL,
    TENOR,
    TERM,
    VEGA,
    WORTH,
)
from monitor.watch.portfolio.parameters import YEAR_MS

__all__ = ["MARK_WIDTH", "option_rows"]

_MODEL = 2e-10
"""Relative to the largest price: the decimals' own slack, taken off or not, and their rounding."""
_ROUNDING = 1e-12
_SLOPE = 1e-9
"""Rounding of slopes, relative."""
_LEAST = 1e-4
"""As of `monitor.margin.portfolio.option_risk`: what is left of a forward at least."""
_BLIND = 1e300
MARK_WIDTH = 0.25
"""How far an option's mark may move in a cell that is not a point; its volatility binds first."""


@compiled
def slopes(
    call: bool,
    in_coin: bool,
    shock: float,
    factor: float,
    cell: Any,
    fade_lo: float,
    fade_hi: float,
    out: Any,
) -> bool:
    """Write bounds of the slopes of a worth in F, S, K, s and the fading; say whether there are any.

    `cell`: lowest and highest of S, F, K and s.
    """
    i_lo, i_hi, f_lo, f_hi, k_lo, k_hi, s_lo, s_hi = cell
    m_lo = f_lo + min(i_lo * shock, i_hi * shock)
    m_hi = f_hi + max(i_lo * shock, i_hi * shock)
    if m_lo <= _LEAST * f_hi:
        return False
    d_lo, d_hi = s_lo * factor * fade_lo, s_hi * factor * fade_hi
    x_lo, x_hi = math.log(m_lo / k_hi), math.log(m_hi / k_lo)
    one_lo, one_hi = first_between(x_lo, x_hi, d_lo, d_hi)
    two_hi, two_lo = first_between(-x_hi, -x_lo, d_lo, d_hi)
    two_lo, two_hi = -two_lo, -two_hi
    bell_lo, bell_hi = density_between(one_lo, one_hi)
    if d_lo <= 0.0:
        bell_lo = 0.0
    if d_hi <= 0.0:
        bell_hi = 0.0 if not (x_lo <= 0.0 <= x_hi) else bell_hi
    sign = 1.0 if call else -1.0
    # N(±d2): of a call rising with d2, of a put falling
    n_lo = below(two_lo) if call else below(-two_hi)
    n_hi = below(two_hi) if call else below(-two_lo)
    if not in_coin:
        a, b = below(one_lo), below(one_hi)
        if not call:
            a, b = a - 1.0, b - 1.0
        out[0], out[1] = a, b
        out[2], out[3] = min(shock * a, shock * b), max(shock * a, shock * b)
        out[4], out[5] = min(-sign * n_lo, -sign * n_hi), max(-sign * n_lo, -sign * n_hi)
        v_lo, v_hi = m_lo * bell_lo, m_hi * bell_hi
    else:
        # A = S (1 + shock) / F', h = ±K N(±d2) / F' : the slope of g in F' is h / F'
        a_lo, a_hi = i_lo * (1.0 + shock) / m_hi, i_hi * (1.0 + shock) / m_lo
        h_lo, h_hi = k_lo / m_hi * n_lo, k_hi / m_lo * n_hi
        if not call:
            h_lo, h_hi = -h_hi, -h_lo
        out[0] = min(a_lo * h_lo, a_hi * h_lo)
        out[1] = max(a_lo * h_hi, a_hi * h_hi)
        # g = N(d1) − K N(d2) / F' of a call, K N(−d2) / F' − N(−d1) of a put
        if call:
            g_lo, g_hi = below(one_lo) - h_hi, below(one_hi) - h_lo
        else:
            g_lo, g_hi = -h_hi - below(-one_lo), -h_lo - below(-one_hi)
        z_lo, z_hi = i_lo / m_hi, i_hi / m_lo
        c = shock * h_lo, shock * h_hi
        low = min(min(c[0], c[1]) * z_lo, min(c[0], c[1]) * z_hi)
        high = max(max(c[0], c[1]) * z_lo, max(c[0], c[1]) * z_hi)
        out[2] = (1.0 + shock) * (max(0.0, g_lo) + low)
        out[3] = (1.0 + shock) * (max(0.0, g_hi) + high)
        out[4] = -a_hi * n_hi if call else a_lo * n_lo
        out[5] = -a_lo * n_lo if call else a_hi * n_hi
        v_lo, v_hi = i_lo * (1.0 + shock) * bell_lo, i_hi * (1.0 + shock) * bell_hi
    out[6], out[7] = v_lo * factor * fade_lo, v_hi * factor * fade_hi
    out[8], out[9] = 0.0, v_hi * factor * s_hi
    return True


@compiled
def worth(
    call: bool,
    in_coin: bool,
    index: float,
    forward: float,
    strike: float,
    deviation: float,
    shock: float,
) -> float:
    """Return what an option is worth in USD after a move."""
    moved = max(forward + index * shock, forward * _LEAST)
    found = black(call, moved, strike, deviation)
    return found / moved * index * (1.0 + shock) if in_coin else found


@compiled
def spread(
    still: Any, moved: Any, cell: Any, fading: float, by_index: bool, row: Any, k: int
) -> float:
    """Write a gain's slopes in index and forward; return how far it may be off beyond them."""
    r_index, r_forward = 0.5 * (cell[1] - cell[0]), 0.5 * (cell[3] - cell[2])
    i_lo, i_hi = moved[2] - still[3], moved[3] - still[2]
    f_lo, f_hi = moved[0] - still[1], moved[1] - still[0]
    slope_i, slope_f = 0.5 * (i_lo + i_hi) * r_index, 0.5 * (f_lo + f_hi) * r_forward
    row[S_GAIN + k] = slope_i + slope_f if by_index else slope_i
    row[F_GAIN + k] = 0.0 if by_index else slope_f
    off = 0.5 * (i_hi - i_lo) * r_index + 0.5 * (f_hi - f_lo) * r_forward
    off += 0.5 * (cell[5] - cell[4]) * apart(moved[4], moved[5], still[4], still[5])
    off += 0.5 * (cell[7] - cell[6]) * apart(moved[6], moved[7], still[6], still[7])
    off += fading * moved[9] + _SLOPE * (abs(slope_i) + abs(slope_f))
    beyond: float = off * (1.0 + _SLOPE)
    return beyond


@compiled
def put_greeks(
    call: bool,
    in_coin: bool,
    cell: Any,
    t_lo: float,
    t_hi: float,
    tenor_shock: float,
    term_shock: float,
    minimum: float,
    option_minimum: float,
    row: Any,
) -> None:
    """Write delta, vega, rho and what MR7 asks at least: each monotone in d1 and its factors."""
    i_lo, i_hi, f_lo, f_hi, k_lo, k_hi, s_lo, s_hi = cell
    scale = _MODEL * max(f_hi, k_hi, i_hi)
    x_lo, x_hi = math.log(f_lo / k_hi), math.log(f_hi / k_lo)
    one_lo, one_hi = first_between(x_lo, x_hi, s_lo, s_hi)
    d_lo, d_hi = below(one_lo), below(one_hi)
    if not call:
        d_lo, d_hi = d_lo - 1.0, d_hi - 1.0
    row[COIN], row[R_COIN] = 0.5 * (d_lo + d_hi), 0.5 * (d_hi - d_lo) + _ROUNDING
    usd_lo, usd_hi = d_lo * (f_lo if call else f_hi), d_hi * (f_hi if call else f_lo)
    row[DELTA], row[R_DELTA] = 0.5 * (usd_lo + usd_hi), 0.5 * (usd_hi - usd_lo) + scale
    bell_lo, bell_hi = density_between(one_lo, one_hi)
    if s_lo <= 0.0:
        bell_lo = 0.0
    vega_lo = (i_lo if in_coin else f_lo) * bell_lo * math.sqrt(t_lo)
    vega_hi = (i_hi if in_coin else f_hi) * bell_hi * math.sqrt(t_hi)
    row[VEGA] = 0.5 * (vega_lo + vega_hi) * tenor_shock
    row[R_VEGA] = (0.5 * (vega_hi - vega_lo) + scale) * tenor_shock
    low_f, high_f = (f_lo, f_hi) if call else (f_hi, f_lo)
    low_k, high_k = (k_hi, k_lo) if call else (k_lo, k_hi)
    rho_hi = -t_lo * worth(call, in_coin, i_lo, low_f, low_k, s_lo, 0.0)
    rho_lo = -t_hi * worth(call, in_coin, i_hi, high_f, high_k, s_hi, 0.0)
    row[RHO] = 0.5 * (rho_lo + rho_hi) * term_shock
    row[R_RHO] = (0.5 * (rho_hi - rho_lo) + scale * (1.0 + t_hi)) * term_shock
    size_lo = max(0.0, usd_lo, -usd_hi) * minimum
    size_hi = max(usd_hi, -usd_lo) * minimum
    row[LEAST_LO] = max(size_lo - scale, i_lo * option_minimum)
    row[LEAST_HI] = max(size_hi + scale, i_hi * option_minimum) + scale


@compiled
def option_row(
    call: bool,
    in_coin: bool,
    cell: Any,
    t_lo: float,
    t_hi: float,
    moves: Any,
    passing: float,
    shocks: Any,
    tenor_shock: float,
    term_shock: float,
    minimum: float,
    option_minimum: float,
    by_index: bool,
    mark_lo: float,
    mark_hi: float,
    still: Any,
    moved: Any,
    row: Any,
) -> None:
    """Write one contract's row; `by_index`: its forward is the index, so that both move as one."""
    i_lo, i_hi, f_lo, f_hi, k_lo, k_hi, s_lo, s_hi = cell
    index, forward = 0.5 * (i_lo + i_hi), 0.5 * (f_lo + f_hi)
    strike, deviation = 0.5 * (k_lo + k_hi), 0.5 * (s_lo + s_hi)
    scale = _MODEL * max(f_hi, k_hi, i_hi)
    fade_lo = math.sqrt(max(0.0, t_lo - passing) / t_lo) if t_lo > 0.0 else 0.0
    fade_hi = math.sqrt(max(0.0, t_hi - passing) / t_hi) if t_hi > 0.0 else 0.0
    fade, r_fade = 0.5 * (fade_lo + fade_hi), 0.5 * (fade_hi - fade_lo)
    point = i_lo == i_hi and f_lo == f_hi and k_lo == k_hi and s_hi - s_lo <= 1e-8 * s_hi
    known = slopes(call, in_coin, 0.0, 1.0, cell, 1.0, 1.0, still)
    now = worth(call, in_coin, index, forward, strike, deviation, 0.0)
    radius = 0.0
    for v in range(3):
        for k in range(len(shocks)):
            if k >= POINTS and v != 1:
                continue
            gain = (
                worth(call, in_coin, index, forward, strike, deviation * moves[v], shocks[k]) - now
            )
            if k >= POINTS:
                row[EXTREME + k - POINTS] = gain
            else:
                row[v * POINTS + k] = gain
            if v * POINTS + k == STILL:
                continue
            if point:
                # the deviation's own error, at the steepest slope there is
                radius = max(radius, (s_hi - s_lo) * (f_hi + i_hi) * (moves[v] + 1.0))
                continue
            known = known and slopes(call, in_coin, shocks[k], moves[v], cell, 1.0, 1.0, moved)
            place = EXTREME + k - POINTS if k >= POINTS else v * POINTS + k
            radius = max(radius, spread(still, moved, cell, 0.0, by_index, row, place))
        row[DECAY + v] = (
            worth(call, in_coin, index, forward, strike, deviation * moves[v] * fade, 0.0) - now
        )
        if not point or r_fade > 0.0:
            known = known and slopes(call, in_coin, 0.0, moves[v], cell, fade_lo, fade_hi, moved)
            radius = max(radius, spread(still, moved, cell, r_fade, by_index, row, DECAY + v))
    row[R_GAIN] = radius + scale if known else _BLIND

    put_greeks(
        call, in_coin, cell, t_lo, t_hi, tenor_shock, term_shock, minimum, option_minimum, row
    )
    row[NOTIONAL_LO], row[NOTIONAL_HI] = i_lo, i_hi
    row[OPTION] = 1.0
    row[APART] = 0.0 if by_index else 1.0
    row[WORTH], row[R_WORTH] = 0.5 * (mark_lo + mark_hi), 0.5 * (mark_hi - mark_lo)
    if in_coin and not point and s_lo > 0.0 and s_hi < MOST:
        # K N(±d2) / F² of the value in coin, a slope in the forward; in K ∓N(±d2) / F, in s n(d1)
        near = black(call, forward, strike, deviation) / forward
        h_lo = still[0] / (i_hi if still[0] > 0.0 else i_lo)
        h_hi = still[1] / (i_lo if still[1] > 0.0 else i_hi)
        r_forward = 0.5 * (f_hi - f_lo)
        off = 0.5 * (h_hi - h_lo) * r_forward + 0.5 * (s_hi - s_lo) * still[7] / i_lo
        off += 0.5 * (k_hi - k_lo) * max(abs(still[4]), abs(still[5])) / i_lo
        row[WORTH], row[F_WORTH] = near, 0.5 * (h_lo + h_hi) * r_forward
        row[R_WORTH] = (off + _SLOPE * abs(row[F_WORTH])) * (1.0 + _SLOPE) + _ROUNDING


@compiled
def place_mark(
    number: int,
    terms: Any,
    prices: Any,
    now: float,
    width: float,
    cell: Any,
    gates: Any,
    deviation: Any,
) -> None:
    """Give a mark its part of the cell, wide where its deviation binds it; what has expired has none."""
    mark = terms.places[number, 1]
    if terms.expiries[number] <= now:
        deviation[0] = deviation[1] = 0.0
    bound = deviation[0] > 0.0 and deviation[1] < MOST
    share = MARK_WIDTH if bound and width > 0.0 else width
    cell[0][mark], cell[1][mark] = prices[mark] * (1.0 - share), prices[mark] * (1.0 + share)
    gates[0][mark], gates[1][mark] = cell[0][mark], cell[1][mark]


@compiled
def option_rows(
    chosen: Any,
    terms: Any,
    prices: Any,
    coin: int,
    now: float,
    until: float,
    width: float,
    deviations: Any,
    buckets: Any,
    passing: float,
    shocks: Any,
    minimum: float,
    option_minimum: float,
    cell: Any,
    gates: Any,
    box: Any,
    scratch: Any,
    table: Any,
) -> None:
    """Write rows of one underlying's options, and give their marks their parts of the cell.

    What goes by instrument alone is left out (`contracts.date_rows`). `cell`, `gates`: lowest and highest
    by row; `now`, `until` in epoch ms; `buckets` by contract as of `parameters.Buckets`; `passing`: MR2's
    years; `shocks`: MR1's points, then MR6's.
    """
    low, high = cell
    for n in range(len(chosen)):
        i = chosen[n]
        deviation, row, own = deviations[i], table[i], buckets[i]
        call, in_coin, strike = terms.calls[i], terms.in_coin[i], terms.strikes[i]
        mark, quote, forward = terms.places[i, 1], terms.places[i, 2], terms.places[i, 3]
        place_mark(i, terms, prices, now, width, cell, gates, deviation)
        for k in range(CONTRACT):
            row[k] = 0.0
        box[0], box[1] = value_of(coin, terms, low), value_of(coin, terms, high)
        box[2] = low[forward] * value_of(terms.places[i, 4], terms, low)
        box[3] = high[forward] * value_of(terms.places[i, 4], terms, high)
        box[4], box[5] = strike * value_of(quote, terms, low), strike * value_of(quote, terms, high)
        box[6], box[7] = deviation[0], deviation[1]
        mark_lo, mark_hi = mark_between(
            call,
            in_coin,
            strike,
            quoted(i, terms, low, high),
            quoted(i, terms, high, low),
            low[mark],
            high[mark],
            deviation,
        )
        option_row(
            call,
            in_coin,
            box,
            max(0.0, terms.expiries[i] - until) / YEAR_MS,
            max(0.0, terms.expiries[i] - now) / YEAR_MS,
            own,
            passing,
            shocks,
            own[3],
            own[4],
            minimum,
            option_minimum,
            forward == 0,
            mark_lo,
            mark_hi,
            scratch[0],
            scratch[1],
            row,
        )
        row[TENOR], row[TERM] = own[5], own[6]
