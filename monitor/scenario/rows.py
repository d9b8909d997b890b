"""The rows of floats that an account is packed into, and that a frame is joined from."""

from __future__ import annotations

from struct import Struct

import msgspec
import numpy as np

from monitor.schema.events import Mode

__all__ = [
    "BARE",
    "INVERSE",
    "LINEAR",
    "MARGIN",
    "MODES",
    "OPTION",
    "TABLES",
    "Packed",
    "Table",
]

MODES: tuple[Mode, ...] = ("spot", "multi_currency", "portfolio")
LINEAR, INVERSE, OPTION, MARGIN = 0, 1, 2, 3
_WIDTHS = {"i": "<i4", "b": "i1", "d": "<f8"}


class Table:
    """One kind of row: its fields, packed by `struct` and read by NumPy."""

    def __init__(self, **fields: str) -> None:
        self.pack = Struct("<" + "".join(fields.values())).pack
        self.dtype = np.dtype([(name, _WIDTHS[code]) for name, code in fields.items()])


TABLES = {
    # Amounts in coin. `need`: what a constant debt asks; `taken`: what orders take off (AE-1).
    "holdings": Table(
        coin="i",
        counts="b",
        moving="b",
        borrows="b",
        net="d",
        gross="d",
        borrowing="d",
        need="d",
        taker="d",
        frozen="d",
        taken="d",
    ),
    # Positions, options too, and the opening parts of orders (`size` 0); `need` is size × rate.
    "legs": Table(holding="i", instrument="i", kind="b", size="d", entry="d", need="d"),
    # MM-3: what is short or sold to open, in coins; `held`: the part of positions.
    "shorts": Table(
        holding="i", instrument="i", coin="i", put="b", coins="d", held="d", rate="d", taker="d"
    ),
    "orders": Table(
        rank="i",
        gives="i",
        receives="i",
        quote="i",
        given="d",
        received="d",
        given_at="d",
        received_at="d",
        keep="d",
    ),
    "isolated": Table(
        number="i",
        kind="b",
        instrument="i",
        base="i",
        quote="i",
        margin_coin="i",
        owed_coin="i",
        size="d",
        entry="d",
        margin="d",
        owed="d",
        interest="d",
        rate="d",
    ),
    # A place in indices followed by marks, without whose price there is no ratio (PX-3).
    "needs": Table(place="i"),
}


class Packed(msgspec.Struct, frozen=True, gc=False):
    """An account's rows; few where only decimals can tell (`exact`), none where nothing can.

    Out of the garbage collector's sight: a hundred thousand of them would halt it for a tenth of a
    second each time, and nothing in them points back.
    """

    mode: int
    rows: tuple[bytes, ...]
    """In the order of `TABLES`."""
    exact: bool = False
    known: bool = True
    ordered: bool = False
    """Whether it has open orders."""
    isolated: tuple[str, ...] = ()
    """Keys of its isolated positions, by their `number`."""


BARE = tuple(b"" for _ in TABLES)
