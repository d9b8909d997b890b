"""The topic of the rules: followed by what applies them, and written by `liqmon alerts publish`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from monitor.schema.alerts import AlertRule
from streams.alerts.metrics import AlertMetrics
from streams.alerts.rule_files import RulesFile, parse_rule
from streams.connection import kafka_client
from streams.exceptions import CommandError
from streams.follow import FollowerStopped, PartitionFollower, Record
from streams.settings import Settings
from streams.topics import Topics, require

__all__ = ["RulePublication", "Rulebook", "RulesNotPublished", "publish_rules"]

_log = structlog.get_logger(__name__)

_TIMEOUT_SECONDS = 60.0
_DELETED = b'{"deleted":true}'


class RulesNotPublished(CommandError):
    """Raised when the brokers do not answer or refuse; some of the rules may stand already."""


@dataclass(frozen=True, slots=True)
class RulePublication:
    """What was published."""

    topic: str
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


class Rulebook:
    """The rules in force, kept up to date by `run`."""

    def __init__(self, settings: Settings, metrics: AlertMetrics | None = None) -> None:
        topic = Topics(settings.topic_prefix).alert_rules
        self._follower = PartitionFollower(kafka_client(settings), topic)
        self._metrics = metrics
        self.rules: dict[str, AlertRule] = {}
        self.version = 0
        """Grows with each change."""
        self.ready = asyncio.Event()
        """Set once all that stood on the topic at the start is read."""

    def of_channel(self, channel: str) -> dict[str, AlertRule]:
        """Return the rules that tell on this channel."""
        return {
            rule_id: rule
            for rule_id, rule in self.rules.items()
            if rule.enabled and channel in rule.channels
        }

    @property
    def channels(self) -> set[str]:
        """Every channel that a rule names."""
        return {name for rule in self.rules.values() if rule.enabled for name in rule.channels}

    async def run(self) -> None:
        """Read the topic and follow it, until `stop`."""
        try:
            first, _, end = await self._follower.bounds()
            if end == first:
                self._settle()
            async for records in self._follower.records(first):
                for record in records:
                    self._take(record)
                if not self.ready.is_set() and (self._follower.position or 0) >= end:
                    self._settle()
        except FollowerStopped:
            return

    async def read(self) -> None:
        """Read what stands on the topic now, and no further."""
        first, _, end = await self._follower.bounds()
        async for records in self._follower.records(first, end):
            for record in records:
                self._take(record)

    async def close(self) -> None:
        """Stop and disconnect."""
        await self._follower.close()

    def stop(self) -> None:
        """End `run`."""
        self._follower.stop()

    def _settle(self) -> None:
        self.ready.set()
        _log.info("alert_rules_read", rules=len(self.rules))

    def _take(self, record: Record) -> None:
        if record.key is None:
            return
        rule_id = record.key.decode(errors="replace")
        try:
            rule = None if record.value is None else parse_rule(orjson.loads(record.value))
        except (orjson.JSONDecodeError, ValidationError) as error:
            # The last good one stays in force: somebody is better told by it than by none.
            _log.error("alert_rule_not_understood", rule=rule_id, error=str(error))
            if self._metrics is not None:
                self._metrics.rejected_rules.inc()
            return
        self.version += 1
        if rule is None:
            self.rules.pop(rule_id, None)
        else:
            self.rules[rule_id] = rule
        if self.ready.is_set():
            _log.info("alert_rule_changed", rule=rule_id, deleted=rule is None)


async def publish_rules(
    settings: Settings, file: RulesFile, *, keep_others: bool
) -> RulePublication:
    """Write what a file changes; rules that it does not name go, unless others are kept.

    Raises `RulesNotPublished`, and `TopicsError` when there is no such topic.
    """
    topic = Topics(settings.topic_prefix).alert_rules
    await asyncio.to_thread(require, settings, [topic])
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            book = Rulebook(settings)
            try:
                await book.read()
            finally:
                await book.close()
            return await _publish(settings, topic, file, book.rules, keep_others=keep_others)
    except TimeoutError:
        raise RulesNotPublished(
            f"brokers {settings.brokers} did not take it within {_TIMEOUT_SECONDS:g} s"
        ) from None
    except KafkaError as error:
        raise RulesNotPublished(f"brokers {settings.brokers}: {error!r}") from error


async def _publish(
    settings: Settings,
    topic: str,
    file: RulesFile,
    before: Mapping[str, AlertRule],
    *,
    keep_others: bool,
) -> RulePublication:
    changed = [rule_id for rule_id, rule in file.rules.items() if before.get(rule_id) != rule]
    gone = set(file.deleted) if keep_others else before.keys() - file.rules.keys()
    removed = sorted(gone & before.keys())
    producer = AIOKafkaProducer(**kafka_client(settings), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for rule_id in changed:
            value = file.rules[rule_id].model_dump_json(exclude_defaults=True).encode()
            await producer.send_and_wait(topic, value, key=rule_id.encode(), partition=0)
        for rule_id in removed:
            await producer.send_and_wait(topic, _DELETED, key=rule_id.encode(), partition=0)
    finally:
        await producer.stop()
    return RulePublication(
        topic=topic,
        changed=tuple(changed),
        unchanged=tuple(rule_id for rule_id in file.rules if rule_id not in changed),
        removed=tuple(removed),
    )
