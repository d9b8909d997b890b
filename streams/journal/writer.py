"""The group loop of one partition: append, then acknowledge, then publish."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Generic, TypeVar

import structlog

from streams.journal.acknowledge import AcknowledgeQueues, SourceEvent
from streams.journal.clock import PauseGuard
from streams.journal.exceptions import JournalError, JournalLost, OutletLost, RecordTooLarge
from streams.journal.outlet import Publisher
from streams.journal.owner import Owner, WriterSettings
from streams.journal.partition import PartitionJournal, Recovery
from streams.journal.producer import KeyValue
from streams.journal.records import (
    MAX_COMMAND_BYTES,
    PUBLISHED_KEY,
    SOURCES_KEY,
    CommandOut,
    Epoch,
    Published,
    Sources,
    check_account_id,
    encode_record,
)
from streams.journal.snapshots import Snapshots

__all__ = ["PartitionWriter"]

log = structlog.get_logger(__name__)

EventT = TypeVar("EventT", bound=SourceEvent)


@dataclass(slots=True)
class _Group(Generic[EventT]):
    records: list[KeyValue] = field(default_factory=list)
    events: list[EventT] = field(default_factory=list)
    commands: list[tuple[str, CommandOut]] = field(default_factory=list)
    size: int = 0
    notes_published: int | None = None


@dataclass(slots=True)
class _Outgoing(Generic[EventT]):
    commands: list[tuple[str, CommandOut]]
    # The journal offset that the commands are in, or None for a dead letter, which is in none.
    offset: int | None = None
    event: EventT | None = None


class PartitionWriter(Generic[EventT]):
    """Makes what the owner marks durable, in groups of whatever gathered meanwhile."""

    def __init__(
        self,
        journal: PartitionJournal,
        owner: Owner[EventT],
        outlet: Publisher,
        *,
        now: Callable[[], int],
        guard: PauseGuard,
        settings: WriterSettings | None = None,
    ) -> None:
        """Take a claimed journal; `now` (epoch ms) must not run backwards, see FlooredClock."""
        self.settings = settings or WriterSettings()
        self.lost: JournalError | None = None
        self.linger = 0.0
        """Seconds that a group waits for more while nobody waits for what is in it: a request for
        every few records would cost more than all other work on them."""
        self.longest_linger = 0.0
        """The same while more is known to come at once, see `expect`."""
        self.durable: Callable[[Sequence[tuple[str, CommandOut]]], None] = lambda _: None
        """Told, by account, of the commands that the journal has taken."""
        self._journal = journal
        self._owner = owner
        self._outlet = outlet
        self._guard = guard
        self._dirty: dict[str, list[EventT]] = {}
        self._events: AcknowledgeQueues[EventT] = AcknowledgeQueues()
        self._snapshots = Snapshots(owner, now, journal.settings)
        self._outgoing: deque[_Outgoing[EventT]] = deque()
        self._publishing = 0
        # The newest journal offset whose commands are published, and what the journal says of it.
        self._published = -1
        self._noted = -1
        self._noted_at = 0.0
        self._renew_at = 0.0
        self._flushing = False
        self._more = False
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._publish_wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None

    @property
    def epoch(self) -> Epoch:
        """Return the ownership that records, Redis writes and partials carry."""
        return self._journal.epoch

    @property
    def last_offset(self) -> int:
        """Return the partition's last offset, for a claim after a clean flush and close."""
        return self._journal.last_offset

    @property
    def dirty(self) -> int:
        """Return how many accounts wait for the next group."""
        return len(self._dirty)

    @property
    def unpublished(self) -> int:
        """Return how many commands are in the journal, or on their way there, and not published."""
        return self._snapshots.unpublished

    @property
    def unacknowledged(self) -> int:
        """Return how many events wait for their effects to become durable."""
        return len(self._events)

    @property
    def settled(self) -> bool:
        """Return whether everything marked until now is in the journal and published."""
        return not (self._dirty or self._outgoing or self._publishing or self._journal.appending)

    async def begin(self, recovery: Recovery, sources: Mapping[str, str] | None = None) -> None:
        """Publish again what the last owner may not have, note it, and start the loops.

        `sources` are the ids of the source topics, verified by the caller. Raises JournalLost or
        OutletLost; the journal is given up then.
        """
        try:
            self._guard.check()
            self._snapshots.not_before(recovery.now)
            notes: list[KeyValue] = []
            if recovery.commands:
                await self._outlet.publish(recovery.commands)
                published = Published(self.epoch, self.epoch.offset)
                notes.append((PUBLISHED_KEY, encode_record(published)))
            if sources and (recovery.memory_stands or dict(sources) != recovery.sources):
                notes.append((SOURCES_KEY, encode_record(Sources(self.epoch, dict(sources)))))
            if notes:
                await self._journal.append(notes)
        except BaseException:
            await self._journal.abort()
            raise
        loop = asyncio.get_running_loop()
        self._noted_at = loop.time()
        self._renew_at = loop.time() + self.settings.renew_every
        name = self._journal.name
        self._tasks = [
            asyncio.create_task(self._guarded(self._append_loop()), name=f"append {name}"),
            asyncio.create_task(self._guarded(self._publish_loop()), name=f"publish {name}"),
        ]

    def mark(self, account_id: str, event: EventT | None = None, *, urgent: bool = False) -> None:
        """Say that an account changed, and which event did it; call right after folding it.

        `urgent`: somebody waits for it, so its group does not wait for more.
        """
        if self.lost is not None:
            return
        events = self._dirty.get(account_id)
        if events is None:
            check_account_id(account_id)
        if event is not None:
            self._events.add(event)
        if events is None:
            if not self._dirty:
                self._stir()
            events = self._dirty[account_id] = []
        if event is not None:
            events.append(event)
        if urgent:
            self._urgent.set()

    def settle(self, event: EventT) -> None:
        """Say that an event changed nothing (a repeat); it is acknowledged in its turn."""
        if self.lost is not None:
            return
        self._events.add(event)
        self._acknowledge([event])

    def dead_letter(self, event: EventT, letter: CommandOut) -> None:
        """Publish a dead letter; the event is acknowledged in its turn once the letter is.

        Raises RecordTooLarge before anything is done if no topic would take the letter.
        """
        if letter.size > MAX_COMMAND_BYTES:
            raise RecordTooLarge(f"dead letter of {letter.size} bytes, at most 1,000,000")
        if self.lost is not None:
            return
        self._events.add(event)
        self._outgoing.append(_Outgoing([("", letter)], event=event))
        self._publish_wake.set()
        self._stir()

    def expect(self, *, more: bool) -> None:
        """Say whether more is known to come at once; once it has come the group waits no longer."""
        if self._more and not more:
            self.hasten()
        self._more = more

    def hasten(self) -> None:
        """Let what is marked until now wait for nothing more."""
        if self._dirty:
            self._urgent.set()

    async def flush(self, seconds: float) -> None:
        """Return when all that was marked is appended, acknowledged, published and noted.

        Raises JournalLost or OutletLost, also when that long was not enough.
        """
        self._flushing = True
        self._urgent.set()
        self._stir()
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            self._fail(JournalLost(f"{self._journal.name}: not flushed in {seconds:g} s"))
        finally:
            self._flushing = False
        if self.lost is not None:
            raise self.lost

    async def close(self) -> None:
        """Give the partition up; what is not flushed is left to the next owner."""
        if self.lost is None and not self._idle.is_set():
            self._drop(JournalLost(f"{self._journal.name} was closed before it was flushed"))
        if self._ending is not None:
            await self._ending
            return
        if self.lost is None:
            self.lost = JournalLost(f"{self._journal.name} is closed")
        await self._stop_loops()
        await self._journal.close()

    # The append loop

    async def _append_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wait_for_work()
            if self.linger and self._dirty:
                await self._gather()
            if loop.time() >= self._renew_at:
                self._guard.check()
                self._journal = await self._journal.renew()
                self._renew_at = loop.time() + self.settings.renew_every
            # 1. One step without await: the accounts' bytes, and the events that are in them.
            group = self._take()
            # 2. Append. Only what the journal holds may be acknowledged or published (H-7).
            if group.records:
                self._guard.check()
                offsets = await self._journal.append(group.records)
                self._guard.check()
                if group.notes_published is not None:
                    self._noted = group.notes_published
                    self._noted_at = loop.time()
                # 3. Publish, in the order of the journal; the loop below.
                if group.commands:
                    self.durable(group.commands)
                    self._outgoing.append(_Outgoing(group.commands, offset=offsets[-1]))
                    self._publish_wake.set()
            # 4. Acknowledge exactly the events of this group.
            self._acknowledge(group.events)

    async def _gather(self) -> None:
        """Let more come, until somebody waits for what there is."""
        loop = asyncio.get_running_loop()
        last = loop.time() + self.longest_linger
        waits = self.linger
        while waits > 0 and not self._urgent.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(waits):
                    await self._urgent.wait()
            waits = min(self.linger, last - loop.time()) if self._more else 0.0

    async def _wait_for_work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            backlog = len(self._outgoing) + self._publishing
            if self._dirty and backlog <= self.settings.publish_backlog:
                return
            due = self._renew_at
            if self._published > self._noted:
                due = min(due, self._noted_at + self.settings.published_every)
                if self._flushing and backlog == 0:
                    due = 0.0
            elif not self._dirty and backlog == 0:
                self._idle.set()
            if due <= loop.time():
                return
            self._wake.clear()
            try:
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _take(self) -> _Group[EventT]:
        group: _Group[EventT] = _Group()
        bounds, epoch, now = self.settings, self.epoch, self._snapshots.now()
        # The loop's own clock may stand still within a turn (uvloop's does).
        end = monotonic() + bounds.group_seconds
        taken: list[str] = []
        for account_id, events in self._dirty.items():
            if len(taken) >= bounds.group_accounts or group.size >= bounds.group_bytes:
                break
            if taken and monotonic() > end:
                break
            key, value, commands = self._snapshots.take(account_id, epoch, now)
            group.records.append((key, value))
            group.size += len(value)
            group.events.extend(events)
            group.commands += [(account_id, command) for command in commands]
            taken.append(account_id)
        for account_id in taken:
            del self._dirty[account_id]
        if not (self._dirty or self._flushing):
            self._urgent.clear()
        if self._published > self._noted and self._note_is_due():
            group.notes_published = self._published
            note = encode_record(Published(self.epoch, self._published))
            group.records.append((PUBLISHED_KEY, note))
        return group

    def _note_is_due(self) -> bool:
        waited = asyncio.get_running_loop().time() - self._noted_at
        return self._flushing or waited >= self.settings.published_every

    def _acknowledge(self, events: Sequence[EventT]) -> None:
        ready = self._events.done(events)
        if ready:
            self._owner.acknowledge(ready)

    # The publish loop

    async def _publish_loop(self) -> None:
        while True:
            while not self._outgoing:
                self._publish_wake.clear()
                await self._publish_wake.wait()
            self._guard.check()
            batch = list(self._outgoing)
            self._outgoing.clear()
            self._publishing = len(batch)
            await self._outlet.publish([c for item in batch for _, c in item.commands])
            self._publishing = 0
            for item in batch:
                self._was_published(item)
            self._stir()

    def _was_published(self, item: _Outgoing[EventT]) -> None:
        if item.offset is not None:
            self._published = item.offset
            for account_id, _ in item.commands:
                self._snapshots.was_published(account_id)
        if item.event is not None:
            self._acknowledge([item.event])

    # The end

    def _stir(self) -> None:
        self._idle.clear()
        self._wake.set()

    async def _guarded(self, loop: Coroutine[Any, Any, None]) -> None:
        try:
            await loop
        except (JournalLost, OutletLost, RecordTooLarge) as error:
            self._fail(error)
        # A defect in a callback must not leave the partition silently standing still.
        except Exception as error:
            log.exception("journal_writer_failed", journal=self._journal.name)
            self._fail(JournalLost(f"{self._journal.name}: {error!r}"))

    def _fail(self, error: JournalError) -> None:
        if self.lost is None:
            self._drop(error)
            self._owner.lost(self._journal.partition, error)

    def _drop(self, error: JournalError) -> None:
        # Release every reference: none of these may ever be acknowledged or published.
        self.lost = error
        self._dirty.clear()
        self._events.clear()
        self._outgoing.clear()
        self._snapshots.clear()
        self._idle.set()
        self._ending = asyncio.create_task(self._end(), name=f"end {self._journal.name}")

    async def _end(self) -> None:
        await self._stop_loops()
        await self._journal.abort()

    async def _stop_loops(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
