"""The simulated exchange on the real broker: accounts out, commands in, answers out."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from monitor.account import open_account
from monitor.reference import load_reference
from monitor.schema import AccountSettings
from streams.embedded import Kafka
from streams.settings import Settings
from streams.simulator import (
    Counters,
    Faults,
    MissingTopic,
    Progress,
    SimulateSettings,
    demo_reference,
    simulate,
    wire,
)
from streams.simulator.rebuild import open_reader, read_to_end
from streams.topics import ensure

pytestmark = pytest.mark.integration

T0 = 1_700_000_000_000
PRICES = {
    "USDT-USD": "1",
    "BTC-USD": "20000",
    "BTC-USDT-SWAP": "20000",
    "BTC-USD-SWAP": "20000",
}
COUNT = 300
Send = Callable[[str, str, dict[str, Any]], Awaitable[Any]]


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> SimulateSettings:
    ensure(Settings(brokers=kafka, topic_prefix=topic_prefix, partitions=4))
    return settings_for(kafka, topic_prefix)


def settings_for(kafka: str, prefix: str) -> SimulateSettings:
    return SimulateSettings(
        brokers=kafka,
        prefix=prefix,
        accounts=COUNT,
        seed=5,
        clock="event",
        start_ts=T0,
        reference=demo_reference(PRICES),
        prices={symbol: Decimal(price) for symbol, price in PRICES.items()},
        delay_ms=20,
        activity_rate=0.0,
    )


@asynccontextmanager
async def running(settings: SimulateSettings) -> AsyncIterator[asyncio.Task[Counters]]:
    """An exchange, ready, and stopped at the end."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(simulate(settings, stop, ready=ready))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield task
    finally:
        waiting.cancel()
        stop.set()
        await asyncio.wait({task})


@asynccontextmanager
async def sender(settings: SimulateSettings) -> AsyncIterator[Send]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.brokers)
    await producer.start()
    try:

        async def send(topic: str, key: str, message: dict[str, Any]) -> None:
            await producer.send_and_wait(
                settings.prefix + topic, wire.encode(message), key=key.encode()
            )

        yield send
    finally:
        await producer.stop()


async def publish_ticks(send: Send, ts: int, seq: int = 1) -> None:
    for symbol, price in PRICES.items():
        kind = "mark" if symbol.endswith("-SWAP") else "index"
        message = {"symbol": symbol, "kind": kind, "price": price, "ts": ts, "seq": seq}
        await send("ticks", symbol, message)


async def read(settings: SimulateSettings, *topics: str) -> list[Any]:
    """Return every message of account topics, decoded."""
    names = [settings.prefix + topic for topic in topics]
    client = {"bootstrap_servers": settings.brokers}
    consumer, partitions = await open_reader(client, names)
    try:
        return [
            wire.decode_event(record.topic.removeprefix(settings.prefix), record.value)
            async for record in read_to_end(consumer, partitions)
        ]
    finally:
        await consumer.stop()


async def answers(
    settings: SimulateSettings, done: Callable[[list[Any]], bool], seconds: float = 30.0
) -> list[Any]:
    """Wait until the answers on orders, fills and transfers are complete; in order."""
    async with asyncio.timeout(seconds):
        while True:
            events = await read(settings, "orders", "fills", "transfers")
            if done(events):
                return sorted(events, key=lambda e: (e.account_id, e.account_seq))
            await asyncio.sleep(0.05)


def ended(count: int) -> Callable[[list[Any]], bool]:
    """Whether so many orders are final."""

    def check(events: list[Any]) -> bool:
        finals = {e.order_id for e in events if getattr(e, "status", "open") != "open"}
        return len(finals) >= count

    return check


def reduction(account: wire.AccountEvent, share: str = "0.5", **fields: Any) -> dict[str, Any]:
    """Return a command that closes a share of the account's first position."""
    assert account.snapshot is not None
    position = account.snapshot.positions[0]
    lot = Decimal("0.01") if position.instrument == "BTC-USDT-SWAP" else Decimal(1)
    quantity = (abs(Decimal(position.quantity)) * Decimal(share) // lot) * lot
    return {
        "command_id": f"c-{account.account_id}",
        "kind": "reduction",
        "account_id": account.account_id,
        "episode_id": f"{account.account_id}#1",
        "sequence": 3,
        "attempt": 1,
        "phase": "unhedged",
        "decided_at": T0,
        "expires_at": T0 + 30_000,
        "actions": [
            {
                "action": "close",
                "instrument": position.instrument,
                "position_side": position.position_side,
                "side": "sell" if Decimal(position.quantity) > 0 else "buy",
                "quantity": str(quantity),
                "notional_usd": "1",
            }
        ],
        **fields,
    }


def positioned(accounts: list[wire.AccountEvent], least: int = 4) -> list[wire.AccountEvent]:
    """Accounts with a position large enough to be halved."""
    return [
        account
        for account in sorted(accounts, key=lambda a: a.account_id)
        if account.snapshot is not None
        and account.snapshot.positions
        and abs(Decimal(account.snapshot.positions[0].quantity)) >= least
    ]


async def test_accounts_are_published_once_and_the_monitor_takes_them(
    settings: SimulateSettings,
) -> None:
    seen: list[Progress] = []
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(simulate(settings, stop, progress=seen.append, ready=ready))
    async with asyncio.timeout(30):
        await ready.wait()
    stop.set()
    await task
    assert seen[-1] == Progress(COUNT, COUNT)
    accounts = await read(settings, "accounts")
    assert sorted(a.account_id for a in accounts) == [f"acc-{n:06d}" for n in range(COUNT)]
    reference = load_reference(settings.reference)
    for account in accounts:
        assert account.account_seq == 1
        assert account.ts == T0
        open_account(AccountSettings.model_validate_json(wire.encode(account)), reference)
    async with running(settings):
        pass
    assert len(await read(settings, "accounts")) == COUNT


async def test_commands_are_answered_with_numbered_events(settings: SimulateSettings) -> None:
    async with running(settings), sender(settings) as send:
        await publish_ticks(send, T0 + 1)
        accounts = positioned(await read(settings, "accounts"))[:20]
        assert len(accounts) == 20
        for account in accounts:
            command = reduction(account)
            await send("reductions", account.account_id, command)
            await send("reductions", account.account_id, command)
        with_order = next(
            a
            for a in sorted(await read(settings, "accounts"), key=lambda a: a.account_id)
            if a.snapshot.orders and a not in accounts
        )
        order_ids = [o.order_id for o in with_order.snapshot.orders]
        cancel = reduction(
            accounts[0],
            command_id="cancel",
            kind="order_cancel",
            account_id=with_order.account_id,
            order_ids=order_ids,
            actions=[],
        )
        await send("order-cancels", with_order.account_id, cancel)
        events = await answers(settings, ended(20 + len(order_ids)))
    for account in accounts:
        own = [e for e in events if e.account_id == account.account_id]
        assert [e.account_seq for e in own] == list(range(2, 2 + len(own)))
        assert {e.command_id for e in own} == {f"c-{account.account_id}"}
        asked = Decimal(reduction(account)["actions"][0]["quantity"])
        assert sum(Decimal(e.quantity) for e in own if isinstance(e, wire.Fill)) == asked
        assert (own[-1].status, Decimal(own[-1].filled_quantity)) == ("filled", asked)
        assert all(e.ts == T0 + 1 for e in own)
    cancelled = [e for e in events if e.account_id == with_order.account_id]
    assert sorted(e.order_id for e in cancelled) == sorted(order_ids)
    assert {e.status for e in cancelled} == {"cancelled"}


async def test_an_exchange_started_again_knows_what_was_filled(
    settings: SimulateSettings,
) -> None:
    async with running(settings), sender(settings) as send:
        await publish_ticks(send, T0 + 1)
        account = positioned(await read(settings, "accounts"))[0]
        await send("reductions", account.account_id, reduction(account))
        first = await answers(settings, ended(1))
    other = positioned(await read(settings, "accounts"))[1]
    async with running(settings), sender(settings) as send:
        await send("reductions", account.account_id, reduction(account, attempt=2))
        await send("reductions", other.account_id, reduction(other))
        events = await answers(settings, ended(2))
    assert [e for e in events if e.account_id == account.account_id] == first
    # The second run's clock goes on from the first one's, not from this machine's.
    assert {e.ts for e in events} == {T0 + 1}


async def test_an_expired_command_is_not_carried_out(settings: SimulateSettings) -> None:
    async with running(settings), sender(settings) as send:
        await publish_ticks(send, T0 + 40_000)
        late, other = positioned(await read(settings, "accounts"))[:2]
        await asyncio.sleep(0.5)  # the ticks are read by a consumer of their own
        await send("reductions", late.account_id, reduction(late))
        await send("reductions", other.account_id, reduction(other, expires_at=T0 + 90_000))
        events = await answers(settings, ended(1))
    assert {e.account_id for e in events} == {other.account_id}


async def test_duplicates_carry_the_same_numbers(settings: SimulateSettings) -> None:
    faulty = dataclasses.replace(settings, faults=Faults(duplicate=1.0))
    async with running(faulty), sender(faulty) as send:
        await publish_ticks(send, T0 + 1)
        account = positioned(await read(faulty, "accounts"))[0]
        await send("reductions", account.account_id, reduction(account))
        await answers(faulty, ended(1))
    events = await answers(faulty, ended(1))
    assert len(events) == 2 * len({e.account_seq for e in events})
    assert events[::2] == events[1::2]


async def test_bad_messages_are_counted_and_disturb_nothing(settings: SimulateSettings) -> None:
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(simulate(settings, stop, ready=ready))
    async with asyncio.timeout(30):
        await ready.wait()
    async with sender(settings) as send:
        await send("ticks", "BTC-USD", {"symbol": "BTC-USD"})
        await send("ticks", "BTC-USD", {"symbol": "BTC-USD", "kind": "index", "price": "-1"})
        await send("reductions", "x", {"command_id": "c"})
        await publish_ticks(send, T0 + 1)
        account = positioned(await read(settings, "accounts"))[0]
        await send("reductions", account.account_id, reduction(account))
        await answers(settings, ended(1))
    stop.set()
    counters = await task
    assert counters.bad_messages == 3
    assert counters.commands == 1


async def test_start_prices_come_from_the_ticks_when_none_are_given(
    settings: SimulateSettings,
) -> None:
    async with sender(settings) as send:
        await publish_ticks(send, T0 + 7)
    async with running(dataclasses.replace(settings, prices=None, start_ts=None)):
        accounts = await read(settings, "accounts")
    assert len(accounts) == COUNT
    assert {a.ts for a in accounts} == {T0 + 7}


async def test_accounts_live_while_nothing_is_commanded(settings: SimulateSettings) -> None:
    lively = dataclasses.replace(settings, activity_rate=200.0)
    async with running(lively), sender(lively) as send:
        await publish_ticks(send, T0 + 1)
        events = await answers(lively, lambda found: len(found) >= 50)
    assert {type(e) for e in events} == {wire.Order, wire.Fill, wire.Transfer}
    assert all(e.command_id is None for e in events)


async def test_in_5_funding_is_paid_once_when_its_time_comes(settings: SimulateSettings) -> None:
    at = 1_700_006_400_000  # 2023-11-15 00:00 UTC
    async with running(settings), sender(settings) as send:
        await publish_ticks(send, at - 60_000)
        await asyncio.sleep(0.5)  # the exchange begins to count
        await publish_ticks(send, at + 1_000, seq=2)
        accounts = await read(settings, "accounts")
        swaps = [
            (account, position)
            for account in accounts
            for position in account.snapshot.positions
            if position.instrument.endswith("-SWAP")
        ]
        events = await answers(settings, lambda found: len(found) >= len(swaps))
        await asyncio.sleep(0.5)
        assert len(await read(settings, "transfers")) == len(swaps)
    assert {e.kind for e in events} == {"funding"}
    assert {e.transfer_id.split("-funding-")[0] for e in events} == {
        account.account_id for account, _ in swaps
    }
    assert all(f"-funding-{at}-" in e.transfer_id and e.ts == at + 1_000 for e in events)


async def test_in_1_the_ledger_follows_interest_once_over_a_restart(
    settings: SimulateSettings,
) -> None:
    notice = {
        "interest_id": "i1",
        "account_id": "acc-000001",
        "kind": "interest",
        "state": "accrued",
        "currency": "USDT",
        "liability": "1000",
        "free": "0",
        "yearly_rate": "0.06",
        "amount": "0.00684931506849315068493150684931506849315068493150",
        "hour": T0 - T0 % 3_600_000,
        "account_seq": 1,
        "book": {},
        "reference": "",
        "ts": T0,
    }
    for followed in (1, 0):  # the second exchange finds it among its books
        async with running(settings) as task, sender(settings) as send:
            await publish_ticks(send, T0 + 1)
            for _ in range(2):
                await send("interest", "acc-000001", notice)
            await send("interest", "acc-000001", {"account_id": "acc-000001"})
            other = positioned(await read(settings, "accounts"))[followed]
            await send("reductions", other.account_id, reduction(other))
            await answers(settings, ended(2 - followed))
            await asyncio.sleep(0.5)
        counters = task.result()
        assert counters.interest == followed
        assert counters.bad_messages >= 1


async def test_missing_topics_are_named(kafka: str, topic_prefix: str) -> None:
    with pytest.raises(MissingTopic, match=f"{topic_prefix}accounts"):
        await simulate(settings_for(kafka, topic_prefix))


@pytest.mark.faults
async def test_a_broker_that_restarts_costs_no_answer(
    private_kafka: Kafka, topic_prefix: str
) -> None:
    kafka = private_kafka.bootstrap
    ensure(Settings(brokers=kafka, topic_prefix=topic_prefix, partitions=4))
    settings = settings_for(kafka, topic_prefix)
    async with running(settings):
        async with sender(settings) as send:
            await publish_ticks(send, T0 + 1)
            accounts = positioned(await read(settings, "accounts"))[:10]
            for account in accounts[:5]:
                await send("reductions", account.account_id, reduction(account))
            await answers(settings, ended(5))
        await asyncio.to_thread(private_kafka.kill)
        await asyncio.to_thread(private_kafka.start)
        async with sender(settings) as send:
            for account in accounts[5:]:
                await send("reductions", account.account_id, reduction(account))
            with contextlib.suppress(asyncio.CancelledError):
                events = await answers(settings, ended(10), seconds=60.0)
    for account in accounts:
        own = [e for e in events if e.account_id == account.account_id]
        assert [e.account_seq for e in own] == list(range(2, 2 + len(own)))
        asked = Decimal(reduction(account)["actions"][0]["quantity"])
        assert sum(Decimal(e.quantity) for e in own if isinstance(e, wire.Fill)) == asked
