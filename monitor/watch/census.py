"""How many accounts stand where, and which are nearest: kept by slot, counted at once."""

from __future__ import annotations

import numpy as np

__all__ = ["STATES", "Census"]

STATES = ("", "unassessed", "unpriced", "normal", "warning", "liquidation")
"""What an account can be counted as; "" is a slot without a known account."""
_CODES = {name: code for code, name in enumerate(STATES)}
_NORMAL = _CODES["normal"]


class Census:
    """State and ratio by slot, for heartbeats and for showing; never for a decision."""

    def __init__(self) -> None:
        self._codes = np.zeros(1024, dtype=np.int8)
        self._ratios = np.full(1024, np.inf)
        self._groups = np.zeros(1024, dtype=np.int32)

    def mark(self, slot: int, state: str) -> None:
        """Count the slot as `state`."""
        self._room(slot)
        self._codes[slot] = _CODES[state]

    def rate(self, slot: int, ratio: float) -> None:
        """Note the ratio."""
        self._room(slot)
        self._ratios[slot] = ratio

    def group(self, slot: int, group: int) -> None:
        """Note which group (partition) the slot is counted in."""
        self._room(slot)
        self._groups[slot] = group

    def forget(self, slot: int) -> None:
        """Count the slot no longer."""
        self._room(slot)
        self._codes[slot] = 0
        self._ratios[slot] = np.inf

    def counts(self) -> dict[str, int]:
        """Return how many accounts stand where."""
        found = np.bincount(self._codes, minlength=len(STATES)).tolist()
        return {name: found[code] for name, code in _CODES.items() if name and found[code]}

    def counts_by_group(self) -> dict[int, dict[str, int]]:
        """Return the same by group; groups without accounts are left out."""
        size = len(STATES)
        found = np.bincount(self._groups * size + self._codes)
        groups: dict[int, dict[str, int]] = {}
        for place in np.flatnonzero(found).tolist():
            group, code = divmod(place, size)
            if code:
                groups.setdefault(group, {})[STATES[code]] = int(found[place])
        return groups

    def lowest(self, count: int) -> list[int]:
        """Return the slots with the lowest ratios among those that were assessed, rising."""
        seen = np.flatnonzero((self._codes >= _NORMAL) & np.isfinite(self._ratios))
        ratios = self._ratios[seen]
        if len(seen) > count:
            near = np.argpartition(ratios, count - 1)[:count]
            seen, ratios = seen[near], ratios[near]
        lowest: list[int] = seen[np.argsort(ratios, kind="stable")].tolist()
        return lowest

    def _room(self, slot: int) -> None:
        if slot >= len(self._codes):
            more = len(self._codes)
            self._codes = np.concatenate([self._codes, np.zeros(more, dtype=np.int8)])
            self._ratios = np.concatenate([self._ratios, np.full(more, np.inf)])
            self._groups = np.concatenate([self._groups, np.zeros(more, dtype=np.int32)])
