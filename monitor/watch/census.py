"""How many accounts stand where, and which are nearest: kept by slot, counted at once."""

from __future__ import annotations

from typing import get_args

import numpy as np

from monitor.schema.commands import Band
from monitor.watch.growth import longer
from monitor.watch.state import Codes, Floats

__all__ = ["STATES", "Census"]

STATES = ("", "unassessed", "unpriced", "normal", "warning", "liquidation")
"""What an account can be counted as; "" is a slot without a known account."""
_CODES = {name: code for code, name in enumerate(STATES)}
_BANDS: dict[int, Band] = {_CODES[band]: band for band in get_args(Band)}
_NORMAL = _CODES["normal"]


class Census:
    """State and ratio by slot, for heartbeats and for showing; never for a decision.

    The compiled screen writes into `codes` and `ratios` too.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self.codes: Codes = np.zeros(capacity, dtype=np.int8)
        self.ratios: Floats = np.full(capacity, np.inf)
        self._groups = np.zeros(capacity, dtype=np.int32)
        self._lost = np.zeros(capacity, dtype=np.bool_)

    @staticmethod
    def code(state: str) -> int:
        """Return the code of a state."""
        return _CODES[state]

    def mark(self, slot: int, state: str) -> None:
        """Count the slot as `state`."""
        self.codes[slot] = _CODES[state]

    def band(self, slot: int) -> Band | None:
        """ES-1: return the band that the slot is counted in."""
        return _BANDS.get(int(self.codes[slot]))

    def lose(self, slot: int, *, lost: bool) -> None:
        """Note whether events of the account in a slot are missing."""
        self._lost[slot] = lost

    @property
    def lost(self) -> int:
        """Return of how many accounts events are missing."""
        return int(np.count_nonzero(self._lost))

    def group(self, slot: int, group: int) -> None:
        """Note which group (partition) the slot is counted in."""
        self._groups[slot] = group

    def forget(self, slot: int) -> None:
        """Count the slot no longer."""
        self.codes[slot] = 0
        self.ratios[slot] = np.inf
        self._lost[slot] = False

    def counts(self) -> dict[str, int]:
        """Return how many accounts stand where."""
        found = np.bincount(self.codes, minlength=len(STATES)).tolist()
        return {name: found[code] for name, code in _CODES.items() if name and found[code]}

    def counts_by_group(self) -> dict[int, dict[str, int]]:
        """Return the same by group; groups without accounts are left out."""
        size = len(STATES)
        found = np.bincount(self._groups * size + self.codes)
        groups: dict[int, dict[str, int]] = {}
        for place in np.flatnonzero(found).tolist():
            group, code = divmod(place, size)
            if code:
                groups.setdefault(group, {})[STATES[code]] = int(found[place])
        return groups

    def lowest(self, count: int) -> list[int]:
        """Return the slots with the lowest ratios among those that were assessed, rising."""
        seen = np.flatnonzero((self.codes >= _NORMAL) & np.isfinite(self.ratios))
        ratios = self.ratios[seen]
        if len(seen) > count:
            near = np.argpartition(ratios, count - 1)[:count]
            seen, ratios = seen[near], ratios[near]
        lowest: list[int] = seen[np.argsort(ratios, kind="stable")].tolist()
        return lowest

    def reserve(self, capacity: int) -> None:
        """Have room for as many slots; the arrays are then other ones."""
        before = len(self.codes)
        if capacity > before:
            self.codes = longer(self.codes, capacity)
            self.ratios = longer(self.ratios, capacity)
            self.ratios[before:] = np.inf
            self._groups = longer(self._groups, capacity)
            self._lost = longer(self._lost, capacity)
