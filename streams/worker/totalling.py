"""H-10: this worker's part of the totals goes out, the totals of all workers come in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import structlog

from monitor.account import Account
from monitor.exact import ONE
from monitor.limits import Totals, usable_totals
from monitor.margin import Figures
from streams.journal import CommandOut, Publisher
from streams.totals import (
    Counting,
    Frozen,
    TotalsReader,
    as_of_record,
    main_account_record,
)
from streams.worker.partition import OwnedPartition
from streams.worker.runtime import SLICE_SECONDS, Runtime

__all__ = ["Totalling", "pause_between_turns"]

log = structlog.get_logger(__name__)

PUBLISH_SECONDS = 1.0
TURNS_APART_SECONDS = 0.02
BEHIND_SECONDS = 0.0025
"""Between two turns while what changed is not counted: at most a third of the loop's time."""
IN_LINE_SECONDS = 0.01
"""The same while ticks or account events stand in line: at most a tenth of it."""
LATE_SECONDS = 2.0
"""Behind for so long, counting waits for nothing any more: totals too old refuse borrowing (H-10)."""
DURABLE_SECONDS = 1.0
DURABLE_POLL_SECONDS = 0.005
RECORDS_AT_ONCE = 200
MAIN_ACCOUNTS_A_TURN = 50


def pause_between_turns(behind: float, *, busy: bool) -> float:
    """Return how long counting leaves the loop to others, in seconds.

    `behind`: for how many seconds there has been something to count; `busy`: whether ticks or account events
    stand in line.
    """
    if behind <= 0:
        return TURNS_APART_SECONDS
    return IN_LINE_SECONDS if busy and behind < LATE_SECONDS else BEHIND_SECONDS


class Owned(Protocol):
    """What is used of the ownership."""

    @property
    def partitions(self) -> Mapping[int, OwnedPartition]: ...

    @property
    def busy(self) -> bool: ...

    @property
    def arming(self) -> bool: ...

    def examine_soon(self, account_ids: Sequence[str]) -> None: ...


class Totalling:
    """Counts, publishes and uses; made before the ownership that it is told of."""

    def __init__(
        self, runtime: Runtime, outlet: Publisher, clock: Callable[[], int] | None = None
    ) -> None:
        self.counting = Counting(runtime.present_engine)
        self._runtime, self._outlet = runtime, outlet
        self._now = clock if clock is not None else runtime.now
        self._reader: TotalsReader | None = None
        self._journal = ""
        self._count = 0

    def connect(self, client: Mapping[str, Any], *, journal: str, partitions: int) -> TotalsReader:
        """Read `partials`; `journal` is the id of the topic whose offsets the epochs are."""
        topic = self._runtime.topics.partials
        self._journal, self._count = journal, partitions
        self._reader = TotalsReader(client, topic, partitions=partitions, journal=journal)
        return self._reader

    async def close(self) -> None:
        """Let the consumer go."""
        if self._reader is not None:
            await self._reader.close()

    @property
    def totals(self) -> Totals | None:
        """What is borrowed in all, however old; None: unknown."""
        return self._reader.totals() if self._reader is not None else None

    def usable(self) -> Totals | None:
        """H-10: return the totals, None when they are unknown or too old."""
        policy = self._runtime.present_engine().reference.policy
        return usable_totals(self.totals, self._now(), policy)

    # -- what the worker says -----------------------------------------------------------------

    def ready(self, partition: int) -> None:
        """Count a partition's accounts from now on."""
        self.counting.begin(partition)

    def released(self, partition: int) -> None:
        """Count a partition no longer."""
        self.counting.end(partition)

    def changed(self, partition: int, account_id: str) -> None:
        """Count an account anew."""
        self.counting.mark(partition, account_id)

    def assessed(self, partition: int, account: Account, figures: Figures) -> None:
        """Take figures that were made for another purpose: they need not be made again."""
        self.counting.note(partition, account, figures)

    def share(self, owned: Owned) -> None:
        """RD-6: the caps are shared by partitions; what others command now nobody can know now."""
        engine = self._runtime.engine
        if engine is not None and self._count:
            engine.caps.share = min(ONE, Decimal(len(owned.partitions)) / self._count)

    # -- loops --------------------------------------------------------------------------------

    async def count(self, owned: Owned) -> None:
        """Count what changed, in bounded turns, until cancelled (H-8).

        Partitions on their way to ready come first: what is not counted yet makes totals older, no account unguarded.
        """
        clock = asyncio.get_running_loop().time
        up_to_date = clock()
        while True:
            now = clock()
            if not any(part.marked for part in self.counting.parts.values()):
                up_to_date = now
            await asyncio.sleep(pause_between_turns(now - up_to_date, busy=owned.busy))
            if self._runtime.engine is not None and not owned.arming:
                self.counting.turn(SLICE_SECONDS)

    async def publish(self, owned: Owned) -> None:
        """Publish each ready partition's part every second until cancelled."""
        await self._runtime.inputs.wait()
        while True:
            await asyncio.sleep(PUBLISH_SECONDS)
            again = self._reader.overwritten() if self._reader is not None else {}
            for number, mains in again.items():
                part = self.counting.parts.get(number)
                if part is not None:
                    part.publish_again(mains)
            for one in list(owned.partitions.values()):
                await self._publish(one)

    async def use(self, owned: Owned) -> None:
        """Give the engine the totals and its share of the caps every second until cancelled."""
        await self._runtime.has_engine.wait()
        engine = self._runtime.present_engine()
        known = False
        while True:
            # `use_totals` would look at every account; here only what changed is looked at.
            found = engine.totals = self.usable()
            if found is not None and self._reader is not None:
                await self._look_for_excess(self._reader.changed(), found, owned)
            self.share(owned)
            if known != (found is not None):
                known = found is not None
                log.info("totals", known=known, missing=self._reader and self._reader.missing())
            await asyncio.sleep(PUBLISH_SECONDS)

    async def _look_for_excess(self, changed: list[str], totals: Totals, owned: Owned) -> None:
        """OC-3: have the accounts examined that a total may have put past a limit (H-8: in turns)."""
        owned.examine_soon(list(self.counting.of_spent_pools(totals)))
        for start in range(0, len(changed), MAIN_ACCOUNTS_A_TURN):
            await asyncio.sleep(0)
            part = changed[start : start + MAIN_ACCOUNTS_A_TURN]
            owned.examine_soon(list(self.counting.of_main_accounts(part)))

    async def _publish(self, owned: OwnedPartition) -> None:
        """Publish one partition's part, once what it was counted from is in the journal."""
        part, writer = self.counting.parts.get(owned.number), owned.writer
        if part is None or writer is None or not owned.span.ready:
            return
        frozen = part.freeze(self._now(), writer.epoch)
        if frozen is None:
            return
        if not await self._durable(owned) or writer.epoch != frozen.epoch:
            part.publish_again(frozen.main_accounts)
            return
        for records in self._records(owned.number, frozen):
            await self._outlet.publish(records)

    async def _durable(self, owned: OwnedPartition) -> bool:
        """Wait until all that is folded by now is in the journal; False: not in time, or lost."""
        is_durable = owned.durable_from_now()
        if owned.writer is not None:
            owned.writer.hasten()
        loop = asyncio.get_running_loop()
        until = loop.time() + DURABLE_SECONDS
        while not is_durable():
            if not owned.span.ready or loop.time() > until:
                return False
            await asyncio.sleep(DURABLE_POLL_SECONDS)
        return True

    def _records(self, partition: int, frozen: Frozen) -> Iterator[list[CommandOut]]:
        """Yield the records of a part, a few at a time (H-8)."""
        topic, journal = self._runtime.topics.partials, self._journal
        whose = (topic, partition, journal, frozen.epoch, frozen.ts)
        records: list[CommandOut] = []
        for main, borrowed in frozen.main_accounts.items():
            records.append(main_account_record(*whose, main, borrowed))
            if len(records) == RECORDS_AT_ONCE:
                yield records
                records = []
        # Last: its `ts` holds for all the others.
        yield [*records, as_of_record(*whose, frozen.platform)]
