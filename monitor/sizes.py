"""OV-6: the largest number of lots that passes a test, found exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

__all__ = ["MOST", "first_where", "largest"]

MOST = 2**100
"""What passes at so many lots is taken to pass at any size."""


def first_where(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first count in (low, high] where `holds`, given that it does at `high`.

    `holds` must be false below some count and true from there on.
    """
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def largest(
    room: Callable[[int], Decimal],
    allowed: Callable[[int], bool],
    starts: Iterable[int] = (),
    *,
    peaks: bool = False,
) -> int | None:
    """Return the largest count of lots with `room` ≥ 0 that is `allowed`; 0: none, None: no bound.

    `starts` are the first counts of intervals; in each of them `allowed` holds up to some count
    and not beyond. `room` falls within each, or, with `peaks`, is concave: it may rise before it
    falls. So what passes within an interval is one stretch, and its end is found by bisection.
    """

    def passes(count: int) -> bool:
        return allowed(count) and room(count) >= 0

    above: int | None = None
    for start in sorted({1, *starts}, reverse=True):
        end = above - 1 if above is not None else _end(room, allowed, start, peaks=peaks)
        above = start
        if passes(end):
            return None if end >= MOST else end
        inside = start if passes(start) else _peak(room, allowed, start, end) if peaks else None
        if inside is not None and passes(inside):
            return first_where(lambda count: not passes(count), inside, end) - 1
    return 0


def _end(
    room: Callable[[int], Decimal], allowed: Callable[[int], bool], start: int, *, peaks: bool
) -> int:
    """Return a count beyond which nothing passes any more, of the interval without an end."""
    step = 1
    while start + step < MOST:
        end = start + step
        if not allowed(end):
            return end
        # Where a concave function falls, it falls from there on.
        if room(end) < 0 and (not peaks or room(end) < room(end - 1)):
            return end
        step *= 2
    return MOST


def _peak(
    room: Callable[[int], Decimal], allowed: Callable[[int], bool], low: int, high: int
) -> int | None:
    """Return the allowed count of [low, high] with the most room; None when none is allowed."""
    if not allowed(low):
        return None
    if not allowed(high):
        high = first_where(lambda count: not allowed(count), low, high) - 1
    while low < high:
        middle = (low + high) // 2
        if room(middle + 1) > room(middle):
            low = middle + 1
        else:
            high = middle
    return low
