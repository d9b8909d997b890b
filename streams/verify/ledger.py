"""Every account's events in the order in which they apply, and the book after each of them."""

from __future__ import annotations

import base64
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from monitor.schema import AccountEvent, AccountSettings, Fill, Order, Transfer
from streams.verify.book import Book, RefusedError
from streams.verify.catalog import ReferenceSet
from streams.verify.folding import applied
from streams.verify.records import ACCOUNT_TOPICS, History, Record
from streams.verify.report import Violation

__all__ = ["Entry", "Ledger", "Letters", "read_ledgers", "read_letters"]

_MODELS: dict[str, type[AccountEvent]] = {
    "accounts": AccountSettings,
    "transfers": Transfer,
    "orders": Order,
    "fills": Fill,
}
_TIMED = ("ahead", "older", "unknown", "waited", "not known", "no accounts message", "gap")
"""Words in the reason of a dead letter that depends on the clock, not on the event alone."""

Place = tuple[str, int, int]


@dataclass(slots=True)
class Letters:
    """The dead letters by the place of the original: topic, partition, offset."""

    reasons: dict[Place, str] = field(default_factory=dict)
    by_reason: Counter[str] = field(default_factory=Counter)


def read_letters(records: Sequence[Record], prefix: str = "") -> Letters:
    """Return the dead letters; copies of one original count once."""
    letters = Letters()
    for record in records:
        content: dict[str, Any] = json.loads(record.value or b"{}")
        topic = str(content.get("topic", "")).removeprefix(prefix)
        place = (topic, int(content.get("partition", -1)), int(content.get("offset", -1)))
        if place not in letters.reasons:
            reason = str(content.get("reason", "no reason given"))
            letters.reasons[place] = reason
            letters.by_reason[f"{topic}: {reason.partition(':')[0]}"] += 1
    return letters


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of an account and the place it was read from."""

    topic: str
    offset: int
    timestamp: int
    event: AccountEvent


class Ledger:
    """One account: `books[j]` is its book after the first j of `entries`, None before any."""

    def __init__(self, account: str, partition: int) -> None:
        self.account, self.partition = account, partition
        self.entries: list[Entry] = []
        self.books: list[Book | None] = [None]
        self.sequenced = False
        self.hole: int | None = None
        """The sequence number that never came; what follows it was never applied."""
        self.isolated: set[str] = set()
        """The names of all isolated positions that were ever held."""

    def version(self, offsets: Mapping[str, int]) -> int:
        """Return how many entries are applied by a book that holds `offsets` (topic → last)."""
        version = 0
        for position, entry in enumerate(self.entries):
            if entry.offset > offsets.get(entry.topic, -1):
                continue
            if position == version or _replaces(entry.event):
                version = position + 1
        return version

    def waits(self, offsets: Mapping[str, int]) -> bool:
        """Return whether a book that holds `offsets` has events that wait for one before."""
        version = self.version(offsets)
        return self.sequenced and any(
            entry.offset <= offsets.get(entry.topic, -1) for entry in self.entries[version:]
        )

    def book_at(self, offsets: Mapping[str, int], reference: ReferenceSet) -> Book | None:
        """Return the book that holds exactly the events up to `offsets`."""
        version = self.version(offsets)
        if self.sequenced:
            return self.books[version]
        held = [e for e in self.entries if e.offset <= offsets.get(e.topic, -1)]
        if len(held) == version:
            return self.books[version]
        book: Book | None = None
        for entry in held:  # without a sequence events apply as they come, whatever is missing
            try:
                book = applied(book, entry.event, reference)
            except RefusedError:
                continue
        return book

    def replaces(self, position: int) -> bool:
        """Return whether the entry at `position` is a snapshot, which waits for nothing."""
        return _replaces(self.entries[position].event)

    def describe(self, version: int) -> str:
        """Return where the book of `version` stands."""
        if version == 0:
            return f"{self.account}: before its first event"
        last = self.entries[version - 1]
        return (
            f"{self.account}: after event {version} of {len(self.entries)} "
            f"({last.topic} offset {last.offset}, account_seq {last.event.account_seq})"
        )


def _replaces(event: AccountEvent) -> bool:
    return isinstance(event, AccountSettings) and event.snapshot is not None


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Merge the topics of an account that gives no sequence by their times."""
    rank = {topic: number for number, topic in enumerate(ACCOUNT_TOPICS)}

    def key(entry: Entry) -> tuple[int, int, int, int]:
        late = int(_replaces(entry.event))
        return (entry.event.ts, late, rank[entry.topic], entry.offset)

    return sorted(entries, key=key)


def _sequenced(entries: list[Entry]) -> tuple[list[Entry], int | None]:
    """Order by `account_seq`; return also the number that is missing for good."""
    settings = [e for e in entries if e.topic == "accounts" and e.event.account_seq is not None]
    if not settings:
        return [], None
    base = min(settings, key=lambda e: e.offset).event.account_seq or 0
    by_number: dict[int, Entry] = {}
    loose: list[Entry] = []
    for entry in entries:
        number = entry.event.account_seq
        if number is None:
            loose.append(entry)
        elif number >= base and number not in by_number:
            by_number[number] = entry
    ordered: list[Entry] = []
    hole: int | None = None
    expected = base
    for number in sorted(by_number):
        entry = by_number[number]
        if number != expected and not _replaces(entry.event):
            hole = hole if hole is not None else expected
            continue
        if _replaces(entry.event):
            hole = None
        ordered.append(entry)
        expected = number + 1
    for entry in _in_order(loose):
        times = [other.event.ts for other in ordered]
        ordered.insert(bisect_left(times, entry.event.ts + 1), entry)
    return ordered, hole


def read_ledgers(
    history: History,
    reference: ReferenceSet,
    letters: Letters,
    covered: Mapping[tuple[str, int], int],
) -> tuple[dict[str, Ledger], list[Violation]]:
    """Return every account's ledger, and the events whose dead letters do not fit them.

    `covered` is the last offset by topic and partition that a worker said it had folded; beyond it
    a bad event need not have met its dead letter yet.
    """
    found: dict[str, list[Entry]] = {}
    partitions: dict[str, int] = {}
    violations: list[Violation] = []
    for topic in ACCOUNT_TOPICS:
        for record in history.of(topic):
            place = (topic, record.partition, record.offset)
            event, fault = _decoded(topic, record)
            if event is None:
                behind = record.offset <= covered.get((topic, record.partition), -1)
                if behind and place not in letters.reasons:
                    violations.append(_unlettered(place, record, fault))
                continue
            account = event.account_id
            partitions.setdefault(account, record.partition)
            entry = Entry(topic, record.offset, record.timestamp, event)
            found.setdefault(account, []).append(entry)
    ledgers = {}
    for account, entries in found.items():
        ledger = Ledger(account, partitions[account])
        ledger.sequenced = any(e.event.account_seq is not None for e in entries)
        if ledger.sequenced:
            ledger.entries, ledger.hole = _sequenced(entries)
        else:
            ledger.entries = _in_order(entries)
        violations.extend(_fold(ledger, reference, letters, covered))
        ledgers[account] = ledger
    return ledgers, violations


def _decoded(topic: str, record: Record) -> tuple[AccountEvent | None, str]:
    try:
        event = _MODELS[topic].model_validate_json(record.value or b"")
    except ValidationError as error:
        first = error.errors()[0]
        return None, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if record.key is not None and record.key != event.account_id.encode():
        return None, f"key {record.key!r} is not its account {event.account_id!r}"
    return event, ""


def _unlettered(place: Place, record: Record, fault: str) -> Violation:
    key = (record.key or b"").decode(errors="replace")
    value = base64.b64encode((record.value or b"")[:120]).decode()
    return Violation(
        "dead-letter",
        key,
        f"a dead letter, because {fault}",
        "none",
        where=f"{place[0]}-{place[1]}@{place[2]}",
        detail=(f"value (base64) {value}",),
    )


def _fold(
    ledger: Ledger,
    reference: ReferenceSet,
    letters: Letters,
    covered: Mapping[tuple[str, int], int],
) -> list[Violation]:
    violations = []
    book: Book | None = None
    seen: set[tuple[str, str]] = set()
    for number, entry in enumerate(ledger.entries):
        place = (entry.topic, ledger.partition, entry.offset)
        where = f"{entry.topic}-{ledger.partition}@{entry.offset}"
        lettered = letters.reasons.get(place)
        try:
            after = _once(book, entry.event, reference, seen)
        except RefusedError as error:
            behind = entry.offset <= covered.get(place[:2], -1)
            if lettered is None and behind:
                violations.append(
                    Violation(
                        "dead-letter",
                        ledger.account,
                        f"a dead letter, because {error}",
                        "none",
                        where=where,
                        detail=(ledger.describe(number),),
                    )
                )
            after = book
        else:
            if lettered is not None:
                if not any(word in lettered for word in _TIMED):
                    violations.append(
                        Violation(
                            "dead-letter",
                            ledger.account,
                            "the event to apply",
                            f"a dead letter: {lettered}",
                            where=where,
                            detail=(ledger.describe(number),),
                        )
                    )
                after = book
        book = after
        ledger.books.append(book)
        if book is not None and book.isolated:
            ledger.isolated.update(book.isolated)
    return violations


def _once(
    book: Book | None, event: AccountEvent, reference: ReferenceSet, seen: set[tuple[str, str]]
) -> Book | None:
    """Apply an event unless its id was applied before (orders tell by their version)."""
    key: tuple[str, str] | None = None
    if isinstance(event, Fill):
        key = ("fill", event.fill_id)
    elif isinstance(event, Transfer):
        key = ("transfer", event.transfer_id)
    if key is not None and key in seen and event.account_seq is None:
        return book
    after = applied(book, event, reference)
    if key is not None:
        seen.add(key)
    return after
