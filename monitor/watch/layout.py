"""How an account's exposures lie in one flat array of floats: the record that boxes are made of.

A record is a head, the account's columns (the prices it depends on), and its parts: the account itself, then each isolated
position (MR-3). A part is a head, its holdings, its legs and its spot orders. Whole numbers
(columns, offsets, flags) stand as floats, which hold them exactly.

Contracts on one mark that settle in one coin are one *leg*: their sizes add up with their signs, so
a hedge within one contract moves nothing. Tier tables and ladders stand once each in a second array,
`tables`, and records point at them.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.watch.exposures import Contract, Form, Holding

__all__ = ["pack"]

# The record's head: how many columns and parts, the tick that last had it looked at, its number while it is tracked.
# Then what it knows of each column: its row and the place there; the price that its box was made at;
# what a fall and a rise use up of the narrowest budget, its share of it; and between which prices that
# holds. While it is tracked: where its entry stands in the row's list.
COLUMNS, PARTS, HIT, NUMBER, HEAD = 0, 1, 2, 3, 4
ROW, PLACE, ANCHOR, FALL, RISE, PORTION, LOWEST, HIGHEST, COLUMN = 0, 1, 2, 3, 4, 5, 6, 7, 8
TRACK = PORTION

# A part's head. `LENGTH` steps over it; `LADDER` points into the tables; `ZONE`, `SHORT`: where it
# was last found; `FIXED_*`: USD that no price moves.
LENGTH, LADDER, ZONE, SHORT = 0, 1, 2, 3
LEGS, HOLDINGS, ORDERS, CANCELLABLE, TAKER, FIXED_NEED, FIXED_OC = 4, 5, 6, 7, 8, 9, 10
PART = 11

# A holding: `OWN`, `BRIDGE` are columns of the record, −1 where there is none; `SIZE` is the gross
# of its amounts in coin. `FIXED`: its debt costs `NEED` and `OC` in coin; else it moves with marks.
OWN, BRIDGE, COUNTS, BY_VALUE, FIXED, DISCOUNT, BORROW = 0, 1, 2, 3, 4, 5, 6
NET, SIZE, FEES = 7, 8, 9
NEED, OC = 10, 11
LIMIT, LEVER, FLOOR = 10, 11, 12
HOLDING = 13

# A leg: PnL in coin = SLOPE × mark − ENTRY, inverse: ENTRY − SLOPE / mark. `RATE`, `ALONE`: Σ |size|
# × rate; `ORDER`: order margin in quote; `GROSS`, `GROSS_ENTRY` bound the rounding of the PnL.
MARK, COIN, INVERSE, SLOPE, ENTRY, RATE, ALONE, ORDER, GROSS, GROSS_ENTRY = range(10)
LEG = 10

# A spot order: `PRICE` in quote currency.
BUYS, BASE, QUOTE, AMOUNT, PRICE = range(5)
SPOT_ORDER = 5

Place = Callable[[tuple[tuple[float, ...], ...], float], int]


def pack(form: Form, discounts: Place, borrows: Place) -> list[float]:
    """Return the record of a form, ladders and places still empty.

    `discounts`, `borrows` return where a tier table stands, given its tiers and minimum rate.
    """
    local = {column: number for number, column in enumerate(form.columns)}
    local[-1] = -1
    parts = (form, *(part for _, part in form.apart))
    record = [float(len(local) - 1), float(len(parts)), 0.0, 0.0]
    for column in form.columns:
        record += (float(column), -1.0, *[0.0] * (COLUMN - 2))
    for part in parts:
        start = len(record)
        _pack_part(record, part, local, discounts, borrows)
        record[start + LENGTH] = float(len(record) - start)
    return record


def _pack_part(
    record: list[float], form: Form, local: dict[int, int], discounts: Place, borrows: Place
) -> None:
    legs, need, oc = _legs(form, local)
    record += (0.0, -1.0, 0.0, 0.0)
    record += (float(len(legs)), float(len(form.holdings)), float(len(form.spot_orders)))
    record += (float(form.cancellable), form.taker, need, oc)
    for holding in form.holdings:
        record += _holding(form, holding, local, discounts, borrows)
    for leg in legs:
        record += leg
    for order in form.spot_orders:
        record += (float(order.buys), float(order.base), float(order.quote))
        record += (order.amount, order.price)


def _holding(
    form: Form, holding: Holding, local: dict[int, int], discounts: Place, borrows: Place
) -> tuple[float, ...]:
    debt = holding.debt
    fixed = debt is not None
    if debt is not None:
        fee_rate = debt.maintenance + (1.0 + debt.maintenance) * form.taker
        margin_rate = max(holding.lever, debt.initial)
        need = debt.borrowing * fee_rate
        oc = debt.owed * debt.owed_rate + (debt.borrowing - debt.owed) * margin_rate
        moves, borrow = (need, oc, 0.0), 0
    else:
        moves = (holding.frozen if form.auto_borrow else 0.0, holding.lever, holding.floor)
        borrow = borrows(holding.borrow_tiers, 0.0)
    return (
        float(local[holding.column]),
        float(local[holding.bridge]),
        float(holding.counts),
        float(holding.by_value),
        float(fixed),
        float(discounts(holding.tiers, holding.minimum_rate)),
        float(borrow),
        holding.net,
        abs(holding.cash) + abs(holding.net) + holding.frozen + holding.fees,
        holding.fees,
        *moves,
    )


def _legs(form: Form, local: dict[int, int]) -> tuple[list[list[float]], float, float]:
    """Return the legs, and what inverse contracts need in USD whatever prices do."""
    legs: dict[tuple[int, int], list[float]] = {}
    need = oc = 0.0
    for contract in form.contracts:
        if contract.inverse:
            need += abs(contract.size) * contract.rate
            oc += abs(contract.size) * contract.alone + contract.order_margin
            if not contract.entry:
                continue
        key = (contract.column, contract.holding)
        if key not in legs:
            head = (local[contract.column], contract.holding, contract.inverse)
            legs[key] = [*map(float, head), *[0.0] * (LEG - len(head))]
        _add(legs[key], contract)
    return list(legs.values()), need, oc


def _add(leg: list[float], contract: Contract) -> None:
    size = abs(contract.size)
    if contract.entry:
        at = 1.0 / contract.entry if contract.inverse else contract.entry
        leg[SLOPE] += contract.size
        leg[ENTRY] += contract.size * at
        leg[GROSS] += size
        leg[GROSS_ENTRY] += size * at
    if not contract.inverse:
        leg[RATE] += size * contract.rate
        leg[ALONE] += size * contract.alone
        leg[ORDER] += contract.order_margin
