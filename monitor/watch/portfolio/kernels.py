"""Accounts of risk units between bounds: from contracts' intervals to sure zones of the ratio.

Every figure is an interval that holds the exact one for all prices and moments of a cell
(`monitor.watch.portfolio.ring` has the proof); a point is the narrowest of cells.
"""

from __future__ import annotations

from typing import Any

from monitor.watch.compiled import compiled
from monitor.watch.portfolio.layout import (
    APART,
    AUTO_BORROW,
    BASIS_HI,
    BASIS_LO,
    BLIND,
    BUCKETS,
    CANCELLABLE,
    COIN,
    DECAY,
    DELTA,
    DERIVATIVE_TAKER,
    EQUITY_HI,
    EQUITY_LO,
    EXTREME,
    EXTREME_SHARE,
    EXTREMES,
    F_GAIN,
    F_WORTH,
    H_BORROW,
    H_BY_VALUE,
    H_COUNTS,
    H_CURRENCY,
    H_DISCOUNT,
    H_FIXED,
    HEDGED,
    HF_BORROWING,
    HF_FEES,
    HF_FLOOR,
    HF_FROZEN,
    HF_GROSS,
    HF_INITIAL,
    HF_LAST_RATE,
    HF_MAINTENANCE,
    HF_NET,
    HF_OWED,
    HF_OWED_RATE,
    HOLDINGS_BEGIN,
    HOLDINGS_END,
    INDEX_HI,
    INDEX_LO,
    INITIAL,
    L_CONTRACT,
    L_GROUP,
    L_HOLDING,
    LEAST_HI,
    LEAST_LO,
    LEG,
    LEGS_BEGIN,
    LEGS_END,
    LEVELS,
    LF_BUYS,
    LF_CHARGED,
    LF_GROSS,
    LF_NET,
    LF_SELLS,
    MOVES,
    NEED_HI,
    NEED_LO,
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
    REQUIREMENT_HI,
    REQUIREMENT_LO,
    RHO,
    S_GAIN,
    SCALES,
    SCENARIOS,
    SHOCKS,
    SHORT,
    SPOT_TAKER,
    STEEPEST,
    STILL,
    SURE,
    TENOR,
    TENORS,
    TERM,
    U_BUYS,
    U_LEGS_BEGIN,
    U_LEGS_END,
    U_SELLS,
    U_SPOT,
    U_UNDERLYING,
    UNITS_BEGIN,
    UNITS_END,
    VEGA,
    WORTH,
    ZONE,
)

__all__ = ["bound_accounts", "mark_contracts"]

ROUNDING = 1e-12
"""Relative to the gross of all terms; float64 over a few hundred operations errs below 1e-13."""

_RHO = MOVES + BUCKETS
_LEG = MOVES + 2 * BUCKETS
_INDEX = _LEG + 4
"""How far each gain moves with the index, in all."""
_FORWARD = _INDEX + MOVES
"""With the forward of the expiry at hand."""
_OFF = _FORWARD + MOVES
"""With all forwards, and beyond all slopes."""
SCRATCH = _OFF + MOVES


@compiled
def marginal(value: float, slices: Any, count: int) -> float:
    """Return Σ slice × factor; past the last its factor; 1 without any."""
    total = below = 0.0
    factor = 1.0
    for k in range(count):
        factor = slices[k, 1]
        if value <= slices[k, 0]:
            return total + max(0.0, value - below) * factor
        total += (slices[k, 0] - below) * factor
        below = slices[k, 0]
    return total + max(0.0, value - below) * factor


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
    r_gain = coin = r_coin = r_vega = r_rho = r_leg = 0.0
    least_lo = least_hi = basis_lo = basis_hi = 0.0
    group, g_delta, g_radius, g_lo, g_hi = -1, 0.0, 0.0, 0.0, 0.0
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
        i, size = legs[j, L_CONTRACT], abs(net)
        for k in range(MOVES):
            sums[k] += net * contracts[i, k]
        if not point:
            for k in range(MOVES):
                sums[_INDEX + k] += net * contracts[i, S_GAIN + k]
        r_gain += size * contracts[i, R_GAIN]
        coin += net * contracts[i, COIN]
        r_coin += size * contracts[i, R_COIN]
        delta, r_delta = net * contracts[i, DELTA], size * contracts[i, R_DELTA]
        least_lo += gross * contracts[i, LEAST_LO]
        least_hi += gross * contracts[i, LEAST_HI]
        if contracts[i, OPTION] > 0.0:
            sums[MOVES + int(contracts[i, TENOR])] += net * contracts[i, VEGA]
            sums[_RHO + int(contracts[i, TERM])] += net * contracts[i, RHO]
            r_vega += size * contracts[i, R_VEGA]
            r_rho += size * contracts[i, R_RHO]
        sums[_LEG + int(contracts[i, LEG])] += delta
        r_leg += r_delta
        if legs[j, L_GROUP] < 0:
            basis_lo += max(0.0, abs(delta) - r_delta) * contracts[i, BASIS_LO]
            basis_hi += (abs(delta) + r_delta) * contracts[i, BASIS_HI]
            continue
        if legs[j, L_GROUP] != group:
            basis_lo += max(0.0, abs(g_delta) - g_radius) * g_lo
            basis_hi += (abs(g_delta) + g_radius) * g_hi
            if not point:
                settle_forward(sums)
            group, g_delta, g_radius = legs[j, L_GROUP], 0.0, 0.0
            g_lo, g_hi = contracts[i, BASIS_LO], contracts[i, BASIS_HI]
        if not point and contracts[i, APART] > 0.0:
            for k in range(MOVES):
                sums[_FORWARD + k] += net * contracts[i, F_GAIN + k]
        g_delta += delta
        g_radius += r_delta
    basis_lo += max(0.0, abs(g_delta) - g_radius) * g_lo
    basis_hi += (abs(g_delta) + g_radius) * g_hi

    if not point:
        settle_forward(sums)
    for k in range(MOVES):
        sums[_OFF + k] += r_gain + abs(sums[_INDEX + k])

    used_lo = in_use(spot_lo, coin + r_coin, cap)
    used_hi = in_use(spot_hi, coin - r_coin, cap)
    usd_lo = used_lo * (under[INDEX_LO] if used_lo > 0.0 else under[INDEX_HI])
    usd_hi = used_hi * (under[INDEX_HI] if used_hi > 0.0 else under[INDEX_LO])
    usd, r_usd = 0.5 * (usd_lo + usd_hi), 0.5 * (usd_hi - usd_lo)

    worst_lo = worst_hi = 0.0
    for k in range(SCENARIOS):
        shock = under[SHOCKS + k % POINTS]
        loss, off = -(sums[k] + usd * shock), sums[_OFF + k] + r_usd * abs(shock)
        if k != STILL:
            worst_lo, worst_hi = max(worst_lo, loss - off), max(worst_hi, loss + off)
    for k in range(2):
        shock = under[EXTREMES + k]
        loss = -(sums[EXTREME + k] + usd * shock)
        off = sums[_OFF + EXTREME + k] + r_usd * abs(shock)
        worst_lo = max(worst_lo, under[EXTREME_SHARE] * (loss - off))
        worst_hi = max(worst_hi, under[EXTREME_SHARE] * (loss + off))
    for k in range(DECAY, DECAY + 3):
        worst_lo = max(worst_lo, -sums[k] - sums[_OFF + k])
        worst_hi = max(worst_hi, -sums[k] + sums[_OFF + k])

    volatility = offset(sums, MOVES, int(under[TENORS]), shares)
    rates = 0.0
    for k in range(BUCKETS):
        rates += abs(sums[_RHO + k])
    charge, r_charge = hedges(sums, r_leg, under, tables)
    low = worst_lo + basis_lo
    low += max(0.0, volatility - r_vega) + max(0.0, rates - r_rho) + max(0.0, charge - r_charge)
    high = worst_hi + basis_hi + volatility + r_vega + rates + r_rho + charge + r_charge
    low = max(low, marginal(least_lo, scale, int(under[SCALES])))
    high = max(high, marginal(least_hi, scale, int(under[SCALES])))
    return max(0.0, low - ROUNDING * high), high * (1.0 + ROUNDING)


@compiled
def discounted(
    equity: float, price: float, counts: bool, by_value: bool, tiers: Any, begin: int, end: int,
    last: float,
) -> float:
    """CU-9."""
    if equity <= 0.0:
        return equity * price
    if not counts:
        return 0.0
    amount = equity * price if by_value else equity
    total = below = 0.0
    for k in range(begin, end):
        if amount <= tiers[k, 0]:
            total += (amount - below) * tiers[k, 1]
            return total if by_value else total * price
        total += (tiers[k, 0] - below) * tiers[k, 1]
        below = tiers[k, 0]
    total += (amount - below) * last
    return total if by_value else total * price


@compiled
def rates_between(
    low: float, high: float, tiers: Any, begin: int, end: int, column: int
) -> tuple[float, float]:
    """Return the lowest and highest rate of the borrow tiers that amounts from low to high reach."""
    least, most = 1e300, 0.0
    below = -1e300
    for k in range(begin, end):
        up_to = tiers[k, 0] if k < end - 1 else 1e300  # past the last its rates hold
        if high > below and low <= up_to:
            least, most = min(least, tiers[k, column]), max(most, tiers[k, column])
        below = up_to
    return (least, most) if least <= most else (0.0, 0.0)


@compiled
def bound_accounts(
    slots: Any,
    accounts: Any,
    rates: Any,
    levels: Any,
    holdings: Any,
    balances: Any,
    legs: Any,
    amounts: Any,
    units: Any,
    caps: Any,
    discounts: Any,
    borrows: Any,
    price_lo: Any,
    price_hi: Any,
    contracts: Any,
    underlyings: Any,
    shares: Any,
    scales: Any,
    tables: Any,
    coins: Any,
    sums: Any,
    found: Any,
    point: bool,
) -> None:
    """Write each account's figures into `found`, one row a slot, and the zone if it is sure.

    `coins` (by holding: lo and hi of linear equity and of options, gross, what moves with forwards)
    and `sums` are scratch. `point`: no price moves.
    """
    for n in range(len(slots)):
        slot = slots[n]
        h_begin, h_end = accounts[slot, HOLDINGS_BEGIN], accounts[slot, HOLDINGS_END]
        l_begin, l_end = accounts[slot, LEGS_BEGIN], accounts[slot, LEGS_END]
        taker, own_taker = rates[slot, SPOT_TAKER], rates[slot, DERIVATIVE_TAKER]
        for h in range(h_end - h_begin):
            for k in range(6):
                coins[h, k] = 0.0
        group, settle, strays = -2, 0, 0.0
        equity_lo = equity_hi = requirement_lo = requirement_hi = 0.0
        need_lo = need_hi = gross = 0.0
        sure = True
        for j in range(l_begin, l_end):
            i, h, net = legs[j, L_CONTRACT], legs[j, L_HOLDING], amounts[j, LF_NET]
            worth, off = net * contracts[i, WORTH], abs(net) * contracts[i, R_WORTH]
            place = 2 if contracts[i, OPTION] > 0.0 else 0
            coins[h, place] += worth - off
            coins[h, place + 1] += worth + off
            coins[h, 4] += abs(worth) + off
            if contracts[i, F_WORTH] != 0.0:
                # one forward for all of an expiry; each expiry's by itself
                if legs[j, L_GROUP] != group or h != settle:
                    coins[settle, 5] += abs(strays)
                    group, settle, strays = legs[j, L_GROUP], h, 0.0
                strays += net * contracts[i, F_WORTH]
            charged = amounts[j, LF_CHARGED] * own_taker
            requirement_lo += charged * contracts[i, NOTIONAL_LO]
            requirement_hi += charged * contracts[i, NOTIONAL_HI]
        coins[settle, 5] += abs(strays)
        for h in range(h_end - h_begin):
            row = h_begin + h
            p_lo = price_lo[holdings[row, H_CURRENCY]]
            p_hi = price_hi[holdings[row, H_CURRENCY]]
            coins[h, 4] += balances[row, HF_GROSS]
            rounding = ROUNDING * coins[h, 4]
            coins[h, 0] += balances[row, HF_NET] - rounding
            coins[h, 1] += balances[row, HF_NET] + rounding
            e_lo = coins[h, 0] + coins[h, 2] - coins[h, 5] - rounding
            e_hi = coins[h, 1] + coins[h, 3] + coins[h, 5] + rounding
            counts, by_value = holdings[row, H_COUNTS] != 0, holdings[row, H_BY_VALUE] != 0
            d_begin, d_end = holdings[row, H_DISCOUNT], holdings[row, H_DISCOUNT + 1]
            last, fees = balances[row, HF_LAST_RATE], balances[row, HF_FEES]
            equity_lo += discounted(
                e_lo, p_lo if e_lo > 0.0 else p_hi, counts, by_value, discounts, d_begin, d_end, last
            ) - fees * p_hi
            equity_hi += discounted(
                e_hi, p_hi if e_hi > 0.0 else p_lo, counts, by_value, discounts, d_begin, d_end, last
            ) - fees * p_lo
            gross += (coins[h, 4] + fees) * p_hi
            if holdings[row, H_FIXED] != 0:
                owed_lo = owed_hi = balances[row, HF_OWED]
                b_lo = b_hi = balances[row, HF_BORROWING]
                m_lo = m_hi = balances[row, HF_MAINTENANCE]
                i_lo = i_hi = balances[row, HF_INITIAL]
                o_lo = o_hi = balances[row, HF_OWED_RATE]
            else:
                owed_lo, owed_hi = max(0.0, -e_hi), max(0.0, -e_lo)
                b_lo, b_hi = owed_lo, owed_hi
                if accounts[slot, AUTO_BORROW] != 0:
                    b_lo = max(owed_lo, balances[row, HF_FROZEN] - e_hi)
                    b_hi = max(owed_hi, balances[row, HF_FROZEN] - e_lo)
                t_begin, t_end = holdings[row, H_BORROW], holdings[row, H_BORROW + 1]
                m_lo, m_hi = rates_between(b_lo, b_hi, borrows, t_begin, t_end, 2)
                i_lo, i_hi = rates_between(b_lo, b_hi, borrows, t_begin, t_end, 1)
                o_lo, o_hi = rates_between(owed_lo, owed_hi, borrows, t_begin, t_end, 2)
                sure = sure and e_lo > balances[row, HF_FLOOR]
            requirement_lo += b_lo * p_lo * (m_lo + (1.0 + m_lo) * taker)
            requirement_hi += b_hi * p_hi * (m_hi + (1.0 + m_hi) * taker)
            need_lo += owed_lo * p_lo * o_lo + max(0.0, b_lo - owed_hi) * p_lo * i_lo
            need_hi += owed_hi * p_hi * o_hi + max(0.0, b_hi - owed_lo) * p_hi * i_hi
        for u in range(accounts[slot, UNITS_BEGIN], accounts[slot, UNITS_END]):
            spot_lo = spot_hi = 0.0
            if units[u, U_SPOT] >= 0:
                spot_lo, spot_hi = coins[units[u, U_SPOT], 0], coins[units[u, U_SPOT], 1]
            place = units[u, U_UNDERLYING]
            plain_lo = plain_hi = most_lo = most_hi = 0.0
            for filled in range(3):
                if filled == 1 and units[u, U_BUYS] == 0:
                    continue
                if filled == 2 and units[u, U_SELLS] == 0:
                    continue
                low, high = bound_unit(
                    legs,
                    amounts,
                    l_begin + units[u, U_LEGS_BEGIN],
                    l_begin + units[u, U_LEGS_END],
                    filled,
                    spot_lo,
                    spot_hi,
                    caps[u],
                    contracts,
                    underlyings[place],
                    shares[place],
                    scales[place],
                    tables[place],
                    sums,
                    point,
                )
                if filled == 0:
                    plain_lo, plain_hi = low, high
                most_lo, most_hi = max(most_lo, low), max(most_hi, high)
            requirement_lo += most_lo
            requirement_hi += most_hi
            factor = underlyings[place, INITIAL]
            need_lo += plain_lo
            need_hi += plain_hi
            if units[u, U_BUYS] != 0 or units[u, U_SELLS] != 0:
                need_lo += factor * max(0.0, most_lo - plain_hi)
                need_hi += factor * (most_hi - plain_lo)
        equity_lo -= ROUNDING * gross
        equity_hi += ROUNDING * gross
        requirement_lo *= 1.0 - ROUNDING
        requirement_hi *= 1.0 + ROUNDING

        zone = count = accounts[slot, LEVELS]
        if requirement_hi > 0.0:
            above = True
            if requirement_lo <= 0.0:  # with no requirement there is no ratio
                above = equity_lo > 0.0
                for k in range(count):
                    above = above and equity_lo > levels[slot, k] * requirement_hi
                sure = sure and above
            else:
                zone = 0
                for k in range(count):
                    if equity_lo - levels[slot, k] * requirement_hi > 0.0:
                        zone += 1
                    elif not equity_hi - levels[slot, k] * requirement_lo < 0.0:
                        sure = False
        short = False
        if accounts[slot, CANCELLABLE] != 0:
            short = equity_hi < need_lo * (1.0 - ROUNDING)
            sure = sure and (short or equity_lo >= need_hi * (1.0 + ROUNDING))
        found[n, EQUITY_LO], found[n, EQUITY_HI] = equity_lo, equity_hi
        found[n, REQUIREMENT_LO], found[n, REQUIREMENT_HI] = requirement_lo, requirement_hi
        found[n, NEED_LO], found[n, NEED_HI] = need_lo, need_hi
        found[n, SURE] = 1.0 if sure and gross < 1e200 else 0.0
        found[n, ZONE], found[n, SHORT] = zone, 1.0 if short else 0.0


@compiled
def mark_contracts(slots: Any, accounts: Any, legs: Any, wanted: Any) -> None:
    """Mark in `wanted` the contracts that the accounts in `slots` have legs of."""
    for n in range(len(slots)):
        for j in range(accounts[slots[n], LEGS_BEGIN], accounts[slots[n], LEGS_END]):
            wanted[legs[j, L_CONTRACT]] = True
