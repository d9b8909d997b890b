"""The levels of a ratio that can change something, given where the episode is.

Fewer levels mean wider boxes: an account without an episode cares for the warning and the
liquidation level alone, and a worsened level that was used is none any more (ES-3).
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from monitor.escalation import Episode
from monitor.exact import ZERO
from monitor.schema.commands import Band
from monitor.schema.events import Mode
from monitor.schema.reference import Policy

__all__ = ["Ladder", "Ladders"]


_NOWHERE = (1, 0)


class Ladder(NamedTuple):
    """Rising levels; `bands[zone]` is the band of a ratio that is above `zone` of them."""

    levels: tuple[Decimal, ...]
    floats: tuple[float, ...]
    bands: tuple[Band, ...]
    silent: int | None = None
    """Place of the level of which only the band goes on to depend, so that nothing is said there: the
    warning's, while a warning stands that was entered and not cleared (ES-3)."""
    calm_zones: tuple[int, int] = (0, 0)
    """The first and the last zone in which nothing is said, whatever was before: while nothing is open above all
    levels, while a warning stands between the next worse level and the exit, else none."""

    def zone(self, ratio: Decimal | None) -> int:
        """Return how many levels a ratio is above; all of them where there is none (MR-1)."""
        if ratio is None:
            return len(self.levels)
        # A level belongs to the worse side (ES-1), but for 0: bankrupt is below it (ES-7).
        return sum(1 for level in self.levels if ratio > level or ratio == level == 0)


class Ladders:
    """Every ladder of one policy, made when first asked for."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._made: dict[tuple[object, ...], Ladder] = {}

    def of(self, mode: Mode, episode: Episode) -> Ladder:
        """Return the ladder of an account, or of its isolated position, at this point of its episode."""
        if episode.open:
            key: tuple[object, ...] = (
                mode,
                episode.entered,
                episode.lowest_level,
                episode.liquidation,
                episode.bankrupt,
            )
        else:
            key = (mode,)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._make(mode, episode)
        return found

    def _make(self, mode: Mode, episode: Episode) -> Ladder:
        policy = self._policy
        warning, liquidation = policy.level("warning", mode), policy.level("liquidation", mode)
        levels = {liquidation}
        if episode.open:
            levels.add(policy.level("warning_exit", mode))
            lowest = episode.lowest_level
            levels.update(w for w in policy.worsened if lowest is None or w < lowest)
            if episode.liquidation:
                levels.add(policy.level("liquidation_exit", mode))
            if not episode.bankrupt:
                levels.add(ZERO)  # ES-7
        warned = episode.open and episode.entered and warning not in levels
        rising = tuple(sorted({*levels, warning}))
        bands: list[Band] = []
        for zone in range(len(rising) + 1):
            above = rising[zone - 1] if zone else None
            if above is None or above < liquidation:
                bands.append("liquidation")
            else:
                bands.append("warning" if above < warning else "normal")
        silent = rising.index(warning) if warned else None
        calm = _between(rising, warning, policy.level("warning_exit", mode)) if warned else _NOWHERE
        calm = calm if episode.open else (len(rising), len(rising))
        return Ladder(rising, tuple(float(level) for level in rising), tuple(bands), silent, calm)


def _between(rising: tuple[Decimal, ...], warning: Decimal, leave: Decimal) -> tuple[int, int]:
    """Return the zones between a warning's exit and the next level below that says something."""
    worse = [place for place, level in enumerate(rising) if level not in (warning, leave)]
    return worse[-1] + 1, rising.index(leave)
