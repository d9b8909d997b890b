"""The way of one account through a run: the points a worker was at with it, and the legs between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streams.verify.coverage import Cover, PartitionMarks
from streams.verify.judge import Turn
from streams.verify.ledger import Ledger
from streams.verify.prices import Flags, FloatPrices, Ints
from streams.verify.report import Violation
from streams.verify.standing import Standing

__all__ = ["Leg", "Path", "Point"]

UNREADY = "no ready worker covered it"
AFTER = "after the last heartbeat"
BEFORE = "before the first ready worker"


@dataclass(frozen=True, slots=True)
class Point:
    """Somewhere the account was: `version` events applied, at any of ticks `first`..`last`."""

    version: int
    first: int
    last: int
    covered: bool
    """The way from the point before lies in a ready span."""
    after: Standing | None = None
    """A command's standing; None for a heartbeat."""
    waiting: bool = False
    """Events were held that waited for one before them: the account may have been out of sync."""
    entrance: bool = False
    """A span starts: events before it may have been applied in any number."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The way between two points, under one standing."""

    start: Point
    end: Point
    standing: Standing
    reason: str | None
    """Why a crossing on it is excused; None when it is covered."""


class Path:
    """The points of one account, or of one isolated position of it, in order."""

    def __init__(
        self,
        ledger: Ledger,
        turns: Sequence[Turn],
        covers: Sequence[Cover],
        marks: PartitionMarks,
        prices: FloatPrices,
        key: str | None = None,
    ) -> None:
        self.ledger, self.prices, self.key = ledger, prices, key
        self._marks = list(self._stops(covers, *marks.versions(ledger)))
        self._turns = [self._placed(turn) for turn in turns]
        self.disorder: list[Violation] = []

    def _placed(self, turn: Turn) -> Point:
        if turn.ticks is None:
            # Decided on its book alone: somewhere between the heartbeats around that version.
            before = [mark.last for mark in self._marks if mark.version < turn.version]
            later = [mark.first for mark in self._marks if mark.version >= turn.version]
            first, last = max(before, default=0), min(later, default=self.prices.ticks - 1)
            last = max(first, last)
        else:
            first, last = (self.prices.at(tick) for tick in turn.ticks)
        return Point(turn.version, max(0, first), last, False, turn.after, waiting=turn.waiting)

    @staticmethod
    def _stops(covers: Sequence[Cover], versions: Ints, waiting: Flags) -> Iterator[Point]:
        """Yield the heartbeats between which something happened to the account."""
        place, before = 0, 0
        for cover in covers:
            count = len(cover.marks)
            yield Point(before, cover.since, cover.since, False, entrance=True)
            if not count:
                continue
            own, held = versions[place : place + count], waiting[place : place + count]
            changes = np.flatnonzero(np.diff(own, prepend=before))
            waits = np.flatnonzero(held)
            kept = np.unique(
                np.concatenate([changes - 1, changes, waits - 1, waits, waits + 1, [count - 1]])
            )
            for number in kept[(kept >= 0) & (kept < count)]:
                tick = cover.marks[number].tick
                yield Point(int(own[number]), tick, tick, True, waiting=bool(held[number]))
            before = int(own[-1])
            place += count

    def legs(self) -> Iterator[Leg]:
        """Yield every leg from the first tick to the last."""
        standing, inside, started = Standing(key=self.key), False, False
        start = Point(0, 0, -1, False)
        turns = list(reversed(self._turns))
        for mark in [*self._marks, None]:
            stop = mark
            while turns and (stop is None or _before(turns[-1], stop)):
                turn = turns.pop()
                yield from self._leg(start, turn, standing, self._reason(inside, started, stop))
                start, standing = _later(start, turn), turn.after or standing
            if stop is None:
                break
            if stop.entrance and stop.version < start.version:
                # A command said more than the last heartbeat before the gap: the gap is one still.
                stop = replace(stop, version=start.version)
            covered = inside and not stop.entrance
            yield from self._leg(
                start, stop, standing, None if covered else self._reason(False, started, stop)
            )
            start, inside, started = _later(start, stop), True, True
        end = Point(start.version, self.prices.ticks - 1, self.prices.ticks - 1, False)
        yield Leg(start, end, standing, AFTER if started else BEFORE)

    @staticmethod
    def _reason(inside: bool, started: bool, stop: Point | None) -> str | None:
        if stop is None:
            return AFTER if started else BEFORE
        if inside and not stop.entrance:
            return None
        return UNREADY if started else BEFORE

    def _leg(
        self, start: Point, end: Point, standing: Standing, reason: str | None
    ) -> Iterator[Leg]:
        if end.version < start.version or end.last < start.first:
            if reason is None:
                what = "a command's inputs" if end.after is not None else "a heartbeat"
                self.disorder.append(
                    Violation(
                        "order",
                        self.ledger.account,
                        f"{what} at or after {self._place(start)}",
                        self._place(end),
                        detail=(f"standing: {standing.brief()}",),
                    )
                )
            return
        yield Leg(start, end, standing, reason)

    def _place(self, point: Point) -> str:
        first, last = (
            self.prices.offset(index) if index >= 0 else -1 for index in (point.first, point.last)
        )
        kind = "a command" if point.after is not None else "a heartbeat"
        return f"version {point.version}, tick offsets {first}..{last} ({kind})"


def _before(turn: Point, stop: Point) -> bool:
    if stop.entrance:
        return turn.last < stop.first
    return turn.first <= stop.first and turn.version <= stop.version


def _later(start: Point, end: Point) -> Point:
    """Return where to go on from: never back, when a point was out of order."""
    if end.version < start.version or end.last < start.first:
        return start
    return end
