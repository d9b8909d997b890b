"""A cell of prices and moments, and what contracts may come to in it.

The claim. While every price stays in its part of the cell, the figures of an account lie between the
bounds that `accounts.bound_accounts` made of it, and so does its zone where these bounds are sure.

The cell is a product: of an interval for each index and for each mark of a linear or inverse contract;
of one for the volatility × √years that each option's mark implies; and for each underlying of a span
of moments in which no option passes into another bucket or expires and no other parameters come into
force. An option is in the cell while the deviation that its mark implies at its forward is in its
interval; that is asked without solving for it, as the value at both ends encloses the mark
(`deviations.holds`). So marks that move with the index leave no cell, only a volatility that moves.

Gates are intervals of single prices in the cell. A mark's ends where the value at an end of its deviation's
interval does, for the least favourable forward of those that are in their gates; what gates were made for
stays true while they are narrowed. So a tick within the gate of its row, and no later than the span, leaves
no cell, whatever the other rows are at in theirs: it needs no look at all, and no run of ticks ends with it.

The proof, from below:

- a gain of an option: its value in the middle of the cell, and by the mean value theorem no more away
  from it than the slopes anywhere in the cell allow (`options`). What the slopes have in common over the
  cell, times the way of index and forward, is signed: those two move for all contracts of an expiry at
  once, so it adds up over a unit before its size is taken, Σ over index and forwards of |Σ amount × slope
  × way|. The rest of each slope, and what strike (by its quote) and deviation do, adds up in size.
- fading: √(left / years) with left / years = 1 − days / years falls as moments pass. Delta, vega and
  rho are products of monotone factors and of N(d1) or n(d1), bounded by d1's bounds (`black`).
- linear and inverse contracts: monotone in mark and index (`contracts`).
- MR1, MR2, MR6: each scenario is a sum of amount × gain; a greatest of such lies between the greatest
  of their lower and of their upper ends.
- PM-1's spot in use rises with the spot and falls with the delta; MR7 rises with the raw charge.
- MR3's offset takes the same share of the smaller from both: in the L1 norm it is 1-Lipschitz, step by
  step, whichever of the two is the smaller. So the charge is off by at most Σ |amount| × radius, as are
  MR5 and, expiry by expiry, MR4. MR9: each of three hedges moves by at most what its legs do, at the
  steepest rate; where pegs may lie in two rows of the table, by the steepest rate × the hedge too.
- unit: sums and maxima of these rise in each. Equity in coin is the sum of its parts' intervals; CU-9
  rises with it, and its USD value with the price where it is above 0; borrowing falls with it, its
  rates lie between the lowest and highest of the tiers reached.
- ratio: above a level for certain where E − level × Q > 0 even for the least E and the greatest Q, and
  not above where it is < 0 for the greatest E and least Q. Anything between is for decimals.

Errors. The decimal path takes its own slack off (1e-10 of the largest price at most, `slack_of`) and
rounds to a tenth of it; with the value model's 1e-12 and float rounding that is within the 2e-10
of the largest price added to each option's radius. Sums add 1e-12 of their gross.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.options.implied import MOST_DEVIATION
from monitor.options.time_value import deviation_of, time_value
from monitor.watch.portfolio.black import NOISE
from monitor.watch.portfolio.contracts import contract_rows, date_rows
from monitor.watch.portfolio.deviations import guard_marks, imply, still_in, widen
from monitor.watch.portfolio.gates import narrow_gates
from monitor.watch.portfolio.layout import (
    BLIND,
    BUCKETS,
    CONTRACT,
    HEDGED,
    INDEX_HI,
    INDEX_LO,
    PAIRS,
    UNDERLYING,
)
from monitor.watch.portfolio.market import Market, Places
from monitor.watch.portfolio.options import MARK_WIDTH, option_rows
from monitor.watch.portfolio.parameters import (
    BUCKET,
    DAY_MS,
    YEAR_MS,
    Buckets,
    Parameters,
    next_set,
)

__all__ = ["Ring", "Width"]

Floats = NDArray[np.float64]
Moments = NDArray[np.int64]
_NOBODY = np.zeros(0, dtype=np.intp)

_GATES = np.array((1.0, 0.5, 0.25, 0.12, 0.06, 0.02, 0.004, 0.0))
"""Of the cell's width: how far prices may move until options are looked at again, as far as these let them."""
_QUOTE = 0.125
"""What contracts are quoted in stands still beside what they are on."""
_ROUNDING = 1e-11
_PEGS = ("USDT", "USDC", "USD")
_PAIRS = ((0, 2), (0, 1), (1, 2))


class Width:
    """How far prices may move from where a cell was made, as shares, and for how long (ms)."""

    __slots__ = ("hold", "price", "volatility")

    def __init__(self, price: float, volatility: float, hold: int) -> None:
        self.price, self.volatility, self.hold = price, volatility, hold


class Ring:
    """One cell, made around the prices at which it is wanted.

    Only rows that are `followed` are kept up to date: nobody who stands here depends on any other, and
    what has gone by there is seen to when somebody comes (`renew`).
    """

    def __init__(self, market: Market, width: Width) -> None:
        self.market, self.width = market, width
        self.lo, self.hi = np.ones(1), np.ones(1)
        """By row: the cell."""
        self.gate_lo, self.gate_hi = np.ones(1), np.ones(1)
        """By row, in the cell: while all prices are in these, so are the deviations of all options followed."""
        self.followed = np.zeros(1, dtype=np.bool_)
        """By row; more than those of the present members where some have gone."""
        self.table = np.zeros((0, CONTRACT))
        self.known = np.zeros(0, dtype=np.bool_)
        self.deviation = np.zeros((0, 2))
        self.buckets = np.zeros((0, BUCKET))
        self.bucket_until = np.zeros(0, dtype=np.int64)
        self.bucket_set = np.zeros(0, dtype=np.int64)
        """Whose parameters they are of."""
        self.under = np.zeros((0, UNDERLYING))
        self.shares = np.zeros((0, BUCKETS, BUCKETS))
        self.scales = np.zeros((0, BUCKETS, 2))
        self.hedges = np.zeros((0, PAIRS, BUCKETS, 2))
        self._grown = -1
        self._slopes, self._box = np.zeros((2, 10)), np.zeros(8)
        self._shares = width.price * _GATES
        self._used: dict[int, Parameters] = {}
        self._pegged: dict[int, list[tuple[float, float]]] = {}
        """Underlying → its parameters, and the pegs that its slices of MR9 were looked up by."""
        self.until = np.zeros(0, dtype=np.int64)
        """By underlying, as are these: the last moment of the span; -1: not known."""

    def values(self) -> tuple[Floats, Floats]:
        """Return what every currency may be worth in USD."""
        return self.market.values(self.lo), self.market.values(self.hi)

    def narrow(self, low: Floats, high: Floats, until: Moments) -> None:
        """Narrow intervals of prices, and last moments, by row to what leaves no cell of those who stand here."""
        market = self.market
        narrow_gates(
            self.followed,
            (self.gate_lo, self.gate_hi),
            market.coin_routes,
            self.until,
            low,
            high,
            until,
        )

    # -- prices -------------------------------------------------------------------------------

    def left_by(self, row: int) -> set[int]:
        """Take a followed row's present price; return the rows whose accounts are to be looked at again."""
        market, price = self.market, self.market.prices[row]
        if not self.lo[row] <= price <= self.hi[row]:
            self._leave(row)
            return {row}
        late = {row} if self._forget_late(row) else set[int]()
        if self.gate_lo[row] <= price <= self.gate_hi[row]:
            return late
        chosen = market.touched.get(row, _NOBODY)
        chosen = chosen[market.options[chosen] & self.known[chosen]]
        chosen = chosen[self.followed[market.places[chosen, 1]]]
        if not len(chosen):
            self._set_gate(row)
            return late
        if row not in market.marks:
            self._set_gate(row)
        return late | self._verify(chosen)

    def renew(self, rows: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> None:
        """See to what has gone by in rows, and of the contracts wanted, that nobody followed."""
        market = self.market
        stale = rows & ~self.followed
        chosen = np.flatnonzero(stale)
        if not len(chosen):
            return
        prices = market.prices[chosen]
        left = (prices < self.lo[chosen]) | (prices > self.hi[chosen])
        for row in chosen[left].tolist():
            self._leave(row)
        for row in chosen[~left].tolist():
            self._set_gate(row)
            self._forget_late(row)
        asked = np.flatnonzero(wanted & self.known & market.options)
        asked = asked[stale[market.row_table[asked]].any(axis=1)]
        if len(asked) and self.width.price:
            self._verify(asked)

    def _leave(self, row: int) -> None:
        """Begin anew around a price that has left its part of the cell.

        All prices of a unit follow its coin, so they begin anew with it, and do not leave one by one.
        """
        market = self.market
        self._centre(row)
        touched = market.touched.get(row)
        if touched is not None:
            self.known[touched] = False
        for under in market.units.get(row, ()):
            self._forget_span(under)
            for own in market.marks_of[under]:
                self._centre(own)

    def _forget_late(self, row: int) -> bool:
        """Forget the units on the coin that `row` prices whose time is over; say whether there are any."""
        market, forgotten = self.market, False
        for under in market.units.get(row, ()):
            if 0 <= self.until[under] < market.moment(under):
                self._forget_span(under)
                forgotten = True
        return forgotten

    def _forget_span(self, under: int) -> None:
        self.until[under] = -1
        self.known[self.market.of[under]] = False

    def _set_gate(self, row: int) -> None:
        """Let a gate be as wide as the cell; what goes by it is to be verified."""
        self.gate_lo[row], self.gate_hi[row] = self.lo[row], self.hi[row]

    def _verify(self, chosen: Places) -> set[int]:
        """Find gates in which options' deviations stay in their cells; return the marks of those that left."""
        market, prices = self.market, self.market.prices
        held = np.zeros(len(chosen), dtype=np.bool_)
        guard_marks(
            chosen,
            market.terms,
            prices,
            market.moments(),
            market.row_table,
            self._shares,
            (self.lo, self.hi),
            (self.gate_lo, self.gate_hi),
            self.deviation,
            held,
        )
        chosen = chosen[~held]
        if not len(chosen):
            return set()
        perhaps = self._hold(chosen, -NOISE)
        for place in np.flatnonzero(perhaps).tolist():
            perhaps[place] = self._holds_exactly(int(chosen[place]))
        self._pin(chosen[perhaps])  # decimals tell of the present prices alone
        gone = chosen[~perhaps]
        self.known[gone] = False
        return {int(mark) for mark in market.places[gone, 1]}

    def _pin(self, chosen: Places) -> None:
        """Let all that options go by be looked at again when it moves."""
        rows = np.unique(self.market.row_table[chosen])
        self.gate_lo[rows] = self.gate_hi[rows] = self.market.prices[rows]

    def _hold(self, chosen: Places, noise: float) -> NDArray[np.bool_]:
        """Say whose deviations are in their cells at the present prices."""
        held = np.zeros(len(chosen), dtype=np.bool_)
        prices = self.market.prices
        still_in(chosen, self.market.terms, prices, prices, self.deviation, noise, held)
        return held

    def _holds_exactly(self, number: int) -> bool:
        """Ask again with a time value in which nothing cancels."""
        low, high = self.deviation[number].tolist()
        excess, forward, strike = self.market.excess(number)
        if low > 0.0 and excess < float(time_value(forward, strike, low)) * (1.0 + _ROUNDING):
            return False
        if high >= MOST_DEVIATION:
            return True
        return excess <= float(time_value(forward, strike, high)) * (1.0 - _ROUNDING)

    def forget(self) -> None:
        """Make everything anew."""
        self.known[:] = False
        self.until[:] = -1
        self.bucket_set[:] = 0
        for row in range(1, len(self.lo)):
            self._centre(row)

    # -- cells --------------------------------------------------------------------------------

    def grow(self) -> None:
        """Make room for what the market has got since."""
        market = self.market
        if self._grown == market.grown:
            return
        self._grown = market.grown
        first, count = len(self.lo), len(market.prices)
        if count > first:
            ones = np.ones(count - first)
            self.lo, self.hi = np.append(self.lo, ones), np.append(self.hi, ones)
            self.gate_lo = np.append(self.gate_lo, ones)
            self.gate_hi = np.append(self.gate_hi, ones)
            self.followed = np.append(self.followed, np.zeros(count - first, dtype=np.bool_))
        for row in range(first, count):
            self._centre(row)
        more = len(market.instruments) - len(self.known)
        if more:
            self.table = np.vstack([self.table, np.zeros((more, CONTRACT))])
            self.known = np.append(self.known, np.zeros(more, dtype=bool))
            self.deviation = np.vstack([self.deviation, np.zeros((more, 2))])
            self.buckets = np.vstack([self.buckets, np.zeros((more, BUCKET))])
            self.bucket_until = np.append(self.bucket_until, np.zeros(more, dtype=np.int64))
            self.bucket_set = np.append(self.bucket_set, np.zeros(more, dtype=np.int64))
        more = len(market.coins) - len(self.until)
        if more:
            self.under = np.vstack([self.under, np.zeros((more, UNDERLYING))])
            self.shares = np.concatenate([self.shares, np.zeros((more, BUCKETS, BUCKETS))])
            self.scales = np.concatenate([self.scales, np.zeros((more, BUCKETS, 2))])
            self.hedges = np.concatenate([self.hedges, np.zeros((more, PAIRS, BUCKETS, 2))])
            self.until = np.append(self.until, np.full(more, -1, dtype=np.int64))

    def _centre(self, row: int) -> None:
        price, width = self.market.prices[row], self.width.price
        if width and row in self.market.marks:
            width = MARK_WIDTH
        elif row in self.market.quotes:
            width *= _QUOTE
        self.lo[row], self.hi[row] = price * (1.0 - width), price * (1.0 + width)
        self._set_gate(row)

    def ensure(self, wanted: NDArray[np.bool_]) -> None:
        """Make the cells of the contracts wanted that are not known. Their units must have a grid."""
        market = self.market
        chosen = np.flatnonzero(wanted & ~self.known)
        if not len(chosen):
            return
        lows, highs = self.values()
        for under in sorted(set(market.places[chosen, 0].tolist())):
            self._make_unit(under, chosen[market.places[chosen, 0] == under], lows, highs)

    def _make_unit(self, under: int, chosen: Places, lows: Floats, highs: Floats) -> None:
        market = self.market
        moment = market.moment(under)
        grid = market.grid(under, moment)
        if grid is None:
            return
        parameters = market.parameters_of(grid)
        coin = market.coins[under]
        index = float(lows[coin]), float(highs[coin])
        if self.until[under] < 0:
            self.until[under] = min(moment + self.width.hold, next_set(market.reference, moment))
            self._use(under, parameters)
        self.under[under, INDEX_LO], self.under[under, INDEX_HI] = index
        self._peg(under, parameters, lows, highs)
        options = chosen[market.options[chosen]]
        others = chosen[~market.options[chosen]] if len(options) < len(chosen) else _NOBODY
        unit = grid.unit
        minimum = float(unit.minimum_charge)
        if len(others):
            moves = parameters.moves
            contract_rows(others, market.terms, coin, self.lo, self.hi, moves, minimum, self.table)
        if len(options):
            self._make_options(under, options, parameters, moment)
        date_rows(
            chosen,
            market.terms,
            float(moment),
            float(self.until[under]),
            float(unit.basis_yearly),
            float(unit.basis_perpetual),
            self.table,
        )
        self.known[chosen] = True
        if len(options) and self.width.price and self._verify(options):
            self._pin(options)  # whoever is not in his own cell is found with the next tick
            self.known[options] = True

    def _use(self, under: int, parameters: Parameters) -> None:
        """Take the parameters in force for a unit, unless they are those it has."""
        if self._used.get(under) is parameters:
            return
        self._used[under] = parameters
        self._pegged.pop(under, None)
        self.under[under] = parameters.row
        self.shares[under], self.scales[under] = parameters.shares, parameters.scale

    def _peg(self, under: int, parameters: Parameters, lows: Floats, highs: Floats) -> None:
        """MR9: look its slices up for where the pegs may be."""
        places = [self.market.currencies.get(name, 0) for name in _PEGS]
        pegs = [(float(lows[place]), float(highs[place])) for place in places]
        if self._pegged.get(under) == pegs:
            return
        self._pegged[under] = pegs
        for pair, (one, other) in enumerate(_PAIRS):
            first, second = pegs[one], pegs[other]
            low = min(first[0] / second[1], second[0] / first[1]) * (1.0 - _ROUNDING)
            high = min(1.0, first[1] / second[0], second[1] / first[0]) * (1.0 + _ROUNDING)
            slices, count, blind = parameters.hedge(low, high)
            self.hedges[under, pair] = slices
            self.under[under, HEDGED + pair], self.under[under, BLIND + pair] = count, blind

    def _make_options(
        self, under: int, chosen: Places, parameters: Parameters, moment: int
    ) -> None:
        market, unit, width = self.market, parameters.grid.unit, self.width
        terms, prices = market.terms, market.prices
        self._find_buckets(under, chosen, parameters, moment)
        held = np.zeros(len(chosen), dtype=np.bool_)
        imply(chosen, terms, prices, self.deviation, held)
        for number in chosen[~held].tolist():
            found = deviation_of(*market.excess(number))
            self.deviation[number] = found * (1.0 - _ROUNDING), found * (1.0 + _ROUNDING)
        if width.volatility:
            widen(chosen, terms, prices, self.deviation, width.volatility, width.price)
        option_rows(
            chosen,
            terms,
            prices,
            market.coins[under],
            float(moment),
            float(self.until[under]),
            width.price,
            self.deviation,
            self.buckets,
            float(unit.days) * DAY_MS / YEAR_MS,
            parameters.moves,
            float(unit.minimum_charge),
            float(unit.option_minimum or 0),
            (self.lo, self.hi),
            (self.gate_lo, self.gate_hi),
            self._box,
            self._slopes,
            self.table,
        )

    def _find_buckets(
        self, under: int, chosen: Places, parameters: Parameters, moment: int
    ) -> None:
        """Find the buckets of options; the span of moments ends where one leaves its own."""
        old = (self.bucket_until[chosen] < moment) | (self.bucket_set[chosen] != id(parameters))
        for number in chosen[old].tolist():
            expiry = int(self.market.expiries[number])
            found = Buckets(parameters.grid, expiry, moment)
            self.buckets[number] = found.row
            self.bucket_until[number], self.bucket_set[number] = found.until, id(parameters)
        self.until[under] = min(self.until[under], int(self.bucket_until[chosen].min()))
