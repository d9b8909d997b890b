"""A cell of prices and moments, and what contracts may come to in it.

The claim. While every price stays in its part of the cell, the figures of an account lie between the
bounds that `accounts.bound_accounts` made of it, and so does its zone where these bounds are sure.

The cell is a product: of an interval for each index and for each mark of a linear or inverse contract;
of one for the volatility × √years that each option's mark implies; and for each underlying of a span
of moments in which no option passes into another bucket or expires and no other parameters come into
force. An option is in the cell while the deviation that its mark implies at its forward is in its
interval; that is asked without solving for it, as the value at both ends encloses the mark
(`deviations.still_in`). So marks that move with the index leave no cell, only a volatility that moves.

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
from monitor.watch.portfolio.contracts import inverse_rows, linear_rows
from monitor.watch.portfolio.deviations import bound_marks, imply, still_in, widen
from monitor.watch.portfolio.layout import (
    BASIS_HI,
    BASIS_LO,
    BLIND,
    BUCKETS,
    CONTRACT,
    HEDGED,
    INDEX_HI,
    INDEX_LO,
    LEG,
    PAIRS,
    TENOR,
    TERM,
    UNDERLYING,
)
from monitor.watch.portfolio.market import Market, Places
from monitor.watch.portfolio.options import option_rows
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

_CALM = 0.125
"""Of the cell's width: how far a price may move until options are looked at again."""
_QUOTE = 0.125
"""What contracts are quoted in stands still beside what they are on."""
_MARK = 0.25
"""How far an option's mark may move in a cell that is not a point; its volatility binds first."""
_ROUNDING = 1e-11
_PAIRS = (("USDT", "USD"), ("USDT", "USDC"), ("USDC", "USD"))


class Width:
    """How far prices may move from where a cell was made, as shares, and for how long (ms)."""

    __slots__ = ("hold", "price", "volatility")

    def __init__(self, price: float, volatility: float, hold: int) -> None:
        self.price, self.volatility, self.hold = price, volatility, hold


class Ring:
    """One cell; what has left it is made again around the present prices when it is wanted."""

    def __init__(self, market: Market, width: Width) -> None:
        self.market, self.width = market, width
        self.lo, self.hi = np.ones(1), np.ones(1)
        """By row: the cell."""
        self.safe_lo, self.safe_hi = np.ones(1), np.ones(1)
        """By row, in the cell: while all prices are in these, the options not `narrow` are in theirs."""
        self.narrow: set[int] = set()
        self.table = np.zeros((0, CONTRACT))
        self.known = np.zeros(0, dtype=bool)
        self.deviation = np.zeros((0, 2))
        self.buckets = np.zeros((0, BUCKET))
        self.bucket_until = np.zeros(0, dtype=np.int64)
        self.bucket_set = np.zeros(0, dtype=np.int64)
        """Whose parameters they are of."""
        self.under = np.zeros((0, UNDERLYING))
        self.shares = np.zeros((0, BUCKETS, BUCKETS))
        self.scales = np.zeros((0, BUCKETS, 2))
        self.hedges = np.zeros((0, PAIRS, BUCKETS, 2))
        self._slopes = np.zeros((2, 10))
        self.until: list[int] = []
        """By underlying, as are these: the last moment of the span; -1: not known."""

    def values(self) -> tuple[Floats, Floats]:
        """Return what every currency may be worth in USD."""
        return self.market.values(self.lo), self.market.values(self.hi)

    # -- prices -------------------------------------------------------------------------------

    def left_by(self, row: int) -> set[int]:
        """Take a row's present price; return the rows whose accounts are to be looked at again."""
        self.grow()
        market, price = self.market, float(self.market.prices[row])
        touched = market.touched.get(row)
        if not self.lo[row] <= price <= self.hi[row]:
            self._centre(row)
            if touched is not None:
                self.known[touched] = False
            self._forget_moments(row, late_only=False)
            return {row}
        if row in market.of_coin and self._forget_moments(row, late_only=True):
            return {row}
        if touched is None or not self.width.price:
            return (
                set()
            )  # at a point no option's deviation may move at all: its mark's row has told
        if self.safe_lo[row] <= price <= self.safe_hi[row]:
            if not self.narrow:
                return set()
            chosen = np.array([n for n in touched.tolist() if n in self.narrow], dtype=np.intp)
        else:
            self._calm(row)
            chosen = touched[market.options[touched]]
        chosen = chosen[self.known[chosen]]
        return self._verify(chosen) if len(chosen) else set()

    def _calm(self, row: int) -> None:
        """Take an interval in which a price needs no second look while nobody else leaves his."""
        price, width = self.market.prices[row], self.width.price * _CALM
        self.safe_lo[row], self.safe_hi[row] = price * (1.0 - width), price * (1.0 + width)

    def _verify(self, chosen: Places) -> set[int]:
        """Say whose deviations are in their cells, wherever all prices are in their calm intervals.

        Those that only the present prices prove are looked at with every tick of theirs.
        """
        held = self._hold(chosen, self.safe_lo, self.safe_hi, NOISE)
        self.narrow.difference_update(chosen[held].tolist())
        chosen = chosen[~held]
        if not len(chosen):
            return set()
        prices = self.market.prices
        held = self._hold(chosen, prices, prices, NOISE)
        perhaps = ~held & self._hold(chosen, prices, prices, -NOISE)
        now = self.market.moments()[self.market.places[chosen, 0]]
        held |= self.market.expiries[chosen] <= now
        for place in np.flatnonzero(perhaps).tolist():
            held[place] = self._holds_exactly(int(chosen[place]))
        self.narrow.update(chosen[held].tolist())
        gone = chosen[~held]
        self.narrow.difference_update(gone.tolist())
        self.known[gone] = False
        return {int(mark) for mark in self.market.places[gone, 1]}

    def _hold(self, chosen: Places, low: Floats, high: Floats, noise: float) -> NDArray[np.bool_]:
        market = self.market
        lows, highs = market.values(low), market.values(high)
        held = np.zeros(len(chosen), dtype=np.bool_)
        still_in(
            market.calls[chosen],
            market.in_coin[chosen],
            market.quoted(low, lows, highs, chosen),
            market.quoted(high, highs, lows, chosen),
            market.strikes[chosen],
            low[market.places[chosen, 1]],
            high[market.places[chosen, 1]],
            self.deviation[chosen],
            noise,
            held,
        )
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

    def _forget_moments(self, row: int, *, late_only: bool) -> bool:
        """Forget the units on the coin that `row` prices, if their time is over or its cell was left."""
        market, forgotten = self.market, False
        for under, coin in enumerate(market.coins):
            if row not in market.routes[coin] or self.until[under] < 0:
                continue
            if not late_only or market.moment(under) > self.until[under]:
                self.until[under] = -1
                self.known[market.of[under]] = False
                forgotten = True
        return forgotten

    def forget(self) -> None:
        """Make everything anew."""
        self.known[:] = False
        self.until = [-1] * len(self.until)
        self.bucket_set[:] = 0
        for row in range(1, len(self.lo)):
            self._centre(row)

    # -- cells --------------------------------------------------------------------------------

    def grow(self) -> None:
        """Make room for what the market has got since."""
        market = self.market
        for row in range(len(self.lo), len(market.prices)):
            self.lo, self.hi = np.append(self.lo, 1.0), np.append(self.hi, 1.0)
            self.safe_lo, self.safe_hi = np.append(self.safe_lo, 1.0), np.append(self.safe_hi, 1.0)
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
            self.until += [-1] * more

    def _centre(self, row: int) -> None:
        price, width = self.market.prices[row], self.width.price
        if width and row in self.market.marks:
            width = _MARK
        elif row in self.market.quotes:
            width *= _QUOTE
        self.lo[row], self.hi[row] = price * (1.0 - width), price * (1.0 + width)
        self._calm(row)

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
        moment, grid = market.moment(under), market.grid(under)
        if grid is None:
            return
        parameters = market.parameters_of(grid)
        coin = market.coins[under]
        index = float(lows[coin]), float(highs[coin])
        if self.until[under] < 0:
            self.until[under] = min(moment + self.width.hold, next_set(market.reference, moment))
            self.under[under] = parameters.row
            self.shares[under], self.scales[under] = parameters.shares, parameters.scale
        self.under[under, INDEX_LO], self.under[under, INDEX_HI] = index
        self._peg(under, parameters, lows, highs)
        linear = chosen[~market.options[chosen] & ~market.inverse[chosen]]
        inverse = chosen[market.inverse[chosen]]
        minimum = float(grid.unit.minimum_charge)
        if len(linear):
            rows, quotes = market.places[linear, 1], market.places[linear, 2]
            mark = self.lo[rows], self.hi[rows]
            usd = mark[0] * lows[quotes], mark[1] * highs[quotes]
            self.table[linear] = linear_rows(mark, usd, index, parameters.moves, minimum)
        if len(inverse):
            rows = market.places[inverse, 1]
            mark = self.lo[rows], self.hi[rows]
            self.table[inverse] = inverse_rows(mark, index, parameters.moves, minimum)
        options = chosen[market.options[chosen]]
        if len(options):
            self._make_options(under, options, parameters, lows, highs)
        self._date(under, chosen, parameters)
        self.known[chosen] = True

    def _peg(self, under: int, parameters: Parameters, lows: Floats, highs: Floats) -> None:
        """MR9: look its slices up for where the pegs may be."""
        places = self.market.currencies
        for pair, names in enumerate(_PAIRS):
            known = [places.get(name, 0) for name in names]
            first, second = ((lows[k], highs[k]) for k in known)
            low = min(first[0] / second[1], second[0] / first[1]) * (1.0 - _ROUNDING)
            high = min(1.0, first[1] / second[0], second[1] / first[0]) * (1.0 + _ROUNDING)
            slices, count, blind = parameters.hedge(low, high)
            self.hedges[under, pair] = slices
            self.under[under, HEDGED + pair], self.under[under, BLIND + pair] = count, blind

    def _date(self, under: int, chosen: Places, parameters: Parameters) -> None:
        """MR4's share by what is left to expiry, and MR9's leg."""
        market, unit = self.market, parameters.grid.unit
        yearly, now, until = float(unit.basis_yearly), market.moment(under), self.until[under]
        self.table[chosen, LEG] = market.legs[chosen]
        left_lo = np.maximum(0.0, market.expiries[chosen] - until) * (yearly / YEAR_MS)
        left_hi = np.maximum(0.0, market.expiries[chosen] - now) * (yearly / YEAR_MS)
        perpetual = float(unit.basis_perpetual)
        swaps = market.swaps[chosen]
        self.table[chosen, BASIS_LO] = np.where(swaps, perpetual, left_lo)
        self.table[chosen, BASIS_HI] = np.where(swaps, perpetual, left_hi)

    def _make_options(
        self, under: int, chosen: Places, parameters: Parameters, lows: Floats, highs: Floats
    ) -> None:
        market, unit = self.market, parameters.grid.unit
        buckets = self._buckets(under, chosen, parameters)
        calls, in_coin = market.calls[chosen], market.in_coin[chosen]
        values, marks = market.values(market.prices), market.places[chosen, 1]
        forward = market.quoted(market.prices, values, values, chosen)
        strikes, prices = market.strikes[chosen], market.prices
        deviation = self.deviation[chosen]
        imply(calls, in_coin, forward, strikes, prices[marks], deviation)
        self.deviation[chosen] = deviation
        for place in np.flatnonzero(~self._hold(chosen, prices, prices, NOISE)).tolist():
            found = deviation_of(*market.excess(int(chosen[place])))
            deviation[place] = found * (1.0 - _ROUNDING), found * (1.0 + _ROUNDING)
        if self.width.volatility:
            widen(
                calls,
                in_coin,
                forward,
                strikes,
                prices[marks],
                deviation,
                self.width.volatility,
                self.width.price,
            )
        now = market.moment(under)
        expired = market.expiries[chosen] <= now
        deviation[expired] = 0.0
        self.deviation[chosen] = deviation
        low, high = deviation[:, 0], deviation[:, 1]
        loose = expired | (low <= 0.0) | (high >= MOST_DEVIATION)
        for row in marks[loose].tolist():
            price = market.prices[row]
            self.lo[row] = price * (1.0 - self.width.price)
            self.hi[row] = price * (1.0 + self.width.price)
            self._calm(row)
        for row in marks[~loose].tolist():
            self._centre(row)
        quotes = market.places[chosen, 2]
        left = np.maximum(0.0, market.expiries[chosen] - self.until[under]) / YEAR_MS
        years = left, np.maximum(0.0, market.expiries[chosen] - now) / YEAR_MS
        cells = np.empty((len(chosen), 8))
        cells[:, 0], cells[:, 1] = lows[market.coins[under]], highs[market.coins[under]]
        cells[:, 2] = market.forwards(self.lo, lows, chosen)
        cells[:, 3] = market.forwards(self.hi, highs, chosen)
        cells[:, 4], cells[:, 5] = strikes * lows[quotes], strikes * highs[quotes]
        cells[:, 6], cells[:, 7] = low, high
        bounds = np.empty((len(chosen), 2))
        bound_marks(
            calls,
            in_coin,
            market.quoted(self.lo, lows, highs, chosen),
            market.quoted(self.hi, highs, lows, chosen),
            strikes,
            deviation,
            self.lo[marks],
            self.hi[marks],
            bounds,
        )
        rows = np.zeros((len(chosen), CONTRACT))
        option_rows(
            calls,
            in_coin,
            cells,
            np.stack(years, axis=1),
            buckets[:, :3],
            float(unit.days) * DAY_MS / YEAR_MS,
            parameters.moves,
            buckets[:, 3],
            buckets[:, 4],
            float(unit.minimum_charge),
            float(unit.option_minimum or 0),
            market.places[chosen, 3] == 0,
            bounds,
            self._slopes,
            rows,
        )
        self.table[chosen] = rows
        self.table[chosen, TENOR], self.table[chosen, TERM] = buckets[:, 5], buckets[:, 6]
        self.narrow.update(chosen.tolist())

    def _buckets(self, under: int, chosen: Places, parameters: Parameters) -> Floats:
        """Find the buckets of options; the span of moments ends where one leaves its own."""
        market, moment = self.market, self.market.moment(under)
        old = (self.bucket_until[chosen] < moment) | (self.bucket_set[chosen] != id(parameters))
        for number in chosen[old].tolist():
            found = Buckets(parameters.grid, int(market.expiries[number]), moment)
            self.buckets[number] = found.row
            self.bucket_until[number], self.bucket_set[number] = found.until, id(parameters)
        self.until[under] = min(self.until[under], int(self.bucket_until[chosen].min()))
        return self.buckets[chosen]
