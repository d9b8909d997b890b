"""All accounts of one worker: events, ticks and time in, decisions out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from monitor.account import Account, EventSource, expire_unknown
from monitor.account.glance import Glance
from monitor.engine.batch import TickBatch
from monitor.engine.deadlines import Deadlines
from monitor.engine.deciding import Deciding
from monitor.engine.entry import NOT_KNOWN, Decision, Entry
from monitor.engine.incoming import Incoming
from monitor.engine.posting import Posting
from monitor.engine.resting import Awake, Seen, Stored, decode_seen, decode_stored
from monitor.engine.taking import Batch, Over, Taking
from monitor.escalation import Episode
from monitor.interest import Interest
from monitor.limits import Totals
from monitor.margin import Figures, assess
from monitor.prices import TickLike
from monitor.reference import Reference
from monitor.schema import AccountEvent, Cause
from monitor.schema.commands import Band
from monitor.watch import Standing
from monitor.watch.census import Census

__all__ = ["Engine"]

DUE_AT_ONCE = 256
"""Deadlines met in one turn; the rest follow at the next tick or look at the clock."""
RETRY_MS = 1_000
"""When a deadline that could not be acted upon is looked at again; `time_scale` multiplies it."""
_NORMAL = Census.code("normal")


class Engine(Deciding):
    """All accounts of one worker. Synchronous; nothing in here waits."""

    def __init__(self, reference: Reference) -> None:
        super().__init__(reference)
        self.entries: dict[str, Entry] = {}
        self.partitions: dict[int, dict[str, Entry]] = {}
        self.awake = Awake()
        self.armed: set[int] = set()
        """Partitions whose accounts may be commanded (H-6)."""
        self.now = 0
        self.interest = Interest()
        """IN-1; its `hours` are filled from outside."""
        self.missed_crossings = 0
        """H-3: accounts that the sweep found elsewhere than the watch had them."""
        self.taking = Taking(self)
        self.deadlines = Deadlines(self)
        self._posting = Posting(self)
        self._sweep: Iterator[str] = iter(())

    # -- partitions ---------------------------------------------------------------------------

    def adopt(
        self,
        account: Account,
        episode: Episode,
        partition: int,
        isolated: Mapping[str, Episode] | None = None,
        *,
        kept: bytes | None = None,
    ) -> Entry:
        """Take an account read from the journal; it is looked at when its partition is armed.

        `isolated`: key → episode of its isolated positions; `kept`: the record that all this was
        decoded from.
        """
        self.awake.trim()
        entry = self._own(Stored(account, episode, dict(isolated or {})), partition, kept)
        self.put(entry)
        self.changed(entry)
        return entry

    def adopt_all(self, records: Sequence[bytes], partition: int) -> dict[str, int]:
        """Take accounts by their records in the journal; what is calm stays at rest.

        Returns the greatest offset of each account topic that is folded into any of them.
        """
        folded: dict[str, int] = {}
        read: list[tuple[Entry, Account | Glance]] = []
        for kept in records:
            seen = decode_seen(kept)
            account: Account | Glance = seen.account
            for topic, offset in account.offsets.items():
                folded[topic] = max(folded.get(topic, -1), offset)
            if seen.calm:
                entry = self._own(seen, partition, kept)
                entry.interest_at = self.interest.scheduled(account, self.reference)
                if account.out_of_sync:
                    self.watch.census.lose(entry.watched.slot, lost=True)
            else:
                stored = decode_stored(kept)
                account = stored.account
                entry = self._own(stored, partition, kept)
                self.changed(entry)
            if account.known:
                read.append((entry, account))
        self.awake.trim()
        self.put_read(read)
        return folded

    def _own(self, read: Stored | Seen, partition: int, kept: bytes | None) -> Entry:
        """Return a new entry of an account, without a book in the watch."""
        name = read.account.account_id
        watched = self.watch.admit(name)
        self.watch.census.group(watched.slot, partition)
        entry = self.entries[name] = Entry(read, partition, watched, self.awake, kept)
        owned = self.partitions.get(partition)
        if owned is None:
            owned = self.partitions[partition] = {}
        owned[name] = entry
        return entry

    def unseen(self, partition: int) -> list[str]:
        """Name the accounts of a partition that must be looked at before it answers for them."""
        owned = self.partitions.get(partition, {})
        return [name for name, entry in owned.items() if entry.watched.unseen]

    def release(self, partition: int, most: int | None = None) -> bool:
        """Forget a partition and `most` of its accounts (None: all); say whether any are left (H-8)."""
        self.armed.discard(partition)
        owned = self.partitions.get(partition, {})
        for account_id in list(islice(owned, most)):
            del owned[account_id], self.entries[account_id]
            self.watch.drop(account_id)
        if not owned:
            self.partitions.pop(partition, None)
        return bool(owned)

    def use_totals(self, totals: Totals | None) -> list[str]:
        """Take the totals that BL-2 and BL-3 go by; return the accounts to be examined for OC-3."""
        self.totals = totals
        if totals is None:
            return []
        found = []
        for name, entry in self.entries.items():
            self.awake.trim()
            if self.past_a_total(entry):
                found.append(name)
        return found

    # -- what comes in ------------------------------------------------------------------------

    def changed(self, entry: Entry, *, not_before: int | None = None) -> None:
        """Follow a changed book: its deadline, which is put off to `not_before` if it has passed, and its gaps."""
        self.deadlines.follow(entry, not_before=not_before)
        self.watch.census.lose(entry.watched.slot, lost=entry.out_of_sync)

    def catch_up(self, entry: Entry, decision: Decision, now: int) -> None:
        """H-1: look at an account that a tick under way may concern, before its book changes.

        Else it would pass from before the tick to after the change at once, which no order of the two explains.
        """
        cause = self.taking.due_for(entry.account_id)
        if cause is None or not self.may_decide(entry):
            return
        self._renew([entry])
        if self.uncleared([entry]):
            self.decide_on(entry, decision, cause, now)

    def event(self, event: AccountEvent, source: EventSource, value: str, now: int) -> Decision:
        """Take one account event. Nothing is raised for what it contains."""
        (decision,) = self.events([Incoming(event, source, value)], now)
        return decision

    def events(self, batch: Iterable[Incoming], now: int) -> list[Decision]:
        """Take account events in their order; return what came of each.

        What is decided is what would be if each event was taken by itself.
        """
        return self._posting.take(batch, self.tick_over(now))

    def ticks(self, pairs: Iterable[tuple[TickLike, int]], now: int | None) -> list[Decision]:
        """Take ticks with their offsets, each a state of its own; `now` None: the event clock."""
        batch = TickBatch.of(pairs)
        taken, found = 0, list[Decision]()
        while taken < len(batch) or self.taking.under_way:
            taken, more = self.turn(batch, taken, now)
            found += more
        return found

    def turn(
        self, batch: Batch, begin: int, now: int | None, over: Over = lambda: False
    ) -> tuple[int, list[Decision]]:
        """Take ticks from position `begin` on until something was decided or the turn is `over` (H-8).

        Returns the position of the next one, and what was decided. While `taking.under_way`, the one
        before is not done: the next turn goes on with it, whatever the batch.
        """
        return self.taking.turn(batch, begin, now, over)

    def due(self, now: int) -> list[Decision]:
        """Look at the accounts whose deadline has come, so many at a time (H-8)."""
        now = self.tick_over(now)
        found: list[Decision] = []
        for entry in islice(self.deadlines.reached(now), DUE_AT_ONCE):
            self.awake.trim()
            decision = Decision(entry.account_id, entry.partition)
            if not self.may_decide(entry):
                self.watch.mute(entry.watched)  # arming its partition looks at it again
            self.catch_up(entry, decision, now)
            escalates = entry.next_deadline()
            self._expire_gap(entry, decision, now)
            self._work_out_interest(entry, decision, now)
            if decision.dirty or (escalates is not None and escalates <= now):
                self.decide_on(entry, decision, Cause(kind="timer", ts=now), now)
            # What could not be decided now (no price, not armed) is looked at again, not at once.
            retry = int(RETRY_MS * self.reference.policy.time_scale)
            self.changed(entry, not_before=now + max(1, retry))
            found.append(decision)
        return found

    def examine(
        self, account_ids: Iterable[str], cause: Cause, *, screened: bool = False
    ) -> list[Decision]:
        """Look at accounts whose prices, rules or owner changed; floats clear most of them.

        `screened`: the watch looked at them, and floats do not clear them.
        """
        known = (self.entries.get(account_id) for account_id in account_ids)
        entries = dict.fromkeys(entry for entry in known if entry is not None)
        self.awake.trim()
        self._renew(list(entries))
        asked = set(entries if screened else self.uncleared(list(entries)))
        found = []
        for entry in entries:
            decision = None
            if entry in asked:
                self.awake.trim()
                decision = Decision(entry.account_id, entry.partition)
                self._examine(entry, decision, cause)
            if cause.kind != "tick":  # arming a partition arms its interest
                self._arm_interest(entry)
            if decision is not None and decision.dirty:
                found.append(decision)
        return found

    def sweep(self, count: int, now: int) -> list[Decision]:
        """H-3: assess the next `count` accounts exactly, whatever the watch says of them."""
        now = self.tick_over(now)
        found = []
        for _ in range(count):
            account_id = next(self._sweep, None)
            if account_id is None:
                self._sweep = iter(list(self.entries))
                break
            entry = self.entries.get(account_id)
            if entry is None or not self.may_decide(entry):
                continue
            self.awake.trim()
            # Whom a tick under way concerns the watch has named, and it may not be their turn yet.
            seen = entry.reference is self.reference and not entry.watched.unseen
            settled = seen and not self.taking.under_way
            believed = entry.watched.standing if settled else None
            cause = Cause(kind="sweep", ts=now)
            if believed is not None and self._is_as_noted(entry, believed, cause, now):
                continue
            decision = Decision(account_id, entry.partition)
            stood = self.decide_on(entry, decision, cause, now)
            if believed is not None and stood is not None and stood != believed:
                self.missed_crossings += 1
            if decision.dirty:
                found.append(decision)
        return found

    # -- what goes out ------------------------------------------------------------------------

    def figures(self, account_id: str) -> Figures:
        """Assess one account exactly, at the present prices. Raises KeyError when not owned."""
        return assess(self.entries[account_id].read(), self.reference, self.prices)

    def band(self, entry: Entry) -> Band | None:
        """Return the band the account was last found in; None when it is unpriced."""
        return entry.watched.band

    def is_marked(self, entry: Entry) -> bool:
        """Say whether the account was last found below its normal band; for showing only."""
        return bool(self.watch.census.codes[entry.watched.slot] > _NORMAL)

    def ratio(self, entry: Entry) -> float:
        """Return the account's ratio now, in floats: for showing, never for a decision."""
        self.watch.look(entry.watched)
        return entry.watched.ratio

    def bands(self) -> dict[str, int]:
        """Count the known accounts by band; `unpriced` and `unassessed` stand beside the bands."""
        return self.watch.census.counts()

    # -- for those who take events and ticks ---------------------------------------------------

    def tick_over(self, now: int) -> int:
        """Let time be at least `now`, for it never runs backwards; return it."""
        self.now = max(self.now, now)
        return self.now

    def next_deadline(self) -> int | None:
        """Return the epoch ms at which the earliest deadline comes."""
        return self.deadlines.earliest()

    def priced_otherwise(
        self, routes: dict[str, tuple[str, str | None]], named: list[str], key: str
    ) -> list[str]:
        """PX-2: a first price can change how currencies are priced; compile those accounts anew.

        `routes`: how they were priced before it. The first mark of a future, `key`, can become the
        forward of options (MM-3).
        """
        changed = {
            before[0] for coin, before in routes.items() if self.prices.route(coin) != before
        }
        again = sorted(self.watch.unpriced) + self.watch.awaiting(key)
        if changed:
            again += self.watch.rerouted(sorted(changed))
        self.put_all([self.entries[account_id] for account_id in dict.fromkeys(again)])
        self.awake.trim()
        return list(dict.fromkeys(named + again))

    def may_decide(self, entry: Entry) -> bool:
        """Say whether an account is known and its partition armed (H-6)."""
        return entry.partition in self.armed and entry.known

    def uncleared(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return those that floats do not clear; who may not be decided on is muted."""
        decidable = []
        for entry in entries:
            if self.may_decide(entry):
                decidable.append(entry)
            else:
                self.watch.mute(entry.watched)  # arming its partition examines it again
        return super().uncleared(decidable)

    def decide_on(
        self, entry: Entry, decision: Decision, cause: Cause, now: int, *, funding: bool = False
    ) -> Standing | None:
        """Decide in decimals where that is allowed; return where the account stood before."""
        if not self.may_decide(entry):
            return None
        try:
            if entry.reference is not self.reference:
                self._renew([entry])
            stood = self.decide(entry, decision, cause, now, funding=funding)
        except Exception as error:  # noqa: BLE001 - one bad account never stops the others (H-4)
            self.give_up(entry, decision, error)
            stood = None
        if decision.dirty:
            self.changed(entry)
        return stood

    def give_up(self, entry: Entry, decision: Decision, error: Exception) -> None:
        """H-4: keep an account that cannot be looked at from stopping others; its book stands."""
        entry.account.out_of_sync = True
        if entry.open:
            entry.begin_anew()
        self.watch.mute(entry.watched)
        decision.defect, decision.dirty = error, True

    # -- inside -------------------------------------------------------------------------------

    def _renew(self, entries: Sequence[Entry]) -> None:
        """Put accounts again that were put under another reference set."""
        behind = [entry for entry in entries if entry.reference is not self.reference]
        read = [(entry, entry.glance()) for entry in behind if entry.known]
        for entry, account in read:
            if entry.open or account.gap_since is not None:
                entry.interest_at = NOT_KNOWN
            else:
                entry.interest_at = self.interest.scheduled(account, self.reference)
                entry.deadline = None  # it was its interest's
        if read:
            self.put_read(read)

    def _examine(self, entry: Entry, decision: Decision, cause: Cause) -> None:
        """Decide in decimals on an account that floats do not clear."""
        if self.may_decide(entry):
            self.decide_on(entry, decision, cause, self.now)
        else:
            self.watch.mute(entry.watched)  # arming its partition examines it again

    def _is_as_noted(self, entry: Entry, believed: Standing, cause: Cause, now: int) -> bool:
        try:
            return self.agrees(entry, believed, cause, now)
        except Exception:  # noqa: BLE001 - the decision meets it again, and says so (H-4)
            return False

    def _arm_interest(self, entry: Entry) -> None:
        """Let interest bring an account up that may be decided on from now on."""
        if entry.interest_at == NOT_KNOWN:
            self.changed(entry)
        else:
            self.deadlines.follow_interest(entry)

    def _work_out_interest(self, entry: Entry, decision: Decision, now: int) -> None:
        """IN-1: accrue and deduct what is due by the clock."""
        if not self.may_decide(entry):
            return
        account = entry.account
        begun = account.interest is not None
        notices = self.interest.due(account, self.reference, now)
        if notices:
            decision.notices += notices
            self.put(entry)
        if notices or begun != (account.interest is not None):
            decision.dirty = True

    def _expire_gap(self, entry: Entry, decision: Decision, now: int) -> None:
        account = entry.account
        due = self.deadlines.gap_ends(account)
        if due is None or due > now or entry.partition not in self.armed:
            return  # while a partition catches up, its four topics are read at different paces
        decision.dirty = True
        if account.known:
            account.out_of_sync = True
        else:
            decision.refused += expire_unknown(account)
