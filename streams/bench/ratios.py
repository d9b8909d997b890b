"""Figures against what was asked for, and against each other within one run."""

from __future__ import annotations

from collections.abc import Sequence

from streams.bench.result import PartResult, Ratio
from streams.bench.table import number

__all__ = ["Ratios"]

Place = tuple[str, str]
"""Part and key of a figure."""


class Ratios:
    """Gathers what can be said; what was not measured is left out."""

    def __init__(self, parts: Sequence[PartResult]) -> None:
        self.found: list[Ratio] = []
        self._parts = {part.part: part for part in parts}

    def at_most(self, name: str, part: str, key: str, most: float) -> None:
        """Say whether a figure is at most `most`."""
        value = self._value((part, key))
        if value is not None:
            self._add(name, value, most=most)

    def at_least(self, name: str, part: str, key: str, least: float) -> None:
        """Say whether a figure is at least `least`."""
        value = self._value((part, key))
        if value is not None:
            self._add(name, value, least=least)

    def against(
        self,
        name: str,
        above: Place,
        below: Place,
        *,
        most: float | None = None,
        least: float | None = None,
    ) -> None:
        """Divide one figure by another of the same run."""
        top, bottom = self._value(above), self._value(below)
        if top is not None and bottom:
            self._add(name, top / bottom, most=most, least=least)

    def _value(self, place: Place) -> float | None:
        part = self._parts.get(place[0])
        return None if part is None else part.value(place[1])

    def _add(
        self, name: str, value: float, *, most: float | None = None, least: float | None = None
    ) -> None:
        wanted, reached = "", None
        if most is not None:
            wanted, reached = f"at most {number(most)}", value <= most
        if least is not None:
            wanted, reached = f"at least {number(least)}", value >= least
        self.found.append(
            Ratio(name=name, value=float(f"{value:.4g}"), wanted=wanted, reached=reached)
        )
