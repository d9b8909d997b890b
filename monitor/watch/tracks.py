"""Accounts near a level: no box, but a bound of each slack that follows their prices.

A box shares an account's budget over its prices once for all; near a level the shares are so small that some
price leaves its own again and again, though together they have used up little. So an account whose box is
left often is *tracked* instead. With the slopes of `monitor.watch.box` (∂F / ∂m in [a, b] while every price is
between where its bounds hold) a slack F is at least

    F(p0) + Σ over risen prices of a · m + Σ over fallen prices of b · m,

a price that moved in the account's favour given back what it had used up. The two constraints that are
nearest are followed so, all others together by the greatest of their uses, where nothing is given back.

What a price has *gone* of a budget is the most it uses up between two prices near to where it stands; only when
it leaves these is that reckoned anew, out of what is *left*. Where too little is left for that, an account is
*settled*: all its prices give back what they do not use, and share the rest again. It is looked at anew when
nothing is left, or when a price leaves where its bounds hold.

Every row (a price) has a list of its tracked accounts in `tracks`, one entry each, unordered; `hulls` says of each
`BLOCK` of them whether a price concerns any. An account has a number of its own while it is tracked: `left` and `tracked` (its slot) are by that number, and the account's record
says where its entries are.

Each change of `left` errs by less than 1e-15 of the figure. Settling begins anew from the whole budget, and an
account is looked at anew before it took 2²⁰ changes (`Screen`): what they could add up to was taken off the
slack as rounding.
"""

from __future__ import annotations

from monitor.watch import layout as at
from monitor.watch import scratch as on
from monitor.watch.box import CLEAR
from monitor.watch.compiled import compiled
from monitor.watch.state import FLAGS, OFFSET, TRACKED, Floats, Numbers, Owners, State

__all__ = [
    "BLOCK",
    "COUNT",
    "ENTRY",
    "FOLLOWED",
    "FREE",
    "LONGEST",
    "PATIENCE",
    "ROOM",
    "SHORTEST",
    "START",
    "TICKS",
    "USED",
    "WANTING",
    "alarm",
    "begin",
    "enter",
    "follow",
    "has_room",
    "interval",
    "leave",
    "settle",
    "wrap",
]

# An entry: 1 / the price its bounds were made at; between which prices they hold; what a rise and a fall use up
# of each budget; what is gone of each; the column of the record.
PER_PRICE, LOW, HIGH, RISE, FALL, GONE, COLUMN, ENTRY = 0, 1, 2, 3, 6, 9, 12, 13
FOLLOWED = 3
"""Budgets of one account."""
BLOCK = 64
"""Entries of a list that one hull stands for: the prices between which none of them has anything to be done."""
_SHARE = 0.1
"""Of what is left: what one price may use up before it is reckoned anew."""
_LEAST = 1e-300

INFINITY = float("inf")
SHORTEST, LONGEST = 64, 1 << 14
"""Entries that a list has room for at first, and at most."""
TICKS, USED, FREE, WANTING, PATIENCE = range(5)
"""Of `pulse`: ticks so far; numbers ever given to tracked accounts, the first free one (−1: none); whether some
list was full; an account that is looked at again after fewer ticks is tracked from then on, and no more where it
was not for four times as many."""

START, ROOM, COUNT = 5, 6, 7
"""Of a row: where its list begins in `tracks`, how many entries it has room for, how many it has."""


@compiled
def _used(tracks: Floats, place: int, budget: int, price: float) -> float:
    """Return what a price uses up of a budget; less than 0 where it gives."""
    move = price * tracks[place, PER_PRICE] - 1.0
    if move >= 0.0:
        return float(tracks[place, RISE + budget] * move)
    return float(-tracks[place, FALL + budget] * move)


@compiled
def _bound(near: Floats, hulls: Floats, place: int, low: float, high: float) -> None:
    """Give an entry another interval between whose prices nothing is to be done for it."""
    block = place // BLOCK
    was_low, was_high = near[place, 0], near[place, 1]
    near[place, 0], near[place, 1] = low, high
    highest, lowest = max(hulls[block, 0], low), min(hulls[block, 1], high)
    if (low < was_low == hulls[block, 0]) or (high > was_high == hulls[block, 1]):
        highest, lowest = -INFINITY, INFINITY
        for other in range(block * BLOCK, block * BLOCK + BLOCK):
            highest, lowest = max(highest, near[other, 0]), min(lowest, near[other, 1])
    hulls[block, 0], hulls[block, 1] = highest, lowest


@compiled
def _reserve(
    tracks: Floats,
    near: Floats,
    hulls: Floats,
    left: Floats,
    place: int,
    number: int,
    price: float,
) -> bool:
    """Let a price move a little from here on; say whether something is left of every budget.

    What it uses where it stands is gone already, and no more than that. Where nothing is left it is due at every tick.
    """
    width = 1.0
    for budget in range(FOLLOWED):
        if not left[number, budget] > 0.0:
            _bound(near, hulls, place, INFINITY, -INFINITY)
            return False
        use = max(tracks[place, RISE + budget], tracks[place, FALL + budget], _LEAST)
        width = min(width, _SHARE * left[number, budget] / use)
    low, high = (
        max(tracks[place, LOW], price * (1.0 - width)),
        min(tracks[place, HIGH], price * (1.0 + width)),
    )
    _bound(near, hulls, place, low, high)
    turns = low * tracks[place, PER_PRICE] < 1.0 < high * tracks[place, PER_PRICE]
    for budget in range(FOLLOWED):
        most = max(_used(tracks, place, budget, low), _used(tracks, place, budget, high))
        if turns:
            most = max(most, 0.0)
        left[number, budget] -= most - tracks[place, GONE + budget]
        tracks[place, GONE + budget] = most
    return True


@compiled
def follow(
    tracks: Floats,
    near: Floats,
    hulls: Floats,
    numbers: Owners,
    left: Floats,
    tracked: Owners,
    row: Numbers,
    price: float,
    due: Numbers,
) -> int:
    """Let a row's accounts follow its price; return how many are to be settled, their slots in `due`.

    Until they are, they are due again at each price.
    """
    count = 0
    end = row[START] + row[COUNT]
    for first in range(row[START], end, BLOCK):
        if hulls[first // BLOCK, 0] <= price <= hulls[first // BLOCK, 1]:
            continue
        for place in range(first, min(first + BLOCK, end)):
            if near[place, 0] <= price <= near[place, 1]:
                continue
            number = numbers[place]
            if not _goes_along(tracks, near, hulls, left, place, number, price):
                due[count] = tracked[number]
                count += 1
    return count


@compiled
def _goes_along(
    tracks: Floats,
    near: Floats,
    hulls: Floats,
    left: Floats,
    place: int,
    number: int,
    price: float,
) -> bool:
    """Let an entry follow its price; say whether something is left of every budget, and its bounds hold."""
    for budget in range(FOLLOWED):
        used = _used(tracks, place, budget, price)
        left[number, budget] -= used - tracks[place, GONE + budget]
        tracks[place, GONE + budget] = used
    if tracks[place, LOW] <= price <= tracks[place, HIGH]:
        return bool(_reserve(tracks, near, hulls, left, place, number, price))
    _bound(near, hulls, place, INFINITY, -INFINITY)
    return False


@compiled
def settle(
    book: Floats,
    rows: Numbers,
    prices: Floats,
    tracks: Floats,
    near: Floats,
    hulls: Floats,
    left: Floats,
    record: int,
) -> bool:
    """Share what is left of a tracked account's budgets anew; say whether anything is."""
    number = int(book[record + at.NUMBER])
    left[number, 0] = left[number, 1] = left[number, 2] = CLEAR
    first = record + at.HEAD
    end = first + int(book[record + at.COLUMNS]) * at.COLUMN
    for column in range(first, end, at.COLUMN):
        row = int(book[column + at.ROW])
        place, price = rows[row, START] + int(book[column + at.TRACK]), prices[row]
        if not tracks[place, LOW] <= price <= tracks[place, HIGH]:
            return False
        for budget in range(FOLLOWED):
            used = _used(tracks, place, budget, price)
            left[number, budget] -= used
            tracks[place, GONE + budget] = used
    if not min(left[number, 0], left[number, 1], left[number, 2]) > 0.0:
        return False
    for column in range(first, end, at.COLUMN):
        row = int(book[column + at.ROW])
        place = rows[row, START] + int(book[column + at.TRACK])
        if not _reserve(tracks, near, hulls, left, place, number, prices[row]):
            return False
    return True


@compiled
def begin(
    book: Floats,
    rows: Numbers,
    work: Floats,
    tracks: Floats,
    near: Floats,
    hulls: Floats,
    left: Floats,
    record: int,
) -> None:
    """Let a tracked account have the bounds just made, and its budgets begin anew, at the present prices."""
    number = int(book[record + at.NUMBER])
    left[number, 0] = left[number, 1] = left[number, 2] = CLEAR
    for c in range(int(book[record + at.COLUMNS])):
        column = record + at.HEAD + c * at.COLUMN
        row, price = int(book[column + at.ROW]), work[on.P, c]
        place = rows[row, START] + int(book[column + at.TRACK])
        tracks[place, PER_PRICE] = 1.0 / price
        tracks[place, LOW] = price * (1.0 - work[on.ALL_LOW, c] * CLEAR)
        tracks[place, HIGH] = price * (1.0 + work[on.ALL_HIGH, c] * CLEAR)
        for budget in range(FOLLOWED):
            tracks[place, RISE + budget] = work[on.NEAR_RISE + budget, c]
            tracks[place, FALL + budget] = work[on.NEAR_FALL + budget, c]
            tracks[place, GONE + budget] = 0.0
        _reserve(tracks, near, hulls, left, place, number, price)


@compiled
def has_room(s: State, record: int, columns: int) -> bool:
    """Whether there is room for one more account; let `pulse` say so where more can be made."""
    found = bool(s.pulse[FREE] >= 0 or s.pulse[USED] < len(s.tracked))
    if not found:
        s.pulse[WANTING] = 1
    for c in range(columns):
        row = int(s.book[record + at.HEAD + c * at.COLUMN + at.ROW])
        if s.rows[row, COUNT] == s.rows[row, ROOM]:
            found = False
            if s.rows[row, ROOM] < LONGEST:
                s.pulse[WANTING] = 1
    return found


@compiled
def _number(s: State, slot: int) -> int:
    """Take a free number for a slot."""
    number = s.pulse[FREE]
    if number >= 0:
        s.pulse[FREE] = -2 - s.tracked[number]
    else:
        number = s.pulse[USED]
        s.pulse[USED] += 1
    s.tracked[number] = slot
    return int(number)


@compiled
def enter(s: State, slot: int) -> None:
    """Give an account a place in the lists of its prices, where there is room; `begin` is to follow."""
    record = s.slots[slot, OFFSET]
    columns = int(s.book[record + at.COLUMNS])
    number = _number(s, slot)
    s.book[record + at.NUMBER] = float(number)
    for c in range(columns):
        column = record + at.HEAD + c * at.COLUMN
        row = int(s.book[column + at.ROW])
        place = s.rows[row, START] + s.rows[row, COUNT]
        s.book[column + at.TRACK] = float(s.rows[row, COUNT])
        s.numbers[place], s.tracks[place, COLUMN] = number, float(c)
        s.rows[row, COUNT] += 1
    s.slots[slot, FLAGS] |= TRACKED


@compiled
def leave(s: State, slot: int) -> None:
    """Track an account no longer, if it is; nothing guards it then."""
    if not s.slots[slot, FLAGS] & TRACKED:
        return
    record = s.slots[slot, OFFSET]
    for c in range(int(s.book[record + at.COLUMNS])):
        column = record + at.HEAD + c * at.COLUMN
        row = int(s.book[column + at.ROW])
        place = s.rows[row, START] + int(s.book[column + at.TRACK])
        s.rows[row, COUNT] -= 1
        last = s.rows[row, START] + s.rows[row, COUNT]
        if place != last:
            for field in range(ENTRY):
                s.tracks[place, field] = s.tracks[last, field]
            _bound(s.near, s.hulls, place, s.near[last, 0], s.near[last, 1])
            s.numbers[place] = s.numbers[last]
            other = s.slots[s.tracked[s.numbers[place]], OFFSET] + at.HEAD
            other += int(s.tracks[place, COLUMN]) * at.COLUMN
            s.book[other + at.TRACK] = s.book[column + at.TRACK]
        _bound(s.near, s.hulls, last, -INFINITY, INFINITY)
    number = int(s.book[record + at.NUMBER])
    s.tracked[number] = -2 - s.pulse[FREE]
    s.pulse[FREE] = number
    s.slots[slot, FLAGS] &= ~TRACKED


@compiled
def alarm(book: Floats, rows: Numbers, near: Floats, hulls: Floats, record: int) -> None:
    """Let every tick of its prices concern a tracked account, until its bounds are made anew."""
    for c in range(int(book[record + at.COLUMNS])):
        column = record + at.HEAD + c * at.COLUMN
        place = rows[int(book[column + at.ROW]), START] + int(book[column + at.TRACK])
        _bound(near, hulls, place, INFINITY, -INFINITY)


def wrap(near: Floats, hulls: Floats, begin: int, count: int, room: int) -> None:
    """Make the hulls of a list that lies at `begin`: `count` entries, and room for `room` in all."""
    near[begin + count : begin + room] = -INFINITY, INFINITY
    blocks = near[begin : begin + room].reshape(-1, BLOCK, 2)
    first, last = begin // BLOCK, (begin + room) // BLOCK
    hulls[first:last, 0], hulls[first:last, 1] = blocks[:, :, 0].max(1), blocks[:, :, 1].min(1)


@compiled
def interval(s: State, slot: int, row: int) -> tuple[float, float]:
    """Return between which prices of one row nothing is done for a tracked account."""
    record = s.slots[slot, OFFSET]
    for c in range(int(s.book[record + at.COLUMNS])):
        column = record + at.HEAD + c * at.COLUMN
        if int(s.book[column + at.ROW]) == row:
            place = s.rows[row, START] + int(s.book[column + at.TRACK])
            return s.near[place, 0], s.near[place, 1]
    return -INFINITY, INFINITY
