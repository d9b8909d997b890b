"""The packed rows of many accounts, table by table; any of them can be chosen again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.scenario.rows import TABLES, Packed
from monitor.scenario.tables import Bools, Ints

__all__ = ["Joined", "join"]


@dataclass(frozen=True)
class Joined:
    """Accounts in a fixed order, and their rows in the same."""

    names: tuple[str, ...]
    """Of all accounts that were joined first."""
    keys: tuple[tuple[str, ...], ...]
    """Of the same: keys of isolated positions."""
    origin: Ints
    """Account → its place in these."""
    mode: Ints
    exact: Bools
    known: Bools
    ordered: Bools
    rows: dict[str, Any]
    lengths: dict[str, Ints]
    """Table → rows by account."""

    def account_of(self, table: str) -> Ints:
        """Return the account of each row."""
        return np.repeat(np.arange(len(self.origin)), self.lengths[table])

    def only(self, numbers: Ints) -> Joined:
        """Return these accounts, in this order; one may stand there more than once."""
        rows, lengths = {}, {}
        for name, all_rows in self.rows.items():
            counts = self.lengths[name]
            chosen = lengths[name] = counts[numbers]
            starts = (np.cumsum(counts) - counts)[numbers]
            ends = np.cumsum(chosen)
            places = np.arange(int(ends[-1]) if len(ends) else 0)
            places += np.repeat(starts - ends + chosen, chosen)
            rows[name] = all_rows[places]
        return Joined(
            self.names,
            self.keys,
            self.origin[numbers],
            self.mode[numbers],
            self.exact[numbers],
            self.known[numbers],
            self.ordered[numbers],
            rows,
            lengths,
        )


def join(names: Sequence[str], packs: Sequence[Packed]) -> Joined:
    """Join accounts; `names` and `packs` in the same order."""
    count = len(packs)
    rows, lengths = {}, {}
    for place, (name, table) in enumerate(TABLES.items()):
        parts = [pack.rows[place] for pack in packs]
        sizes = np.fromiter(map(len, parts), np.intp, count)
        lengths[name] = sizes // table.dtype.itemsize
        rows[name] = np.frombuffer(b"".join(parts), dtype=table.dtype)
    return Joined(
        tuple(names),
        tuple(pack.isolated for pack in packs),
        np.arange(count),
        np.fromiter((pack.mode for pack in packs), np.intp, count),
        np.fromiter((pack.exact for pack in packs), np.bool_, count),
        np.fromiter((pack.known for pack in packs), np.bool_, count),
        np.fromiter((pack.ordered for pack in packs), np.bool_, count),
        rows,
        lengths,
    )
