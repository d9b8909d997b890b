"""Which requests a worker answers, and what it says where it cannot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.engine import Engine
from monitor.escalation import Episode
from monitor.limits import Totals
from monitor.reference import load_reference
from streams.follow import Record
from streams.journal import CommandOut
from streams.settings import Settings
from streams.topics import Topics
from streams.worker.answering import OLD_MS, Answering
from streams.worker.partition import OwnedPartition
from streams.worker.runtime import Runtime, wall
from tests.rules.reduction_world import account, price_book, raw_reference

TOTALS_MS = 1_700_000_000_000


class Room:
    """Answering without a broker: partition 0 is owned, account `a` is on it."""

    def __init__(self) -> None:
        runtime = self.runtime = Runtime(Settings(clock="event"))
        engine = runtime.engine = Engine(load_reference(raw_reference()))
        engine.prices = price_book(engine.reference)
        engine.now = TOTALS_MS + 400
        held = account({"BTC": "0.1"}, mode="spot")
        held.account_id = "a"
        engine.adopt(held, Episode(), 0)
        self.owned = OwnedPartition(
            0,
            Topics(),
            engine=runtime.present_engine,
            acknowledge=lambda _: None,
            lost=lambda *_: None,
            changed=lambda _: None,
        )
        self.owned.span.ready = True
        self.published: list[CommandOut] = []
        self.answering = Answering(runtime, self, {}, lambda: Totals(TOTALS_MS))

    async def publish(self, commands: Sequence[CommandOut]) -> None:
        self.published += commands

    async def take(self, *records: Record) -> list[dict[str, Any]]:
        """Let these requests come, and return what is published."""

        async def batches() -> Any:
            yield list(records)

        self.answering._reader.batches = batches  # type: ignore[method-assign]
        await self.answering.run({0: self.owned})
        return [json.loads(out.value) for out in self.published]


def record(value: bytes, key: bytes = b"a", *, partition: int = 0, age: int = 0) -> Record:
    return SimpleNamespace(
        topic="requests",
        partition=partition,
        offset=5,
        timestamp=wall() - age,
        key=key,
        value=value,
    )


def asked(kind: str = "borrow", account_id: str = "a", **question: Any) -> bytes:
    request = {
        "request_id": "r-1",
        "account_id": account_id,
        "kind": kind,
        "question": question,
        "ts": 1,
    }
    return json.dumps(request).encode()


@pytest.fixture
async def room() -> Room:
    return Room()


async def test_ov_6_the_answer_has_the_request_id_and_the_age_of_the_totals(room: Room) -> None:
    (found,) = await room.take(record(asked(currency="USDT", amount="1000")))
    assert (found["request_id"], found["account_id"], found["check"]) == ("r-1", "a", "borrow")
    assert found["accepted"]
    assert found["totals_age_ms"] == 400
    assert "error" not in found
    (out,) = room.published
    assert (out.topic, out.key) == ("answers", b"a")


async def test_h_6_a_partition_that_is_not_ready_says_so(room: Room) -> None:
    room.owned.span.ready, room.owned.span.reason = False, "catching up"
    room.owned.ends = {"fills": 7}
    (found,) = await room.take(record(asked("assessment")))
    assert found["error"] == "not ready: catching up fills 0 of 7"
    assert found["request_id"] == "r-1"


async def test_only_owned_partitions_and_young_requests_are_answered(room: Room) -> None:
    late = record(asked("assessment"), age=OLD_MS + 1_000)
    foreign = record(asked("assessment"), partition=1)
    assert await room.take(late, foreign) == []
    (found,) = await room.take(record(asked("assessment"), age=OLD_MS - 5_000))
    assert found["assessment"]["account_id"] == "a"


@pytest.mark.parametrize(
    ("value", "key", "error"),
    [
        (asked("assessment", "b"), b"b", "unknown account b"),
        (asked("assessment"), b"b", "key b'b' is not the account_id a"),
        (asked(currency="USDT", amount="-1"), b"a", "amount: Input should be greater than 0"),
        (asked(currency="USDT"), b"a", "amount: Field required"),
        (asked(currency="NOPE", amount="1"), b"a", "currency: unknown currency NOPE"),
        (asked("order", instrument="NOPE", side="buy", quantity="1"), b"a", "NOPE"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_answered_with_the_reason(
    room: Room, value: bytes, key: bytes, error: str
) -> None:
    (found,) = await room.take(record(value, key))
    assert error in found["error"]


@pytest.mark.parametrize("value", [b"{no", b'{"kind":"borrow"}', asked("fortune")])
async def test_h_4_what_is_no_request_becomes_a_dead_letter_and_the_next_is_answered(
    room: Room, value: bytes
) -> None:
    letter, found = await room.take(record(value), record(asked("assessment")))
    assert (letter["kind"], letter["topic"], letter["offset"]) == ("dead_letter", "requests", 5)
    assert found["request_id"] == "r-1"


async def test_h_4_a_question_that_fails_does_not_end_the_worker(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise LookupError("nothing there")

    monkeypatch.setattr("streams.worker.answering.answer", fails)
    (found,) = await room.take(record(asked(currency="USDT", amount="1")))
    assert found["error"] == "failed: LookupError('nothing there')"
