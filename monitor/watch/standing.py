"""Where an account stands: how many levels each of its ratios is above, and OC-1's inequality."""

from __future__ import annotations

from typing import NamedTuple

from monitor.ladder import Ladder
from monitor.schema.commands import Band

__all__ = ["IsolatedStanding", "Standing"]


class IsolatedStanding(NamedTuple):
    """MR-3: where one isolated position stands on its own ladder."""

    key: str
    ladder: Ladder
    zone: int


class Standing(NamedTuple):
    """Where an account was when it was last decided on, exactly or by floats that are sure."""

    ladder: Ladder
    zone: int
    """How many levels of the ladder its ratio is above."""
    short: bool
    """OC-1's inequality, where there is something to cancel."""
    isolated: tuple[IsolatedStanding, ...] = ()
    """MR-3: where its isolated positions stand, in the order of their keys."""

    @property
    def band(self) -> Band:
        """ES-1."""
        return self.ladder.bands[self.zone]

    @property
    def levels(self) -> tuple[Ladder, ...]:
        """The ladder of every ratio, the account's own first."""
        return (self.ladder, *(own.ladder for own in self.isolated))
