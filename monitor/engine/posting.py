"""Account events into the engine: each posted to its account's book, then settled with the watch.

The watch is told of many accounts at once. What is decided is what would be if each event was posted by
itself: an account that changes again is looked at in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from monitor.account import Account, Refusal, take
from monitor.engine.entry import Decision, Entry
from monitor.engine.incoming import Incoming, cause_of, is_funding
from monitor.engine.resting import Awake
from monitor.escalation import Episode, observe
from monitor.interest import Interest
from monitor.reference import Reference
from monitor.schema import AccountEvent, Cause
from monitor.watch import Standing

__all__ = ["Books", "Posting"]


class Books(Protocol):
    """What posting events needs of the engine."""

    entries: dict[str, Entry]
    awake: Awake
    reference: Reference
    interest: Interest

    def adopt(self, account: Account, episode: Episode, partition: int) -> Entry:
        """Take an account that is not owned yet."""

    def changed(self, entry: Entry) -> None:
        """Follow a changed book."""

    def put_all(self, entries: Sequence[Entry]) -> None:
        """Tell the watch of changed books."""

    def uncleared(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return those that floats do not clear."""

    def decide_on(
        self, entry: Entry, decision: Decision, cause: Cause, now: int, *, funding: bool = False
    ) -> Standing | None:
        """Decide in decimals."""

    def give_up(self, entry: Entry, decision: Decision, error: Exception) -> None:
        """H-4: give up an account that cannot be looked at."""


class _Unsettled(NamedTuple):
    """An account whose book changed and that was not looked at since."""

    entry: Entry
    decision: Decision
    event: AccountEvent
    applied: tuple[AccountEvent, ...]


class Posting:
    """Posts account events for an engine."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def take(self, batch: Iterable[Incoming], now: int) -> list[Decision]:
        """Take account events in their order; return what came of each."""
        books = self._books
        found: list[Decision] = []
        unsettled: dict[str, _Unsettled] = {}
        for incoming in batch:
            account_id = incoming.event.account_id
            if account_id in unsettled:
                self._settle(unsettled, now)
            books.awake.trim()
            entry = books.entries.get(account_id)
            if entry is None:
                entry = books.adopt(Account(account_id), Episode(), incoming.source.partition)
            decision = Decision(account_id, entry.partition)
            found.append(decision)
            applied = self._post(entry, incoming, decision, now)
            if applied or decision.notices:
                unsettled[account_id] = _Unsettled(entry, decision, incoming.event, applied)
        self._settle(unsettled, now)
        return found

    # -- inside -------------------------------------------------------------------------------

    def _post(
        self, entry: Entry, incoming: Incoming, decision: Decision, now: int
    ) -> tuple[AccountEvent, ...]:
        """Take an event into the book; return the events that changed it."""
        books, account = self._books, entry.account
        observer = books.interest.observer(account, books.reference)
        seq = account.account_seq
        try:
            taken = take(account, *incoming, books.reference, now, observer)
        # One bad account never stops the others (H-4), whatever it is that is wrong with it.
        except Exception as error:  # noqa: BLE001
            decision.defect, decision.dirty = error, True
            decision.refused.append(_let_go(account, incoming, seq, now, repr(error)))
            decision.notices += observer.notices
            return ()
        decision.refused += taken.refused
        decision.notices += observer.notices
        if taken.outcome == "repeat" and not decision.notices:
            return ()
        decision.dirty = True
        if entry.open:
            for applied in taken.applied:
                for episode in entry.episodes:
                    observe(account, episode, applied)
        books.changed(entry)
        return taken.applied

    def _settle(self, unsettled: dict[str, _Unsettled], now: int) -> None:
        """Look at the accounts whose books changed, in the order in which they did; leave none."""
        if not unsettled:
            return
        waiting = list(unsettled.values())
        unsettled.clear()
        try:
            looked = self._uncleared(waiting)
        # Which of them it is shows when each is looked at by itself (H-4).
        except Exception:  # noqa: BLE001
            looked = [one for one in waiting if self._uncleared_alone(one)]
        for entry, decision, event, applied in looked:
            self._books.decide_on(
                entry, decision, cause_of(event), now, funding=is_funding(applied)
            )

    def _uncleared(self, waiting: Sequence[_Unsettled]) -> list[_Unsettled]:
        """Tell the watch of changed books; return those that floats do not clear."""
        entries = [one.entry for one in waiting]
        self._books.put_all(entries)
        unclear = {entry.account_id for entry in self._books.uncleared(entries)}
        return [one for one in waiting if one.entry.account_id in unclear]

    def _uncleared_alone(self, one: _Unsettled) -> bool:
        """Do the same with one account; false also where a defect keeps it from being looked at."""
        try:
            return bool(self._uncleared([one]))
        except Exception as error:  # noqa: BLE001 - H-4
            self._books.give_up(one.entry, one.decision, error)
            return False


def _let_go(account: Account, incoming: Incoming, seq: int | None, now: int, why: str) -> Refusal:
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
