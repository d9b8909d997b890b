"""Where accounts first come to a level while one underlying moves away from its price (WI-2).

The claim. For the accounts that are not `Frame.bent`, over the factors f between two grid points a
and b, with L the level,

    equity(f) − L · requirement(f) ≥ min(E_a, E_b) − O − L · (max(R_a, R_b) + Σ max(D_a, D_b) · max(r_a, r_b))

with E the adjusted equity without the loss of spot orders, O what these give at most, R what is asked
apart from debts that marks move, D these debts in USD and r their rates. So where the right side is
above 0 no factor between the two brings the account to the level, and nothing there is evaluated.

The proof. A coin other than the underlying has an equity linear in f (only linear contracts move it),
and CU-9 is concave in it: discount rates fall, and debt counts 1. The underlying's own equity is
a − b / f, so its value is p · f · G(a − b / f) with G concave: the perspective of a concave function at
a line, which is concave; with tiers in USD it is G at a line. So E is concave, and least at an end.
R is linear. A debt is a maximum of lines in f (the underlying's, times f, too), so convex and greatest
at an end; in coin it is monotone, so its rate is greatest at an end. AE-2's loss lies between 0 and
what the orders give, because slopes of CU-9 lie in 0..1; where neither equities nor the orders' prices
move (`Frame.steady`) it stands, and is itself what is taken off.

An account that this does not clear is looked at in the two halves; at neighbouring grid points its
ratio decides, and within rounding of the level decimals do. What is bent is evaluated at every point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from monitor.account.state import Account
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.scenario.evaluation import ROUNDING, Evaluation, evaluate
from monitor.scenario.exposure import Underlying
from monitor.scenario.frame import Frame
from monitor.scenario.isolated import IsolatedLines
from monitor.scenario.shock import Moves, ShockedPrices
from monitor.scenario.standing import levels_of
from monitor.scenario.tables import Bools, Floats, Ints, PriceArrays, summed

__all__ = ["LEVELS", "NOWHERE", "Road"]

LEVELS = ("warning", "liquidation")
NOWHERE = np.iinfo(np.intp).max


@dataclass(frozen=True)
class Road:
    """Factors of one underlying's prices, away from 1 step by step; the first is 1 itself."""

    underlying: Underlying
    factors: tuple[Decimal, ...]
    reference: Reference
    prices: PriceBook
    arrays: PriceArrays
    """Of the same prices."""
    find: Callable[[str], Account | None]

    def crossings(self, frame: Frame, above: Sequence[Bools]) -> list[Ints]:
        """Return by level the first place on the road where each account is at or below it.

        `above`: by level, the accounts that are above it at the first place; others, and those that
        never come to it, are `NOWHERE`.
        """
        found = [np.full(frame.count, NOWHERE, dtype=np.intp) for _ in LEVELS]
        open_ = above[0] | above[1]
        self._halve(frame, np.flatnonzero(open_ & ~frame.bent), above, found)
        bent = np.flatnonzero(open_ & frame.bent)
        if len(bent):
            self._walk(frame.only(bent), bent, above, found)
        return found

    # -- halving ------------------------------------------------------------------------------

    def _halve(
        self, frame: Frame, accounts: Ints, above: Sequence[Bools], found: list[Ints]
    ) -> None:
        start = np.zeros(len(accounts), dtype=np.intp)
        end = np.full(len(accounts), len(self.factors) - 1, dtype=np.intp)
        while len(accounts):
            part = frame.only(accounts)
            steady = part.steady(self.underlying.coins)
            first, last = self._evaluate(part, start), self._evaluate(part, end)
            unit = end - start == 1
            keep = np.zeros(len(accounts), dtype=np.bool_)
            for number, name in enumerate(LEVELS):
                level = levels_of(part, self.reference.policy, name)
                asked = above[number][accounts] & (found[number][accounts] > end)
                asked &= ~(first.at_or_below(level) & ~first.doubtful(level))
                asked &= ~_cleared(part, first, last, level, steady)
                here = np.flatnonzero(asked & unit)
                below = self._below(part, last, level, here, end[here], name)
                np.minimum.at(found[number], accounts[here[below]], end[here[below]])
                keep |= asked & ~unit
            accounts, start, end = accounts[keep], start[keep], end[keep]
            middle = (start + end) // 2
            accounts = np.concatenate([accounts, accounts])
            start, end = np.concatenate([start, middle]), np.concatenate([middle, end])

    def _evaluate(self, frame: Frame, places: Ints) -> Evaluation:
        """Evaluate each account at the factor of its own place."""
        factors = np.array([float(factor) for factor in self.factors])[places]
        return evaluate(
            frame, self.arrays.apart(self.underlying.coins, self.underlying.marks, factors)
        )

    # -- every point --------------------------------------------------------------------------

    def _walk(
        self, frame: Frame, accounts: Ints, above: Sequence[Bools], found: list[Ints]
    ) -> None:
        levels = [levels_of(frame, self.reference.policy, name) for name in LEVELS]
        for place in range(1, len(self.factors)):
            at = evaluate(frame, self._moved(place))
            for number, name in enumerate(LEVELS):
                asked = above[number][accounts] & (found[number][accounts] == NOWHERE)
                here = np.flatnonzero(asked)
                places = np.full(len(here), place)
                below = self._below(frame, at, levels[number], here, places, name)
                found[number][accounts[here[below]]] = place

    def _moved(self, place: int) -> PriceArrays:
        factor = float(self.factors[place])
        return self.arrays.moved(self.underlying.coins, self.underlying.marks, factor)

    # -- isolated positions -------------------------------------------------------------------

    def isolated_crossings(
        self, frame: Frame, lines: IsolatedLines, above: Sequence[Bools]
    ) -> list[Ints]:
        """MR-3: return the same by isolated position of a frame, whose figures lie on `lines`."""
        account = frame.isolated_account
        found = [np.full(len(account), NOWHERE, dtype=np.intp) for _ in LEVELS]
        for number, name in enumerate(LEVELS):
            level = levels_of(frame, self.reference.policy, name)[account]
            rows = np.flatnonzero(above[number])
            for place in range(1, len(self.factors)):
                slack, doubt = lines.slack(rows, float(self.factors[place]) - 1.0, level[rows])
                below = slack <= 0.0
                for at in np.flatnonzero(np.abs(slack) <= doubt).tolist():
                    below[at] = self._isolated_below(frame, int(rows[at]), place, name)
                found[number][rows[below]] = place
                rows = rows[~below]
        return found

    # -- decimals decide ----------------------------------------------------------------------

    def exactly(self, account: Account, place: int) -> Figures:
        """Return the figures of an account at a place of the road."""
        moves = Moves({self.underlying.name: self.factors[place]})
        return assess(account, self.reference, ShockedPrices(self.prices, self.reference, moves))

    def _below(
        self, frame: Frame, at: Evaluation, level: Floats, here: Ints, places: Ints, name: str
    ) -> Bools:
        """Say of the accounts `here`, evaluated at their `places`, whether they are at the level."""
        below = at.at_or_below(level)[here]
        for number in np.flatnonzero(at.doubtful(level)[here]).tolist():
            account = self.find(frame.name(here[number]))
            if account is not None:
                figures = self.exactly(account, int(places[number]))
                exact = self.reference.policy.level(name, account.mode)
                below[number] = figures.ratio is not None and figures.ratio <= exact
        return below

    def _isolated_below(self, frame: Frame, row: int, place: int, name: str) -> bool:
        account = self.find(frame.name(int(frame.isolated_account[row])))
        key = frame.isolated_key(row)
        if account is None or key not in account.isolated:
            return False
        own = self.exactly(account, place).isolated[key]
        level = self.reference.policy.level(name, account.mode)
        return own.ratio is not None and own.ratio <= level


def _cleared(
    frame: Frame, first: Evaluation, last: Evaluation, level: Floats, steady: Bools
) -> Bools:
    """Say which accounts are above the level at all factors between two, by the claim above."""
    moving = frame.account[: frame.moves]

    def apart(at: Evaluation) -> Floats:
        return at.requirement - summed(moving, at.debt * at.debt_rate, frame.count)

    debt = np.maximum(first.debt, last.debt) * np.maximum(first.debt_rate, last.debt_rate)
    most = np.maximum(apart(first), apart(last)) + summed(moving, debt, frame.count)
    equity = np.minimum(first.equity + first.loss, last.equity + last.loss)
    equity -= np.where(steady, first.loss, np.maximum(first.ordered, last.ordered))
    rounding = ROUNDING * (1.0 + level) * np.maximum(first.gross, last.gross)
    unasked = (first.requirement == 0.0) & (last.requirement == 0.0)
    found: Bools = (equity - level * most > rounding) & ~first.blurred & ~last.blurred
    found |= unasked
    return found
