"""What a book remembers of interest between two looks at it (IN-1)."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

__all__ = [
    "HOUR_MS",
    "Base",
    "Due",
    "InterestState",
    "Window",
    "echoes",
    "hour_of",
    "interest_id",
]

HOUR_MS = 3_600_000
NAMESPACE = uuid5(NAMESPACE_URL, "urn:liqmon:interest")
ECHO_HOURS = 24
"""How late a ledger may book what it was told."""

InterestStep = Literal["accrued", "deducted"]
STEPS: tuple[InterestStep, ...] = ("accrued", "deducted")


def hour_of(ts: int) -> int:
    """Return the full hour at or before `ts`, in epoch ms."""
    return ts - ts % HOUR_MS


def interest_id(
    account_id: str, currency: str, position: str | None, hour: int, step: InterestStep
) -> str:
    """Return the id of one accrual or deduction: the same whenever it is worked out again.

    `position`: key of the isolated position that owes, None of the account itself.
    """
    owing = currency if position is None else f"{position}/{currency}"
    return str(uuid5(NAMESPACE, f"{account_id}|{owing}|{hour}|{step}"))


def echoes(transfer_id: str, account_id: str, currency: str, position: str | None, ts: int) -> bool:
    """Say whether a transfer is a ledger's booking of what the monitor has booked itself."""
    try:
        if UUID(transfer_id).version != 5:
            return False
    except ValueError:
        return False
    last = hour_of(ts)
    return any(
        transfer_id == interest_id(account_id, currency, position, last - back * HOUR_MS, step)
        for back in range(ECHO_HOURS + 1)
        for step in STEPS
    )


class Base(msgspec.Struct, array_like=True):
    """The greatest (liability − free part) of a window until now, in coin."""

    currency: str
    position: str | None
    """Key of the isolated position that owes; None: the account itself."""
    liability: Decimal
    free: Decimal

    @property
    def charged(self) -> Decimal:
        return self.liability - self.free


class Due(msgspec.Struct, array_like=True):
    """Accrued interest of one hour that is still to be deducted from cash, in coin."""

    hour: int
    currency: str
    position: str | None
    liability: Decimal
    free: Decimal
    yearly_rate: Decimal
    amount: Decimal
    estimated: bool


class Window(msgspec.Struct, array_like=True):
    """The recording window of one hour that an event fell into or after, not yet accrued for."""

    hour: int
    bases: list[Base] = []
    moments: list[msgspec.Raw] = []
    """The book as it stood while the hour had no prices: the account's JSON, without what no figure
    is made of."""
    estimated: bool = False
    thinned: bool = False
    """Not every moment of it could be kept."""


class InterestState(msgspec.Struct, omit_defaults=True):
    """How far an account's interest is worked out; hours in epoch milliseconds."""

    accrued: int = 0
    """The last hour that is worked out."""
    clock: int = 0
    """The latest time that was reached, by an event's `ts` or the clock."""
    windows: list[Window] = []
    """Hours after `accrued`, one after another, oldest first; beyond them the book has not changed."""
    due: list[Due] = []
    """All of the hour `accrued`."""
