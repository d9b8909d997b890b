"""How plain accounts lie in a sheet: one flat array of numbers, from which compiled code makes records.

A row is a head, then the account's balances, its positions and its isolated positions. Amounts are in
coin or contracts. `COIN`, `CONTRACT` are places in the tables, where what the reference set says of them
stands once each.
"""

from __future__ import annotations

__all__: list[str] = []

# A row's head: its length; the slot; where the ladder stands; then 1 or 0 each: spot mode,
# auto-borrow, quiet, any tick concerns it, its parts are those it had before. Taker rates, and
# 1 / borrow leverage of coins without a balance.
LENGTH, SLOT, LADDER, SPOT, AUTO, QUIET, ALWAYS, KEEP = range(8)
SPOT_TAKER, CONTRACT_TAKER, ANY_LEVER, BALANCES, POSITIONS, APART = range(8, 14)
HEAD = 14

# A balance; `COUNTS`: its owner lets it count (CU-9); `LEVER`: 1 / borrow leverage.
COIN, CASH, BORROWED, INTEREST, COUNTS, LEVER = range(6)
BALANCE = 6

CONTRACT, QUANTITY, ENTRY = range(3)
POSITION = 3

# An isolated position, which begins as a position does.
MARGIN, MARGIN_COIN, OWN_LADDER = range(3, 6)
ISOLATED = 6

# A coin in the tables: columns it is priced through (−1: none), whether it may count, whether by value,
# whether its quota grows with other coins, where its discounts, its borrow tiers and the discount of a
# coin that counts in full stand, its interest-free quota.
OWN, BRIDGE, COLLATERAL, BY_VALUE, ADDS, DISCOUNT, BORROW, WHOLE, QUOTA = range(9)
COIN_TERMS = 9

# A contract in the tables: its mark's column, its settle coin there, whether it is inverse, contract
# value × multiplier, what it shares a tier with, and how many tiers of (up to, maintenance) follow.
MARK, SETTLE, INVERSE, SIZE, GROUP, TIERS = range(6)
CONTRACT_TERMS = 6
