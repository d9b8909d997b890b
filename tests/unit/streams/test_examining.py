"""Accounts examined in turns: a partition is ready with the last of its own (H-8, H-9)."""

from __future__ import annotations

import asyncio
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.escalation import Episode
from streams.worker import examining
from streams.worker.examining import Examining
from streams.worker.partition import Span
from streams.worker.runtime import TURN_SECONDS
from tests.rules.test_engine import Desk, long
from tests.unit.journal.pretend import eventually


class Room:
    """Two armed partitions of one engine, to be examined one account a turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = Desk({"a": long("90000")}, arm=False).engine
        for number in range(6):
            made = long("90000")
            made.account_id = f"b{number}"
            self.engine.adopt(made, Episode(), 1)
        moments = (0.6 * TURN_SECONDS * number for number in count())
        monkeypatch.setattr("streams.worker.examining.time.perf_counter", lambda: next(moments))
        monkeypatch.setattr(examining, "ACCOUNTS_AT_ONCE", 1)
        self.owned = {n: SimpleNamespace(number=n, span=Span(), folded={}) for n in (0, 1)}
        self.ready: list[tuple[int, bool]] = []
        """Partitions as they became ready, and whether accounts still waited then."""
        runtime: Any = SimpleNamespace(engine=self.engine, tick=7, now=lambda: self.engine.now)
        totalling: Any = SimpleNamespace(ready=self._note)
        partitions: Any = self.owned
        self.examining = Examining(
            runtime,
            partitions,
            lambda *_: None,
            view=SimpleNamespace(),  # type: ignore[arg-type]
            totalling=totalling,
            on_ready=lambda: None,
        )

    def _note(self, number: int) -> None:
        self.ready.append((number, self.examining.under_way))

    def arm(self, number: int) -> None:
        self.engine.armed.add(number)
        self.examining.soon(self.engine.unseen(number))


async def test_h_9_a_partition_waits_for_no_accounts_but_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = Room(monkeypatch)
    room.arm(0)
    room.arm(1)
    task = asyncio.create_task(room.examining.run())
    await eventually(lambda: len(room.ready) == 2)
    assert room.ready == [(0, True), (1, False)]
    task.cancel()
