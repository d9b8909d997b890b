"""Reads `partials` whole and follows it: the totals of all partitions, as old as the oldest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
import structlog

from monitor.exact import ZERO
from monitor.limits import Totals
from streams.follow import FollowerStopped, PartitionFollower, Record
from streams.totals.records import Figure, decode_figure
from streams.totals.sums import Sums

__all__ = ["TotalsReader"]

_log = structlog.get_logger(__name__)

RECORDS_A_TURN = 250
"""H-8: figures taken in one turn of the loop."""


@dataclass(slots=True)
class _Part:
    """One partition's figures under its newest epoch, and what came of a newer one."""

    epoch: int = -1
    ts: int = 0
    platform: Mapping[str, Decimal] = field(default_factory=dict)
    main_accounts: dict[str, None] = field(default_factory=dict)
    next_epoch: int = -1
    next_main_accounts: dict[str, Figure] = field(default_factory=dict)
    """Held until the platform's figure says that they are all there."""


class TotalsReader:
    """Adds up the parts of `partitions` partitions; figures of another journal do not count."""

    def __init__(
        self, client: Mapping[str, Any], topic: str, *, partitions: int, journal: str
    ) -> None:
        self._follower = PartitionFollower(client, topic, max_records=RECORDS_A_TURN)
        self._journal = journal
        self._parts = [_Part() for _ in range(partitions)]
        self._sums = Sums()
        self._platform: dict[str, Decimal] | None = None
        self._changed: dict[str, None] = {}
        self._overwritten: dict[int, dict[str, None]] = {}
        self.caught_up = False
        """Whether the topic was read to its end at the start."""
        self.refused = 0
        """Records that could not be understood."""

    async def run(self) -> None:
        """Read and follow until stopped; failures of the brokers are retried for ever."""
        try:
            first, _, end = await self._follower.bounds()
        except FollowerStopped:
            return
        async for records in self._follower.records(first, end):
            self.take(records)
        self.caught_up = not self._follower.stopping
        async for records in self._follower.records(max(first, end)):
            self.take(records)

    def totals(self) -> Totals | None:
        """Return the totals as last read; None while any partition's part is unknown.

        They show what is read later too; `ts` is then older than need be.
        """
        if not self.caught_up or any(part.epoch < 0 for part in self._parts):
            return None
        if self._platform is None:
            self._platform = self._add_up()
        ts = min(part.ts for part in self._parts)
        return Totals(ts, self._sums.main_accounts, self._platform, complete=True)

    def missing(self) -> list[int]:
        """Return the partitions whose part is unknown."""
        return [number for number, part in enumerate(self._parts) if part.epoch < 0]

    def overwritten(self) -> dict[int, list[str]]:
        """Return, once, main accounts by partition whose figure an older owner published late.

        Compaction keeps the last record of a key, so the present owner must publish it again.
        """
        found, self._overwritten = self._overwritten, {}
        return {partition: list(mains) for partition, mains in found.items()}

    def changed(self) -> list[str]:
        """Return, once, the main accounts whose total changed."""
        found, self._changed = self._changed, {}
        return list(found)

    async def close(self) -> None:
        """Stop and disconnect."""
        await self._follower.close()

    # -- records ------------------------------------------------------------------------------

    def take(self, records: list[Record]) -> None:
        """Take records in the order of the topic."""
        for record in records:
            if record.value is None:
                continue
            try:
                figure = decode_figure(record.value)
            except msgspec.DecodeError as error:
                self.refused += 1
                _log.error("partial_not_understood", offset=record.offset, error=str(error))
                continue
            if figure.journal == self._journal and 0 <= figure.partition < len(self._parts):
                self._use(figure, self._parts[figure.partition])

    def _use(self, figure: Figure, part: _Part) -> None:
        epoch, main = figure.epoch.offset, figure.main_account_id
        if epoch < part.epoch or epoch < part.next_epoch:  # an older epoch loses
            if main is not None:
                self._overwritten.setdefault(figure.partition, {})[main] = None
        elif main is None:
            self._as_of(figure, part)
        elif epoch == part.epoch:
            self._put(figure, part)
        else:
            if epoch > part.next_epoch:
                part.next_epoch, part.next_main_accounts = epoch, {}
            part.next_main_accounts[main] = figure

    def _as_of(self, figure: Figure, part: _Part) -> None:
        epoch = figure.epoch.offset
        if epoch > part.epoch:
            for main in part.main_accounts:
                self._sum(figure.partition, main, {})
            begun = part.next_main_accounts if part.next_epoch == epoch else {}
            part.epoch, part.ts, part.main_accounts = epoch, 0, {}
            part.next_epoch, part.next_main_accounts = -1, {}
            for one in begun.values():
                self._put(one, part)
        part.ts = max(part.ts, figure.ts)
        part.platform = figure.borrowed
        self._platform = None

    def _put(self, figure: Figure, part: _Part) -> None:
        main = figure.main_account_id or ""
        self._sum(figure.partition, main, figure.borrowed)
        if figure.borrowed:
            part.main_accounts[main] = None
        else:
            part.main_accounts.pop(main, None)

    def _sum(self, partition: int, main: str, borrowed: Mapping[str, Decimal]) -> None:
        if self._sums.put(f"{partition}/{main}", main, borrowed):
            self._changed[main] = None

    def _add_up(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for part in self._parts:
            for currency, amount in part.platform.items():
                found[currency] = found.get(currency, ZERO) + amount
        return found
