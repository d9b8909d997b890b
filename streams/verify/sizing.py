"""Plans, and the size of a step: the fewest lots that suffice (RD-6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from streams.verify.situation import Situation, Step

__all__ = ["Netting", "Plan", "Sizes", "sized"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """A step in lots: 1 to `most`, which is its tier step."""

    most: int
    step: Callable[[int], Step | None]
    tiers: Callable[[int], object]
    """Lots → the tiers after them: between two changes of it the ratio is monotone."""
    passes: Callable[[Step], bool]
    """RD-7."""
    by_amount: bool = False
    """Lots are counted by what they bring in, so that the 50th digit may decide on one more."""


@dataclass(frozen=True, slots=True)
class Netting:
    """RD-2 (a): contracts that can be netted, by instrument, and the step of any part of them."""

    most: Mapping[str, Decimal]
    lots: Mapping[str, Decimal]
    step: Callable[[Mapping[str, Decimal]], Step | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """The step, None when there is nothing to reduce, and the candidates it was chosen from."""

    step: Step | None
    ranked: list[str] = field(default_factory=list)
    sizes: Sizes | None = None
    count: int = 0
    """Of `sizes`; caps may have cut the step to fewer."""
    netting: Netting | None = None


def sized(situation: Situation, sizes: Sizes, tried: list[str]) -> Plan:
    """RD-6: size a step; the tier step stands where a smaller one does not pass RD-7 by itself."""
    count = _smallest(sizes.step, sizes.tiers, sizes.most, situation.exit)
    step = sizes.step(count)
    if count != sizes.most and (step is None or not sizes.passes(step)):
        count, step = sizes.most, sizes.step(sizes.most)
    return Plan(step, tried, sizes, count)


def _smallest(
    steps: Callable[[int], Step | None], tiers: Callable[[int], object], most: int, level: Decimal
) -> int:
    """Return the fewest lots whose ratio is above `level`, interval by interval of equal tiers."""

    def passes(count: int) -> bool:
        step = steps(count)
        return step is not None and (step.after.ratio is None or step.after.ratio > level)

    start = 1
    while start <= most:
        end = _last_like(tiers, start, most)
        if passes(start):
            return start
        if passes(end):
            low, high = start + 1, end
            while low < high:
                middle = (low + high) // 2
                low, high = (low, middle) if passes(middle) else (middle + 1, high)
            return low
        start = end + 1
    return most


def _last_like(tiers: Callable[[int], object], start: int, most: int) -> int:
    """Return the last count up to `most` whose tiers are those of `start`."""
    kept = tiers(start)
    low, high = start, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tiers(middle) == kept else (low, middle - 1)
    return low
