"""Interest through a real worker: each hour once, also those that passed while it was down (IN-1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from streams.settings import Settings
from tests.support.bus import REFERENCE, Bus, opened, ready, worker_environment
from tests.support.processes import Command

pytestmark = [pytest.mark.integration, pytest.mark.intake]

HOUR_MS = 3_600_000
HOUR = 1_700_000_000_000 // HOUR_MS * HOUR_MS
"""The full hour before which everything begins, on the event clock."""
ACCOUNT = "debtor"
# 100,000 USDT at 8.76 % a year are 1 USDT an hour; nothing of it is free.
RATED = {
    **REFERENCE,
    "currencies": {
        **REFERENCE["currencies"],
        "USDT": {**REFERENCE["currencies"]["USDT"], "yearly_rate": "0.0876"},
    },
    "policy": {"max_age_seconds": {"*": 100_000}},
}


@pytest.fixture
async def bus(settings: Settings, tmp_path: Path) -> AsyncIterator[Bus]:
    on_event_time = settings.model_copy(update={"clock": "event"})
    async with opened(on_event_time, tmp_path, RATED) as found:
        yield found


async def tick_at(bus: Bus, ts: int) -> None:
    for symbol, kind, price in (
        ("USDT-USD", "index", "1"),
        ("BTC-USD", "index", "50000"),
        ("BTC-USDT-SWAP", "mark", "50000"),
    ):
        message = {"symbol": symbol, "kind": kind, "price": price, "ts": ts, "seq": ts}
        await bus.send("ticks", symbol, message)


def debtor() -> dict[str, Any]:
    return {
        "account_id": ACCOUNT,
        "account_seq": 1,
        "mode": "multi_currency",
        "auto_borrow": True,
        "position_mode": "net",
        "ts": HOUR - 9_000,
        "snapshot": {
            "balances": [
                {"currency": "USDT", "cash": "-100000"},
                {"currency": "BTC", "cash": "10"},
            ]
        },
    }


async def notices(bus: Bus, count: int) -> list[dict[str, Any]]:
    """Return what the topic `interest` holds, once there is so much or some seconds have passed."""
    found: list[dict[str, Any]] = []
    for _ in range(25):
        found = [json.loads(value) for value in await bus.all_of("interest")]
        if len(found) >= count:
            break
        await asyncio.sleep(0.2)
    return found


async def test_in_1_each_hour_is_charged_once_also_those_a_worker_was_down(
    bus: Bus, tmp_path: Path
) -> None:
    env = worker_environment(bus.settings)
    await tick_at(bus, HOUR - 10_000)
    with Command("worker", tmp_path, env, "worker") as worker:
        await bus.until(ready)
        await bus.send("accounts", ACCOUNT, debtor())
        await bus.until(lambda m: m["kind"] == "heartbeat" and sum(m["accounts"].values()) == 1)
        for seconds in (1, 30, 90, 200):
            await tick_at(bus, HOUR + seconds * 1000)
            await asyncio.sleep(0.5)  # the hour is published before its window ends
        first = await notices(bus, 2)
        assert [(n["state"], n["hour"]) for n in first] == [("accrued", HOUR), ("deducted", HOUR)]
        assert {Decimal(n["amount"]) for n in first} == {Decimal(1)}
        worker.kill()
        for number in (1, 2):  # two hours pass while nobody looks
            await tick_at(bus, HOUR + number * HOUR_MS - 1000)
            await tick_at(bus, HOUR + number * HOUR_MS + 1000)
        worker.start()
        said: list[dict[str, Any]] = []
        for seconds in range(300, 3_500, 100):  # within the hour, until the worker has come up
            await tick_at(bus, HOUR + 2 * HOUR_MS + seconds * 1000)
            said = await notices(bus, 6)
            if len(said) >= 6:
                break
        assert worker.alive, worker.tail
    # After a kill the last one may come again, with its id.
    every = list({n["interest_id"]: n for n in said}.values())
    charged = [(n["hour"] - HOUR) // HOUR_MS for n in every if n["state"] == "accrued"]
    assert charged == [0, 1, 2]
    amounts = [Decimal(n["amount"]) for n in every if n["state"] == "accrued"]
    assert amounts == sorted(amounts), "interest on interest"
    assert not any(n["estimated"] for n in every)
