"""Read what the account topics hold, so that an exchange started anew goes on where it was."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from monitor.exact import ZERO
from streams.simulator import funding, wire
from streams.simulator.account import BookError
from streams.simulator.exchange import CommandRecord, Exchange

__all__ = ["INTEREST_TOPIC", "MissingTopic", "open_reader", "read_to_end", "rebuild", "restore"]

INTEREST_TOPIC = "interest"

_POLL_MS = 200
_RECORDS_A_POLL = 5_000
_DAY_MS = 86_400_000
_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)


class MissingTopic(RuntimeError):
    """Raised when a topic that the exchange needs does not exist."""


async def _partitions(client: Mapping[str, Any], topics: list[str]) -> list[TopicPartition]:
    """Return every partition of `topics`; raises `MissingTopic`.

    A topic made a moment ago may not be known yet, or have no leader: it gets a few seconds.
    """
    admin = AIOKafkaAdminClient(**client)
    await admin.start()
    try:
        for pause in _PAUSES_SECONDS:
            described = await admin.describe_topics(topics)
            missing = sorted(topic["topic"] for topic in described if topic["error_code"])
            if not missing:
                break
            await asyncio.sleep(pause)
        else:
            raise MissingTopic(f"no such topic: {', '.join(missing)}; `liqmon topics` makes them")
    finally:
        await admin.close()
    return [
        TopicPartition(topic["topic"], number)
        for topic in described
        for number in sorted(entry["partition"] for entry in topic["partitions"])
    ]


async def open_reader(
    client: Mapping[str, Any], topics: list[str]
) -> tuple[AIOKafkaConsumer, list[TopicPartition]]:
    """Return a started consumer of all partitions of `topics`, which begins at their start."""
    partitions = await _partitions(client, topics)
    consumer = AIOKafkaConsumer(
        **client,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    consumer.assign(partitions)
    return consumer, partitions


async def read_to_end(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
) -> AsyncIterator[ConsumerRecord]:
    """Yield every record that has a value up to the ends that hold now."""
    ends = await consumer.end_offsets(partitions)
    left = {tp for tp in partitions if ends[tp]}
    while left:
        batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_RECORDS_A_POLL)
        for records in batches.values():
            for record in records:
                if record.value is not None:
                    yield record
        for tp in list(left):
            if await consumer.position(tp) >= ends[tp]:
                left.discard(tp)


async def rebuild(exchange: Exchange, client: Mapping[str, Any], prefix: str) -> int:
    """Fold the account topics, and interest, into the books; return how many accounts they hold."""
    topics = [prefix + name for name in (*wire.ACCOUNT_TOPICS, INTEREST_TOPIC)]
    consumer, partitions = await open_reader(client, topics)
    events: dict[str, list[wire.Event]] = defaultdict(list)
    notices: dict[str, list[wire.Interest]] = defaultdict(list)
    try:
        async for record in read_to_end(consumer, partitions):
            topic = record.topic.removeprefix(prefix)
            try:
                if topic == INTEREST_TOPIC:
                    notice = wire.decode_interest(record.value)
                    notices[notice.account_id].append(notice)
                else:
                    event = wire.decode_event(topic, record.value)
                    events[event.account_id].append(event)
            except msgspec.MsgspecError:
                exchange.counters.bad_messages += 1
    finally:
        await consumer.stop()
    for account_id, history in events.items():
        restore(exchange, history, notices.get(account_id, ()))
    return len(exchange.books.accounts)


def restore(
    exchange: Exchange, history: list[wire.Event], notices: Iterable[wire.Interest] = ()
) -> None:
    """Fold one account's events, in any order and with repeats, by their numbers.

    Interest comes after the event that was the monitor's last when it booked it. Orders of commands that the last run left open are ended: nobody fills them any more, and the
    monitor plans anew once they are final.
    """
    last = -1
    interest: dict[int | None, list[wire.Interest]] = defaultdict(list)
    for notice in sorted(notices, key=lambda n: (n.hour, n.ts)):
        interest[notice.account_seq].append(notice)
    # On the event clock the last run's events tell the time until the first tick comes.
    exchange.market.latest_ts = max(exchange.market.latest_ts, *(event.ts for event in history))
    for event in sorted(history, key=lambda e: -1 if e.account_seq is None else e.account_seq):
        if event.account_seq is None or event.account_seq <= last:
            continue
        try:
            exchange.books.apply(event)
        except BookError:
            exchange.counters.bad_messages += 1
        else:
            last = event.account_seq
            _remember(exchange, event)
        for notice in interest.pop(event.account_seq, ()):
            exchange.books.follow(notice)
    account = exchange.books.accounts.get(history[0].account_id)
    if account is None:
        return
    for order in [o for o in account.orders.values() if o.command_id is not None]:
        exchange.close_order(account, order, account.fills.get(order.order_id, ZERO))
        _remember(exchange, msgspec.structs.replace(order, status="cancelled"))


def _remember(exchange: Exchange, event: wire.Event) -> None:
    """Note what an event says about the command that it follows from, or of funding paid."""
    if isinstance(event, wire.Transfer) and event.kind == "funding":
        funding.remember(exchange.funded, event)
    if isinstance(event, wire.AccountEvent) or event.command_id is None:
        return
    record = exchange.commands.setdefault(event.command_id, CommandRecord())
    record.expires_at = event.ts + _DAY_MS  # its own is not told here; this is later
    if isinstance(event, wire.Order):
        if event.status != "open":
            record.ended.add(event.instrument)
        return
    if isinstance(event, wire.Fill):
        key: tuple[str, ...] = (event.instrument, event.position_side, event.side)
        amount = Decimal(event.quantity)
    else:
        key = ("repay" if event.kind == "repay" else "takeover", event.currency)
        amount = abs(Decimal(event.amount))
    record.done[key] = record.done.get(key, ZERO) + amount
