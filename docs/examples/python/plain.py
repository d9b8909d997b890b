"""An alert consumer with aiokafka alone: one line a command, each carried out once.

    pip install aiokafka
    python plain.py warnings order-cancels reductions episodes

Brokers, prefix and group come from LIQMON_BROKERS, LIQMON_TOPIC_PREFIX and LIQMON_GROUP.
"""

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError

TOPICS = ("warnings", "order-cancels", "reductions", "episodes")
REMEMBERED = 100_000


class Acceptance:
    """Knows which commands were taken already."""

    def __init__(self) -> None:
        self.attempts: dict[str, int] = {}  # command → highest attempt seen
        self.last: dict[tuple[str, str], int] = {}  # topic, episode → highest sequence seen

    def refusal(self, topic: str, command: dict[str, Any], now: int) -> str | None:
        """Return why a command must not be carried out, or None."""
        if command["expires_at"] < now:
            return "expired"
        command_id, attempt = command["command_id"], command["attempt"]
        seen = self.attempts.get(command_id)
        if seen is not None and attempt <= seen:
            return "copy"
        episode = topic, command["episode_id"]
        last = self.last.get(episode)
        if seen is None and attempt == 1 and last is not None and command["sequence"] <= last:
            return "outdated"
        self.attempts[command_id] = attempt
        self.last[episode] = max(command["sequence"], last or 0)
        forget_oldest(self.attempts)
        forget_oldest(self.last)
        return None


def forget_oldest(known: dict[Any, int]) -> None:
    if len(known) > REMEMBERED:
        del known[next(iter(known))]


def says(command: dict[str, Any]) -> str:
    # Decimals stay strings, or become `decimal.Decimal`; never floats.
    match command["kind"]:
        case "warning":
            return f"{command['state']} at {command['level']}"
        case "order_cancel":
            return f"{command['reason']} cancel {', '.join(command['order_ids'])}"
        case "episode":
            return str(command["state"])
    return "; ".join(
        f"{a['action']} {a['quantity']} {a.get('instrument') or a.get('currency')}"
        for a in command["actions"]
    )


def handle(command: dict[str, Any]) -> None:
    """Your own code goes here. It may run again for the same command after a crash."""
    about = f"{command['kind']} {command['account_id']} {command['episode_id']}"
    number = f"#{command['sequence']}.{command['attempt']}"
    print(f"{about} {number} {command['command_id']}: {says(command)}", flush=True)


def take(record: Any, acceptance: Acceptance) -> None:
    try:
        command = json.loads(record.value)
        why = acceptance.refusal(record.topic, command, int(time.time() * 1000))
    except (ValueError, LookupError, TypeError):
        place = f"{record.topic}[{record.partition}]@{record.offset}"
        print(f"not understood: {place}", file=sys.stderr, flush=True)
        return
    if why is None:
        handle(command)
    else:
        told = f"{why}: {command['command_id']} attempt {command['attempt']}"
        print(told, file=sys.stderr, flush=True)


async def consume(topics: list[str], group: str, end: asyncio.Event) -> None:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=os.environ.get("LIQMON_BROKERS", "localhost:9092"),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    acceptance = Acceptance()
    try:
        while not end.is_set():
            batches = await consumer.getmany(timeout_ms=500)
            done: dict[TopicPartition, int] = {}
            for place, records in batches.items():
                for record in records:
                    take(record, acceptance)
                done[place] = records[-1].offset + 1
            if done:
                try:
                    await consumer.commit(done)
                except CommitFailedError as error:  # the partitions moved: they come again
                    print(f"commit: {error}", file=sys.stderr, flush=True)
    finally:
        await consumer.stop()


async def main() -> None:
    prefix = os.environ.get("LIQMON_TOPIC_PREFIX", "")
    topics = [prefix + topic for topic in sys.argv[1:] or TOPICS]
    group = prefix + os.environ.get("LIQMON_GROUP", "desk")
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    await consume(topics, group, end)


if __name__ == "__main__":
    asyncio.run(main())
