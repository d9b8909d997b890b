"""Columns of the flat arrays in which risk units are screened; all floats, a `LO`/`HI` pair bounds."""

from __future__ import annotations

from typing import Final

# -- one contract, one unit of contracts × size long, in USD ----------------------------------------

POINTS: Final = 7
"""MR1's price points."""
SCENARIOS: Final = 3 * POINTS
"""By volatility (down, same, up), then by price point."""
EXTREME: Final = SCENARIOS
DECAY: Final = EXTREME + 2
MOVES: Final = DECAY + 3
"""Gains under every move: MR1, MR6, MR2."""
STILL: Final = POINTS + POINTS // 2
"""The scenario in which nothing moves: its gain is 0."""

R_GAIN: Final = MOVES
"""How far any of the gains may be off, beyond its slopes."""
COIN: Final = MOVES + 1
"""Delta in coin, then its radius."""
R_COIN: Final = MOVES + 2
DELTA: Final = MOVES + 3
R_DELTA: Final = MOVES + 4
VEGA: Final = MOVES + 5
"""× the shock of its tenor."""
R_VEGA: Final = MOVES + 6
RHO: Final = MOVES + 7
"""× the shock of its tenor."""
R_RHO: Final = MOVES + 8
LEAST_LO: Final = MOVES + 9
"""MR7 before its scale."""
LEAST_HI: Final = MOVES + 10
BASIS_LO: Final = MOVES + 11
"""MR4: share of |delta|."""
BASIS_HI: Final = MOVES + 12
NOTIONAL_LO: Final = MOVES + 13
NOTIONAL_HI: Final = MOVES + 14
WORTH: Final = MOVES + 15
"""What it adds to the equity of its settle currency, but for what it was entered at; its radius."""
R_WORTH: Final = MOVES + 16
TENOR: Final = MOVES + 17
"""Bucket of MR3."""
TERM: Final = MOVES + 18
"""Bucket of MR5."""
LEG: Final = MOVES + 19
"""MR9: 0 USDT, 1 USDC, 2 USD, 3 none of them."""
OPTION: Final = MOVES + 20
"""1 of an option."""
F_WORTH: Final = MOVES + 21
"""Slope of the worth in its forward, × the forward's radius; `R_WORTH` is beyond it."""
APART: Final = MOVES + 22
"""1 where the forward is not the index."""
S_GAIN: Final = MOVES + 23
"""Slopes of the gains in the index, × its radius; `R_GAIN` is beyond them."""
F_GAIN: Final = S_GAIN + MOVES
"""The same in its forward, where that is not the index."""
CONTRACT: Final = F_GAIN + MOVES

GOES_BY: Final = 6
"""Rows of a contract (`Market.row_table`) that the deviation goes by which its mark implies."""

# -- one underlying --------------------------------------------------------------------------------

BUCKETS: Final = 8
"""Tenors, and slices of a scale, at most; a unit with more of them is left to decimals."""
PAIRS: Final = 3
INDEX_LO: Final = 0
INDEX_HI: Final = 1
SHOCKS: Final = 2
EXTREMES: Final = SHOCKS + POINTS
EXTREME_SHARE: Final = EXTREMES + 2
INITIAL: Final = EXTREMES + 3
TENORS: Final = EXTREMES + 4
SCALES: Final = EXTREMES + 5
"""Slices of MR7."""
HEDGED: Final = EXTREMES + 6
"""Slices of MR9, by pair."""
BLIND: Final = HEDGED + PAIRS
"""1 where prices may move between two rows of MR9's table, by pair."""
STEEPEST: Final = BLIND + PAIRS
"""MR9's highest rate."""
UNDERLYING: Final = STEEPEST + 1

# -- one account: integers, then floats ------------------------------------------------------------

HOLDINGS_BEGIN: Final = 0
HOLDINGS_END: Final = 1
LEGS_BEGIN: Final = 2
LEGS_END: Final = 3
UNITS_BEGIN: Final = 4
UNITS_END: Final = 5
AUTO_BORROW: Final = 6
CANCELLABLE: Final = 7
LEVELS: Final = 8
ROWS_BEGIN: Final = 9
ROWS_END: Final = 10
ACCOUNT: Final = 11

SPOT_TAKER: Final = 0
DERIVATIVE_TAKER: Final = 1
"""0 where PM-5 charges borrowing only."""
ACCOUNT_F: Final = 2

MOST_LEVELS: Final = 10
MOST_HOLDINGS: Final = 64

H_CURRENCY: Final = 0
H_FIXED: Final = 1
"""Prices do not change what is owed."""
H_COUNTS: Final = 2
H_BY_VALUE: Final = 3
H_DISCOUNT: Final = 4
"""First and last + 1 of its discount tiers."""
H_BORROW: Final = 6
HOLDING: Final = 8

HF_NET: Final = 0
HF_GROSS: Final = 1
HF_FROZEN: Final = 2
HF_FEES: Final = 3
HF_LAST_RATE: Final = 4
HF_FLOOR: Final = 5
HF_OWED: Final = 6
HF_BORROWING: Final = 7
HF_INITIAL: Final = 8
HF_MAINTENANCE: Final = 9
HF_OWED_RATE: Final = 10
HOLDING_F: Final = 11

L_CONTRACT: Final = 0
L_HOLDING: Final = 1
"""Place of its settle currency among the account's holdings."""
L_GROUP: Final = 2
"""MR4: its expiry's number in the unit; -1 stands alone."""
LEG_I: Final = 3

LF_NET: Final = 0
LF_GROSS: Final = 1
LF_BUYS: Final = 2
LF_SELLS: Final = 3
LF_CHARGED: Final = 4
"""Contracts × size that PM-5's fee is on."""
LEG_F: Final = 5

U_UNDERLYING: Final = 0
U_LEGS_BEGIN: Final = 1
"""From the account's first leg, as is the end."""
U_LEGS_END: Final = 2
U_SPOT: Final = 3
"""Place of the coin among the account's holdings, else -1."""
U_BUYS: Final = 4
U_SELLS: Final = 5
UNIT_I: Final = 6

# -- what comes out --------------------------------------------------------------------------------

EQUITY_LO: Final = 0
EQUITY_HI: Final = 1
REQUIREMENT_LO: Final = 2
REQUIREMENT_HI: Final = 3
NEED_LO: Final = 4
"""OC-1's two sides added up."""
NEED_HI: Final = 5
SURE: Final = 6
ZONE: Final = 7
SHORT: Final = 8
FOUND: Final = 9
