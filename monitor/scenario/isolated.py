"""Isolated positions at any prices, each on its own ratio (MR-3), in floats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.scenario.evaluation import ROUNDING
from monitor.scenario.frame import Frame
from monitor.scenario.rows import INVERSE, MARGIN
from monitor.scenario.tables import Bools, Floats, Ints, PriceArrays

__all__ = ["IsolatedEvaluation", "IsolatedLines", "evaluate_isolated", "isolated_lines"]


@dataclass(frozen=True)
class IsolatedEvaluation:
    """MR-3: own figures by isolated position, in USD."""

    equity: Floats
    requirement: Floats
    notional: Floats
    gross: Floats

    def at_or_below(self, level: Floats) -> Bools:
        found: Bools = (self.requirement > 0.0) & (self.equity <= level * self.requirement)
        return found

    def doubtful(self, level: Floats) -> Bools:
        found: Bools = (np.abs(self.equity - level * self.requirement) <= ROUNDING * self.gross) & (
            self.requirement > 0.0
        )
        return found


def evaluate_isolated(frame: Frame, prices: PriceArrays) -> IsolatedEvaluation:
    """MR-3: return the figures of every isolated position, in the order of `isolated`."""
    rows, account = frame.isolated, frame.isolated_account

    def coin(name: str) -> Floats:
        return prices.of_coins(rows[name].astype(np.intp), account)

    size, entry = rows["size"], rows["entry"]
    kind = rows["kind"]
    margin_kind, inverse = kind == MARGIN, kind == INVERSE
    instrument = np.where(margin_kind, 0, rows["instrument"]).astype(np.intp)
    mark = prices.of_marks(instrument, account) if len(frame.packer.instruments) else size * 0 + 1
    quote, owed = coin("quote"), rows["owed"] * coin("owed_coin")
    interest = rows["interest"] * coin("owed_coin")
    margin = rows["margin"] * coin("margin_coin")
    linear = size * (mark - entry) * quote
    inverted = size * (1.0 / entry - 1.0 / mark) * quote
    leveraged = size * (coin("base") - entry * quote) - interest
    pnl = np.where(margin_kind, leveraged, np.where(inverse, inverted, linear))
    notional = np.abs(size) * np.where(inverse, 1.0, mark * quote)
    notional = np.where(margin_kind, owed, notional)
    terms = np.where(inverse, quote / entry + quote / mark, (mark + entry) * quote)
    terms = np.where(margin_kind, coin("base") + entry * quote, terms)
    return IsolatedEvaluation(
        margin + pnl,
        notional * rows["rate"],
        notional,
        np.abs(size) * terms + np.abs(margin) + owed + interest,
    )


@dataclass(frozen=True)
class IsolatedLines:
    """Figures by isolated position while one underlying moves: their tiers stand, so they are lines."""

    here: IsolatedEvaluation
    there: IsolatedEvaluation
    """At twice the underlying's prices."""

    def slack(self, rows: Ints, move: float, level: Floats) -> tuple[Floats, Floats]:
        """Return equity − level × requirement after a relative move, and how much of it is rounding.

        What asks nothing has no ratio and an infinite slack.
        """

        def at(first: Floats, second: Floats) -> Floats:
            return first[rows] + (second[rows] - first[rows]) * move

        need = at(self.here.requirement, self.there.requirement)
        found = at(self.here.equity, self.there.equity) - level * need
        found[need <= 0.0] = np.inf
        gross = self.here.gross[rows] + self.there.gross[rows]
        return found, ROUNDING * (1.0 + level) * gross

    def notional(self, rows: Ints, moves: Floats) -> Floats:
        """Return the notional of rows, each after a relative move of its own."""
        first, second = self.here.notional[rows], self.there.notional[rows]
        return first + (second - first) * moves


def isolated_lines(frame: Frame, prices: PriceArrays, coins: Bools, marks: Bools) -> IsolatedLines:
    """Return the lines along which one underlying's coin and marks move figures."""
    there = evaluate_isolated(frame, prices.moved(coins, marks, 2.0))
    return IsolatedLines(evaluate_isolated(frame, prices), there)
