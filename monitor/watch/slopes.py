"""Bounds of the slopes of E, Q and O over a box of prices: the second half of a box (H-2).

A column's slope is what a figure gains, in USD, for a relative move of that price, seen from the
price the box is made at: for p = p0 (1 + m) the derivative by m. From the prices of the box to any others in
it we go one price after the other, first the indices (of a product of two its own before the
bridge), then the marks. So the slopes of an index are wanted at the marks of the box and an own
index at the bridge of the box; those of a mark anywhere in it. `DOWN`, `UP` say how far prices may fall
and rise; with both at 0 these are the slopes at the present prices. Each lies in [LO, HI]:
`monitor.watch.box` says what follows of that.

- The index price v of a holding is one column, or the product of two (PX-2).
- A leg moves its coin's equity x by SLOPE × mark × m; an inverse one by (SLOPE / mark) / (1 + m)² × m.
- CU-9: discounted equity is v × T(x) with tiers in coin, T(x v) with tiers in USD; T' is the rate of a
  tier that the amounts in the box reach, 1 for what is owed. T never falls.
- Potential borrowing is max(0, limit − x), what is owed max(0, −x), at rates that the guard fixes.
- AE-2: the cost of an order is a difference of discounted equities before and after it, at its own
  price in quote currency. By either coin's equity its slope is the difference of two rates, so within
  ±1 at that price. By the quote's index it is proportional with tiers in coin, between 0 and the
  value given; with tiers in USD each of its four terms has a slope of at most its own size.
"""

from __future__ import annotations

from monitor.watch import layout as at
from monitor.watch import scratch as on
from monitor.watch.compiled import compiled
from monitor.watch.figures import discounted
from monitor.watch.index_slopes import add_index
from monitor.watch.option_slopes import option_slopes
from monitor.watch.state import Floats

__all__ = ["leg_high", "leg_low", "slopes"]

HUGE_SLOPE = 1e9
"""Above every rate."""


@compiled
def leg_low(book: Floats, leg: int, work: Floats) -> float:
    """Return the least slope of a leg's equity in coin."""
    column = int(book[leg + at.MARK])
    if book[leg + at.INVERSE] == 0.0:
        return float(book[leg + at.SLOPE] * work[on.P, column])
    slope = book[leg + at.SLOPE] / work[on.P, column]
    far = 1.0 + work[on.UP, column] if slope > 0.0 else 1.0 - work[on.DOWN, column]
    return float(slope / (far * far))


@compiled
def leg_high(book: Floats, leg: int, work: Floats) -> float:
    """Return the greatest slope of a leg's equity in coin."""
    column = int(book[leg + at.MARK])
    if book[leg + at.INVERSE] == 0.0:
        return float(book[leg + at.SLOPE] * work[on.P, column])
    slope = book[leg + at.SLOPE] / work[on.P, column]
    far = 1.0 - work[on.DOWN, column] if slope > 0.0 else 1.0 + work[on.UP, column]
    return float(slope / (far * far))


@compiled
def _rates(
    tables: Floats, table: int, counts: bool, low: float, high: float
) -> tuple[float, float]:
    """CU-9: return the least and the greatest rate that amounts in [low, high] meet."""
    least, most = 1e9, -1.0
    if low <= 0.0:
        least = most = 1.0
    if high < 0.0:
        return least, most
    if not counts:
        return 0.0, max(0.0, most)
    below, place = 0.0, table + 2
    for _ in range(int(tables[table])):
        up_to, rate = tables[place], tables[place + 1]
        if up_to >= low and below <= high:
            least, most = min(least, rate), max(most, rate)
        below = up_to
        place += 2
    if below <= high:
        rate = tables[table + 1]
        least, most = min(least, rate), max(most, rate)
    return least, most


@compiled
def _ranges(book: Floats, part: int, work: Floats) -> None:
    """Find the range of every index price and of every equity in coin."""
    count = int(book[part + at.HOLDINGS])
    for h in range(count):
        holding = part + at.PART + h * at.HOLDING
        low = high = work[on.V, h]
        own, bridge = int(book[holding + at.OWN]), int(book[holding + at.BRIDGE])
        if own >= 0:
            low *= 1.0 - work[on.DOWN, own]
            high *= 1.0 + work[on.UP, own]
        if bridge >= 0:
            low *= 1.0 - work[on.DOWN, bridge]
            high *= 1.0 + work[on.UP, bridge]
        work[on.V_LO, h], work[on.V_HI, h] = low, high
        work[on.X_LO, h] = work[on.X_HI, h] = work[on.X, h]
        work[on.ORDERED, h] = 0.0
    legs = part + at.PART + count * at.HOLDING
    for number in range(int(book[part + at.LEGS])):
        leg = legs + number * at.LEG
        column, h = int(book[leg + at.MARK]), int(book[leg + at.COIN])
        mark, down, up = work[on.P, column], work[on.DOWN, column], work[on.UP, column]
        if book[leg + at.INVERSE] > 0.0:
            slope = book[leg + at.SLOPE] / mark
            fall, rise = slope * down / (1.0 - down), slope * up / (1.0 + up)
        else:
            slope = book[leg + at.SLOPE] * mark
            fall, rise = slope * down, slope * up
        work[on.X_LO, h] -= max(fall, -rise)
        work[on.X_HI, h] += max(rise, -fall)


@compiled
def _holding_slopes(book: Floats, part: int, tables: Floats, work: Floats, h: int) -> None:
    """Add what a holding's index moves, and find what its equity in coin moves."""
    holding = part + at.PART + h * at.HOLDING
    table, counts = int(book[holding + at.DISCOUNT]), book[holding + at.COUNTS] > 0.0
    amount, low, high = work[on.X, h], work[on.X_LO, h], work[on.X_HI, h]
    v_low, v_high = work[on.V_LO, h], work[on.V_HI, h]
    if book[holding + at.BY_VALUE] > 0.0:
        worth_low = amount * (v_low if amount >= 0.0 else v_high)
        worth_high = amount * (v_high if amount >= 0.0 else v_low)
        least, most = _rates(tables, table, counts, worth_low, worth_high)
        index_low = amount * (least if amount >= 0.0 else most)
        index_high = amount * (most if amount >= 0.0 else least)
        worth_low = low * (v_low if low >= 0.0 else v_high)
        worth_high = high * (v_high if high >= 0.0 else v_low)
        least, most = _rates(tables, table, counts, worth_low, worth_high)
    else:
        index_low = index_high = discounted(tables, table, counts, amount)
        least, most = _rates(tables, table, counts, low, high)
    fees = book[holding + at.FEES]
    add_index(book, holding, work, h, on.E_LO, index_low - fees, index_high - fees)
    work[on.XE_LO, h] = v_low * least - work[on.ORDERED, h]
    work[on.XE_HI, h] = v_high * most + work[on.ORDERED, h]
    if book[holding + at.FIXED] > 0.0:
        need, oc = book[holding + at.NEED], book[holding + at.OC]
        add_index(book, holding, work, h, on.Q_LO, need, need)
        add_index(book, holding, work, h, on.O_LO, oc, oc)
        for row in range(on.XQ_LO, on.XO_HI + 1):
            work[row, h] = 0.0
    else:
        _debt_slopes(book, holding, work, h)


@compiled
def _debt_slopes(book: Floats, holding: int, work: Floats, h: int) -> None:
    """MM-1, OC-1: the same for a debt that marks move."""
    amount, low, high = work[on.X, h], work[on.X_LO, h], work[on.X_HI, h]
    v_low, v_high = work[on.V_LO, h], work[on.V_HI, h]
    limit, fee_rate = book[holding + at.LIMIT], work[on.FEE_RATE, h]
    owed_rate, margin_rate = work[on.OWED_RATE, h], work[on.MARGIN_RATE, h]
    owed, borrowing = max(0.0, -amount), max(0.0, limit - amount)
    need, oc = borrowing * fee_rate, owed * owed_rate + (borrowing - owed) * margin_rate
    add_index(book, holding, work, h, on.Q_LO, need, need)
    add_index(book, holding, work, h, on.O_LO, oc, oc)
    work[on.XQ_LO, h] = -v_high * fee_rate if low <= limit else 0.0
    work[on.XQ_HI, h] = -v_low * fee_rate if high < limit else 0.0
    falls, rises = 0.0, -HUGE_SLOPE
    if low <= 0.0:
        falls, rises = min(falls, -owed_rate), max(rises, -owed_rate)
    if low <= limit and high >= 0.0:
        falls, rises = min(falls, -margin_rate), max(rises, -margin_rate)
    if high >= limit:
        rises = 0.0
    work[on.XO_LO, h] = v_high * falls
    work[on.XO_HI, h] = v_low * rises


@compiled
def _leg_slopes(book: Floats, part: int, work: Floats, leg: int) -> None:
    """Add what a leg's mark moves: its coin's equity, and the notional itself."""
    column, h = int(book[leg + at.MARK]), int(book[leg + at.COIN])
    low, high = leg_low(book, leg, work), leg_high(book, leg, work)
    row = on.XE_LO
    for figure in (on.E_LO, on.Q_LO, on.O_LO):
        least, most = work[row, h], work[row + 1, h]
        a, b, c, d = low * least, low * most, high * least, high * most
        work[figure, column] += min(a, b, c, d)
        work[figure + 1, column] += max(a, b, c, d)
        row += 2
    if book[leg + at.INVERSE] > 0.0:
        return
    holding = part + at.PART + h * at.HOLDING
    mark, rate = work[on.P, column], book[leg + at.RATE]
    alone, order = book[leg + at.ALONE], book[leg + at.ORDER]
    work[on.Q_LO, column] += rate * mark * work[on.V_LO, h]
    work[on.Q_HI, column] += rate * mark * work[on.V_HI, h]
    work[on.O_LO, column] += alone * mark * work[on.V_LO, h]
    work[on.O_HI, column] += alone * mark * work[on.V_HI, h]
    need, oc = rate * mark, alone * mark + order
    add_index(book, holding, work, h, on.Q_LO, need, need)
    add_index(book, holding, work, h, on.O_LO, oc, oc)


@compiled
def _order_prices(book: Floats, part: int, work: Floats, orders: int) -> None:
    """Find at what prices orders take part in the slope of each coin's equity."""
    for number in range(int(book[part + at.ORDERS])):
        order = orders + number * at.SPOT_ORDER
        base, quote = int(book[order + at.BASE]), int(book[order + at.QUOTE])
        work[on.ORDERED, base] += book[order + at.PRICE] * work[on.V_HI, quote]
        work[on.ORDERED, quote] += work[on.V_HI, quote]
    for h in range(int(book[part + at.HOLDINGS])):
        work[on.SHIFT, h] = work[on.X, h]


@compiled
def _order_slopes(book: Floats, part: int, work: Floats, order: int) -> None:
    """AE-2: add what the quote's index moves of the loss of one order."""
    first = part + at.PART
    base, quote = int(book[order + at.BASE]), int(book[order + at.QUOTE])
    price, amount = book[order + at.PRICE], book[order + at.AMOUNT]
    total = amount * price
    if book[order + at.BUYS] > 0.0:
        gives, given, given_price = quote, total, 1.0
        receives, received, received_price = base, amount, price
    else:
        gives, given, given_price = base, amount, price
        receives, received, received_price = quote, total, 1.0
    keep = received * (1.0 - book[part + at.TAKER])
    by_value = book[first + gives * at.HOLDING + at.BY_VALUE]
    by_value += book[first + receives * at.HOLDING + at.BY_VALUE]
    least, most = -total, 0.0
    before = work[on.SHIFT, gives]
    size = (abs(before) + abs(before - given)) * given_price
    work[on.SHIFT, gives] = before - given
    before = work[on.SHIFT, receives]
    size += (abs(before) + abs(before + keep)) * received_price
    work[on.SHIFT, receives] = before + keep
    if by_value > 0.0:
        least, most = -size, size
    add_index(book, first + quote * at.HOLDING, work, quote, on.E_LO, least, most)


@compiled
def slopes(book: Floats, part: int, tables: Floats, work: Floats, columns: int) -> None:
    """Bound every column's slopes over the box `DOWN`, `UP` (relative moves below 1)."""
    for row in range(on.E_LO, on.O_HI + 1):
        for column in range(columns):
            work[row, column] = 0.0
    _ranges(book, part, work)
    count = int(book[part + at.HOLDINGS])
    legs = part + at.PART + count * at.HOLDING
    orders = legs + int(book[part + at.LEGS]) * at.LEG
    ordered = int(book[part + at.ORDERS])
    if ordered > 0:
        _order_prices(book, part, work, orders)
    for h in range(count):
        _holding_slopes(book, part, tables, work, h)
    for number in range(int(book[part + at.LEGS])):
        _leg_slopes(book, part, work, legs + number * at.LEG)
    for number in range(ordered):
        _order_slopes(book, part, work, orders + number * at.SPOT_ORDER)
    if book[part + at.SHORTS] > 0.0:
        option_slopes(book, part, work)
