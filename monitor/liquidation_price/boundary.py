"""Where a slack changes sign along a factor: exact on straight pieces, by root finding on others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from monitor.exact import ONE, ZERO

__all__ = ["Boundary", "Slack", "nearest_boundary"]

Slack = Callable[[Decimal], Decimal | None]
"""Factor → adjusted equity less level × requirement, in USD; None where there is no ratio."""

_STEPS = (
    "1.001 1.003 1.007 1.015 1.03 1.05 1.08 1.12 1.2 1.3 1.45 1.6 1.8 2 2.3 2.7 3.2 4 5 7 10 15 25 "
    "50 100 300 1000 10000 100000 1000000"
)
_FACTORS = tuple(Decimal(step) for step in _STEPS.split())
"""Where the search looks besides at breaks; past a millionth and a million times there is none."""
_BESIDE = Decimal("1e-20")
"""Relative distance at which both sides of a break are looked at: a tier's bound is still inside."""
_EXACT = Decimal("1e-30")
_CURVE_CHECKS = 4


@dataclass(frozen=True, slots=True)
class Boundary:
    """A factor on whose one side the slack is at or below 0, and on whose other it is not."""

    factor: Decimal
    danger_below: bool
    """Whether the side at or below 0 is that of lower prices."""


def nearest_boundary(
    slack: Slack, breaks: Iterable[Decimal] = (), *, curved: bool = False
) -> Boundary | None:
    """MR-4: return the boundary nearest to factor 1 (as a ratio), or None when there is none.

    `breaks` are the factors where the slack may jump or bend; between them it is straight, or, when
    `curved`, a parabola's piece or like one.
    """
    marks = set(_FACTORS) | {ONE / factor for factor in _FACTORS}
    for factor in breaks:
        if _FACTORS[-1] > factor > ONE / _FACTORS[-1]:
            marks |= {factor * (ONE - _BESIDE), factor, factor * (ONE + _BESIDE)}
    search = _Search(slack, curved=curved)
    up = search.along(sorted(factor for factor in marks if factor > ONE))
    limit = ONE / up.factor if up is not None else ZERO
    falling = sorted((f for f in marks if f < ONE), reverse=True)
    # Past the mirror image of what was found above there is nothing nearer.
    near = [f for f in falling if f > limit]
    down = search.along([*near, *falling[len(near) : len(near) + 1]])
    if up is None or down is None:
        return up or down
    return down if ONE / down.factor < up.factor else up


class _Search:
    """Looks at the slack along a series of factors, each only once."""

    def __init__(self, slack: Slack, *, curved: bool) -> None:
        self._slack = slack
        self._known: dict[Decimal, Decimal | None] = {}
        self._curved = curved

    def at(self, factor: Decimal) -> Decimal | None:
        if factor not in self._known:
            self._known[factor] = self._slack(factor)
        return self._known[factor]

    def in_danger(self, factor: Decimal) -> bool:
        """Whether the ratio is at or below the level; where there is none it is not."""
        found = self.at(factor)
        return found is not None and found <= 0

    def along(self, factors: Sequence[Decimal]) -> Boundary | None:
        """Return the first boundary on the way from factor 1 through `factors`."""
        start = self.in_danger(ONE)
        before = ONE
        for factor in factors:
            end: Decimal | None = factor if self.in_danger(factor) != start else None
            if end is None and self._curved:
                end = self._dip(before, factor, start)
            if end is not None:
                root = self._first(before, end, start)
                # Going up from safety the danger is above; going down, or out of danger, below.
                return Boundary(root, (factor > ONE) == start)
            before = factor
        return None

    def _dip(self, near: Decimal, far: Decimal, start: bool) -> Decimal | None:
        """Return a factor between whose side differs, for a curve that turns in between."""
        middle = (near + far) / 2
        a, b, c = self.at(near), self.at(middle), self.at(far)
        if a is None or b is None or c is None:
            return None
        if self.in_danger(middle) != start:
            return middle
        half = (far - near) / 2
        bend = a - 2 * b + c
        if not bend:
            return None
        turn = middle - half * (c - a) / (2 * bend)
        inside = min(near, far) < turn < max(near, far)
        return turn if inside and self.in_danger(turn) != start else None

    def _first(self, near: Decimal, far: Decimal, start: bool) -> Decimal:
        """Return the change of sides between `near` and `far`, the nearer one on a curve."""
        root = self._between(near, far)
        if self._curved:
            for _ in range(_CURVE_CHECKS):
                middle = (near + root) / 2
                if self.in_danger(middle) == start:
                    break
                root = self._between(near, middle)
        return root

    def _between(self, near: Decimal, far: Decimal) -> Decimal:
        """Return where the sides change: the chord's zero where that is exact, else by bisection."""
        if abs(far - near) <= 2 * _BESIDE * max(near, far):
            return near if self.in_danger(near) else far  # a jump: the break's own side tells
        a, b = self.at(near), self.at(far)
        if a is not None and b is not None:
            root = near - a * (far - near) / (b - a)
            left = self.at(root)
            if left is not None and abs(left) <= _EXACT * (abs(a) + abs(b)):
                return root
        low, high = float(near), float(far)

        def side(factor: float) -> float:
            found = self.at(Decimal(factor))
            return float(found) if found is not None else float(abs(a or ZERO) + abs(b or ZERO) + 1)

        ends = (a, b)
        at_low, at_high = (_signed(end) for end in ends)
        if (side(low) <= 0) != (at_low <= 0) or (side(high) <= 0) != (at_high <= 0):
            return near  # nearer together than floats can tell apart
        if side(low) == 0:
            return near
        from scipy.optimize import brentq  # half a second that most processes never need

        return Decimal(brentq(side, low, high, xtol=1e-300, rtol=1e-15, maxiter=500))


def _signed(value: Decimal | None) -> float:
    return 1.0 if value is None else float(value)
