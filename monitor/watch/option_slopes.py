"""Bounds of the slopes of what short options ask over a box of prices (MM-3, H-2).

The names are those of `monitor.watch.options`. The proof: all prices and sizes are above 0, so every
figure there is continuous, and smooth but where one of its maxima changes sides. A slope is a sum over
the places a price enters by (U, v, m, F), each bounded over every side that a maximum may be on in the box.

- A put's B may be w where the greatest w of the box is not below the least U, and is where the least w is
  above the greatest U. Where it may be either, the slope by U is in [0, c'] and that by w in [1, 1 + c'].
- `out` is monotone in F, so it lies between its values at the ends of F's interval. R may be on the floor a'
  where b' − out may be at most a', at the top b' where out may be 0, and between them where out may be above
  0 and b' − out at least a'. Between them, with F a future's mark, F0 now and F = F0 (1 + r), the slope of
  R · U by r is ± factor · K F0 U / F² (+ of a call), and 0 on floor and top; by U it is R. With F = U the
  product is a' U, b' U or (b' ± factor) U ∓ factor · K, so its slope by U is a', b' or b' ± factor.
- Of an order's two sides, R U + (m − p) v and 0.1 U, only one is met where their difference, by interval
  arithmetic over R, U, m and v, has one sign in the box. Else a slope lies between those of both.

From slopes by U, v, m and F to those by columns it goes as in `monitor.watch.slopes`: indices move before
marks. So by v the slope is taken at the mark of now, by U at the future's mark of now; by a mark anywhere in
the box.
"""

from __future__ import annotations

from monitor.watch import layout as at
from monitor.watch import scratch as on
from monitor.watch.compiled import compiled
from monitor.watch.index_slopes import add_index
from monitor.watch.options import LEAST_ORDER_MARGIN, initial_rate, out_of_the_money, shorts_of
from monitor.watch.state import Floats

__all__ = ["option_slopes", "product_range"]

STEEPEST = 1e9
"""Above every rate."""


@compiled
def _maintenance_slopes(
    book: Floats,
    part: int,
    work: Floats,
    short: int,
    row: int,
    size: float,
    charge: float,
    fee: float,
) -> None:
    """Add the slopes of maintenance and fee of `size` coin to a figure's row."""
    column = int(book[short + at.SHORT_MARK])
    under, coin = int(book[short + at.UNDERLYING]), int(book[short + at.SHORT_COIN])
    mark, v_low, v_high = work[on.P, column], work[on.V_LO, coin], work[on.V_HI, coin]
    index_low = index_high = charge
    worth_low = worth_high = 1.0
    if book[short + at.PUT] > 0.0:
        most = mark * (1.0 + work[on.UP, column]) * v_high
        least = mark * (1.0 - work[on.DOWN, column]) * v_low
        if most >= work[on.V_LO, under]:
            index_low, worth_high = 0.0, 1.0 + charge
        if least > work[on.V_HI, under]:
            index_high, worth_low = 0.0, 1.0 + charge
    holding = part + at.PART + under * at.HOLDING
    add_index(book, holding, work, under, row, size * (index_low + fee), size * (index_high + fee))
    holding = part + at.PART + coin * at.HOLDING
    low, high = size * mark * worth_low, size * mark * worth_high
    add_index(book, holding, work, coin, row, low, high)
    work[row, column] += low * v_low
    work[row + 1, column] += high * v_high


@compiled
def _rate_slopes(
    book: Floats, short: int, work: Floats, under: int
) -> tuple[float, float, float, float, float, float]:
    """Return the ranges of R, of the slope of R · U by U, and by the relative move of a future."""
    low, high = work[on.V_LO, under], work[on.V_HI, under]
    future = int(book[short + at.FORWARD])
    f_low, f_high = low, high
    if future >= 0:
        f_low = work[on.P, future] * (1.0 - work[on.DOWN, future])
        f_high = work[on.P, future] * (1.0 + work[on.UP, future])
    near, far = out_of_the_money(book, short, f_high), out_of_the_money(book, short, f_low)
    steep = book[short + at.FACTOR]
    if book[short + at.PUT] > 0.0:
        near, far, steep = far, near, -steep
    least, most = book[short + at.LEAST], book[short + at.MOST]
    rate_low, rate_high = max(least, most - far), max(least, most - near)
    floor, top = most - far <= least, near <= 0.0 and most >= least
    between = far > 0.0 and most - near >= least
    if future < 0:
        slope_low, slope_high = STEEPEST, -STEEPEST
        if floor:
            slope_low, slope_high = min(slope_low, least), max(slope_high, least)
        if top:
            slope_low, slope_high = min(slope_low, most), max(slope_high, most)
        if between:
            slope_low, slope_high = min(slope_low, most + steep), max(slope_high, most + steep)
        return rate_low, rate_high, slope_low, slope_high, 0.0, 0.0
    rate = initial_rate(book, short, work[on.P, future])
    if not between:
        return rate_low, rate_high, rate, rate, 0.0, 0.0
    moves = steep * book[short + at.STRIKE] * work[on.P, future]
    gentle, sharp = moves * low / (f_high * f_high), moves * high / (f_low * f_low)
    forward_low, forward_high = min(gentle, sharp), max(gentle, sharp)
    if floor or top:
        forward_low, forward_high = min(forward_low, 0.0), max(forward_high, 0.0)
    return rate_low, rate_high, rate, rate, forward_low, forward_high


@compiled
def product_range(low: float, high: float, least: float, most: float) -> tuple[float, float]:
    """Return the range of what lies in [low, high] × what lies in [least, most], above 0."""
    return low * (least if low >= 0.0 else most), high * (most if high >= 0.0 else least)


@compiled
def _order_slopes(book: Floats, part: int, work: Floats, short: int) -> None:
    """Add the slopes of an order's margin to O."""
    column, future = int(book[short + at.SHORT_MARK]), int(book[short + at.FORWARD])
    under, coin = int(book[short + at.UNDERLYING]), int(book[short + at.SHORT_COIN])
    mark, v_low, v_high = work[on.P, column], work[on.V_LO, coin], work[on.V_HI, coin]
    rate_low, rate_high, index_low, index_high, forward_low, forward_high = _rate_slopes(
        book, short, work, under
    )
    rates = rate_low - LEAST_ORDER_MARGIN, rate_high - LEAST_ORDER_MARGIN
    low, high = product_range(rates[0], rates[1], work[on.V_LO, under], work[on.V_HI, under])
    price = book[short + at.LIMIT_PRICE]
    m_low = mark * (1.0 - work[on.DOWN, column]) - price
    m_high = mark * (1.0 + work[on.UP, column]) - price
    more_low, more_high = product_range(m_low, m_high, v_low, v_high)
    settle_low = settle_high = mark - price
    worth_low = worth_high = 1.0
    if low + more_low <= 0.0:  # the least margin of an order may be met
        index_low, index_high = (
            min(index_low, LEAST_ORDER_MARGIN),
            max(index_high, LEAST_ORDER_MARGIN),
        )
        settle_low, settle_high = min(settle_low, 0.0), max(settle_high, 0.0)
        forward_low, forward_high = min(forward_low, 0.0), max(forward_high, 0.0)
        worth_low = 0.0
        if high + more_high < 0.0:  # and nothing else
            index_low = index_high = LEAST_ORDER_MARGIN
            settle_low = settle_high = forward_low = forward_high = worth_high = 0.0
    opens = book[short + at.OPENS]
    holding = part + at.PART + under * at.HOLDING
    add_index(book, holding, work, under, on.O_LO, opens * index_low, opens * index_high)
    holding = part + at.PART + coin * at.HOLDING
    add_index(book, holding, work, coin, on.O_LO, opens * settle_low, opens * settle_high)
    work[on.O_LO, column] += opens * mark * v_low * worth_low
    work[on.O_HI, column] += opens * mark * v_high * worth_high
    if future >= 0:
        work[on.O_LO, future] += opens * forward_low
        work[on.O_HI, future] += opens * forward_high


@compiled
def option_slopes(book: Floats, part: int, work: Floats) -> None:
    """Add the slopes of what all short options ask to those of Q and O, over the box `DOWN`, `UP`."""
    first = shorts_of(book, part)
    for number in range(int(book[part + at.SHORTS])):
        short = first + number * at.SHORT_OPTION
        size, charge = book[short + at.SIZE_ASKED], book[short + at.CHARGE]
        _maintenance_slopes(book, part, work, short, on.Q_LO, size, charge, book[short + at.FEE])
        size, charge = book[short + at.SIZE_HELD], book[short + at.HELD_CHARGE]
        if size > 0.0:
            _maintenance_slopes(book, part, work, short, on.O_LO, size, charge, 0.0)
        if book[short + at.OPENS] > 0.0:
            _order_slopes(book, part, work, short)
