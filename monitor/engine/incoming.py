"""Account events on their way through the engine: taken into the book, then settled with the watch."""

from __future__ import annotations

from typing import NamedTuple

from monitor.account import Account, EventSource, Refusal
from monitor.engine.entry import Decision, Entry
from monitor.schema import AccountEvent, Cause, Fill, Order, Transfer

__all__ = ["Incoming", "Unsettled", "cause_of", "give_up", "is_funding"]


class Incoming(NamedTuple):
    """One account event; `value` is its text as it came, kept while it waits for another."""

    event: AccountEvent
    source: EventSource
    value: str


class Unsettled(NamedTuple):
    """An account whose book changed and that was not looked at since."""

    entry: Entry
    decision: Decision
    event: AccountEvent
    applied: tuple[AccountEvent, ...]


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


def give_up(account: Account, incoming: Incoming, seq: int | None, now: int, why: str) -> Refusal:
    """H-4: let an event go that a defect kept from being booked, perhaps half; say so in the book.

    `seq`: the account's before it. With it set back, what follows waits as behind a gap, until a
    snapshot tells the account anew.
    """
    source = incoming.source
    account.offsets[source.topic] = source.offset
    account.account_seq = seq
    account.out_of_sync = True
    if seq is not None and account.gap_since is None:
        account.gap_since = now
    return Refusal(source, incoming.value, f"defect: {why}")
