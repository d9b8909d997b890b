"""Follows the reference topic and hands over each complete, checked set, all at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog

from monitor.exact import use_exact_context
from monitor.reference import BadReference, Reference
from streams.dead_letters import BadRecord
from streams.follow import FollowerStopped, PartitionFollower, Record
from streams.reference.records import SET_KEY, SetRecord, compile_set, mismatches

__all__ = ["ReferenceFollower"]

_log = structlog.get_logger(__name__)

# Complete sets met while the topic is read at the start; should the newest contradict itself, the
# ones before it are tried.
_CANDIDATES = 8

_decode_set = msgspec.json.Decoder(SetRecord).decode


class ReferenceFollower:
    """Reads the topic whole, then follows it; a bad set is reported and changes nothing.

    `on_reference` gets each set that is complete and differs from the one in use; `on_bad` the
    `set` records that are refused, and records without a key.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        topic: str,
        *,
        on_reference: Callable[[Reference], None],
        on_bad: Callable[[BadRecord], None],
    ) -> None:
        self._follower = PartitionFollower(client, topic)
        self._on_reference = on_reference
        self._on_bad = on_bad
        self._entries: dict[str, bytes] = {}
        self._next = 0
        self.reference: Reference | None = None
        """The set in use."""
        self.caught_up = False
        """Whether the topic was read to its end at the start."""
        self.refused = 0
        """Sets refused since the start."""

    async def run(self) -> None:
        """Read and follow until stopped; failures of the brokers are retried for ever."""
        try:
            first, _, end = await self._follower.bounds()
        except FollowerStopped:
            return
        await self._catch_up(first, end)
        if self._follower.stopping:
            return
        self.caught_up = True
        if self.reference is None:
            _log.warning("reference_missing", topic=self._follower.topic)
        async for records in self._follower.records(max(first, end)):
            for record in records:
                closing = self._take(record)
                if closing is not None:
                    await self._switch(record, closing, self._entries)

    async def _catch_up(self, first: int, end: int) -> None:
        """Use the last good set. Older ones may lack entries that compaction has removed."""
        candidates: deque[tuple[Record, SetRecord, dict[str, bytes]]] = deque(maxlen=_CANDIDATES)
        incomplete: tuple[Record, list[str]] | None = None
        async for records in self._follower.records(first, end):
            for record in records:
                closing = self._take(record)
                if closing is None:
                    continue
                errors = mismatches(self._entries, closing)
                if errors:
                    incomplete = record, errors
                else:
                    incomplete = None
                    candidates.append((record, closing, dict(self._entries)))
        if incomplete is not None:
            self._refuse(*incomplete)
        while candidates and not self._follower.stopping:
            if await self._switch(*candidates.pop()):
                return

    def _take(self, record: Record) -> SetRecord | None:
        """Take one record into the entries; return it decoded when it closes a set."""
        if record.offset < self._next:  # the topic was made anew
            self._entries.clear()
        self._next = record.offset + 1
        if record.key is None:
            self._refuse(record, ["key: a record of this topic needs one"])
        elif record.key == SET_KEY:
            try:
                return _decode_set(record.value or b"")
            except msgspec.DecodeError as error:
                self._refuse(record, [f"set: {error}"])
        elif record.value is None:
            self._entries.pop(record.key.decode(errors="replace"), None)
        else:
            self._entries[record.key.decode(errors="replace")] = record.value
        return None

    async def _switch(
        self, record: Record, closing: SetRecord, entries: Mapping[str, bytes]
    ) -> bool:
        """Hand the set over if it is complete and consistent; say whether it is in use now."""
        errors = mismatches(entries, closing)
        if not errors:
            if self.reference is not None and self.reference.sha256 == closing.sha256:
                return True
            try:
                # Some thousand instruments take tenths of a second to check (H-8).
                reference = await asyncio.to_thread(_compile, dict(entries), closing)
            except BadReference as error:
                errors = error.errors
            else:
                self.reference = reference
                _log.info(
                    "reference_switched",
                    sha256=reference.sha256,
                    currencies=len(reference.currencies),
                    instruments=len(reference.instruments),
                )
                self._on_reference(reference)
                return True
        self._refuse(record, errors)
        return False

    def _refuse(self, record: Record, errors: list[str]) -> None:
        self.refused += 1
        kept = None if self.reference is None else self.reference.sha256
        _log.error("reference_refused", offset=record.offset, errors=errors, kept=kept)
        self._on_bad(
            BadRecord(
                record.topic,
                record.partition,
                record.offset,
                record.key,
                record.value,
                "; ".join(errors),
            )
        )

    def stop(self) -> None:
        """End `run` at once."""
        self._follower.stop()

    async def close(self) -> None:
        """Stop and disconnect."""
        await self._follower.close()


def _compile(entries: Mapping[str, bytes], closing: SetRecord) -> Reference:
    use_exact_context()  # contexts belong to threads
    return compile_set(entries, closing)
