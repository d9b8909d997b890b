"""What planning answers: a step to command, or that the caps leave no room for it now."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from monitor.schema.commands import Action, Phase

__all__ = ["Capped", "Notionals", "Plan"]

Notionals = tuple[tuple[str, Decimal], ...]
"""(instrument, USD of notional), by name."""


@dataclass(slots=True, frozen=True)
class Plan:
    """One reduction step, ready to be commanded."""

    phase: Phase
    actions: tuple[Action, ...]
    expected_ratio: Decimal | None
    """The ratio after the whole command; `None` when there is none."""
    rules: tuple[str, ...]
    symbols: tuple[str, ...]
    """`symbol/kind` of every price used, those of trades included."""
    commanded: Notionals = ()
    """RD-6: what it takes of the symbols' caps; `Caps.book` counts it once the command is out."""
    cut: bool = False
    """RD-6: the caps made it smaller than it would have been."""

    @property
    def takeover(self) -> bool:
        return self.phase == "takeover"


@dataclass(slots=True, frozen=True)
class Capped:
    """RD-6: there is a step, but the caps leave less than one lot of it in this second.

    Nothing is commanded. The caller books it (`Caps.book`), so that the account keeps its place
    before those that come later, and plans again at `until`.
    """

    wanted: Notionals
    until: int
    """Epoch milliseconds: the beginning of the next second."""
    symbols: tuple[str, ...]
    """`symbol/kind` of every price used."""
