"""Which events apply, in which order, and once (INTERFACE: idempotency, `account_seq`; H-0, H-5)."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, NamedTuple, Protocol

from monitor.account.decoding import MODELS
from monitor.account.exceptions import Rejected
from monitor.account.fills import apply_fill
from monitor.account.orders import apply_order, count_fill
from monitor.account.positions import check_side, check_tradable
from monitor.account.settings import apply_settings, check_settings
from monitor.account.state import Account, Held
from monitor.account.transfers import apply_transfer, repay_by_itself
from monitor.reference import Reference
from monitor.schema.events import AccountEvent, AccountSettings, Fill, Order, Transfer

__all__ = [
    "GAP_MS",
    "EventSource",
    "Observer",
    "Outcome",
    "Refusal",
    "Taken",
    "expire_unknown",
    "open_account",
    "take",
]

GAP_MS = 2_000
"""How long a gap in `account_seq` may wait; the policy's `time_scale` multiplies it."""
HELD_AT_MOST = 256
"""Events kept in a book while they wait for a predecessor."""
REMEMBERED_IDS = 64
"""H-5: ids kept per account; an unbounded set costs 28 KB."""
REMEMBERED_OF_ONE_TS = 1024
"""A burst of one millisecond is remembered whole up to here."""

Outcome = Literal["applied", "repeat", "held"]


class EventSource(NamedTuple):
    """Where an event was read: the topic's plain name (`fills`), its partition and offset."""

    topic: str
    partition: int
    offset: int


class Refusal(NamedTuple):
    """An event that became a dead letter, and why."""

    source: EventSource
    value: str
    reason: str


class Taken(NamedTuple):
    """What became of an event: the events applied with it, in order, and those refused."""

    outcome: Outcome
    applied: tuple[AccountEvent, ...] = ()
    refused: tuple[Refusal, ...] = ()


class Observer(Protocol):
    """Told of every event that changes a book, just before and just after it does (IN-1)."""

    def before(self, account: Account, event: AccountEvent) -> None: ...

    def after(self, account: Account, event: AccountEvent) -> None: ...


def open_account(message: AccountSettings, reference: Reference) -> Account:
    """Return a new book made from one `accounts` message. Raises `Rejected`."""
    check_settings(message, reference)
    account = Account(message.account_id)
    apply_settings(account, message, reference)
    account.account_seq = message.account_seq
    return account


def take(
    account: Account,
    event: AccountEvent,
    source: EventSource,
    value: str,
    reference: Reference,
    now: int,
    observer: Observer | None = None,
) -> Taken:
    """Take one event into the book, with every waiting event that it lets follow.

    `value` is the event as it came, kept while it waits. Nothing is raised: what cannot be used is in
    `refused`.
    """
    if source.offset <= account.offsets.get(source.topic, -1):  # H-5
        return Taken("repeat")
    account.offsets[source.topic] = source.offset
    account.event_ts = max(account.event_ts, event.ts)
    if isinstance(event, AccountSettings) and (event.snapshot is not None or not account.known):
        return _take_base(account, event, source, value, reference, now, observer)
    if not account.known:
        return _hold(account, event, source, value, now)
    if event.account_seq is None or account.account_seq is None:
        first = account.account_seq is None and event.account_seq is not None
        if first:
            account.account_seq = event.account_seq
        return _take_by_id(account, event, source, value, reference, observer)
    if event.account_seq <= account.account_seq:
        return Taken("repeat")
    if event.account_seq > account.account_seq + 1:
        return _hold(account, event, source, value, now)
    applied: list[AccountEvent] = []
    refused: list[Refusal] = []
    _apply_next(account, event, source, value, reference, applied, refused, observer)
    _release(account, reference, applied, refused, observer)
    return Taken("applied", tuple(applied), tuple(refused))


def expire_unknown(account: Account) -> tuple[Refusal, ...]:
    """Give up the events of an account that no `accounts` message has made known."""
    refused = tuple(
        Refusal(
            EventSource(h.topic, h.partition, h.offset),
            h.value,
            f"unknown account {account.account_id}",
        )
        for h in account.held
    )
    account.held = []
    account.gap_since = None
    return refused


def _take_base(
    account: Account,
    event: AccountSettings,
    source: EventSource,
    value: str,
    reference: Reference,
    now: int,
    observer: Observer | None,
) -> Taken:
    """Take a snapshot, or the first settings of an account: both set where counting begins."""
    if account.known:
        if event.account_seq is not None and account.account_seq is not None:
            if event.account_seq <= account.account_seq:
                return Taken("repeat")
        elif event.ts <= account.snapshot_ts:
            return Taken("repeat")
    try:
        check_settings(event, reference)
    except Rejected as error:
        refusal = Refusal(source, value, str(error))
        if event.account_seq is None or event.account_seq != (account.account_seq or 0) + 1:
            return Taken("applied", (), (refusal,))
        account.account_seq = event.account_seq
        applied: list[AccountEvent] = []
        refused = [refusal]
        _release(account, reference, applied, refused, observer)
        return Taken("applied", tuple(applied), tuple(refused))
    was_known = account.known
    if observer is not None:
        observer.before(account, event)
    apply_settings(account, event, reference)
    if observer is not None:
        observer.after(account, event)
    account.account_seq = event.account_seq
    account.out_of_sync = False
    applied, refused = [event], []
    if not was_known:
        every = event.account_seq is None
        _replay_held(account, reference, applied, refused, observer, every=every)
    _release(account, reference, applied, refused, observer)
    if account.held and account.gap_since is None:
        account.gap_since = now
    return Taken("applied", tuple(applied), tuple(refused))


def _hold(
    account: Account, event: AccountEvent, source: EventSource, value: str, now: int
) -> Taken:
    if len(account.held) >= HELD_AT_MOST:
        reason = f"{HELD_AT_MOST} events of account {account.account_id} wait already"
        return Taken("applied", (), (Refusal(source, value, reason),))
    account.held.append(Held(*source, event.account_seq, value))
    if account.gap_since is None:
        account.gap_since = now
    return Taken("held")


def _release(
    account: Account,
    reference: Reference,
    applied: list[AccountEvent],
    refused: list[Refusal],
    observer: Observer | None,
) -> None:
    """Apply the waiting events that now follow without a gap."""
    while account.held and account.account_seq is not None:
        expected = account.account_seq + 1
        rest = [h for h in account.held if h.account_seq is None or h.account_seq >= expected]
        account.held = rest
        found = next((h for h in rest if h.account_seq == expected), None)
        if found is None:
            break
        rest.remove(found)
        source = EventSource(found.topic, found.partition, found.offset)
        event = MODELS[found.topic].model_validate_json(found.value)
        _apply_next(account, event, source, found.value, reference, applied, refused, observer)
    if not account.held:
        account.gap_since = None
        account.out_of_sync = False


def _replay_held(
    account: Account,
    reference: Reference,
    applied: list[AccountEvent],
    refused: list[Refusal],
    observer: Observer | None,
    *,
    every: bool,
) -> None:
    """Apply what waited for the account to become known, in the order it came.

    Where the account has an `account_seq` of its own, those that have one wait for their turn.
    """
    held = account.held
    account.held = [] if every else [item for item in held if item.account_seq is not None]
    for item in held:
        if not every and item.account_seq is not None:
            continue
        source = EventSource(item.topic, item.partition, item.offset)
        event = MODELS[item.topic].model_validate_json(item.value)
        taken = _take_by_id(account, event, source, item.value, reference, observer)
        applied.extend(taken.applied)
        refused.extend(taken.refused)


def _apply_next(
    account: Account,
    event: AccountEvent,
    source: EventSource,
    value: str,
    reference: Reference,
    applied: list[AccountEvent],
    refused: list[Refusal],
    observer: Observer | None,
) -> None:
    """Apply the event whose number is next; refused or not, it uses up its number."""
    account.account_seq = event.account_seq
    try:
        _observed(account, event, reference, observer)
    except Rejected as error:
        refused.append(Refusal(source, value, str(error)))
        return
    applied.append(event)


def _take_by_id(
    account: Account,
    event: AccountEvent,
    source: EventSource,
    value: str,
    reference: Reference,
    observer: Observer | None,
) -> Taken:
    """H-0, H-5: without `account_seq` ids, versions and times decide what is a repeat."""
    if event.ts <= account.snapshot_ts and event.account_seq is None:
        return Taken("repeat")
    name = _identity(event)
    if name is not None:
        if name in account.seen:
            return Taken("repeat")
        oldest = min(account.seen.values(), default=0)
        full = len(account.seen) >= REMEMBERED_IDS or account.forgotten_ts >= 0
        if event.ts <= account.forgotten_ts or (full and event.ts < oldest):
            reason = f"ts {event.ts} is older than the ids remembered of this account"  # H-0
            return Taken("applied", (), (Refusal(source, value, reason),))
    elif isinstance(event, AccountSettings) and event.ts <= account.settings_ts:
        return Taken("repeat")
    try:
        changed = _observed(account, event, reference, observer)
    except Rejected as error:
        return Taken("applied", (), (Refusal(source, value, str(error)),))
    if name is not None:
        account.seen[name] = event.ts
        _forget_ids(account)
    return Taken("applied", (event,)) if changed else Taken("repeat")


def _forget_ids(account: Account) -> None:
    """H-5: forget the oldest ids, all of one ts together: of a part, repeats could not be told."""
    while len(account.seen) > REMEMBERED_IDS:
        oldest = min(account.seen.values())
        kept = {name: ts for name, ts in account.seen.items() if ts > oldest}
        if not kept and len(account.seen) <= REMEMBERED_OF_ONE_TS:
            break
        account.seen, account.forgotten_ts = kept, oldest


def _identity(event: AccountEvent) -> int | None:
    """Return a hash of what makes a fill or transfer unique; orders go by their version."""
    if isinstance(event, Fill):
        text = f"fill/{event.fill_id}"
    elif isinstance(event, Transfer):
        text = f"transfer/{event.transfer_id}"
    else:
        return None
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest(), "big")


def _observed(
    account: Account, event: AccountEvent, reference: Reference, observer: Observer | None
) -> bool:
    """Change the book by one event, and tell `observer`. Raises `Rejected`."""
    if observer is None:
        return _apply(account, event, reference)
    observer.before(account, event)
    changed = _apply(account, event, reference)
    if changed:
        observer.after(account, event)
    return changed


def _apply(account: Account, event: AccountEvent, reference: Reference) -> bool:
    """Change the book by one event; false when an order's version was known already."""
    if isinstance(event, AccountSettings):
        check_settings(event, reference)
        apply_settings(account, event, reference)
        return True
    if isinstance(event, Transfer):
        _check_currency(event.currency, reference)
        raised = apply_transfer(account, event)
    else:
        instrument = reference.instruments.get(event.instrument)
        if instrument is None:
            raise Rejected(f"unknown instrument {event.instrument}")
        check_tradable(event.instrument, event.margin_mode, account.mode, reference)
        check_side(event.instrument, instrument, event, account.position_mode)
        if isinstance(event, Order):
            return apply_order(account, event)
        _check_currency(event.fee_currency, reference)
        raised = apply_fill(account, event, instrument)
        count_fill(account, event.order_id, event.quantity)
    if account.auto_repay and account.mode == "spot":
        repay_by_itself(account, raised)
    return True


def _check_currency(currency: str, reference: Reference) -> None:
    if currency != "USD" and currency not in reference.currencies:
        raise Rejected(f"unknown currency {currency}")
