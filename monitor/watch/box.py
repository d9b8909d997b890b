"""How far prices may move before an account's standing can change: a box, proven by slopes (H-2).

The claim. Let p0 be the prices a box was made at, and p any prices each within its own interval
[p0 (1 − d), p0 (1 + u)]. Then at p the ratio is above the same levels as at p0, OC-1's inequality
holds if and only if it held, and no coin's equity has left its borrow tiers or gone below its floor
(`monitor.watch.floors`).

The proof. Everything that may not change is a *constraint*: a figure F that is above 0 and has to
stay there.

- E − level · Q for the highest level that the ratio is above, level · Q − E for the next (E adjusted
  equity, Q requirement). Levels and Q are not negative, so the other levels follow. Where Q is 0 there
  is no ratio, and the account counts as above every level; it does as long as E > level · Q for
  the highest of them. Where E ≤ 0 the ratio ends with Q: then Q itself is a constraint.
- E − O or O − E, by OC-1's inequality, where there is an order that it could cancel.
- The guard, for each coin whose equity x marks move: its distance to the bounds of its borrow tiers
  and to its floor. While it holds, the rates in Q and O are constant.

Every figure is continuous and piecewise smooth in the prices. Let m be the relative moves. Going from
p0 to p one price after the other, in one fixed order, never leaves the box; let the slope of F by the price
that moves (∂F / ∂m) lie in [a, b] wherever that way may lead. So

    F(p) ≥ F(p0) − Σ over rising prices of max(0, −a) · m − Σ over falling prices of max(0, b) · |m|.

With u⁺ = max(0, −a) / F(p0) and u⁻ = max(0, b) / F(p0), a box in which Σ max(u⁻ d, u⁺ u) < 1 keeps F above
0, for every constraint. A long account's rising price uses up nothing of its lower level. The slopes
of E, Q and O are bounded in `monitor.watch.slopes`; a guard's are those of the coin's legs. Bounds
of E − level · Q are the differences of theirs.

How wide. First the slopes at p0 give a wish: a constraint's budget of 1 is shared so that
the expected number of exits is least. A price of variance σ² leaves ±r about σ² / r² times in a unit of
time; Σ σ² / r² under Σ u r = 1 is least for r ~ (σ² / u)^(1/3), a share of u r ~ (u² σ²)^(1/3). Then the slopes are
bounded over that box and some room around it, and the box is made smaller by what they use up
beyond the budget; a box in a box has the same bounds or better ones. Shares and wish need no proof: any
will do.

Moved, not made. With u⁺, u⁻ the greatest of all constraints, what a price has used up of every budget
is at most u⁺ m or u⁻ |m|, wherever the bounds hold. So while Σ of that is below 1, what is left can be
shared anew without another look at the account: price by price an interval in which it
uses no more than it has used plus its share (`monitor.watch.kernels`).

Floats. A slack within rounding of 0, or a tier's bound within rounding of an amount, decides nothing:
only decimals can tell, and any move has the account looked at again. Rounding is taken off every
slack, which also covers that of the prices and intervals themselves.
"""

from __future__ import annotations

from math import sqrt

from monitor.watch import layout as at
from monitor.watch import scratch as on
from monitor.watch.compiled import compiled
from monitor.watch.figures import HUGE, ROUNDING, TINY, figures
from monitor.watch.slopes import leg_high, leg_low, slopes
from monitor.watch.state import Floats

__all__ = ["CLEAR", "WIDEST", "follow_part", "judge", "make_part", "share_of"]

WIDEST = 0.4
"""No interval is wider: a price that moved further always has its accounts looked at again."""
_INFINITY = float("inf")
_LEAST = 1e-300
_MOST = 1e100
"""A use beyond it leaves an interval of no width in floats."""
CLEAR = 1.0 - 1e-6
"""What is used of a budget: rounding while widths are made."""
_FREE, _LOPSIDED = 0.05, 10.0
"""A side that uses nothing up is no wider than this, or so many times the other: an index that may
rise far makes every loss in its coin dearer."""
_ROOM, _SMALL = 3.0, 0.03
"""Bounds hold as many times as far as the box goes, but no further than this for it."""
_NEAR, _FAR, _REACH = 0.01, 0.1, 30.0
"""Where prices are followed bounds hold at least and at most so far, and so many times as far as the gross
of an account says that its nearest level is."""


@compiled
def _slack(
    work: Floats, number: int, kind: int, level: float, value: float, rounding: float
) -> bool:
    """Note a constraint; return whether floats are sure of it."""
    work[on.KIND, number], work[on.LEVEL, number] = kind, level
    work[on.SLACK, number] = max(value - rounding, _LEAST)
    return value > rounding


@compiled
def _moves(book: Floats, part: int) -> bool:
    """Whether a requirement that is 0 can become more: by a debt that marks move."""
    for h in range(int(book[part + at.HOLDINGS])):
        if book[part + at.PART + h * at.HOLDING + at.FIXED] == 0.0:
            return True
    return False


@compiled
def judge(
    book: Floats, part: int, tables: Floats, work: Floats
) -> tuple[int, float, int, bool, bool, float]:
    """Say where a part stands: (number of constraints, gross, zone, OC-1, whether floats are sure, ratio).

    `work[P]` holds the prices of its columns. Where floats are not sure there is no box.
    """
    equity, need, oc, gross, blind = figures(book, part, tables, work)
    rounding = ROUNDING * (gross + TINY)
    ladder = int(book[part + at.LADDER])
    levels = int(tables[ladder])
    sure = not blind and gross < HUGE
    number = 0
    if need > 0.0:
        ratio, zone = equity / need, 0
        while zone < levels and equity > tables[ladder + 1 + zone] * need:
            zone += 1
    else:
        ratio, zone = _INFINITY, levels
    needs = need > 0.0 or _moves(book, part)
    if zone > 0 and needs:
        level = tables[ladder + zone]
        sure = _slack(work, number, on.ABOVE, level, abs(equity - level * need), rounding) and sure
        number += 1
    if zone < levels:
        level = tables[ladder + 1 + zone]
        sure = _slack(work, number, on.BELOW, level, abs(level * need - equity), rounding) and sure
        number += 1
    if equity <= rounding and needs:  # with Q at 0 there is no ratio, however low E is
        sure = _slack(work, number, on.NEEDED, 0.0, need, rounding) and sure
        number += 1
    short = False
    if book[part + at.CANCELLABLE] > 0.0:
        short = equity < oc
        kind = on.SHORT if short else on.ENOUGH
        sure = _slack(work, number, kind, 0.0, abs(equity - oc), rounding) and sure
        number += 1
    for h in range(int(book[part + at.HOLDINGS])):
        if book[part + at.PART + h * at.HOLDING + at.FIXED] == 0.0:
            work[on.KIND, number], work[on.LEVEL, number] = on.GUARD, h
            number += 1
    return number, gross, zone, short, sure, ratio


@compiled
def _uses(book: Floats, part: int, work: Floats, columns: int, number: int) -> None:
    """Find what a fall and a rise of each column use up of one constraint, less than 0 where it gains."""
    kind, level, slack = int(work[on.KIND, number]), work[on.LEVEL, number], work[on.SLACK, number]
    fall, rise = on.USE + 2 * number, on.USE + 2 * number + 1
    if kind == on.GUARD:
        _guard_uses(book, part, work, columns, fall, int(level))
        return
    for c in range(columns):
        e_low, e_high = work[on.E_LO, c], work[on.E_HI, c]
        if kind == on.ABOVE:
            low, high = e_low - level * work[on.Q_HI, c], e_high - level * work[on.Q_LO, c]
        elif kind == on.BELOW:
            low, high = level * work[on.Q_LO, c] - e_high, level * work[on.Q_HI, c] - e_low
        elif kind == on.NEEDED:
            low, high = work[on.Q_LO, c], work[on.Q_HI, c]
        elif kind == on.ENOUGH:
            low, high = e_low - work[on.O_HI, c], e_high - work[on.O_LO, c]
        else:
            low, high = work[on.O_LO, c] - e_high, work[on.O_HI, c] - e_low
        work[fall, c] = min(max(-_MOST, high / slack), _MOST)
        work[rise, c] = min(max(-_MOST, -low / slack), _MOST)


@compiled
def _guard_uses(book: Floats, part: int, work: Floats, columns: int, row: int, h: int) -> None:
    """Find what moves use up of the way a coin's equity may fall, or rise, whichever is more."""
    for c in range(columns):
        work[row, c] = work[row + 1, c] = 0.0
    falls, rises = work[on.FALL, h], work[on.RISE, h]
    legs = part + at.PART + int(book[part + at.HOLDINGS]) * at.HOLDING
    for number in range(int(book[part + at.LEGS])):
        leg = legs + number * at.LEG
        if int(book[leg + at.COIN]) != h:
            continue
        c = int(book[leg + at.MARK])
        low, high = leg_low(book, leg, work), leg_high(book, leg, work)
        work[row, c] += min(max(high / falls, -low / rises), _MOST)
        work[row + 1, c] += min(max(-low / falls, high / rises), _MOST)


@compiled
def _used(work: Floats, columns: int, constraints: int) -> float:
    """Return the greatest part of a budget that the box uses up."""
    worst = 0.0
    for number in range(constraints):
        fall, rise = on.USE + 2 * number, on.USE + 2 * number + 1
        used = 0.0
        for c in range(columns):
            down, up = work[fall, c] * work[on.BOX_DOWN, c], work[rise, c] * work[on.BOX_UP, c]
            used += max(0.0, down, up)
        worst = max(worst, used)
    return worst


@compiled
def share_of(use: float, variance: float) -> float:
    """Return a price's share of a budget: (use² · variance) to the power 5 / 16, nearly the best."""
    fourth = sqrt(sqrt(use * use * variance))
    return fourth * sqrt(sqrt(fourth))


@compiled
def _wish(work: Floats, columns: int, constraints: int) -> None:
    """Share every constraint's budget over the columns."""
    for c in range(columns):
        work[on.BOX_DOWN, c] = work[on.BOX_UP, c] = WIDEST
    for number in range(constraints):
        fall, rise = on.USE + 2 * number, on.USE + 2 * number + 1
        total = 0.0
        for c in range(columns):
            share = share_of(max(0.0, work[fall, c], work[rise, c]), work[on.STIR, c])
            work[on.SHARE, c] = share
            total += share
        for c in range(columns):
            share = work[on.SHARE, c]
            if share < work[on.BOX_DOWN, c] * work[fall, c] * total:
                work[on.BOX_DOWN, c] = share / (work[fall, c] * total)
            if share < work[on.BOX_UP, c] * work[rise, c] * total:
                work[on.BOX_UP, c] = share / (work[rise, c] * total)
    worst = _used(work, columns, constraints)
    if 0.0 < worst < 1.0:
        _scale(work, columns, 1.0 / worst)
    for c in range(columns):
        down, up = work[on.BOX_DOWN, c], work[on.BOX_UP, c]
        work[on.BOX_DOWN, c] = min(down, max(_FREE, _LOPSIDED * up))
        work[on.BOX_UP, c] = min(up, max(_FREE, _LOPSIDED * down))


@compiled
def _scale(work: Floats, columns: int, factor: float) -> None:
    for c in range(columns):
        work[on.BOX_DOWN, c] = min(WIDEST, work[on.BOX_DOWN, c] * factor)
        work[on.BOX_UP, c] = min(WIDEST, work[on.BOX_UP, c] * factor)


@compiled
def _around(width: float) -> float:
    """Return how far bounds should hold around a box: small ones are moved before they are made anew."""
    return max(width, min(_ROOM * width, _SMALL))


@compiled
def _reach(work: Floats, constraints: int, gross: float) -> float:
    """Return how far bounds should hold where prices are followed: some times as far as brings all of
    them together to a level, by the gross of everything that moves.
    """
    least = gross
    for number in range(constraints):
        if work[on.KIND, number] != on.GUARD:
            least = min(least, work[on.SLACK, number])
    return max(_NEAR, min(_REACH * least / gross, _FAR))


@compiled
def _pressure(work: Floats, columns: int, fall: int, rise: int) -> float:
    """Return how fast prices use up a budget: the variance of what they use of it."""
    found = 0.0
    for c in range(columns):
        use = max(0.0, work[fall, c], work[rise, c])
        found += use * use * work[on.STIR, c]
    return found


@compiled
def _budget(work: Floats, columns: int, fall: int, rise: int, budget: int) -> None:
    """Let a budget be followed by these uses; the last one by its greatest, where nothing is gained."""
    for c in range(columns):
        used_fall, used_rise = work[fall, c], work[rise, c]
        if budget == 2:
            used_fall = max(used_fall, work[on.NEAR_FALL + 2, c])
            used_rise = max(used_rise, work[on.NEAR_RISE + 2, c])
        work[on.NEAR_FALL + budget, c], work[on.NEAR_RISE + budget, c] = used_fall, used_rise


@compiled
def _follow(work: Floats, columns: int, constraints: int) -> None:
    """Let the two constraints that are used up the fastest be followed by themselves, the others together."""
    for number in range(constraints):
        fall, rise = on.USE + 2 * number, on.USE + 2 * number + 1
        pressure = _pressure(work, columns, fall, rise)
        budget = 0
        while budget < 2 and pressure <= work[on.PRESSURE, budget]:
            budget += 1
        if budget < 2:
            _budget(work, columns, on.NEAR_FALL + 1, on.NEAR_RISE + 1, 2)
        if budget == 0:
            _budget(work, columns, on.NEAR_FALL, on.NEAR_RISE, 1)
            work[on.PRESSURE, 1] = work[on.PRESSURE, 0]
        _budget(work, columns, fall, rise, budget)
        if budget < 2:
            work[on.PRESSURE, budget] = pressure


@compiled
def _bound(
    book: Floats, part: int, tables: Floats, work: Floats, columns: int, constraints: int
) -> None:
    """Bound the slopes between `DOWN` and `UP`, and so what a fall and a rise use up of each budget."""
    slopes(book, part, tables, work, columns)
    for number in range(constraints):
        _uses(book, part, work, columns, number)


@compiled
def _join(work: Floats, columns: int, constraints: int) -> None:
    """Scale the box to what is used up in it, and let all parts have the narrowest of theirs."""
    _scale(work, columns, CLEAR / max(_used(work, columns, constraints), 1.0))
    for c in range(columns):
        work[on.ALL_DOWN, c] = min(work[on.ALL_DOWN, c], work[on.BOX_DOWN, c])
        work[on.ALL_UP, c] = min(work[on.ALL_UP, c], work[on.BOX_UP, c])
        work[on.ALL_LOW, c] = min(work[on.ALL_LOW, c], work[on.DOWN, c])
        work[on.ALL_HIGH, c] = min(work[on.ALL_HIGH, c], work[on.UP, c])
        for number in range(constraints):
            fall, rise = on.USE + 2 * number, on.USE + 2 * number + 1
            work[on.ALL_FALL, c] = max(work[on.ALL_FALL, c], work[fall, c])
            work[on.ALL_RISE, c] = max(work[on.ALL_RISE, c], work[rise, c])


@compiled
def make_part(
    book: Floats, part: int, tables: Floats, work: Floats, columns: int, constraints: int
) -> None:
    """Make the box of a part that was just judged.

    `BOX_*` and `DOWN`, `UP` get the box and where the bounds hold, `ALL_*` the narrowest of all parts.
    """
    for c in range(columns):
        work[on.DOWN, c] = work[on.UP, c] = 0.0
    _bound(book, part, tables, work, columns, constraints)
    _wish(work, columns, constraints)
    for c in range(columns):
        work[on.DOWN, c] = _around(work[on.BOX_DOWN, c])
        work[on.UP, c] = _around(work[on.BOX_UP, c])
    _bound(book, part, tables, work, columns, constraints)
    _join(work, columns, constraints)


@compiled
def follow_part(
    book: Floats,
    part: int,
    tables: Floats,
    work: Floats,
    columns: int,
    constraints: int,
    gross: float,
) -> None:
    """Bound the slopes of a part near a level instead, which needs no box: `ALL_LOW`, `ALL_HIGH` get how far the
    bounds hold, `NEAR_*` what is followed of the part (`monitor.watch.tracks`).

    `gross`: of everything that moves.
    """
    reach = _reach(work, constraints, gross)
    for c in range(columns):
        work[on.DOWN, c] = work[on.UP, c] = reach
        work[on.ALL_LOW, c] = min(work[on.ALL_LOW, c], reach)
        work[on.ALL_HIGH, c] = min(work[on.ALL_HIGH, c], reach)
    _bound(book, part, tables, work, columns, constraints)
    _follow(work, columns, constraints)
