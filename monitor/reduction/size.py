"""RD-6: the smallest number of lots that brings the expected ratio above the exit level."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal

from monitor.exact import ZERO
from monitor.reduction.legs import SizedStep
from monitor.reduction.trial import Outcome, Trial

__all__ = ["smallest"]


def smallest(trial: Trial, step: SizedStep, whole: Outcome) -> tuple[int, Outcome]:
    """Return the smallest sufficient number of lots and its outcome; the tier step when none is.

    `whole` is the outcome of the tier step. Between two sizes at which a tier bound is passed the
    ratio is monotone, so that each such interval is tried at its ends and then searched.
    """
    known: dict[int, Outcome] = {step.count: whole}

    def outcome(count: int) -> Outcome:
        found = known.get(count)
        if found is None:
            found = known[count] = trial.value(step.moves(count))
        return found

    starts = sorted({1, *(_first(step.count, gap, off) for gap, off in step.passed)})
    for start, following in zip(starts, [*starts[1:], step.count + 1], strict=True):
        low, high = start, following - 1
        if trial.suffices(outcome(low)):
            return low, outcome(low)
        if high > low and trial.suffices(outcome(high)):
            count = _search(trial, outcome, low, high)
            return count, outcome(count)
    return step.count, whole


def _first(count: int, gap: Decimal, taken_off: Callable[[int], Decimal]) -> int:
    """Return the fewest lots that take `gap` contracts off a group, at most `count`."""
    return bisect_left(range(1, count), gap, key=taken_off) + 1


def _search(trial: Trial, outcome: Callable[[int], Outcome], low: int, high: int) -> int:
    """Return the fewest lots that suffice, given that `low` does not and `high` does.

    Within an interval adjusted equity and requirement are straight lines nearly always, so the
    crossing is guessed from the ends; where the guess is wrong it still halves the work.
    """

    def narrow(count: int) -> bool:
        nonlocal low, high
        if not low < count < high:
            return False
        enough = trial.suffices(outcome(count))
        low, high = (low, count) if enough else (count, high)
        return enough

    while high - low > 1:
        guess = _crossing(trial, outcome, low, high)
        narrow(guess - 1 if narrow(guess) else guess + 1)
        narrow((low + high) // 2)
    return high


def _crossing(trial: Trial, outcome: Callable[[int], Outcome], low: int, high: int) -> int:
    """Return the lots at which a straight line from `low` to `high` reaches the exit level."""
    below, above = (
        figures.adjusted_equity - trial.exit * figures.requirement
        for figures in (outcome(low).figures, outcome(high).figures)
    )
    if above - below <= ZERO:
        return (low + high) // 2
    share = -below / (above - below) * (high - low)
    return min(high - 1, max(low + 1, low + int(share.to_integral_value(ROUND_FLOOR)) + 1))
