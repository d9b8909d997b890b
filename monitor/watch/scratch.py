"""The scratch space in which a box is made: a row for each name, in it one place for each column,
holding or constraint.
"""

from __future__ import annotations

__all__ = ["ROWS", "rows_for"]

# By column: price; variance of its moves; slopes of E, Q and O over a relative move; how far the
# price may fall and rise for the bounds of these slopes to hold, and within the box.
P, STIR, E_LO, E_HI, Q_LO, Q_HI, O_LO, O_HI, DOWN, UP, BOX_DOWN, BOX_UP, SHARE = range(13)
# By column, the narrowest of all parts: box, bounds, and the most that a fall and a rise use up.
ALL_DOWN, ALL_UP, ALL_LOW, ALL_HIGH, ALL_FALL, ALL_RISE = range(13, 19)

# By holding: index price and equity in coin, and their ranges within the bounds.
V, V_LO, V_HI, X, X_LO, X_HI = range(19, 25)
# By holding: gross and price of its spot orders; what orders before shift; rates of its debt; how
# far equity may fall and rise before a tier or its floor.
GROSS, ORDERED, SHIFT, FEE_RATE, MARGIN_RATE, OWED_RATE, FALL, RISE = range(25, 33)
# By holding: slopes of E, Q and O over its equity in coin.
XE_LO, XE_HI, XQ_LO, XQ_HI, XO_LO, XO_HI = range(33, 39)

# By constraint: what must stay above 0, its level or holding, and its value now.
KIND, LEVEL, SLACK = range(39, 42)
# By column, of a tracked account: what a rise and a fall use up of the budgets that are followed.
NEAR_RISE, NEAR_FALL = 42, 45
# How hard its prices press on the first two of these budgets.
PRESSURE = 48
# From here on two rows for each constraint: what a fall and a rise of each column use up; less than 0
# where it gains.
USE = 49
ROWS = USE

# Kinds of constraints: E − level · Q, level · Q − E, Q, E − O, O − E, equity of one holding.
ABOVE, BELOW, NEEDED, ENOUGH, SHORT, GUARD = range(6)


def rows_for(width: int) -> int:
    """Return how many rows are enough for records of at most `width` columns and holdings."""
    return ROWS + 2 * (4 + width)
