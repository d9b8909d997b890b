"""One account event as the engine takes it, and what a decision says of it."""

from __future__ import annotations

from typing import NamedTuple

from monitor.account import EventSource
from monitor.schema import AccountEvent, Cause, Fill, Order, Transfer

__all__ = ["Incoming", "cause_of", "is_funding"]


class Incoming(NamedTuple):
    """One account event; `value` is its text as it came, kept while it waits for another."""

    event: AccountEvent
    source: EventSource
    value: str


def cause_of(event: AccountEvent) -> Cause:
    """Return what a decision that follows an event names as its cause."""
    if isinstance(event, Fill):
        return Cause(kind="fill", id=event.fill_id, ts=event.ts)
    if isinstance(event, Order):
        return Cause(kind="order", id=event.order_id, ts=event.ts)
    if isinstance(event, Transfer):
        return Cause(kind="transfer", id=event.transfer_id, ts=event.ts)
    return Cause(kind="account", id=event.account_id, ts=event.ts)


def is_funding(applied: tuple[AccountEvent, ...]) -> bool:
    """IN-5: say whether one of these events paid or charged funding."""
    return any(isinstance(event, Transfer) and event.kind == "funding" for event in applied)
