"""A real worker on a real Kafka: what it makes of good and bad input, as its users see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streams.settings import Settings
from tests.support.bus import (
    REFERENCE,
    Bus,
    about,
    account_message,
    now_ms,
    opened,
    publish_reference,
    ready,
    worker_environment,
)
from tests.support.processes import Command

pytestmark = [pytest.mark.integration, pytest.mark.intake]

ACCOUNT = "alice"


def order_message(order_id: str, version: int, status: str, seq: int) -> dict[str, Any]:
    return {
        "account_id": ACCOUNT,
        "account_seq": seq,
        "order_id": order_id,
        "version": version,
        "instrument": "BTC-USDT-SWAP",
        "side": "buy",
        "position_side": "net",
        "margin_mode": "cross",
        "price": "40000",
        "quantity": "1",
        "filled_quantity": "0",
        "status": status,
        "reduce_only": False,
        "auto_borrow": True,
        "ts": now_ms(),
    }


@pytest.fixture
async def bus(settings: Settings, tmp_path: Path) -> AsyncIterator[Bus]:
    async with opened(settings, tmp_path) as found:
        yield found


@pytest.fixture
async def worker(bus: Bus, tmp_path: Path) -> AsyncIterator[Command]:
    env = worker_environment(bus.settings)
    await bus.tick("USDT-USD", "index", "1")
    await bus.btc("50000")
    with Command("worker", tmp_path, env, "worker") as running:
        await bus.until(ready)
        yield running


async def test_the_whole_chain_warning_cancel_reduction_and_close(
    bus: Bus, worker: Command
) -> None:
    """1 BTC long on 2,000 USDT: ratio 380 %, then 3 at 49,532, then 1 at 48,511 (0.0105 a USD)."""
    await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2000", "100"))
    await bus.send("orders", ACCOUNT, order_message("o-1", 1, "open", 2))
    await bus.btc("49400")
    (warning,) = await bus.until(about(ACCOUNT, "warning", state="entered"))
    assert warning["band"] == "warning"
    assert warning["prices"]["BTC-USDT-SWAP/mark"] == "49400"
    await bus.btc("48500")
    (cancel,) = await bus.until(about(ACCOUNT, "order_cancel", reason="ES-4"))
    assert cancel["order_ids"] == ["o-1"]
    await bus.send("orders", ACCOUNT, order_message("o-1", 2, "cancelled", 3))
    (reduction,) = await bus.until(about(ACCOUNT, "reduction"))
    (action,) = reduction["actions"]
    assert (action["action"], action["instrument"]) == ("close", "BTC-USDT-SWAP")
    fill = {
        "account_id": ACCOUNT,
        "account_seq": 4,
        "fill_id": "f-1",
        "order_id": "x-1",
        "instrument": "BTC-USDT-SWAP",
        "side": "sell",
        "position_side": "net",
        "margin_mode": "cross",
        "price": "48500",
        "quantity": action["quantity"],
        "fee": "0",
        "fee_currency": "USDT",
        "command_id": reduction["command_id"],
        "ts": now_ms(),
    }
    await bus.send("fills", ACCOUNT, fill)
    await bus.send("fills", ACCOUNT, fill)  # a repeat changes nothing
    await bus.btc("52000")
    await bus.until(about(ACCOUNT, "warning", state="cleared"))
    await bus.until(about(ACCOUNT, "episode", state="closed"))
    episode = [m for m in bus.seen if m.get("account_id") == ACCOUNT and "sequence" in m]
    assert len({m["episode_id"] for m in episode}) == 1
    numbers = sorted(m["sequence"] for m in episode)
    assert numbers == list(range(1, len(numbers) + 1))
    assert worker.alive


async def test_bad_input_becomes_a_dead_letter_and_disturbs_nobody(
    bus: Bus, worker: Command
) -> None:
    await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2000", "100"))
    fill = {
        "account_id": ACCOUNT,
        "account_seq": 2,
        "fill_id": "f-1",
        "order_id": "o-9",
        "instrument": "BTC-USDT-SWAP",
        "side": "buy",
        "price": "50000",
        "quantity": "1",
        "fee": "0",
        "fee_currency": "USDT",
        "ts": now_ms(),
    }
    bad: dict[str, tuple[str, str, Any]] = {
        "Invalid JSON": ("fills", ACCOUNT, b"{not json"),
        "price": ("fills", ACCOUNT, {**fill, "price": "-1"}),
        "quantity": ("fills", ACCOUNT, {k: v for k, v in fill.items() if k != "quantity"}),
        "unknown instrument": ("fills", ACCOUNT, {**fill, "instrument": "NO-SUCH-SWAP"}),
        "unknown account": ("fills", "bob", {**fill, "account_id": "bob"}),
        "not the account_id": ("fills", "carol", {**fill, "account_seq": 3}),
        "ahead of the clock": ("fills", ACCOUNT, {**fill, "ts": now_ms() + 3_600_000}),
        "mode": ("accounts", "dave", account_message("dave", "1", "1", mode="crossed")),
        "NaN": (
            "ticks",
            "BTC-USD",
            {"symbol": "BTC-USD", "kind": "index", "price": "NaN", "ts": now_ms()},
        ),
    }
    for topic, key, message in bad.values():
        await bus.send(topic, key, message)
    letters = await bus.until(lambda m: m["kind"] == "dead_letter", len(bad))
    reasons = [letter["reason"] for letter in letters]
    for expected in bad:
        assert any(expected in reason for reason in reasons), (expected, reasons)
    assert all(letter["value"] is not None and letter["topic"] for letter in letters)
    await bus.btc("49400")
    await bus.until(about(ACCOUNT, "warning", state="entered"))
    assert worker.alive


async def test_changed_thresholds_take_effect_without_a_restart(
    bus: Bus, worker: Command, tmp_path: Path
) -> None:
    await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2500", "100"))
    await bus.until(
        lambda m: m["kind"] == "heartbeat" and sum(m["accounts"].values()) == 1 and ready(m)
    )
    changed = {**REFERENCE, "policy": {**REFERENCE["policy"], "warning": "5", "warning_exit": "6"}}
    await publish_reference(bus.settings, tmp_path, changed)
    (warning,) = await bus.until(about(ACCOUNT, "warning", state="entered"))
    assert warning["level"] == "5"
    assert worker.alive


async def test_h7_a_killed_worker_loses_and_repeats_nothing(bus: Bus, worker: Command) -> None:
    await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2000", "100"))
    await bus.btc("49400")
    await bus.until(about(ACCOUNT, "warning", state="entered"))
    worker.kill()
    await bus.btc("48500")
    worker.start()
    (reduction,) = await bus.until(about(ACCOUNT, "reduction"))
    warnings = [m for m in bus.seen if about(ACCOUNT, "warning", state="entered")(m)]
    assert len({m["command_id"] for m in warnings}) == 1
    assert reduction["episode_id"] == warnings[0]["episode_id"]


async def test_mr_3_a_killed_worker_keeps_the_episodes_of_isolated_positions(
    bus: Bus, worker: Command
) -> None:
    """1 BTC long, isolated on 2,000 USDT: the position's own ratio is that of a cross account."""
    message = account_message(ACCOUNT, "100000", "100")
    message["snapshot"]["positions"][0] |= {"margin_mode": "isolated", "margin": "2000"}
    await bus.send("accounts", ACCOUNT, message)
    await bus.btc("49400")
    (warning,) = await bus.until(about(ACCOUNT, "warning", state="entered"))
    position = "BTC-USDT-SWAP/isolated/net"
    assert warning["position"] == position
    assert warning["episode_id"] == f"{ACCOUNT}/{position}#1"
    worker.kill()
    await bus.btc("48500")
    worker.start()
    (reduction,) = await bus.until(about(ACCOUNT, "reduction"))
    assert reduction["episode_id"] == warning["episode_id"]
    assert reduction["sequence"] > warning["sequence"]
    warnings = [m for m in bus.seen if about(ACCOUNT, "warning", state="entered")(m)]
    assert len({m["command_id"] for m in warnings}) == 1


async def test_sigterm_ends_a_worker_in_time(bus: Bus, worker: Command) -> None:
    await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2000", "100"))
    assert worker.end(20.0) == 0, worker.tail
    await bus.until(lambda m: m["kind"] == "heartbeat" and m["state"] == "stopping")


async def test_h7_a_partition_that_comes_back_stands_in_memory(
    bus: Bus, worker: Command, tmp_path: Path
) -> None:
    """Another worker joins and leaves; nothing of what this one keeps is read again, or lost."""
    names = [f"a{number}" for number in range(6)]  # in both partitions
    for name in names:
        await bus.send("accounts", name, account_message(name, "2000", "100"))
    await bus.btc("49400")
    for name in names:
        await bus.until(about(name, "warning", state="entered"))
    with Command("second", tmp_path, worker_environment(bus.settings), "worker") as second:
        async with asyncio.timeout(60):
            while second.tail.count("partition_ready") < 1 or worker.tail.count("stands=True") < 1:
                await bus.btc("49401")
                await asyncio.sleep(0.2)
        assert second.end(20.0) == 0, second.tail
    await bus.btc("48500")
    for name in names:
        await bus.until(about(name, "reduction"))
    warnings = [m for m in bus.seen if m["kind"] == "warning" and m["state"] == "entered"]
    assert len({m["command_id"] for m in warnings}) == len(names)
    assert worker.alive
