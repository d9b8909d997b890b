"""What a book remembers of interest between two looks at it (IN-1)."""

from __future__ import annotations

from decimal import Decimal

import msgspec

__all__ = ["Base", "Due", "InterestState", "Moment"]


class Base(msgspec.Struct, array_like=True):
    """The greatest (liability − free part) of an open window until now, in coin."""

    liability: Decimal
    free: Decimal

    @property
    def charged(self) -> Decimal:
        return self.liability - self.free


class Due(msgspec.Struct, array_like=True):
    """Accrued interest of one hour that is still to be deducted from cash, in coin."""

    hour: int
    currency: str
    liability: Decimal
    free: Decimal
    yearly_rate: Decimal
    amount: Decimal


class Moment(msgspec.Struct, array_like=True):
    """The book as it stood in a window whose hour had no prices yet."""

    hour: int
    book: msgspec.Raw
    """The account's JSON, without what no figure is made of."""


class InterestState(msgspec.Struct, omit_defaults=True):
    """How far an account's interest is worked out; hours in epoch milliseconds."""

    hour: int = 0
    """The last hour whose window was opened."""
    open: bool = False
    """Whether that window is open."""
    base: dict[str, Base] = {}
    """Currency, or key of an isolated position → base of the open window."""
    moments: list[Moment] = []
    due: list[Due] = []
    accrued: int = 0
    """The last hour that interest was accrued for."""
    deducted: int = 0
    """The last hour whose interest was deducted from cash."""
