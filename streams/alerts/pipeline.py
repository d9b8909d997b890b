"""One channel from the command topics to people: read, watch, gather, deliver, commit."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from monitor.schema import Command
from streams.alerts.channels import Delivery
from streams.alerts.facts import AccountFacts
from streams.alerts.gathering import Digest, Gatherer
from streams.alerts.matching import UNKNOWN, Facts
from streams.alerts.metrics import AlertMetrics
from streams.alerts.progress import Progress
from streams.alerts.quiet import quiet_since
from streams.alerts.reading import CommandReader, history
from streams.alerts.rulebook import Rulebook
from streams.alerts.settings import AlertSettings
from streams.alerts.watcher import Alert, Suppressed, Watcher
from streams.alerts.words import Text, describe_alert, describe_digest
from streams.client import decode_output
from streams.follow import Record
from streams.settings import Settings
from streams.topics import Topics

__all__ = ["Pipeline"]

_log = structlog.get_logger(__name__)

_POLL_MS = 200
_COMMIT_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class Pipeline:
    """One channel, on its own: a channel that is down holds up no other, and no worker.

    Nothing is queued here. While a delivery is tried again the commands wait on their topics.
    """

    def __init__(
        self,
        settings: Settings,
        alert_settings: AlertSettings,
        delivery: Delivery,
        book: Rulebook,
        facts: AccountFacts,
        metrics: AlertMetrics,
        stop: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._alert_settings = alert_settings
        self._delivery = delivery
        self._book = book
        self._facts = facts
        self._metrics = metrics
        self._stop = stop
        self._names = Topics(settings.topic_prefix)
        self.channel = delivery.channel.name
        self.following = asyncio.Event()
        """Set once the past is read back and what comes is told."""
        self._reader: CommandReader
        self._begin()

    async def run(self) -> None:
        """Tell until stopped; brokers that are away are waited for."""
        pause = _FIRST_PAUSE_SECONDS
        while not self._stop.is_set():
            self._reader = CommandReader(self._settings, self.channel)
            try:
                await self._reader.start()
                pause = _FIRST_PAUSE_SECONDS
                await self._follow()
            except (KafkaError, OSError) as error:
                _log.warning(
                    "alerts_interrupted", channel=self.channel, error=repr(error), pause=pause
                )
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            finally:
                await self._reader.stop()

    def _begin(self) -> None:
        """Forget everything: the past is read back from the topics."""
        self._generation = -1
        self._version = -1
        self._watcher = Watcher(self._suppressed)
        self._gatherers: dict[str, Gatherer] = {}
        self._progress = Progress()
        self._committed_at = time.monotonic()

    def _suppressed(self, reason: Suppressed) -> None:
        self._metrics.suppressed.labels(self.channel, reason).inc()

    async def _follow(self) -> None:
        self._begin()
        while not self._stop.is_set():
            batches = await self._reader.poll(_POLL_MS)
            if not self._reader.settled or not self._reader.assignment:
                continue
            if self._moved():
                # What was polled comes again: each assignment begins where it was committed.
                await self._rebuild()
                continue
            for place, record in _by_time(batches):
                await self._live(place, record)
                if self._moved() or self._stop.is_set():
                    break
                await self._commit()
            if self._stop.is_set():
                break
            await self._tell_what_is_due()
            await self._commit()
        await self._finish()

    def _moved(self) -> bool:
        """Whether the partitions are dealt anew; then nothing more is done for the old ones."""
        return self._generation != self._reader.generation

    async def _rebuild(self) -> None:
        """Read back what was told before the places this member begins at, telling nothing."""
        generation = self._reader.generation
        self._begin()
        self._use_rules()
        starts = await self._reader.begin()
        count = 0
        async for batch in history(self._settings, starts, self._history_since()):
            for record in batch:
                count += 1
                await self._past(record)
        if generation != self._reader.generation:
            return
        self._generation = generation
        self._progress = Progress(starts)
        self.following.set()
        _log.info(
            "alerts_following",
            channel=self.channel,
            rules=len(self._watcher.rules),
            partitions=len(starts),
            read_back=count,
        )

    def _history_since(self) -> int:
        """Return from when on the past matters (epoch ms): quiet hours in force count whole."""
        now = _wall_ms()
        since = now - int(self._alert_settings.alert_history * 1000)
        quiet = [quiet_since(rule.quiet, now) for rule in self._watcher.rules.values()]
        return min([since, *(began for began in quiet if began is not None)])

    async def _past(self, record: Record) -> None:
        command = self._decode(record)
        if command is None:
            return
        self._watcher.released(record.timestamp)
        facts = await self._facts_of(command)
        self._watcher.feed(command, record.timestamp, facts)

    async def _live(self, place: TopicPartition, record: Record) -> None:
        """Tell what is to be told of one record; it is done when that is delivered or gathered."""
        self._use_rules()
        command = self._decode(record)
        if command is not None:
            self._metrics.commands.labels(self.channel, command.kind).inc()
            facts = await self._facts_of(command)
            now = _wall_ms()
            age = now - (command.decided_at if self._settings.clock == "wall" else record.timestamp)
            too_old = age > self._alert_settings.alert_max_age * 1000
            alert = self._watcher.feed(command, now, facts, too_old=too_old)
            if alert is not None and not await self._offer(alert, place, record):
                return  # nobody knows of it: the record comes again
        self._progress.done(place, record.offset)

    async def _offer(
        self, alert: Alert, place: TopicPartition | None = None, record: Record | None = None
    ) -> bool:
        """Tell now, or gather. False: stopped or moved before it was told."""
        gatherer = self._gatherers.setdefault(alert.rule_id, Gatherer(alert.rule_id))
        if gatherer.offer(alert, _wall_ms()):
            return await self._tell_one(alert, None if record is None else record.timestamp)
        if place is not None and record is not None:
            self._progress.pin(alert.rule_id, place, record.offset)
        return True

    async def _tell_what_is_due(self) -> None:
        self._use_rules()
        for alert in self._watcher.released(_wall_ms()):
            await self._offer(alert)
        for rule_id, gatherer in list(self._gatherers.items()):
            await self._tell_gathered(rule_id, gatherer.due(_wall_ms()))
            if gatherer.empty and rule_id not in self._watcher.rules:
                del self._gatherers[rule_id]

    async def _tell_gathered(self, rule_id: str, due: Digest | list[Alert]) -> None:
        if not due or self._moved():
            return
        if isinstance(due, Digest):
            text = describe_digest(due, self._alert_settings.page_url, _wall_ms())
            outcome = await self._deliver(text, "digest", due.alerts)
            told = outcome is not None
        else:
            told = all([await self._tell_one(alert, None) for alert in due])
        if told:
            self._progress.unpin(rule_id)

    async def _tell_one(self, alert: Alert, appended: int | None) -> bool:
        text = describe_alert(alert, self._alert_settings.page_url, _wall_ms())
        outcome = await self._deliver(text, "single", 1)
        if outcome is False:
            self._watcher.undelivered(alert)
        elif outcome and appended is not None:
            self._metrics.delay.labels(self.channel).observe((_wall_ms() - appended) / 1000)
        return outcome is not None

    async def _deliver(self, text: Text, form: str, commands: int) -> bool | None:
        outcome = await self._delivery.deliver(text, leave=self._moved)
        if outcome:
            self._metrics.delivered.labels(self.channel, form).inc()
            self._metrics.told.labels(self.channel).inc(commands)
            # Nothing told is to be told again after a crash: the place is kept at once.
            self._committed_at = 0.0
        return outcome

    async def _finish(self) -> None:
        """Tell at once what is gathered, so that a restart need not tell it again."""
        if self._moved():
            return
        for rule_id, gatherer in self._gatherers.items():
            await self._tell_gathered(rule_id, gatherer.flush(_wall_ms()))
        self._committed_at = 0.0
        await self._commit()

    async def _commit(self) -> None:
        if self._moved() or time.monotonic() - self._committed_at < _COMMIT_SECONDS:
            return
        self._committed_at = time.monotonic()
        await self._reader.commit(self._progress.take())

    async def _facts_of(self, command: Command) -> Facts:
        if self._watcher.asks_for_facts(command):
            return await self._facts.of(command.account_id)
        return UNKNOWN

    def _use_rules(self) -> None:
        if self._version != self._book.version:
            self._version = self._book.version
            self._watcher.use(self._book.of_channel(self.channel))

    def _decode(self, record: Record) -> Command | None:
        try:
            message = decode_output(self._names.bare(record.topic), record.value or b"")
        except ValidationError as error:
            self._metrics.undecodable.labels(self.channel).inc()
            _log.error(
                "command_not_understood",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                errors=error.error_count(),
                first=str(error.errors()[0]["loc"]),
            )
            return None
        return message if isinstance(message, Command) else None


def _by_time(
    batches: Mapping[TopicPartition, Iterable[Record]],
) -> list[tuple[TopicPartition, Record]]:
    """Merge the partitions by append time; within one the order stays."""
    merged = [(place, record) for place, records in batches.items() for record in records]
    merged.sort(key=lambda item: item[1].timestamp)
    return merged


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
