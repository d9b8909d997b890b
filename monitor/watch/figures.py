"""A part's figures in floats, at the present prices: the first half of a box (H-2).

Adjusted equity E, requirement Q and OC-1's need O, in USD; for each holding its index price, its
equity in coin, the rates of its debt and how far that equity may move before the rates change.
"""

from __future__ import annotations

from monitor.watch import layout as at
from monitor.watch import scratch as on
from monitor.watch.compiled import compiled
from monitor.watch.options import option_needs
from monitor.watch.state import Floats

__all__ = ["HUGE", "ROUNDING", "debt_tier", "discounted", "figures"]

HUGE = 1e200
ROUNDING = 1e-9
"""Relative to the gross of all terms; float64 over a few hundred operations errs below 1e-13."""
TINY = 1e-12


@compiled
def discounted(tables: Floats, table: int, counts: bool, amount: float) -> float:
    """CU-9: return what `amount`, in the table's unit, counts."""
    if amount <= 0.0:
        return amount
    if not counts:
        return 0.0
    total = below = 0.0
    place = table + 2
    for _ in range(int(tables[table])):
        up_to, rate = tables[place], tables[place + 1]
        if amount <= up_to:
            return float(total + (amount - below) * rate)
        total += (up_to - below) * rate
        below = up_to
        place += 2
    return float(total + (amount - below) * tables[table + 1])


@compiled
def worth(book: Floats, holding: int, tables: Floats, equity: float, price: float) -> float:
    """Return the discounted equity of a holding in USD (or in the unit of `price`)."""
    table, counts = int(book[holding + at.DISCOUNT]), book[holding + at.COUNTS] > 0.0
    if book[holding + at.BY_VALUE] > 0.0:
        return discounted(tables, table, counts, equity * price)
    return discounted(tables, table, counts, equity) * price


@compiled
def debt_tier(tables: Floats, table: int, amount: float) -> tuple[float, float, float, float]:
    """Return (initial, maintenance, how far the debt may grow, how far it may fall), in coin."""
    below = initial = maintenance = 0.0
    place = table + 1
    for _ in range(int(tables[table])):
        up_to, initial, maintenance = tables[place], tables[place + 1], tables[place + 2]
        if amount <= up_to:
            return initial, maintenance, up_to - amount, amount - below if below > 0.0 else HUGE
        below = up_to
        place += 3
    return initial, maintenance, HUGE, amount - below if below > 0.0 else HUGE


@compiled
def figures(
    book: Floats, part: int, tables: Floats, work: Floats
) -> tuple[float, float, float, float, bool]:
    """Return (E, Q, O, gross of all terms, whether floats cannot tell some tier)."""
    count, legs = int(book[part + at.HOLDINGS]), part + at.PART
    legs += count * at.HOLDING
    for h in range(count):
        holding = part + at.PART + h * at.HOLDING
        own, bridge = int(book[holding + at.OWN]), int(book[holding + at.BRIDGE])
        value = work[on.P, own] if own >= 0 else 1.0
        work[on.V, h] = value * work[on.P, bridge] if bridge >= 0 else value
        work[on.X, h] = book[holding + at.NET]
        work[on.GROSS, h] = book[holding + at.SIZE]
    need, oc = book[part + at.FIXED_NEED], book[part + at.FIXED_OC]
    for number in range(int(book[part + at.LEGS])):
        leg = legs + number * at.LEG
        mark, h = work[on.P, int(book[leg + at.MARK])], int(book[leg + at.COIN])
        if book[leg + at.INVERSE] > 0.0:
            work[on.X, h] += book[leg + at.ENTRY] - book[leg + at.SLOPE] / mark
            work[on.GROSS, h] += book[leg + at.GROSS] / mark + book[leg + at.GROSS_ENTRY]
        else:
            work[on.X, h] += book[leg + at.SLOPE] * mark - book[leg + at.ENTRY]
            work[on.GROSS, h] += book[leg + at.GROSS] * mark + book[leg + at.GROSS_ENTRY]
        value = work[on.V, h]
        need += book[leg + at.RATE] * mark * value
        oc += (book[leg + at.ALONE] * mark + book[leg + at.ORDER]) * value
    cancels = 0.0
    if book[part + at.SHORTS] > 0.0:
        more, alone, cancels = option_needs(book, part, work)
        need += more
        oc += alone
    return _holdings(book, part, tables, work, need, oc, cancels)


@compiled
def _holdings(
    book: Floats, part: int, tables: Floats, work: Floats, need: float, oc: float, gross: float
) -> tuple[float, float, float, float, bool]:
    """Add up the holdings, then the losses of the spot orders."""
    equity = 0.0
    blind = False
    count = int(book[part + at.HOLDINGS])
    for h in range(count):
        holding = part + at.PART + h * at.HOLDING
        value, amount = work[on.V, h], work[on.X, h]
        equity += worth(book, holding, tables, amount, value) - book[holding + at.FEES] * value
        work[on.GROSS, h] += abs(amount)
        gross += work[on.GROSS, h] * value
        if book[holding + at.FIXED] > 0.0:
            need += book[holding + at.NEED] * value
            oc += book[holding + at.OC] * value
            continue
        _debt(book, part, holding, tables, work, h)
        rounding = ROUNDING * (work[on.GROSS, h] + TINY)
        work[on.FALL, h] -= rounding
        work[on.RISE, h] -= rounding
        blind = blind or work[on.FALL, h] <= 0.0 or work[on.RISE, h] <= 0.0
        owed, borrowing = max(0.0, -amount), max(0.0, book[holding + at.LIMIT] - amount)
        need += borrowing * value * work[on.FEE_RATE, h]
        oc += owed * value * work[on.OWED_RATE, h]
        oc += (borrowing - owed) * value * work[on.MARGIN_RATE, h]
    if book[part + at.ORDERS] > 0.0:
        loss, more = _order_losses(book, part, tables, work)
        equity -= loss
        gross += more
    return equity, need, oc, gross + need + oc, blind


@compiled
def _debt(book: Floats, part: int, holding: int, tables: Floats, work: Floats, h: int) -> None:
    """Find the rates of a debt that marks move, and how far its equity may move at them."""
    table, amount = int(book[holding + at.BORROW]), work[on.X, h]
    initial, maintenance, grow, fall = debt_tier(tables, table, book[holding + at.LIMIT] - amount)
    _, owed_rate, owed_grow, owed_fall = debt_tier(tables, table, -amount)
    work[on.FEE_RATE, h] = maintenance + (1.0 + maintenance) * book[part + at.TAKER]
    work[on.MARGIN_RATE, h] = max(book[holding + at.LEVER], initial)
    work[on.OWED_RATE, h] = owed_rate
    work[on.FALL, h] = min(grow, owed_grow, amount - book[holding + at.FLOOR])
    work[on.RISE, h] = min(fall, owed_fall)


@compiled
def _order_losses(book: Floats, part: int, tables: Floats, work: Floats) -> tuple[float, float]:
    """AE-2: return (loss of all spot orders, gross of its terms), in USD."""
    count = int(book[part + at.HOLDINGS])
    for h in range(count):
        work[on.SHIFT, h] = work[on.X, h]
    first = part + at.PART
    orders = first + count * at.HOLDING + int(book[part + at.LEGS]) * at.LEG
    loss = gross = 0.0
    for number in range(int(book[part + at.ORDERS])):
        order = orders + number * at.SPOT_ORDER
        base, quote = int(book[order + at.BASE]), int(book[order + at.QUOTE])
        quote_value = work[on.V, quote]
        base_value = book[order + at.PRICE] * quote_value
        amount = book[order + at.AMOUNT]
        total = amount * book[order + at.PRICE]
        if book[order + at.BUYS] > 0.0:
            gives, given, given_price = quote, total, quote_value
            receives, received, received_price = base, amount, base_value
        else:
            gives, given, given_price = base, amount, base_value
            receives, received, received_price = quote, total, quote_value
        source, target = first + gives * at.HOLDING, first + receives * at.HOLDING
        before = work[on.SHIFT, gives]
        after = before - given
        work[on.SHIFT, gives] = after
        cost = worth(book, source, tables, before, given_price)
        cost -= worth(book, source, tables, after, given_price)
        gross += abs(after) * given_price + given * given_price
        before = work[on.SHIFT, receives]
        after = before + received * (1.0 - book[part + at.TAKER])
        work[on.SHIFT, receives] = after
        cost -= worth(book, target, tables, after, received_price)
        cost += worth(book, target, tables, before, received_price)
        gross += abs(after) * received_price
        loss += max(0.0, cost)
    return loss, gross
