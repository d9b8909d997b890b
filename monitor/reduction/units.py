"""Steps of a portfolio account: as much of a leg, or a pair, as lowers its unit's margin (RD-5).

A unit's margin has no tiers: the step ends where it is lowest, which takes the place of the tier step.
Mostly it falls until the rest is hedged best, and rises from there on. But what a closed option costs
or brings in is spot, which hedges in its turn, so that it may also rise first and fall later. Hence
sizes are looked for among eighths of a leg first, and between two of them by bisection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from monitor.exact import ZERO
from monitor.margin.portfolio.figures import RiskUnitFigures
from monitor.margin.portfolio.holdings import Holdings
from monitor.margin.portfolio.unit import maintenance_of
from monitor.reduction.checks import passes
from monitor.reduction.legs import Leg, SizedStep, leg_step
from monitor.reduction.moves import Close, Move
from monitor.reduction.pairs import Pair, delta_neutral_pairs, pair_step
from monitor.reduction.trial import Outcome, Trial
from monitor.schema.commands import Phase
from monitor.sizes import first_where

__all__ = [
    "UnitCandidate",
    "basis_pairs",
    "part_candidates",
    "smallest_in_unit",
    "unit_candidates",
    "unit_step",
    "without",
]

_PARTS = 8
"""A dip of the margin, or of what adjusted equity lacks, may be missed within one part of a leg."""

_LAST_RESORT = (1, 2, 4)
"""Parts of a leg tried before a takeover; smaller ones would make it a long row of commands."""


@dataclass(slots=True, frozen=True)
class UnitCandidate:
    """One leg, or two that offset one another, at one size of theirs."""

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

    @property
    def phase(self) -> Phase:
        if len(self.legs) == 1:
            return "unhedged"
        return "delta_neutral" if any(leg.is_option for leg in self.legs) else "basis"


def basis_pairs(legs: Sequence[Leg]) -> Iterator[Pair]:
    """RD-5: yield each unit's largest long and short perpetual or future, largest USD delta first.

    They are on one coin, whatever they settle in and whenever they end; their deltas offset one
    another, and what both ask for is their basis (MR4), minimum charge and stablecoins (MR7, MR9).
    """
    return delta_neutral_pairs([leg for leg in legs if not leg.is_option])


def unit_candidates(trial: Trial, legs: Sequence[Leg]) -> Iterator[UnitCandidate]:
    """Yield each leg, and each unit's largest pair with a short option in it, where it asks least."""
    for some, sized in _steps(legs):
        if len(some) == 2 and not any(leg.is_option for leg in some):
            continue  # the pairs of the basis came before
        step = unit_step(trial, sized)
        if step is not None:
            yield _candidate(trial, some, step)


def part_candidates(trial: Trial, legs: Sequence[Leg]) -> Iterator[UnitCandidate]:
    """Yield each leg, and each pair, at the largest of whole, half and quarter that passes RD-7.

    Where a unit asks least is not always where RD-7 holds: a coin's equity may change its sign, or
    what relieves the account may be in its borrowing, and not in the unit.
    """
    for some, sized in _steps(legs):
        for part in _LAST_RESORT:
            candidate = _candidate(trial, some, SizedStep(-(-sized.count // part), sized.moves))
            if passes(trial, candidate.outcome):
                yield candidate
                break


def _steps(legs: Sequence[Leg]) -> Iterator[tuple[tuple[Leg, ...], SizedStep]]:
    """Yield each leg and each unit's largest pairs, with and without options, as wholes."""
    for leg in legs:
        yield (leg,), leg_step(leg)
    hedged = list(delta_neutral_pairs(legs))
    for pair in [*hedged, *(one for one in basis_pairs(legs) if one not in hedged)]:
        step = pair_step(pair)
        if step is not None:
            yield pair, step


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

    @cache
    def margin(count: int) -> Decimal:
        return maintenance_of(unit.grid, without(unit.holdings, step.moves(count)))

    best = _lowest(margin, step.count)
    if margin(best) >= unit.maintenance_margin:
        return None
    return SizedStep(best, step.moves)


def _unit_of(trial: Trial, step: SizedStep) -> RiskUnitFigures:
    first = step.moves(1)[0]
    if not isinstance(first, Close):
        raise TypeError(f"a step of contracts is wanted, {first} given")
    return trial.figures.risk_units[first.instrument.underlying]


def without(holdings: Holdings, moves: Sequence[Move]) -> Holdings:
    """Return the unit as the next assessment finds it, premiums and fees taken from the spot.

    PnL is no part of that: it is in the coin's equity before it is realised.
    """
    closed: dict[str, Decimal] = {}
    received = ZERO
    for close in moves:
        if not isinstance(close, Close):
            continue
        closed[close.key] = close.direction * close.quantity * close.size
        if close.settle == holdings.underlying:
            received += close.premium - close.fee
    return holdings.less(closed, received)


def _parts(count: int) -> list[int]:
    """Return one lot and the eighths of `count`, rising."""
    return sorted({1, *(-(-count * part // _PARTS) for part in range(1, _PARTS + 1))})


def _lowest(asked: Callable[[int], Decimal], count: int) -> int:
    """Return few lots of 1 to `count` at which `asked` is lowest.

    It is so beside the eighth where it is lowest; there it is taken to fall, then rise.
    """
    parts = _parts(count)
    place = min(range(len(parts)), key=lambda number: asked(parts[number]))
    low, high = parts[max(place - 1, 0)], parts[min(place + 1, len(parts) - 1)]
    while low < high:
        middle = (low + high) // 2
        if asked(middle + 1) < asked(middle):
            low = middle + 1
        else:
            high = middle
    return min(low, parts[place], key=lambda one: (asked(one), one))


def smallest_in_unit(trial: Trial, step: SizedStep, whole: Outcome) -> tuple[int, Outcome]:
    """RD-6: return the fewest lots that suffice and their outcome; the whole step when none do.

    What adjusted equity lacks may grow first and shrink later, and grow again before the end, where
    fees eat up the relief: the first eighth that suffices ends the stretch where it begins to.
    """
    known: dict[int, Outcome] = {step.count: whole}

    def outcome(count: int) -> Outcome:
        if count not in known:
            known[count] = trial.value(step.moves(count))
        return known[count]

    def lacking(count: int) -> Decimal:
        figures = outcome(count).figures
        return trial.exit * figures.requirement - figures.adjusted_equity

    def suffices(count: int) -> bool:
        return trial.suffices(outcome(count))

    parts = _parts(step.count)
    enough = next((count for count in parts if suffices(count)), None)
    if enough is None:
        enough = _lowest(lacking, step.count)
        if not suffices(enough):
            return step.count, whole
    below = max((count for count in parts if count < enough), default=0)
    count = first_where(suffices, below, enough)
    return count, outcome(count)
