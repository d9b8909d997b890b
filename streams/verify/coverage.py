"""What the workers' heartbeats say they covered: the order of ticks and account events (H-6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from pydantic import ValidationError

from monitor.schema import Heartbeat
from streams.verify.ledger import Ledger
from streams.verify.prices import Flags, FloatPrices, Ints
from streams.verify.records import ACCOUNT_TOPICS, Record

__all__ = ["Cover", "Mark", "PartitionMarks", "covered_offsets", "read_covers"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A point a worker was at: tick index, and last offset by account topic."""

    tick: int
    book: Mapping[str, int]


@dataclass(slots=True)
class Cover:
    """One unbroken ready span of one partition; `since` is a tick index."""

    partition: int
    worker: str
    since: int
    marks: list[Mark] = field(default_factory=list)


def read_covers(
    records: Sequence[Record], prices: FloatPrices
) -> tuple[dict[int, list[Cover]], list[str]]:
    """Return the ready spans by partition, in the order of their ticks, and unreadable records."""
    found: dict[tuple[int, str, int, int], Cover] = {}
    faults: list[str] = []
    for record in records:
        try:
            beat = Heartbeat.model_validate_json(record.value or b"")
        except ValidationError as error:
            faults.append(f"heartbeats offset {record.offset}: {error.errors()[0]['msg']}")
            continue
        for span in beat.spans:
            if not span.ready:
                continue
            key = (span.partition, beat.worker, span.since, span.since_tick)
            if key not in found:
                since = prices.at(span.since_tick)
                found[key] = Cover(span.partition, beat.worker, since)
            found[key].marks.append(Mark(prices.at(span.tick), dict(span.book)))
    covers: dict[int, list[Cover]] = {}
    for cover in found.values():
        cover.marks.sort(key=lambda mark: mark.tick)
        covers.setdefault(cover.partition, []).append(cover)
    for spans in covers.values():
        spans.sort(key=lambda cover: (cover.since, cover.marks[0].tick))
        for cover, after in pairwise(spans):
            # A worker that lost the partition without knowing covers nothing from then on.
            cover.marks = [mark for mark in cover.marks if mark.tick <= after.since]
    return covers, faults


def covered_offsets(covers: Mapping[int, list[Cover]]) -> dict[tuple[str, int], int]:
    """Return the last offset folded, by account topic and partition."""
    last: dict[tuple[str, int], int] = {}
    for partition, spans in covers.items():
        for cover in spans:
            for mark in cover.marks:
                for topic, offset in mark.book.items():
                    key = (topic, partition)
                    last[key] = max(last.get(key, -1), offset)
    return last


class PartitionMarks:
    """The marks of one partition, its spans one after the other, for all its accounts."""

    def __init__(self, covers: Sequence[Cover]) -> None:
        marks = [mark for cover in covers for mark in cover.marks]
        self._count = len(marks)
        self._offsets = {
            topic: np.maximum.accumulate(
                np.asarray([mark.book.get(topic, -1) for mark in marks], dtype=np.int64)
            )
            for topic in ACCOUNT_TOPICS
        }

    def versions(self, ledger: Ledger) -> tuple[Ints, Flags]:
        """Return by mark how many of the account's events its book held, and if others waited."""
        own = np.asarray(
            [
                np.searchsorted(self._offsets[entry.topic], entry.offset, side="left")
                for entry in ledger.entries
            ],
            dtype=np.int64,
        )
        reached = np.empty(len(own), dtype=np.int64)
        running = -1
        for number, mark in enumerate(own.tolist()):
            running = mark if ledger.replaces(number) else max(running, mark)
            reached[number] = running
        # A snapshot applies at once: what stands before it is then applied or skipped too.
        reached = np.minimum.accumulate(reached[::-1])[::-1]
        waiting = np.zeros(self._count, dtype=bool)
        for place in np.flatnonzero(own < reached):
            waiting[own[place] : reached[place]] = True
        return np.searchsorted(reached, np.arange(self._count), side="right"), waiting
