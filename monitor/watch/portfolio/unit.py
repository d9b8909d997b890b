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
_COIN = _OFF + MOVES
_R_COIN = _COIN + 1
_LEAST_LO = _COIN + 2
_LEAST_HI = _COIN + 3
_R_LEG = _COIN + 4
_R_VEGA = _COIN + 5
_R_RHO = _COIN + 6
SCRATCH = _COIN + 7


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
def held(amounts: Any, j: int, filled: int) -> tuple[float, float]:
    """Return what is held of a leg net and gross (`filled`: as of `bound_unit`)."""
    if filled == 1:
        more = amounts[j, LF_BUYS]
        return amounts[j, LF_NET] + more, amounts[j, LF_GROSS] + more
    if filled == 2:
        more = amounts[j, LF_SELLS]
        return amounts[j, LF_NET] - more, amounts[j, LF_GROSS] + more
    return amounts[j, LF_NET], amounts[j, LF_GROSS]


@compiled
def sum_gains(
    legs: Any,
    amounts: Any,
    begin: int,
    end: int,
    filled: int,
    contracts: Any,
    point: bool,
    sums: Any,
) -> None:
    """Add up the gains of a unit's legs, those of one expiry after one another, and their radii."""
    group, off = -1, 0.0
    for j in range(begin, end):
        net, _ = held(amounts, j, filled)
        i = legs[j, L_CONTRACT]
        off += abs(net) * contracts[i, R_GAIN]
        for k in range(MOVES):
            sums[k] += net * contracts[i, k]
        if point:
            continue
        if legs[j, L_GROUP] != group:
            settle_forward(sums)
            group = legs[j, L_GROUP]
        for k in range(MOVES):
            sums[_INDEX + k] += net * contracts[i, S_GAIN + k]
        if contracts[i, APART] > 0.0:
            for k in range(MOVES):
                sums[_FORWARD + k] += net * contracts[i, F_GAIN + k]
    settle_forward(sums)
    for k in range(MOVES):
        sums[_OFF + k] += off + abs(sums[_INDEX + k])


@compiled
def sum_greeks(
    legs: Any, amounts: Any, begin: int, end: int, filled: int, contracts: Any, sums: Any
) -> None:
    """Add up what MR3, MR5, MR7, MR9 and the spot in use go by."""
    coin = r_coin = r_leg = r_vega = r_rho = least_lo = least_hi = 0.0
    for j in range(begin, end):
        net, gross = held(amounts, j, filled)
        i, size = legs[j, L_CONTRACT], abs(net)
        coin += net * contracts[i, COIN]
        r_coin += size * contracts[i, R_COIN]
        r_leg += size * contracts[i, R_DELTA]
        least_lo += gross * contracts[i, LEAST_LO]
        least_hi += gross * contracts[i, LEAST_HI]
        sums[_LEG + int(contracts[i, LEG])] += net * contracts[i, DELTA]
        if contracts[i, OPTION] > 0.0:
            sums[MOVES + int(contracts[i, TENOR])] += net * contracts[i, VEGA]
            sums[_RHO + int(contracts[i, TERM])] += net * contracts[i, RHO]
            r_vega += size * contracts[i, R_VEGA]
            r_rho += size * contracts[i, R_RHO]
    sums[_COIN], sums[_R_COIN], sums[_R_LEG] = coin, r_coin, r_leg
    sums[_R_VEGA], sums[_R_RHO] = r_vega, r_rho
    sums[_LEAST_LO], sums[_LEAST_HI] = least_lo, least_hi


@compiled
def basis(
    legs: Any, amounts: Any, begin: int, end: int, filled: int, contracts: Any
) -> tuple[float, float]:
    """MR4: return it from … to; each perpetual by itself, one expiry's contracts together."""
    least = most = 0.0
    group, delta, off, low, high = -1, 0.0, 0.0, 0.0, 0.0
    for j in range(begin, end):
        net, gross = held(amounts, j, filled)
        if gross == 0.0:
            continue
        i = legs[j, L_CONTRACT]
        if legs[j, L_GROUP] < 0 or legs[j, L_GROUP] != group:
            least += max(0.0, abs(delta) - off) * low
            most += (abs(delta) + off) * high
            group, delta, off = legs[j, L_GROUP], 0.0, 0.0
            low, high = contracts[i, BASIS_LO], contracts[i, BASIS_HI]
        delta += net * contracts[i, DELTA]
        off += abs(net) * contracts[i, R_DELTA]
    least += max(0.0, abs(delta) - off) * low
    most += (abs(delta) + off) * high
    return least, most


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
    for k in range(SCRATCH):
        sums[k] = 0.0
    sum_gains(legs, amounts, begin, end, filled, contracts, point, sums)
    sum_greeks(legs, amounts, begin, end, filled, contracts, sums)
    basis_lo, basis_hi = basis(legs, amounts, begin, end, filled, contracts)
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
    low += basis_lo + max(0.0, volatility - sums[_R_VEGA])
    low += max(0.0, rates - sums[_R_RHO]) + max(0.0, charge - r_charge)
    high += basis_hi + volatility + sums[_R_VEGA] + rates + sums[_R_RHO] + charge + r_charge
    low = max(low, marginal(sums[_LEAST_LO], scale, int(under[SCALES])))
    high = max(high, marginal(sums[_LEAST_HI], scale, int(under[SCALES])))
    return max(0.0, low - ROUNDING * high), high * (1.0 + ROUNDING)
