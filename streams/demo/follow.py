"""Follows the output topics, the ticks and Redis for the screen, in threads of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from streams.cache_scripts import RATIOS_KEY, account_key
from streams.connection import confluent_config
from streams.demo.figures import Beat, Figures, Nearest
from streams.demo.words import decode_command
from streams.settings import Settings
from streams.topics import Topics

__all__ = ["Follower"]

_BATCH = 1_000
_POLL_SECONDS = 0.2
_TIMEOUT_SECONDS = 10.0
_NEAREST_SECONDS = 0.7
_NEAREST = 40
_PRICE_SECONDS = 0.25


class _Tick(msgspec.Struct):
    symbol: str
    price: str


_decode_tick = msgspec.json.Decoder(_Tick).decode
_decode_beat = msgspec.json.Decoder(Beat).decode


class Follower:
    """Two daemon threads that feed `figures` until stopped; they own their connections."""

    def __init__(self, settings: Settings, figures: Figures) -> None:
        self._settings = settings
        self._topics = Topics(settings.topic_prefix)
        self._figures = figures
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._last_price: dict[bytes, float] = {}

    def start(self) -> None:
        """Begin to follow; the topics must be there."""
        for target in (self._follow_topics, self._follow_redis):
            thread = threading.Thread(target=target, name=target.__name__, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End soon; a thread that waits for a server is not waited for."""
        self._stop.set()

    # -- Kafka --------------------------------------------------------------------------------

    def _follow_topics(self) -> None:
        consumer = Consumer(
            {
                **confluent_config(self._settings),
                "group.id": "demo-screen",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                # A few large answers a second: the broker pays for each.
                "fetch.min.bytes": 64 * 1024,
                "fetch.wait.max.ms": 250,
                # A broker that is ended before the screen is no news here.
                "log_level": 0,
            }
        )
        try:
            consumer.assign(self._places(consumer))
            while not self._stop.is_set():
                self._take(consumer.consume(_BATCH, _POLL_SECONDS))
        except KafkaException:
            # The broker is gone; who watches it says so.
            return
        finally:
            if not self._stop.is_set():
                consumer.close()

    def _places(self, consumer: Consumer) -> list[TopicPartition]:
        topics = self._topics
        wanted = (*topics.command_topics, topics.dead_letters, topics.heartbeats, topics.ticks)
        found = consumer.list_topics(timeout=_TIMEOUT_SECONDS).topics
        return [
            TopicPartition(name, number, 0)
            for name in wanted
            for number in (found[name].partitions if name in found else ())
        ]

    def _take(self, batch: list[Message]) -> None:
        ticks: list[tuple[int, int]] = []
        for message in batch:
            if message.error() is not None:
                continue
            topic, value = message.topic(), message.value() or b""
            appended = message.timestamp()[1]
            if topic == self._topics.ticks:
                ticks.append((message.offset() or 0, appended))
                self._take_tick(message.key(), value)
            elif topic == self._topics.heartbeats:
                with contextlib.suppress(msgspec.MsgspecError):
                    self._figures.beat(_decode_beat(value))
            elif topic == self._topics.dead_letters:
                self._figures.dead_letter()
            elif (command := decode_command(value)) is not None:
                self._figures.command(command, appended)
        if ticks:
            self._figures.ticks(ticks)

    def _take_tick(self, key: Any, value: bytes) -> None:
        """Show a symbol's price a few times a second; decoding every tick would only cost."""
        now = time.monotonic()
        if now - self._last_price.get(key, -1.0) < _PRICE_SECONDS:
            return
        self._last_price[key] = now
        with contextlib.suppress(msgspec.MsgspecError, ValueError):
            tick = _decode_tick(value)
            self._figures.price(tick.symbol, float(tick.price))

    # -- Redis --------------------------------------------------------------------------------

    def _follow_redis(self) -> None:
        from redis import Redis
        from redis.exceptions import RedisError

        client: Any = Redis.from_url(
            self._settings.redis_url, socket_timeout=2, decode_responses=True
        )
        while not self._stop.wait(_NEAREST_SECONDS):
            # A cache may be away; the next look comes soon.
            with contextlib.suppress(RedisError, OSError, ValueError):
                self._figures.near(_nearest(client))


def _nearest(client: Any) -> list[Nearest]:
    """Return the accounts with the lowest ratios, those taken over or with negative equity aside."""
    names = client.zrange(RATIOS_KEY, "(0", "+inf", byscore=True, offset=0, num=_NEAREST)
    pipeline = client.pipeline(transaction=False)
    fields = ("ratio", "band", "adjusted_equity", "maintenance_margin")
    for name in names:
        pipeline.hmget(account_key(name), fields)
    found = []
    for name, (ratio, band, equity, maintenance) in zip(names, pipeline.execute(), strict=True):
        if ratio:
            shown = Nearest(
                name, float(ratio), band or "", float(equity or 0), float(maintenance or 0)
            )
            found.append(shown)
    return sorted(found, key=lambda near: near.ratio)
