"""H-10 on a real Kafka: what one main account borrows on two workers, and how old that is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import murmur2

from monitor.schema.checks import BorrowQuestion, CheckAnswer
from streams.client import Asker, Inquiry
from streams.requests import RequestFailed
from streams.settings import Settings
from tests.support.bus import (
    REFERENCE,
    Bus,
    now_ms,
    opened,
    worker_environment,
)
from tests.support.processes import Command

pytestmark = [pytest.mark.integration, pytest.mark.intake]

PARTITIONS = 2
MAX_AGE_MS = 3_000
"""Ten seconds by the policy's `time_scale`."""
SESSION_SECONDS = 10.0
WAIT_SECONDS = 60.0


def name_on(partition: int) -> str:
    """Return an account that a partition holds."""
    return next(
        name
        for name in (f"sub-{number}" for number in range(100))
        if (murmur2(name.encode()) & 0x7FFFFFFF) % PARTITIONS == partition
    )


def capped_reference() -> dict[str, Any]:
    reference = deepcopy(REFERENCE)
    reference["currencies"]["USDT"] |= {"vip_caps": {"5": "10000"}, "platform_pool": "50000"}
    reference["policy"]["time_scale"] = "0.3"
    return reference


def sub_account(account: str, borrowed: str, seq: int = 1) -> dict[str, Any]:
    """1 BTC, and so much USDT borrowed and spent."""
    return {
        "account_id": account,
        "main_account_id": "M",
        "vip_level": "5",
        "mode": "spot",
        "auto_borrow": True,
        "position_mode": "net",
        "borrow_leverage": {"*": "5"},
        "account_seq": seq,
        "ts": now_ms(),
        "snapshot": {
            "balances": [
                {"currency": "BTC", "cash": "1"},
                {"currency": "USDT", "cash": "0", "borrowed": borrowed},
            ],
            "positions": [],
            "orders": [],
        },
    }


@pytest.fixture
async def bus(settings: Settings, tmp_path: Path) -> AsyncIterator[Bus]:
    patient = settings.model_copy(update={"session_timeout": SESSION_SECONDS})
    async with opened(patient, tmp_path, capped_reference(), btc="50000") as found:
        yield found


async def both_own_one(bus: Bus) -> None:
    """Return when two workers have a ready partition each."""
    for number in range(PARTITIONS):
        await bus.until(
            lambda m, own=[number]: (
                m["kind"] == "heartbeat" and m["state"] == "ready" and m["partitions"] == own
            )
        )


async def until(asker: Asker, account: str, amount: str, wanted: Any) -> CheckAnswer:
    """Ask for a borrowing until the answer is as wanted."""
    inquiry = Inquiry(
        account_id=account,
        question=BorrowQuestion.model_validate({"currency": "USDT", "amount": amount}),
    )
    last: object = None
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    last = await asker.ask(inquiry, seconds=WAIT_SECONDS)
                except RequestFailed as error:
                    if "not ready" not in str(error):  # while partitions change hands
                        raise
                    await asyncio.sleep(0.2)
                    continue
                assert isinstance(last, CheckAnswer)
                if wanted(last):
                    return last
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"never as wanted: {last}") from None


def used(answer: CheckAnswer) -> str:
    return str(answer.figures.get("USDT.main_account_used"))


@pytest.mark.timeout(180)
async def test_h_10_a_main_account_over_two_workers_and_one_that_dies(
    bus: Bus, tmp_path: Path
) -> None:
    here, there = name_on(0), name_on(1)
    env = worker_environment(bus.settings)
    with (
        Command("first", tmp_path, env, "worker") as first,
        Command("second", tmp_path, env, "worker") as second,
    ):
        await both_own_one(bus)
        await bus.send("accounts", here, sub_account(here, "3000"))
        await bus.send("accounts", there, sub_account(there, "4000"))
        async with Asker(bus.settings) as asker:
            # Both see both parts, and how old they are: 3,000 + 4,000, and what is asked.
            for account in (here, there):
                answer = await until(asker, account, "1000", lambda a: used(a) == "8000")
                assert answer.accepted, answer.refusals
                assert answer.totals_age_ms is not None
                assert answer.totals_age_ms <= MAX_AGE_MS
                too_much = await until(asker, account, "3001", lambda a: used(a) == "10001")
                assert [r.rule for r in too_much.refusals] == ["BL-2"]
            # What is borrowed more on the one worker is less on the other.
            await bus.send("accounts", there, sub_account(there, "6000", seq=2))
            answer = await until(asker, here, "1001", lambda a: used(a) == "10001")
            assert answer.rule == "BL-2"
            # A worker dies, and until its partition is taken over its part grows old.
            owner = second if owns(bus, 1, second) else first
            owner.kill()
            answer = await until(asker, here, "1000", lambda a: not a.accepted)
            assert {r.rule for r in answer.refusals} == {"BL-2", "BL-3"}
            assert "H-10" in answer.refusals[0].message
            assert answer.totals_age_ms is not None
            assert answer.totals_age_ms > MAX_AGE_MS
            answer = await until(asker, here, "1000", lambda a: a.accepted)
            assert used(answer) == "10000"
            assert (await until(asker, there, "1000", lambda _: True)).accepted
        survivor = first if owner is second else second
        assert survivor.alive, survivor.tail


def owns(bus: Bus, partition: int, command: Command) -> bool:
    """Say whether a worker owns a partition, by its id, which holds its process id."""
    beats = [m for m in bus.seen if m["kind"] == "heartbeat" and m["partitions"] == [partition]]
    return f"-{command.pid}-" in beats[-1]["worker"]
