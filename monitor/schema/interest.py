"""What is said of interest (INTERFACE, topic `interest`; IN-6)."""

from __future__ import annotations

from typing import Literal

from monitor.schema.base import Amount, Identifier, Message, Millis, NonNegative

__all__ = ["InterestNotice", "InterestRates"]


class InterestNotice(Message):
    """IN-6: one accrual or deduction; amounts in coin. It is no command and has no episode."""

    interest_id: Identifier
    """One accrual or deduction of an account, currency (position) and hour; a repeat bears it too."""
    kind: Literal["interest"] = "interest"
    account_id: Identifier
    state: Literal["accrued", "deducted"]
    currency: Identifier
    instrument: Identifier | None = None
    """Of an isolated margin position: its interest stays in the position and is not deducted, unless
    the position was closed before the window's end; then the account owes it."""
    liability: NonNegative
    """At the moment of the recording window when liability − free part was greatest."""
    free: NonNegative
    """IN-2."""
    yearly_rate: NonNegative
    amount: Amount
    hour: Millis
    """The full hour it is of."""
    estimated: bool = False
    """The hour's own prices were missing in whole or in part and the next known ones served, or the
    account was out of sync, or too much happened to be kept before prices came."""
    book: dict[str, int]
    """Account topic → last event read before this was booked."""
    account_seq: int | None = None
    """The last number applied before this was booked, where the account has one."""
    reference: str
    """SHA-256 of the reference set."""
    ts: Millis
    """When it counts from: the end of the recording window, or the time of deduction."""


class InterestRates(Message):
    """IN-6: what borrowing one currency costs; amounts in coin, rates by the year."""

    currency: str
    lent_out: Amount | None
    """Over all accounts; null: unknown."""
    platform_pool: Amount | None
    last_hour: Millis | None
    """The hour that `last_yearly_rate` is of; null: none is known."""
    last_yearly_rate: Amount | None
    next_yearly_rate: Amount
    """BL-3: the estimate for the next hour."""
