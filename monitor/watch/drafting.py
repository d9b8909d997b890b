"""The record of a plain account, made from its row of a sheet in compiled code (H-2).

The same record as `monitor.watch.form` and `monitor.watch.layout` make of the account in decimals, but for
rounding. Floats only rule out here too: where an amount is within rounding of a tier's bound, or a coin may
ask for something by itself, there is no draft, and decimals have to tell.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from monitor.watch import layout as at
from monitor.watch import rows as of
from monitor.watch.compiled import compiled
from monitor.watch.exposures import NO_FLOOR
from monitor.watch.state import Floats, Numbers

__all__ = ["UNTOLD", "Draft", "length_at_most", "make_draft", "new_draft"]

UNTOLD = -1
"""Floats cannot tell."""
_ROUNDING = 1e-12
"""Relative, of sums of amounts that were read as floats; a few hundred of them err by less."""


class Draft(NamedTuple):
    """Scratch space of one account."""

    record: Floats
    coins: Numbers
    """By holding: its coin's place in the tables."""
    balances: Numbers
    """By holding: its balance in the sheet, −1: none."""
    settling: Numbers
    """By holding: 1 where a position settles in it."""
    columns: Numbers


def new_draft(length: int = 512) -> Draft:
    """Return a draft with room for records so long, and for the holdings and columns in them."""
    places = [np.empty(length // at.COLUMN, np.int64) for _ in range(len(Draft._fields) - 1)]
    return Draft(np.empty(length), *places)


@compiled
def length_at_most(sheet: Floats, row: int) -> int:
    """Return how long the record of a row's account may become."""
    balances, positions = int(sheet[row + of.BALANCES]), int(sheet[row + of.POSITIONS])
    apart = int(sheet[row + of.APART])
    holdings = balances + positions
    columns = 2 * holdings + positions + 5 * apart
    length = at.HEAD + columns * at.COLUMN + (1 + apart) * at.PART
    return length + (holdings + 2 * apart) * at.HOLDING + (positions + apart) * at.LEG


@compiled
def _holdings(tables: Floats, sheet: Floats, row: int, draft: Draft) -> int:
    """List the coins held, owed or settled in, as `_Compilation.run` names them; return how many."""
    first, count = row + of.HEAD, 0
    last = first + int(sheet[row + of.BALANCES]) * of.BALANCE
    for balance in range(first, last, of.BALANCE):
        coin, cash = int(sheet[balance + of.COIN]), sheet[balance + of.CASH]
        if sheet[balance + of.BORROWED] == 0.0 and sheet[balance + of.INTEREST] == 0.0:
            counts = tables[coin + of.COLLATERAL] > 0.0 and sheet[balance + of.COUNTS] > 0.0
            if cash == 0.0 or (cash > 0.0 and not counts):
                continue
        draft.coins[count], draft.balances[count], draft.settling[count] = coin, balance, 0
        count += 1
    for number in range(int(sheet[row + of.POSITIONS])):
        contract = int(sheet[last + number * of.POSITION + of.CONTRACT])
        coin = int(tables[contract + of.SETTLE])
        h = _holding(draft, count, coin)
        if h == count:
            draft.coins[h], draft.balances[h] = coin, -1
            for balance in range(first, last, of.BALANCE):
                if int(sheet[balance + of.COIN]) == coin:
                    draft.balances[h] = balance
            count += 1
        draft.settling[h] = 1
    return count


@compiled
def _holding(draft: Draft, count: int, coin: int) -> int:
    """Return the holding of a coin; `count` where there is none."""
    for h in range(count):
        if draft.coins[h] == coin:
            return h
    return count


@compiled
def _add_column(draft: Draft, count: int, column: int) -> int:
    """Add a column to the sorted ones, if it is one and new; return how many there are."""
    if column < 0:
        return count
    place = count
    while place > 0 and draft.columns[place - 1] > column:
        place -= 1
    if place > 0 and draft.columns[place - 1] == column:
        return count
    for later in range(count, place, -1):
        draft.columns[later] = draft.columns[later - 1]
    draft.columns[place] = column
    return count + 1


@compiled
def _local(draft: Draft, count: int, column: int) -> float:
    """Return the number of a column in the record; −1 for none."""
    for number in range(count):
        if draft.columns[number] == column:
            return float(number)
    return -1.0


@compiled
def _columns(
    tables: Floats, sheet: Floats, positions: int, apart: int, row: int, draft: Draft, holdings: int
) -> int:
    """List every column that the account depends on; return how many."""
    count = 0
    for h in range(holdings):
        coin = draft.coins[h]
        count = _add_column(draft, count, int(tables[coin + of.OWN]))
        count = _add_column(draft, count, int(tables[coin + of.BRIDGE]))
    for number in range(int(sheet[row + of.POSITIONS])):
        contract = int(sheet[positions + number * of.POSITION + of.CONTRACT])
        count = _add_column(draft, count, int(tables[contract + of.MARK]))
    for number in range(int(sheet[row + of.APART])):
        isolated = apart + number * of.ISOLATED
        contract = int(sheet[isolated + of.CONTRACT])
        count = _add_column(draft, count, int(tables[contract + of.MARK]))
        for coin in (int(tables[contract + of.SETTLE]), int(sheet[isolated + of.MARGIN_COIN])):
            count = _add_column(draft, count, int(tables[coin + of.OWN]))
            count = _add_column(draft, count, int(tables[coin + of.BRIDGE]))
    return count


@compiled
def _position_rate(tables: Floats, contract: int, contracts: float) -> float:
    """MM-2: return the maintenance rate of so many contracts; `UNTOLD` near a bound."""
    tier = contract + of.CONTRACT_TERMS
    rate = 0.0
    for _ in range(int(tables[contract + of.TIERS])):
        up_to, rate = tables[tier], tables[tier + 1]
        if abs(contracts - up_to) <= _ROUNDING * up_to:
            return UNTOLD
        if contracts < up_to:
            return float(rate)
        tier += 2
    return float(rate)


@compiled
def _debt_rate(tables: Floats, table: int, owed: float, rounding: float) -> float:
    """MM-2: return the maintenance rate of a debt; `UNTOLD` near a bound."""
    tier = table + 1
    rate = 0.0
    for _ in range(int(tables[table])):
        up_to, rate = tables[tier], tables[tier + 2]
        if abs(owed - up_to) <= rounding:
            return UNTOLD
        if owed < up_to:
            return float(rate)
        tier += 3
    return float(rate)


@compiled
def _begin_part(record: Floats, part: int, ladder: float, taker: float) -> None:
    for number in range(at.PART):
        record[part + number] = 0.0
    record[part + at.LADDER], record[part + at.TAKER] = ladder, taker


@compiled
def _put_holding(
    tables: Floats, sheet: Floats, row: int, draft: Draft, columns: int, h: int, part: int
) -> bool:
    """Write one holding of the account itself; say whether floats can tell all of it."""
    record, coin, balance = draft.record, draft.coins[h], draft.balances[h]
    holding = part + at.PART + h * at.HOLDING
    cash = borrowed = interest = 0.0
    lever, counts = sheet[row + of.ANY_LEVER], tables[coin + of.COLLATERAL]
    if balance >= 0:
        cash, borrowed = sheet[balance + of.CASH], sheet[balance + of.BORROWED]
        interest, lever = sheet[balance + of.INTEREST], sheet[balance + of.LEVER]
        counts *= sheet[balance + of.COUNTS]
    net = cash - borrowed - interest
    spot, auto = sheet[row + of.SPOT] > 0.0, sheet[row + of.AUTO] > 0.0
    _begin_holding(tables, record, holding, coin, draft, columns)
    record[holding + at.COUNTS] = counts
    record[holding + at.BY_VALUE] = tables[coin + of.BY_VALUE]
    record[holding + at.DISCOUNT] = tables[coin + of.DISCOUNT]
    record[holding + at.NET], record[holding + at.SIZE] = net, abs(cash) + abs(net)
    if draft.settling[h]:
        record[holding + at.FIXED] = 0.0
        record[holding + at.BORROW] = tables[coin + of.BORROW]
        record[holding + at.LEVER] = lever
        record[holding + at.FLOOR] = NO_FLOOR if auto else -tables[coin + of.QUOTA]
    elif borrowed != 0.0 or interest != 0.0 or cash < 0.0:
        rounding = _ROUNDING * (abs(cash) + abs(borrowed) + abs(interest))
        if not (spot or auto) and net < rounding - tables[coin + of.QUOTA]:
            return False  # IN-4
        owed = borrowed + interest + max(0.0, -cash) if spot else max(0.0, -net)
        rate = _debt_rate(tables, int(tables[coin + of.BORROW]), owed, rounding)
        if rate == UNTOLD:
            return False
        fee = (1.0 + rate) * sheet[row + of.SPOT_TAKER]
        record[holding + at.NEED] = owed * (rate + fee)
        record[holding + at.OC] = owed * rate
    return True


@compiled
def _begin_holding(
    tables: Floats, record: Floats, holding: int, coin: int, draft: Draft, columns: int
) -> None:
    """Write a holding that counts in full and owes nothing, of no amount."""
    for number in range(at.HOLDING):
        record[holding + number] = 0.0
    record[holding + at.OWN] = _local(draft, columns, int(tables[coin + of.OWN]))
    record[holding + at.BRIDGE] = _local(draft, columns, int(tables[coin + of.BRIDGE]))
    record[holding + at.COUNTS] = record[holding + at.FIXED] = 1.0
    record[holding + at.DISCOUNT] = tables[coin + of.WHOLE]


@compiled
def _put_position(
    tables: Floats,
    sheet: Floats,
    position: int,
    record: Floats,
    part: int,
    legs: int,
    place: tuple[float, float],
    rates: tuple[float, float],
) -> None:
    """Add a position to its leg, or what it needs in USD to the part.

    `place`: its mark's column in the record, and its settle coin's holding; `rates`: maintenance and
    taker, and maintenance alone.
    """
    contract = int(sheet[position + of.CONTRACT])
    inverse = tables[contract + of.INVERSE] > 0.0
    signed = sheet[position + of.QUANTITY] * tables[contract + of.SIZE]
    size, entry = abs(signed), sheet[position + of.ENTRY]
    if inverse:
        record[part + at.FIXED_NEED] += size * rates[0]
        record[part + at.FIXED_OC] += size * rates[1]
        if entry == 0.0:
            return
    count = int(record[part + at.LEGS])
    leg = legs
    while leg < legs + count * at.LEG:
        if record[leg + at.MARK] == place[0] and record[leg + at.COIN] == place[1]:
            break
        leg += at.LEG
    if leg == legs + count * at.LEG:
        for number in range(at.LEG):
            record[leg + number] = 0.0
        record[leg + at.MARK], record[leg + at.COIN] = place
        record[leg + at.INVERSE] = tables[contract + of.INVERSE]
        record[part + at.LEGS] = float(count + 1)
    if entry != 0.0:
        against = 1.0 / entry if inverse else entry
        record[leg + at.SLOPE] += signed
        record[leg + at.ENTRY] += signed * against
        record[leg + at.GROSS] += size
        record[leg + at.GROSS_ENTRY] += size * against
    if not inverse:
        record[leg + at.RATE] += size * rates[0]
        record[leg + at.ALONE] += size * rates[1]


@compiled
def _own_part(
    tables: Floats,
    sheet: Floats,
    row: int,
    positions: int,
    draft: Draft,
    holdings: int,
    columns: int,
    part: int,
) -> int:
    """Write the account's own part; return where it ends, or `UNTOLD`."""
    record, taker = draft.record, sheet[row + of.CONTRACT_TAKER]
    _begin_part(record, part, sheet[row + of.LADDER], sheet[row + of.SPOT_TAKER])
    record[part + at.HOLDINGS] = float(holdings)
    auto = sheet[row + of.SPOT] > 0.0 or sheet[row + of.AUTO] > 0.0
    count = int(sheet[row + of.POSITIONS])
    for h in range(holdings):
        if count > 0 and not auto and tables[draft.coins[h] + of.ADDS] > 0.0:
            return UNTOLD  # IN-3
        if not _put_holding(tables, sheet, row, draft, columns, h, part):
            return UNTOLD
    legs = part + at.PART + holdings * at.HOLDING
    for number in range(count):
        position = positions + number * of.POSITION
        contract = int(sheet[position + of.CONTRACT])
        alone = 0.0
        for other in range(positions, positions + count * of.POSITION, of.POSITION):
            group = tables[int(sheet[other + of.CONTRACT]) + of.GROUP]
            if group == tables[contract + of.GROUP]:
                alone += abs(sheet[other + of.QUANTITY])
        rate = _position_rate(tables, contract, alone)
        if rate == UNTOLD:
            return UNTOLD
        mark = _local(draft, columns, int(tables[contract + of.MARK]))
        h = _holding(draft, holdings, int(tables[contract + of.SETTLE]))
        place, rates = (mark, float(h)), (rate + taker, rate)
        _put_position(tables, sheet, position, record, part, legs, place, rates)
    end = legs + int(record[part + at.LEGS]) * at.LEG
    record[part + at.LENGTH] = float(end - part)
    return end


@compiled
def _isolated_part(
    tables: Floats,
    sheet: Floats,
    row: int,
    isolated: int,
    draft: Draft,
    columns: int,
    part: int,
) -> int:
    """MR-3: write the part of an isolated position; return where it ends, or `UNTOLD`."""
    record, contract = draft.record, int(sheet[isolated + of.CONTRACT])
    _begin_part(record, part, sheet[isolated + of.OWN_LADDER], sheet[row + of.SPOT_TAKER])
    margin, settle = int(sheet[isolated + of.MARGIN_COIN]), int(tables[contract + of.SETTLE])
    holding, h = part + at.PART, 0
    _begin_holding(tables, record, holding, margin, draft, columns)
    amount = sheet[isolated + of.MARGIN]
    record[holding + at.NET], record[holding + at.SIZE] = amount, 2.0 * abs(amount)
    if settle != margin:
        h = 1
        _begin_holding(tables, record, holding + at.HOLDING, settle, draft, columns)
    record[part + at.HOLDINGS] = float(h + 1)
    rate = _position_rate(tables, contract, abs(sheet[isolated + of.QUANTITY]))
    if rate == UNTOLD:
        return UNTOLD
    legs = holding + (h + 1) * at.HOLDING
    mark = _local(draft, columns, int(tables[contract + of.MARK]))
    place, rates = (mark, float(h)), (rate + sheet[row + of.CONTRACT_TAKER], 0.0)
    _put_position(tables, sheet, isolated, record, part, legs, place, rates)
    end = legs + int(record[part + at.LEGS]) * at.LEG
    record[part + at.LENGTH] = float(end - part)
    return end


@compiled
def make_draft(tables: Floats, sheet: Floats, row: int, draft: Draft) -> int:
    """Make the record of a row's account; return its length, or `UNTOLD`."""
    record = draft.record
    positions = row + of.HEAD + int(sheet[row + of.BALANCES]) * of.BALANCE
    apart = positions + int(sheet[row + of.POSITIONS]) * of.POSITION
    parts = int(sheet[row + of.APART])
    holdings = _holdings(tables, sheet, row, draft)
    columns = _columns(tables, sheet, positions, apart, row, draft, holdings)
    for number in range(at.HEAD):
        record[number] = 0.0
    record[at.COLUMNS], record[at.PARTS] = float(columns), float(1 + parts)
    for c in range(columns):
        column = at.HEAD + c * at.COLUMN
        for number in range(at.COLUMN):
            record[column + number] = 0.0
        record[column + at.ROW], record[column + at.PLACE] = float(draft.columns[c]), -1.0
    end = at.HEAD + columns * at.COLUMN
    end = _own_part(tables, sheet, row, positions, draft, holdings, columns, end)
    for number in range(parts):
        if end == UNTOLD:
            return UNTOLD
        isolated = apart + number * of.ISOLATED
        end = _isolated_part(tables, sheet, row, isolated, draft, columns, end)
    return end
