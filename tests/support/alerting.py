"""Alerts from the topics to a real HTTP channel: what their integration tests share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import BaseModel, SecretStr

from monitor.schema import Command
from streams.alerts import (
    AlertService,
    AlertSettings,
    AppriseChannel,
    load_rules_file,
    publish_rules,
)
from streams.alerts.reading import group_of
from streams.connection import kafka_client
from streams.settings import Settings
from streams.topics import Topics

__all__ = [
    "PARTITIONS",
    "QUICK",
    "Desk",
    "Publish",
    "committed",
    "count",
    "publisher",
    "rules",
    "running",
    "settings_for",
    "until",
]

PARTITIONS = 2
QUICK = AlertSettings(alert_attempts=200, alert_first_pause=0.05, alert_longest_pause=0.1)


class Desk:
    """An HTTP server that takes what Apprise's `json://` sends, or refuses it."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.refused = 0
        self.status = 200
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if desk.status == 200:
                    desk.taken.append(body)
                else:
                    desk.refused += 1
                self.send_response(desk.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.taken]

    @property
    def accounts(self) -> list[str]:
        return [title.split(" at ")[0] for title in self.titles]

    async def until(self, count: int) -> list[str]:
        """Return the accounts told of, once there are `count` messages."""
        async with asyncio.timeout(40):
            while True:
                if len(self.taken) >= count:
                    return self.accounts
                await asyncio.sleep(0.02)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def settings_for(brokers: str, prefix: str, **more: Any) -> Settings:
    return Settings(
        brokers=brokers,
        topic_prefix=prefix,
        partitions=PARTITIONS,
        session_timeout=2,
        heartbeat_interval=0.5,
        redis_url=more.pop("redis_url", "none"),
        # the commands of these tests were decided in 2023; what counts is when they came in
        clock="event",
        **more,
    )


Publish = Callable[..., Awaitable[None]]
_TOPICS = {
    "warning": "warnings",
    "order_cancel": "order-cancels",
    "reduction": "reductions",
    "episode": "episodes",
}


async def publisher(settings: Settings) -> tuple[AIOKafkaProducer, Publish]:
    producer = AIOKafkaProducer(**kafka_client(settings), acks="all")
    await producer.start()

    async def send(*commands: Command | bytes) -> None:
        for command in commands:
            kind = command.kind if isinstance(command, BaseModel) else "warning"
            value = command if isinstance(command, bytes) else command.model_dump_json().encode()
            key = command.account_id if isinstance(command, BaseModel) else "bad"
            topic = Topics(settings.topic_prefix).name(_TOPICS[kind])
            await producer.send_and_wait(topic, value, key=key.encode())

    return producer, send


async def rules(settings: Settings, folder: Path, **given: dict[str, Any]) -> None:
    """Publish these rules and no others."""
    file = folder / "rules.json"
    file.write_text(json.dumps({"rules": given}))
    await publish_rules(settings, load_rules_file(file), keep_others=False)


@contextlib.asynccontextmanager
async def running(
    settings: Settings, alert_settings: AlertSettings = QUICK, **channels: str
) -> AsyncIterator[AlertService]:
    """Run the alerts with these channels (name → address) until the block ends."""
    stop = asyncio.Event()
    opened = [AppriseChannel(name, SecretStr(url)) for name, url in channels.items()]
    service = AlertService(settings, alert_settings, opened, stop)
    task = asyncio.create_task(service.run())
    try:
        async with asyncio.timeout(40):
            for pipeline in service.pipelines.values():
                waiting = asyncio.ensure_future(pipeline.following.wait())
                await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    task.result()
        yield service
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await task


def count(service: AlertService, name: str, **labels: str) -> float:
    return service.metrics.registry.get_sample_value(f"liqmon_alerts_{name}", labels) or 0.0


async def committed(settings: Settings, channel: str, topic: str) -> int:
    """Return the sum of what a channel's group has committed of a topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.brokers)
    await admin.start()
    try:
        group = settings.topic_prefix + group_of(channel)
        found = await admin.list_consumer_group_offsets(group)
        name = Topics(settings.topic_prefix).name(topic)
        return sum(
            max(0, found[place].offset)
            for place in (TopicPartition(name, n) for n in range(PARTITIONS))
            if place in found
        )
    finally:
        await admin.close()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if done():
                return
            await asyncio.sleep(0.02)
