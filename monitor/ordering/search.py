"""OV-6: the largest size that would pass, found among whole lots."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from monitor.exact import ZERO
from monitor.sizes import largest

__all__ = ["GRAIN", "Verdict", "largest_amount"]

GRAIN = Decimal("1e-8")
"""Coin: amounts that are borrowed or moved are counted in these."""


class Verdict(NamedTuple):
    """What one size would be told."""

    room: Decimal
    """USD left of OV-1's account test; not below 0 passes."""
    allowed: bool
    """Whether every other rule lets it pass."""

    @property
    def passes(self) -> bool:
        return self.allowed and self.room >= 0


def largest_amount(
    verdict: Callable[[Decimal], Verdict],
    lot: Decimal,
    breaks: Iterable[Decimal],
    *,
    done: Decimal = ZERO,
    peaks: bool = False,
) -> Decimal | None:
    """Return the largest multiple of `lot` above `done` that passes; 0: none, None: no bound.

    `breaks` are measured from `done` on. `peaks`: the room may rise before it falls.
    """
    below = int((done / lot).to_integral_value(ROUND_FLOOR))
    known: dict[int, Verdict] = {}

    def at(count: int) -> Verdict:
        found = known.get(count)
        if found is None:
            found = known[count] = verdict((below + count) * lot)
        return found

    starts: set[int] = set()
    for one in breaks:
        count = int(((done + one) / lot).to_integral_value(ROUND_FLOOR)) - below
        starts.update((count, count + 1))
    found = largest(
        lambda count: at(count).room,
        lambda count: at(count).allowed,
        (count for count in starts if count >= 1),
        peaks=peaks,
    )
    if found is None:
        return None
    return (below + found) * lot if found else ZERO
