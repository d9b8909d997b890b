"""Questions on the bus, answered by whoever owns the account (OV, RP)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from monitor.schema import Assessment
from monitor.schema.checks import (
    BorrowQuestion,
    CheckAnswer,
    OrderQuestion,
    RepayQuestion,
    WithdrawalQuestion,
)
from streams.client import Asker, Inquiry, NoAnswer, RequestFailed, ask
from streams.settings import Settings
from tests.support.bus import (
    WITH_SPOT,
    Bus,
    now_ms,
    opened,
    ready,
    worker_environment,
)
from tests.support.processes import Command

pytestmark = [pytest.mark.integration, pytest.mark.intake]

ACCOUNT = "alice"


@pytest.fixture
async def bus(settings: Settings, tmp_path: Path) -> AsyncIterator[Bus]:
    async with opened(settings, tmp_path, WITH_SPOT, btc="60000") as found:
        yield found


def spot_account() -> dict[str, Any]:
    """OV-2's account: 0.1 BTC at 60,000, rate 0.98, 2x; and 500 USDT owed."""
    return {
        "account_id": ACCOUNT,
        "mode": "spot",
        "auto_borrow": True,
        "position_mode": "net",
        "borrow_leverage": {"*": "2"},
        "account_seq": 1,
        "ts": now_ms(),
        "snapshot": {
            "balances": [
                {"currency": "BTC", "cash": "0.1"},
                {"currency": "USDT", "cash": "600", "borrowed": "500"},
            ],
            "positions": [],
            "orders": [],
        },
    }


async def known(bus: Bus) -> None:
    await bus.send("accounts", ACCOUNT, spot_account())
    await bus.until(
        lambda m: m["kind"] == "heartbeat" and sum(m["accounts"].values()) == 1 and ready(m)
    )


async def test_every_question_is_answered_by_the_owner(bus: Bus, tmp_path: Path) -> None:
    with Command("worker", tmp_path, worker_environment(bus.settings), "worker"):
        await bus.until(ready)
        await known(bus)
        async with Asker(bus.settings) as asker:

            async def asked(question: Any) -> CheckAnswer:
                found = await asker.ask(Inquiry(account_id=ACCOUNT, question=question))
                assert isinstance(found, CheckAnswer)
                assert found.account_id == ACCOUNT
                return found

            shown, order, borrow, withdrawal, repay = await asyncio.gather(
                asker.ask(Inquiry(account_id=ACCOUNT)),
                asked(
                    OrderQuestion(
                        instrument="BTC-USDT",
                        side="buy",
                        price=Decimal(60000),
                        quantity=Decimal("0.05"),
                    )
                ),
                asked(BorrowQuestion(currency="USDT", amount=Decimal(50_000))),
                asked(WithdrawalQuestion(currency="USDT", amount=Decimal(601))),
                asked(RepayQuestion(currency="USDT")),
            )
        assert isinstance(shown, Assessment)
        assert shown.currencies["USDT"].liability == 500
        assert (order.check, order.accepted) == ("order", True)
        assert order.borrows["USDT"] > 2_000
        assert (borrow.check, borrow.rule) == ("borrow", "OV-2")
        assert (withdrawal.check, withdrawal.rule) == ("withdrawal", "RP-5")
        assert withdrawal.largest == 600
        assert (repay.check, repay.accepted) == ("repay", True)
        assert repay.plan is not None
        assert repay.plan.repay_transfer == 500


async def test_what_cannot_be_answered_says_why(bus: Bus, tmp_path: Path) -> None:
    settings = bus.settings
    with pytest.raises(NoAnswer, match="no worker owns"):
        await ask(settings, Inquiry(account_id=ACCOUNT), seconds=2.0)
    with Command("worker", tmp_path, worker_environment(settings), "worker") as worker:
        await bus.until(ready)
        await known(bus)
        with pytest.raises(RequestFailed, match="unknown account nobody"):
            await ask(settings, Inquiry(account_id="nobody"))
        question = BorrowQuestion(currency="NOPE", amount=Decimal(1))
        with pytest.raises(RequestFailed, match="unknown currency NOPE"):
            await ask(settings, Inquiry(account_id=ACCOUNT, question=question))
        bad = {"request_id": "r", "account_id": ACCOUNT, "kind": "fortune", "ts": now_ms()}
        await bus.send("requests", ACCOUNT, bad)
        (letter,) = await bus.until(lambda m: m["kind"] == "dead_letter")
        assert letter["topic"].endswith("requests")
        assert "kind" in letter["reason"]
        # None of that disturbs anybody.
        assert isinstance(await ask(settings, Inquiry(account_id=ACCOUNT)), Assessment)
        assert worker.alive


async def test_a_request_asked_before_a_worker_was_ready_is_not_answered_late(
    bus: Bus, tmp_path: Path
) -> None:
    """What was asked while nobody was there is passed over: the worker begins at the end."""
    early = {"request_id": "early", "account_id": ACCOUNT, "kind": "assessment", "ts": now_ms()}
    await bus.send("requests", ACCOUNT, early)
    with Command("worker", tmp_path, worker_environment(bus.settings), "worker"):
        await bus.until(ready)
        await known(bus)
        assert isinstance(await ask(bus.settings, Inquiry(account_id=ACCOUNT)), Assessment)
        answered = await bus.all_of("answers")
        assert answered
        assert "early" not in {json.loads(value)["request_id"] for value in answered}
