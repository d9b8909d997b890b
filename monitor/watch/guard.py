"""The seam for accounts of another kind: something else than a box says where they stand (PM-1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.account.state import Account
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.watch.exposures import Form

__all__ = ["Guard", "Look", "Quiet"]


class Look(NamedTuple):
    """Where an account stands by floats at the present prices."""

    zone: int
    short: bool
    sure: bool
    ratio: float


class Quiet(NamedTuple):
    """By row of a guard: no tick concerns anybody whose price and moment (epoch ms) are within."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    until: NDArray[np.int64]


class Guard(Protocol):
    """Watches accounts whose form has `units`, by the slots that the screen gives them."""

    def put(
        self, slot: int, account: Account, reference: Reference, prices: PriceBook, form: Form
    ) -> bool:
        """Take an account; say whether floats can screen it. No tick concerns it before a look."""

    def drop(self, slot: int) -> None:
        """Forget an account, if it is here."""

    def mute(self, slot: int) -> None:
        """Let no tick concern an account until it is looked at."""

    def look(self, slot: int, levels: tuple[float, ...]) -> Look | None:
        """Say where an account stands, and guard that; None where floats cannot screen it."""

    @property
    def version(self) -> int:
        """Changes whenever `places` may."""

    def places(self, keys: Iterable[str]) -> NDArray[np.int64]:
        """Return the rows of price keys, 0 of those that nobody here goes by."""

    def quiet(self) -> Quiet:
        """Say what concerns nobody, as long as nobody is looked at."""

    def follow(
        self, rows: NDArray[np.int64], prices: NDArray[np.float64], stamps: NDArray[np.int64]
    ) -> None:
        """Follow ticks that the price book has accepted; `tick` is told of the one that is not quiet."""

    def tick(self, key: str) -> list[int]:
        """Follow a tick that the price book has just accepted; return the slots it may concern."""
