"""Accounts of risk units between bounds: from contracts' intervals to sure zones of the ratio.

Every figure is an interval that holds the exact one for all prices and moments of a cell
(`monitor.watch.portfolio.ring` has the proof); a point is the narrowest of cells.
"""

from __future__ import annotations

from typing import Any

from monitor.watch.compiled import compiled
from monitor.watch.portfolio.layout import (
    AUTO_BORROW,
    CANCELLABLE,
    DERIVATIVE_TAKER,
    EQUITY_HI,
    EQUITY_LO,
    F_WORTH,
    FOUND,
    H_BORROW,
    H_BY_VALUE,
    H_COUNTS,
    H_CURRENCY,
    H_DISCOUNT,
    H_FIXED,
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
    INITIAL,
    L_CONTRACT,
    L_GROUP,
    L_HOLDING,
    LEGS_BEGIN,
    LEGS_END,
    LEVELS,
    LF_CHARGED,
    LF_NET,
    NEED_HI,
    NEED_LO,
    NOTIONAL_HI,
    NOTIONAL_LO,
    OPTION,
    R_WORTH,
    REQUIREMENT_HI,
    REQUIREMENT_LO,
    ROWS_BEGIN,
    ROWS_END,
    SHORT,
    SPOT_TAKER,
    SURE,
    U_BUYS,
    U_LEGS_BEGIN,
    U_LEGS_END,
    U_SELLS,
    U_SPOT,
    U_UNDERLYING,
    UNITS_BEGIN,
    UNITS_END,
    WORTH,
    ZONE,
)
from monitor.watch.portfolio.unit import ROUNDING, bound_unit

__all__ = ["bound_accounts", "mark_contracts", "mark_rows"]

_HUGE = 1e200


@compiled
def discounted(equity: float, price: float, holding: Any, own: Any, tiers: Any) -> float:
    """CU-9."""
    if equity <= 0.0:
        return equity * price
    if holding[H_COUNTS] == 0:
        return 0.0
    by_value = holding[H_BY_VALUE] != 0
    amount = equity * price if by_value else equity
    total = below = 0.0
    for k in range(holding[H_DISCOUNT], holding[H_DISCOUNT + 1]):
        up_to, rate = tiers[k, 0], tiers[k, 1]
        total += (min(amount, up_to) - below) * rate
        below = min(amount, up_to)
        if amount <= up_to:
            break
    total += (amount - below) * own[HF_LAST_RATE]
    counted: float = total if by_value else total * price
    return counted


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
def add_worths(
    legs: Any,
    amounts: Any,
    begin: int,
    end: int,
    charge: float,
    contracts: Any,
    coins: Any,
    out: Any,
) -> None:
    """Add what positions are worth to the coins they settle in, and PM-5's fee at the rate `charge`."""
    group, settle, strays = -2, 0, 0.0
    asked_lo = asked_hi = 0.0
    for j in range(begin, end):
        net, h, i = amounts[j, LF_NET], legs[j, L_HOLDING], legs[j, L_CONTRACT]
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
        charged = amounts[j, LF_CHARGED] * charge
        asked_lo += charged * contracts[i, NOTIONAL_LO]
        asked_hi += charged * contracts[i, NOTIONAL_HI]
    coins[settle, 5] += abs(strays)
    out[REQUIREMENT_LO] += asked_lo
    out[REQUIREMENT_HI] += asked_hi


@compiled
def add_holding(
    holding: Any,
    own: Any,
    coin: Any,
    p_lo: float,
    p_hi: float,
    discounts: Any,
    borrows: Any,
    auto_borrow: bool,
    taker: float,
    out: Any,
) -> float:
    """Add one currency's equity and borrowing (CU-1 to CU-9); return its gross in USD."""
    coin[4] += own[HF_GROSS]
    rounding = ROUNDING * coin[4]
    coin[0] += own[HF_NET] - rounding
    coin[1] += own[HF_NET] + rounding
    e_lo = coin[0] + coin[2] - coin[5] - rounding
    e_hi = coin[1] + coin[3] + coin[5] + rounding
    fees = own[HF_FEES]
    out[EQUITY_LO] += discounted(e_lo, p_lo if e_lo > 0.0 else p_hi, holding, own, discounts)
    out[EQUITY_HI] += discounted(e_hi, p_hi if e_hi > 0.0 else p_lo, holding, own, discounts)
    out[EQUITY_LO] -= fees * p_hi
    out[EQUITY_HI] -= fees * p_lo
    if holding[H_FIXED] != 0:
        owed_lo = owed_hi = own[HF_OWED]
        b_lo = b_hi = own[HF_BORROWING]
        m_lo = m_hi = own[HF_MAINTENANCE]
        i_lo = i_hi = own[HF_INITIAL]
        o_lo = o_hi = own[HF_OWED_RATE]
    else:
        owed_lo, owed_hi = max(0.0, -e_hi), max(0.0, -e_lo)
        b_lo, b_hi = owed_lo, owed_hi
        if auto_borrow:
            b_lo, b_hi = max(owed_lo, own[HF_FROZEN] - e_hi), max(owed_hi, own[HF_FROZEN] - e_lo)
        begin, end = holding[H_BORROW], holding[H_BORROW + 1]
        m_lo, m_hi = rates_between(b_lo, b_hi, borrows, begin, end, 2)
        i_lo, i_hi = rates_between(b_lo, b_hi, borrows, begin, end, 1)
        o_lo, o_hi = rates_between(owed_lo, owed_hi, borrows, begin, end, 2)
        if e_lo <= own[HF_FLOOR]:
            out[SURE] = 0.0  # OC-2, OC-3, IN-4: single coins may ask for something
    out[REQUIREMENT_LO] += b_lo * p_lo * (m_lo + (1.0 + m_lo) * taker)
    out[REQUIREMENT_HI] += b_hi * p_hi * (m_hi + (1.0 + m_hi) * taker)
    out[NEED_LO] += owed_lo * p_lo * o_lo + max(0.0, b_lo - owed_hi) * p_lo * i_lo
    out[NEED_HI] += owed_hi * p_hi * o_hi + max(0.0, b_hi - owed_lo) * p_hi * i_hi
    gross: float = (coin[4] + fees) * p_hi
    return gross


@compiled
def add_unit(
    unit: Any,
    cap: float,
    first_leg: int,
    coins: Any,
    legs: Any,
    amounts: Any,
    contracts: Any,
    underlyings: Any,
    shares: Any,
    scales: Any,
    tables: Any,
    sums: Any,
    point: bool,
    out: Any,
) -> None:
    """Add one unit's margins, with those of its orders filled that ask for most (PM-2, OC-1)."""
    spot_lo = spot_hi = 0.0
    if unit[U_SPOT] >= 0:
        spot_lo, spot_hi = coins[unit[U_SPOT], 0], coins[unit[U_SPOT], 1]
    place = unit[U_UNDERLYING]
    plain_lo = plain_hi = most_lo = most_hi = 0.0
    for filled in range(3):
        if (filled == 1 and unit[U_BUYS] == 0) or (filled == 2 and unit[U_SELLS] == 0):
            continue
        low, high = bound_unit(
            legs,
            amounts,
            first_leg + unit[U_LEGS_BEGIN],
            first_leg + unit[U_LEGS_END],
            filled,
            spot_lo,
            spot_hi,
            cap,
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
    out[REQUIREMENT_LO] += most_lo
    out[REQUIREMENT_HI] += most_hi
    out[NEED_LO] += plain_lo
    out[NEED_HI] += plain_hi
    if unit[U_BUYS] != 0 or unit[U_SELLS] != 0:
        factor = underlyings[place, INITIAL]
        out[NEED_LO] += factor * max(0.0, most_lo - plain_hi)
        out[NEED_HI] += factor * (most_hi - plain_lo)


@compiled
def place(levels: Any, count: int, cancellable: bool, out: Any) -> None:
    """Say how many levels the ratio is above and whether OC-1 is short, and whether that is sure."""
    equity_lo, equity_hi = out[EQUITY_LO], out[EQUITY_HI]
    low, high = out[REQUIREMENT_LO], out[REQUIREMENT_HI]
    zone = count
    if low > 0.0:
        zone = 0
        for k in range(count):
            if equity_lo - levels[k] * high > 0.0:
                zone += 1
            elif not equity_hi - levels[k] * low < 0.0:
                out[SURE] = 0.0
    elif high > 0.0:  # there may be no requirement, and so no ratio
        if equity_lo <= 0.0:
            out[SURE] = 0.0
        for k in range(count):
            if not equity_lo > levels[k] * high:
                out[SURE] = 0.0
    short = cancellable and equity_hi < out[NEED_LO] * (1.0 - ROUNDING)
    if cancellable and not short and not equity_lo >= out[NEED_HI] * (1.0 + ROUNDING):
        out[SURE] = 0.0
    out[ZONE], out[SHORT] = zone, 1.0 if short else 0.0


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
        slot, out = slots[n], found[n]
        own = accounts[slot]
        first, first_leg = own[HOLDINGS_BEGIN], own[LEGS_BEGIN]
        for h in range(own[HOLDINGS_END] - first):
            for k in range(6):
                coins[h, k] = 0.0
        for k in range(FOUND):
            out[k] = 0.0
        out[SURE] = 1.0
        add_worths(
            legs,
            amounts,
            first_leg,
            own[LEGS_END],
            rates[slot, DERIVATIVE_TAKER],
            contracts,
            coins,
            out,
        )
        gross = 0.0
        for h in range(own[HOLDINGS_END] - first):
            holding = holdings[first + h]
            gross += add_holding(
                holding,
                balances[first + h],
                coins[h],
                price_lo[holding[H_CURRENCY]],
                price_hi[holding[H_CURRENCY]],
                discounts,
                borrows,
                own[AUTO_BORROW] != 0,
                rates[slot, SPOT_TAKER],
                out,
            )
        for u in range(own[UNITS_BEGIN], own[UNITS_END]):
            add_unit(
                units[u],
                caps[u],
                first_leg,
                coins,
                legs,
                amounts,
                contracts,
                underlyings,
                shares,
                scales,
                tables,
                sums,
                point,
                out,
            )
        out[EQUITY_LO] -= ROUNDING * gross
        out[EQUITY_HI] += ROUNDING * gross
        out[REQUIREMENT_LO] *= 1.0 - ROUNDING
        out[REQUIREMENT_HI] *= 1.0 + ROUNDING
        if not gross < _HUGE:
            out[SURE] = 0.0
        place(levels[slot], own[LEVELS], own[CANCELLABLE] != 0, out)


@compiled
def mark_contracts(slots: Any, accounts: Any, legs: Any, wanted: Any) -> None:
    """Mark in `wanted` the contracts that the accounts in `slots` have legs of."""
    for n in range(len(slots)):
        for j in range(accounts[slots[n], LEGS_BEGIN], accounts[slots[n], LEGS_END]):
            wanted[legs[j, L_CONTRACT]] = True


@compiled
def mark_rows(slots: Any, accounts: Any, rows: Any, wanted: Any) -> None:
    """Mark in `wanted` the price rows that the accounts in `slots` depend on."""
    for n in range(len(slots)):
        for j in range(accounts[slots[n], ROWS_BEGIN], accounts[slots[n], ROWS_END]):
            wanted[rows[j]] = True
