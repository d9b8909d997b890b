"""Whether an assessment was made because of a funding event (IN-5)."""

from __future__ import annotations

from monitor.schema import Fill, Order, Transfer
from streams.verify.emitted import AnyCommand
from streams.verify.ledger import Entry, Ledger

__all__ = ["short_reasons"]

_EVENTS = ("fill", "order", "transfer", "account")


def short_reasons(command: AnyCommand, ledger: Ledger, version: int) -> frozenset[str]:
    """Return what a cancel of orders that a coin cannot serve is called: OC-2, or IN-5.

    An event may have let others follow that waited for it, and funding been among them; which ones
    those were is not told by a command, so that then both are right.
    """
    cause = command.cause
    if cause.kind not in _EVENTS:
        return frozenset({"OC-2"})
    applied = ledger.entries[:version]
    place = max(
        (n for n, entry in enumerate(applied) if _is_cause(entry, cause.kind, cause.id)),
        default=None,
    )
    if place is None:
        return frozenset({"OC-2"})
    if _is_funding(applied[place]):
        return frozenset({"IN-5"})
    if any(_is_funding(entry) for entry in applied[place + 1 :]):
        return frozenset({"OC-2", "IN-5"})
    return frozenset({"OC-2"})


def _is_cause(entry: Entry, kind: str, name: str | None) -> bool:
    event = entry.event
    if isinstance(event, Fill):
        return kind == "fill" and event.fill_id == name
    if isinstance(event, Order):
        return kind == "order" and event.order_id == name
    if isinstance(event, Transfer):
        return kind == "transfer" and event.transfer_id == name
    return kind == "account"


def _is_funding(entry: Entry) -> bool:
    return isinstance(entry.event, Transfer) and entry.event.kind == "funding"
