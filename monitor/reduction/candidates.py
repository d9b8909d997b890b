"""Legs and debts at their tier step, and what ranks them (RD-1, RD-2, RD-3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.reduction.debts import Debt, repayment
from monitor.reduction.legs import Leg, SizedStep, leg_step
from monitor.reduction.moves import Move, Trade, lots_up
from monitor.reduction.trial import Outcome, Trial

__all__ = ["Candidate", "candidates", "debt_step"]


@dataclass(slots=True, frozen=True)
class Candidate:
    """A leg or debt at its tier step, with what ranks it."""

    leg: Leg | Debt
    step: SizedStep
    outcome: Outcome
    delta_usd: Decimal

    @property
    def rank(self) -> tuple[int, Decimal, Decimal, Decimal, str]:
        """RD-2 (c): loss ≤ 0 by relief; then relief per loss; ties by |delta|, relief and id."""
        relief, loss = self.outcome.relief, self.outcome.loss
        name = self.leg.key if isinstance(self.leg, Leg) else self.leg.currency
        if loss <= 0:
            return 0, -relief, self.delta_usd, -relief, name
        return 1, -relief / loss, self.delta_usd, -relief, name


def candidates(trial: Trial, legs: Sequence[Leg | Debt]) -> Iterator[Candidate]:
    """Yield each leg and debt that can be traded, at its tier step."""
    for leg in legs:
        if isinstance(leg, Leg):
            step = leg_step(leg)
            delta_usd = leg.unit_delta * leg.step * leg.underlying_usd
        else:
            found = debt_step(trial, leg)
            if found is None:
                continue
            step, delta_usd = found, leg.amount * leg.price
        yield Candidate(leg, step, trial.value(step.moves(step.count)), delta_usd)


def debt_step(trial: Trial, debt: Debt) -> SizedStep | None:
    """RD-3 of a debt; `None` when it cannot be traded.

    Sizes count lots of the first trade, by what one lot brings in of the owed coin.
    """
    whole = repayment(trial, trial.account, trial.figures, debt, debt.amount)
    trades = [move for move in whole if isinstance(move, Trade)]
    if not trades:
        return None
    first = trades[0]
    worth = first.instrument.lot * trial.index(first.instrument.underlying) / debt.price
    brought = worth * (ONE - trial.fees.spot_taker)
    count = int(lots_up(debt.amount, brought))

    def amount(lots: int) -> Decimal:
        return min(debt.amount, lots * brought)

    def moves(lots: int) -> Sequence[Move]:
        if lots == count:
            return whole
        return repayment(trial, trial.account, trial.figures, debt, amount(lots))

    owed = trial.figures.currencies[debt.currency].potential_borrowing
    gaps = (owed - tier.up_to for tier in trial.currency(debt.currency).borrow_tiers)
    passed = tuple((gap, amount) for gap in gaps if ZERO < gap <= debt.amount)
    return SizedStep(count, moves, passed)
