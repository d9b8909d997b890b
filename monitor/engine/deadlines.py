"""When accounts ask to be looked at by the clock: for an episode, a gap in their events, their interest."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Protocol

from monitor.account import GAP_MS, Account
from monitor.engine.entry import Entry
from monitor.interest import Interest
from monitor.reference import Reference

__all__ = ["Deadlines", "Owner"]


class Owner(Protocol):
    """What deadlines need of the engine."""

    entries: dict[str, Entry]
    reference: Reference
    interest: Interest
    now: int

    def may_decide(self, entry: Entry) -> bool:
        """Say whether an account may be decided on."""


class Deadlines:
    """The deadlines of an engine's accounts, in epoch ms."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._heap: list[tuple[int, str]] = []
        """A deadline that its account has no more stays until it comes."""

    def __len__(self) -> int:
        return len(self._heap)

    def earliest(self) -> int | None:
        """Return the earliest of all."""
        return self._heap[0][0] if self._heap else None

    def reached(self, now: int) -> Iterator[Entry]:
        """Take the deadlines that have come, one by one, and give those whose they are."""
        heap, entries = self._heap, self._owner.entries
        while heap and heap[0][0] <= now:
            deadline, account_id = heapq.heappop(heap)
            entry = entries.get(account_id)
            if entry is not None and entry.deadline == deadline:
                entry.deadline = None
                yield entry

    def follow(self, entry: Entry, *, not_before: int | None = None) -> None:
        """Find an account's deadline after its book changed; one that has passed is put off to `not_before`."""
        owner, account = self._owner, entry.read()
        deadline = entry.next_deadline()
        gap = self.gap_ends(account)
        if gap is not None and (deadline is None or gap < deadline):
            deadline = gap
        entry.interest_at = owner.interest.scheduled(account, owner.reference)
        if owner.may_decide(entry):
            interest = self._interest_time(entry)
            if interest is not None and (deadline is None or interest < deadline):
                deadline = interest
        if deadline is not None and not_before is not None and deadline <= owner.now:
            deadline = not_before
        self._set(entry, deadline)

    def follow_interest(self, entry: Entry) -> None:
        """Let interest bring an account up whose book did not change, but that may be decided on now."""
        if entry.interest_at is not None and self._owner.may_decide(entry):
            interest = self._interest_time(entry)
            if interest is not None and (entry.deadline is None or interest < entry.deadline):
                self._set(entry, interest)

    def gap_ends(self, account: Account) -> int | None:
        """Return when an account that waits for missing events is out of sync."""
        if account.gap_since is None or account.out_of_sync:
            return None
        return account.gap_since + int(GAP_MS * self._owner.reference.policy.time_scale)

    def _interest_time(self, entry: Entry) -> int | None:
        owner = self._owner
        return owner.interest.not_past(entry.interest_at, owner.reference.policy, owner.now)

    def _set(self, entry: Entry, deadline: int | None) -> None:
        if deadline is not None and deadline != entry.deadline:
            heapq.heappush(self._heap, (deadline, entry.account_id))
        entry.deadline = deadline
