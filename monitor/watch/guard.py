"""The seam for accounts of another kind: something else than a box says where they stand (PM-1)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from monitor.account.state import Account
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.watch.exposures import Form

__all__ = ["Guard", "Look"]


class Look(NamedTuple):
    """Where an account stands by floats at the present prices."""

    zone: int
    short: bool
    sure: bool
    ratio: float


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

    def goes_by(self, key: str) -> bool:
        """Whether a price may concern anybody here."""

    def tick(self, key: str) -> list[int]:
        """Follow a tick that the price book has just accepted; return the slots it may concern."""
