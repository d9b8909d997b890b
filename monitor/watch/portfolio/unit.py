"""One risk unit between bounds: its charges from its contracts' rows (PM-1 to PM-5)."""

from __future__ import annotations

from typing import Any

from monitor.watch.compiled import compiled
from monitor.watch.portfolio.layout import (
    APART,
    BASIS_HI,
    BASIS_LO,
    BLIND,
    BUCKETS,
    COIN,
    DECAY,
    DELTA,
    EXTREME,
    EXTREME_SHARE,
    EXTREMES,
    F_GAIN,
    HEDGED,
    INDEX_HI,
    INDEX_LO,
    L_CONTRACT,
    L_GROUP,
    LEAST_HI,
    LEAST_LO,
    LEG,
    LF_BUYS,
    LF_GROSS,
    LF_NET,
    LF_SELLS,
    MOVES,
    OPTION,
    POINTS,
    R_COIN,
    R_DELTA,
    R_GAIN,
    R_RHO,
    R_VEGA,
    RHO,
    S_GAIN,
    SCALES,
    SCENARIOS,
    SHOCKS,
    STEEPEST,
    STILL,
    TENOR,
    TENORS,
    TERM,
    VEGA,
)

__all__ = ["ROUNDING", "SCRATCH", "bound_unit", "marginal", "offset"]

ROUNDING = 1e-12
"""Relative to the gross of all terms; float64 over a few hundred operations errs below 1e-13."""

# Where a unit's sums stand in the scratch: gains, vega and rho by bucket, then these.
_RHO = MOVES + BUCKETS
_LEG = MOVES + 2 * BUCKETS
_INDEX = _LEG + 4
"""How far each gain moves with the index, in all."""
_FORWARD = _INDEX + MOVES
"""With the forward of the expiry at hand."""
_OFF = _FORWARD + MOVES
"""With all forwards, and beyond all slopes."""
_R_GAIN = _OFF + MOVES
_COIN = _R_GAIN + 1
_R_COIN = _R_GAIN + 2
_LEAST_LO = _R_GAIN + 3
_LEAST_HI = _R_GAIN + 4
_R_LEG = _R_GAIN + 5
_R_VEGA = _R_GAIN + 6
_R_RHO = _R_GAIN + 7
_BASIS_LO = _R_GAIN + 8
_BASIS_HI = _R_GAIN + 9
SCRATCH = _R_GAIN + 10


@compiled
def marginal(value: float, slices: Any, count: int) -> float:
    """Return Σ slice × factor; past the last its factor; 1 without any."""
    total: float = 0.0
    below = 0.0
    factor = 1.0
    for k in range(count):
        factor = slices[k, 1]
        total += (min(value, slices[k, 0]) - below) * factor
        below = min(value, slices[k, 0])
        if value <= below:
            break
    total += (value - below) * factor
    return total


@compiled
def offset(charges: Any, begin: int, count: int, shares: Any) -> float:
    """MR3: set opposite charges off, the nearest tenors first; return what is left in all."""
    for apart in range(1, count):
        for short in range(count - apart):
            long = short + apart
            a, b = charges[begin + short], charges[begin + long]
            if a * b < 0.0:
                used = shares[long, short] * min(abs(a), abs(b))
                charges[begin + short] = a + used if a < 0.0 else a - used
                charges[begin + long] = b + used if b < 0.0 else b - used
    total = 0.0
    for k in range(count):
        total += abs(charges[begin + k])
    return total


@compiled
def in_use(spot: float, delta: float, cap: float) -> float:
    """PM-1: the coin that offsets the derivatives' delta."""
    if spot == 0.0 or delta == 0.0 or (spot > 0.0) == (delta > 0.0):
        return 0.0
    used = min(abs(spot), abs(delta), cap)
    return used if spot > 0.0 else -used


@compiled
def hedges(sums: Any, radius: float, under: Any, tables: Any) -> tuple[float, float]:
    """MR9: return the charge and its radius, given that of all legs."""
    total, r_total = 0.0, 3.0 * under[STEEPEST] * radius
    for pair in range(3):
        first = 1 if pair == 2 else 0
        second = 1 if pair == 1 else 2
        a, b = sums[_LEG + first], sums[_LEG + second]
        if a * b >= 0.0:
            continue
        hedged = min(abs(a), abs(b))
        sums[_LEG + first] = a + hedged if a < 0.0 else a - hedged
        sums[_LEG + second] = b + hedged if b < 0.0 else b - hedged
        total += marginal(hedged, tables[pair], int(under[HEDGED + pair]))
        if under[BLIND + pair] > 0.0:
            r_total += under[STEEPEST] * hedged
    return total, r_total


@compiled
def settle_forward(sums: Any) -> None:
    """An expiry's forward moves all that goes by it at once: what is long and short offsets."""
    for k in range(MOVES):
        sums[_OFF + k] += abs(sums[_FORWARD + k])
        sums[_FORWARD + k] = 0.0


@compiled
def sum_legs(
    legs: Any,
    amounts: Any,
    begin: int,
    end: int,
    filled: int,
    contracts: Any,
    point: bool,
    sums: Any,
) -> None:
    """Add up a unit's legs, those of one expiry after one another (`filled`: as of `bound_unit`)."""
    for k in range(SCRATCH):
        sums[k] = 0.0
    group, delta, off, low, high = -1, 0.0, 0.0, 0.0, 0.0
    for j in range(begin, end):
        net, gross = amounts[j, LF_NET], amounts[j, LF_GROSS]
        if filled == 1:
            net += amounts[j, LF_BUYS]
            gross += amounts[j, LF_BUYS]
        elif filled == 2:
            net -= amounts[j, LF_SELLS]
            gross += amounts[j, LF_SELLS]
        if gross == 0.0:
            continue
        row = contracts[legs[j, L_CONTRACT]]
        if legs[j, L_GROUP] != group:
            sums[_BASIS_LO] += max(0.0, abs(delta) - off) * low
            sums[_BASIS_HI] += (abs(delta) + off) * high
            if not point:
                settle_forward(sums)
            group, delta, off = legs[j, L_GROUP], 0.0, 0.0
            low, high = row[BASIS_LO], row[BASIS_HI]
        add_leg(net, gross, row, point, sums)
        own, r_own = net * row[DELTA], abs(net) * row[R_DELTA]
        if group < 0:  # MR4: each perpetual by itself
            sums[_BASIS_LO] += max(0.0, abs(own) - r_own) * row[BASIS_LO]
            sums[_BASIS_HI] += (abs(own) + r_own) * row[BASIS_HI]
        else:
            delta += own
            off += r_own
    sums[_BASIS_LO] += max(0.0, abs(delta) - off) * low
    sums[_BASIS_HI] += (abs(delta) + off) * high
    if not point:
        settle_forward(sums)


@compiled
def add_leg(net: float, gross: float, row: Any, point: bool, sums: Any) -> None:
    """Add one contract's row, times what is held of it."""
    size = abs(net)
    for k in range(MOVES):
        sums[k] += net * row[k]
    if not point:
        for k in range(MOVES):
            sums[_INDEX + k] += net * row[S_GAIN + k]
        if row[APART] > 0.0:
            for k in range(MOVES):
                sums[_FORWARD + k] += net * row[F_GAIN + k]
    sums[_R_GAIN] += size * row[R_GAIN]
    sums[_COIN] += net * row[COIN]
    sums[_R_COIN] += size * row[R_COIN]
    sums[_LEAST_LO] += gross * row[LEAST_LO]
    sums[_LEAST_HI] += gross * row[LEAST_HI]
    sums[_LEG + int(row[LEG])] += net * row[DELTA]
    sums[_R_LEG] += size * row[R_DELTA]
    if row[OPTION] > 0.0:
        sums[MOVES + int(row[TENOR])] += net * row[VEGA]
        sums[_RHO + int(row[TERM])] += net * row[RHO]
        sums[_R_VEGA] += size * row[R_VEGA]
        sums[_R_RHO] += size * row[R_RHO]


@compiled
def worst_of(sums: Any, under: Any, usd: float, r_usd: float) -> tuple[float, float]:
    """MR1, MR2 and MR6: return the greatest of them from … to; `usd`: the spot in use."""
    low = high = 0.0
    for k in range(SCENARIOS):
        shock = under[SHOCKS + k % POINTS]
        loss, off = -(sums[k] + usd * shock), sums[_OFF + k] + r_usd * abs(shock)
        if k != STILL:
            low, high = max(low, loss - off), max(high, loss + off)
    for k in range(2):
        shock = under[EXTREMES + k]
        loss = -(sums[EXTREME + k] + usd * shock)
        off = sums[_OFF + EXTREME + k] + r_usd * abs(shock)
        low = max(low, under[EXTREME_SHARE] * (loss - off))
        high = max(high, under[EXTREME_SHARE] * (loss + off))
    for k in range(DECAY, DECAY + 3):
        low = max(low, -sums[k] - sums[_OFF + k])
        high = max(high, -sums[k] + sums[_OFF + k])
    return low, high


@compiled
def bound_unit(
    legs: Any,
    amounts: Any,
    begin: int,
    end: int,
    filled: int,
    spot_lo: float,
    spot_hi: float,
    cap: float,
    contracts: Any,
    under: Any,
    shares: Any,
    scale: Any,
    tables: Any,
    sums: Any,
    point: bool,
) -> tuple[float, float]:
    """Return the unit's maintenance from … to. `point`: no price moves, so nothing goes by slopes.

    `filled`: 0 no orders, 1 buys, 2 sells. `sums` is scratch.
    """
    sum_legs(legs, amounts, begin, end, filled, contracts, point, sums)
    for k in range(MOVES):
        sums[_OFF + k] += sums[_R_GAIN] + abs(sums[_INDEX + k])
    used_lo = in_use(spot_lo, sums[_COIN] + sums[_R_COIN], cap)
    used_hi = in_use(spot_hi, sums[_COIN] - sums[_R_COIN], cap)
    usd_lo = used_lo * (under[INDEX_LO] if used_lo > 0.0 else under[INDEX_HI])
    usd_hi = used_hi * (under[INDEX_HI] if used_hi > 0.0 else under[INDEX_LO])
    low, high = worst_of(sums, under, 0.5 * (usd_lo + usd_hi), 0.5 * (usd_hi - usd_lo))

    volatility = offset(sums, MOVES, int(under[TENORS]), shares)
    rates = 0.0
    for k in range(BUCKETS):
        rates += abs(sums[_RHO + k])
    charge, r_charge = hedges(sums, sums[_R_LEG], under, tables)
    low += sums[_BASIS_LO] + max(0.0, volatility - sums[_R_VEGA])
    low += max(0.0, rates - sums[_R_RHO]) + max(0.0, charge - r_charge)
    high += sums[_BASIS_HI] + volatility + sums[_R_VEGA] + rates + sums[_R_RHO] + charge + r_charge
    low = max(low, marginal(sums[_LEAST_LO], scale, int(under[SCALES])))
    high = max(high, marginal(sums[_LEAST_HI], scale, int(under[SCALES])))
    return max(0.0, low - ROUNDING * high), high * (1.0 + ROUNDING)
