"""What was said of one account: its episodes with their commands, and its interest."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
import structlog
from aiokafka.errors import KafkaError

from monitor.escalation import Episode
from monitor.exact import plain
from streams.connection import kafka_client
from streams.dashboard.source.history import Entry, History, entry_of
from streams.dashboard.source.older import OlderRecords
from streams.dashboard.source.times import wall_ms
from streams.settings import Settings
from streams.topics import COMMAND_TOPICS, Topics

__all__ = ["EpisodeRow", "Timelines", "episode_state"]

_log = structlog.get_logger(__name__)

_DAY_MS = 24 * 3_600_000
_BACK_MS = 7 * _DAY_MS
_INTEREST_BACK_MS = 2 * _DAY_MS
_REMEMBERED = 500
_INTEREST_SHOWN = 200


class EpisodeRow(msgspec.Struct):
    """One episode; `opened_at` None: it was opened before what is still on the topics."""

    episode_id: str
    position: str | None
    opened_at: int | None
    closed_at: int | None
    state: str
    """`opened`, or what was said of it last."""
    commands: list[msgspec.Raw]
    """In order of their sequence, re-sends after each."""


class Timelines:
    """The history in memory, and behind it what stands on the account's own partitions."""

    def __init__(self, settings: Settings, history: History) -> None:
        self._history = history
        self._topics = Topics(settings.topic_prefix)
        self._older = OlderRecords(kafka_client(settings))
        self._known: dict[str, tuple[dict[tuple[str, int], int], list[Entry]]] = {}
        """Account → up to which offsets its older commands were read, and these commands."""

    async def episodes(self, account_id: str) -> tuple[list[EpisodeRow], bool]:
        """Return the episodes of the last week, newest first, and whether none can be missing."""
        entries, complete = await self._commands(account_id)
        found: dict[str, list[Entry]] = {}
        for entry in entries:
            found.setdefault(entry.head.episode_id, []).append(entry)
        rows = [_row(name, of_it) for name, of_it in found.items()]
        rows.sort(key=lambda row: (row.opened_at is None, row.opened_at or 0), reverse=True)
        return rows, complete

    async def interest(self, account_id: str) -> tuple[list[msgspec.Raw], bool]:
        """IN-6: return the notices of the last two days, newest first, and whether that is all.

        Raises aiokafka's `KafkaError` and TimeoutError.
        """
        if not self._partitions:
            raise TimeoutError("no broker has answered yet")
        found = await self._older.of_account(
            account_id,
            [self._topics.interest],
            partitions=self._partitions,
            since_ms=wall_ms() - _INTEREST_BACK_MS,
        )
        records = found.records[-_INTEREST_SHOWN:]
        complete = found.complete and len(records) == len(found.records)
        return [msgspec.Raw(r.value) for r in reversed(records) if r.value], complete

    @property
    def _partitions(self) -> int:
        """How many partitions the topics by account have; 0 before a broker has told."""
        return sum(topic == "warnings" for topic, _ in self._history.kept_from)

    async def _commands(self, account_id: str) -> tuple[list[Entry], bool]:
        """Return the account's commands, oldest first."""
        older, complete = await self._behind(account_id)
        recent = self._history.of_account(account_id)
        seen = {(e.head.command_id, e.head.attempt) for e in older}
        return [
            *older,
            *(e for e in recent if (e.head.command_id, e.head.attempt) not in seen),
        ], complete

    async def _behind(self, account_id: str) -> tuple[list[Entry], bool]:
        """Return what stands before the history's beginning; what was read once is remembered."""
        kept_from = dict(self._history.kept_from)
        known = self._known.get(account_id)
        if known is not None and known[0] == kept_from:
            return known[1], True
        if not any(kept_from.values()):
            return [], bool(kept_from)
        try:
            found = await self._older.of_account(
                account_id,
                [self._topics.name(topic) for topic in COMMAND_TOPICS],
                partitions=self._partitions,
                since_ms=wall_ms() - _BACK_MS,
                until={(self._topics.name(t), p): at for (t, p), at in kept_from.items()},
            )
        except (KafkaError, OSError, TimeoutError) as error:
            _log.warning("older_commands_not_read", account_id=account_id, error=repr(error))
            return [], False
        entries = [
            entry
            for record in found.records
            if (entry := entry_of(record, self._topics.bare(record.topic))) is not None
        ]
        if found.complete:
            self._known.pop(account_id, None)
            self._known[account_id] = (kept_from, entries)
            if len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        return entries, found.complete


def _row(episode_id: str, entries: Iterable[Entry]) -> EpisodeRow:
    ordered = sorted(entries, key=lambda e: (e.head.sequence, e.head.attempt))
    opened = closed = None
    state = "opened"
    for entry in ordered:
        head = entry.head
        if head.kind != "episode" or head.state is None:
            continue
        state = head.state
        if state == "opened":
            opened = head.decided_at
        elif state == "closed":
            closed = head.decided_at
    return EpisodeRow(
        episode_id,
        ordered[-1].head.position,
        opened,
        closed,
        state,
        [msgspec.Raw(entry.body) for entry in ordered],
    )


def episode_state(episode: Episode) -> dict[str, Any]:
    """Return what an escalation remembers, without the bytes of its commands; decimals as strings."""
    found: dict[str, Any] = _plain(msgspec.to_builtins(episode, builtin_types=(Decimal,)))
    for pending in [*found.get("cancels", []), found.get("reduction")]:
        if pending is not None:
            pending.pop("command", None)
    return {"n": episode.n, "open": episode.open, **found}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
