"""Steps of a portfolio account: as much of a leg, or a pair, as lowers its unit's margin (RD-5).

A unit's margin has no tiers. Closing a leg lowers it until the rest is hedged best, and raises it from
there on, so that the step ends where the margin is lowest; it takes the place of the tier step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from monitor.exact import ZERO
from monitor.margin.portfolio.figures import RiskUnitFigures
from monitor.margin.portfolio.unit import maintenance_of
from monitor.reduction.legs import Leg, SizedStep, leg_step
from monitor.reduction.moves import Close
from monitor.reduction.pairs import Pair, delta_neutral_pairs, pair_step
from monitor.reduction.trial import Outcome, Trial
from monitor.sizes import first_where

__all__ = ["UnitCandidate", "basis_pairs", "smallest_in_unit", "unit_candidates", "unit_step"]


@dataclass(slots=True, frozen=True)
class UnitCandidate:
    """One leg, or two that offset one another, at the size that lowers the unit's margin most."""

    legs: tuple[Leg, ...]
    step: SizedStep
    outcome: Outcome
    delta_usd: Decimal

    @property
    def rank(self) -> tuple[int, Decimal, Decimal, Decimal, str]:
        """RD-5, as RD-2 (c): loss ≤ 0 by relief; then relief per loss; ties by |delta|, relief, id."""
        relief, loss = self.outcome.relief, self.outcome.loss
        name = self.legs[0].key
        if loss <= 0:
            return 0, -relief, self.delta_usd, -relief, name
        return 1, -relief / loss, self.delta_usd, -relief, name


def basis_pairs(legs: Sequence[Leg]) -> Iterator[Pair]:
    """RD-5: yield each unit's largest long and short perpetual or future, largest USD delta first.

    They are on one coin, whatever they settle in and whenever they end; their deltas offset one
    another, and what both ask for is their basis (MR4), minimum charge and stablecoins (MR7, MR9).
    """
    return delta_neutral_pairs([leg for leg in legs if not leg.is_option])


def unit_candidates(trial: Trial, legs: Sequence[Leg]) -> Iterator[UnitCandidate]:
    """Yield each leg, and each unit's largest pair with a short option in it, at its best size."""
    for leg in legs:
        step = unit_step(trial, leg_step(leg))
        if step is not None:
            yield _candidate(trial, (leg,), step)
    for pair in delta_neutral_pairs(legs):
        if not any(leg.is_option for leg in pair):
            continue  # the pairs of the basis came before
        sized = pair_step(pair)
        step = unit_step(trial, sized) if sized is not None else None
        if step is not None:
            yield _candidate(trial, pair, step)


def _candidate(trial: Trial, legs: tuple[Leg, ...], step: SizedStep) -> UnitCandidate:
    moves = step.moves(step.count)
    closed = [move for move in moves if isinstance(move, Close)]
    delta = sum(
        (
            leg.unit_delta * move.quantity * (1 if leg.delta > 0 else -1) * leg.underlying_usd
            for leg, move in zip(_in_order(legs, closed), closed, strict=True)
        ),
        ZERO,
    )
    return UnitCandidate(legs, step, trial.value(moves), abs(delta))


def _in_order(legs: Sequence[Leg], closed: Sequence[Close]) -> list[Leg]:
    by_key = {leg.key: leg for leg in legs}
    return [by_key[move.key] for move in closed]


def unit_step(trial: Trial, step: SizedStep) -> SizedStep | None:
    """RD-5: return the step cut to the lots at which its unit's margin is lowest.

    None when closing any of it lowers nothing. All moves of a step are on one unit.
    """
    unit = _unit_of(trial, step)

    def margin(count: int) -> Decimal:
        return maintenance_of(unit.grid, unit.holdings.less(_closed(step, count)))

    best = _lowest(margin, step.count)
    if margin(best) >= maintenance_of(unit.grid, unit.holdings):
        return None
    return SizedStep(best, step.moves)


def _unit_of(trial: Trial, step: SizedStep) -> RiskUnitFigures:
    first = step.moves(1)[0]
    if not isinstance(first, Close):
        raise TypeError(f"a step of contracts is wanted, {first} given")
    return trial.figures.risk_units[first.instrument.underlying]


def _closed(step: SizedStep, count: int) -> Mapping[str, Decimal]:
    """Return what `count` lots take off each position, in amounts of the unit, signed."""
    closed: dict[str, Decimal] = {}
    for move in step.moves(count):
        if isinstance(move, Close):
            closed[move.key] = move.direction * move.quantity * move.size
    return closed


def _lowest(margin: Callable[[int], Decimal], count: int) -> int:
    """Return the fewest of 1 to `count` lots at which a function that falls, then rises, is lowest."""
    low, high = 1, count
    while low < high:
        middle = (low + high) // 2
        if margin(middle + 1) > margin(middle):
            high = middle
        else:
            low = middle + 1
    least = margin(low)
    return first_where(lambda one: margin(one) <= least, 0, low)


def smallest_in_unit(trial: Trial, step: SizedStep, whole: Outcome) -> tuple[int, Outcome]:
    """RD-6: return the fewest lots that suffice and their outcome; the whole step when none do.

    What adjusted equity leaves over the requirement rises with the lots and may fall again before
    the end, where fees eat up the relief: the end of a stretch that suffices is looked for first.
    """
    known: dict[int, Outcome] = {step.count: whole}

    def outcome(count: int) -> Outcome:
        if count not in known:
            known[count] = trial.value(step.moves(count))
        return known[count]

    def over(count: int) -> Decimal:
        figures = outcome(count).figures
        return figures.adjusted_equity - trial.exit * figures.requirement

    enough = step.count
    if not trial.suffices(whole):
        low, high = 1, step.count
        while low < high:
            middle = (low + high) // 2
            if over(middle + 1) > over(middle):
                low = middle + 1
            else:
                high = middle
        if not trial.suffices(outcome(low)):
            return step.count, whole
        enough = low
    count = first_where(lambda one: trial.suffices(outcome(one)), 0, enough)
    return count, outcome(count)
