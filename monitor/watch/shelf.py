"""Tables that the records of many accounts refer to, each kept once: ladders, tiers, terms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monitor.ladder import Ladder
from monitor.watch.census import Census
from monitor.watch.growth import longer
from monitor.watch.state import Floats

__all__ = ["Shelf"]

_NO_LEVEL = -2.0
"""No zone is next to it, not even the −1 of who was not found yet."""


class Shelf:
    """The tables of one screen, one after the other in one array; a place in it never changes."""

    def __init__(self, grown: Callable[[Floats], None]) -> None:
        """`grown` is told the array that takes the place of a full one."""
        self.tables: Floats = np.zeros(256)
        self._grown = grown
        self._used = 0
        self._known: dict[tuple[object, ...], int] = {}
        self._ladders: dict[int, Ladder] = {}
        self._places: dict[int, tuple[int, Ladder]] = {}
        """By identity, for its levels are dear to hash; a ladder that is kept keeps its own."""

    def place_ladder(self, ladder: Ladder) -> int:
        """Return where a ladder stands, made when it is new: its levels, the codes of its bands, its silent level
        and its calm zones.
        """
        seen = self._places.get(id(ladder))
        if seen is not None:
            return seen[0]
        key = ("ladder", ladder)
        known = self._known.get(key)
        if known is None:
            codes = [float(Census.code(band)) for band in ladder.bands]
            silent = _NO_LEVEL if ladder.silent is None else float(ladder.silent)
            ends = (silent, *map(float, ladder.calm_zones))
            known = self._append(key, [float(len(ladder.floats)), *ladder.floats, *codes, *ends])
            self._ladders[known] = ladder
        self._places[id(ladder)] = known, ladder
        return known

    def ladder(self, place: int) -> Ladder:
        """Return the ladder that stands at a place."""
        return self._ladders[place]

    def table(self, kind: str, values: list[float]) -> int:
        """Return where a table of these values stands, made when it is new."""
        key = (kind, *values)
        known = self._known.get(key)
        return self._append(key, values) if known is None else known

    def discounts(self, tiers: tuple[tuple[float, ...], ...], minimum: float) -> int:
        """Return where discount tiers (up to, rate) stand, with the rate beyond them."""
        key = ("discounts", tiers, minimum)
        known = self._known.get(key)
        if known is None:
            values = [float(len(tiers)), minimum, *(x for tier in tiers for x in tier)]
            known = self._append(key, values)
        return known

    def borrows(self, tiers: tuple[tuple[float, ...], ...], _: float = 0.0) -> int:
        """Return where borrow tiers (up to, initial, maintenance) stand."""
        key = ("borrows", tiers)
        known = self._known.get(key)
        if known is None:
            known = self._append(key, [float(len(tiers)), *(x for tier in tiers for x in tier)])
        return known

    def _append(self, key: tuple[object, ...], values: list[float]) -> int:
        found = self._known[key] = self._used
        self._used += len(values)
        if self._used > len(self.tables):
            self.tables = longer(self.tables, self._used)
            self._grown(self.tables)
        self.tables[found : self._used] = values
        return found
