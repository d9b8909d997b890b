"""What a benchmark found: figures by part, on which machine, with which versions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import msgspec

__all__ = ["Figure", "Machine", "PartResult", "Ratio", "Result", "Sizes", "figure"]


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How large the parts of one run are."""

    accounts: int
    ticks: int
    runs: int = 3
    """How often each figure is measured; its value is the median."""
    seed: int = 1
    seconds: float = 20.0
    """What one measurement may take at the most, where it can be cut short."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure; `value` is the median of `runs`."""

    key: str
    """Its name for programs, unique within its part."""
    name: str
    unit: str
    value: float
    runs: tuple[float, ...] = ()
    note: str = ""
    """Anything without which the figure would be misread."""


class PartResult(msgspec.Struct, kw_only=True):
    """What one part found, or why it found nothing."""

    part: str
    title: str
    figures: tuple[Figure, ...] = ()
    error: str | None = None
    seconds: float = 0.0

    def value(self, key: str) -> float | None:
        """Return a figure's value, None where there is none."""
        return next((f.value for f in self.figures if f.key == key), None)


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Two figures of the same run against each other."""

    name: str
    value: float
    wanted: str = ""
    """What was asked for, in words; empty: nothing."""
    reached: bool | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran."""

    system: str
    processor: str
    cores: int
    memory_bytes: int
    python: str
    versions: dict[str, str]
    """Distribution → version, of what the figures depend on."""
    load: tuple[float, ...]
    """Load averages (1, 5, 15 min) before the run: what else was at work."""


class Result(msgspec.Struct, kw_only=True):
    """One run of one benchmark."""

    benchmark: str
    started: str
    """ISO 8601, UTC."""
    machine: Machine
    sizes: Sizes
    parts: list[PartResult] = []
    ratios: list[Ratio] = []
    stopped: bool = False
    """Whether it was stopped before its end: what was measured until then is whole."""


def figure(
    key: str, name: str, unit: str, runs: Sequence[float], note: str = "", digits: int = 4
) -> Figure:
    """Return the figure whose value is the median of `runs`, to so many significant digits.

    Raises ValueError for a run that is no number: a figure that was not found is left out.
    """
    if not runs or not all(math.isfinite(run) for run in runs):
        raise ValueError(f"{key}: {list(runs)}, each a finite number is accepted")
    kept = tuple(float(f"{run:.{digits}g}") for run in runs)
    value = float(f"{statistics.median(kept):.{digits}g}")
    return Figure(key=key, name=name, unit=unit, value=value, runs=kept, note=note)
