"""For other programs: the output topics as typed models, each once, and questions (`ask`).

`subscribe` leaves out copies and commits an offset when the message is done with. What carries
commands out asks an `Acceptance` before each.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any, Literal

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from pydantic import ValidationError

from monitor.schema import (
    Command,
    DeadLetter,
    EpisodeNotice,
    Heartbeat,
    OrderCancel,
    Reduction,
    WarningCommand,
)
from monitor.schema.interest import InterestNotice
from streams.connection import kafka_client
from streams.requests import Asker, Inquiry, NoAnswer, RequestFailed, ask
from streams.settings import Settings, load_settings
from streams.topics import Topics

__all__ = [
    "OUTPUT_TOPICS",
    "Acceptance",
    "Asker",
    "Inquiry",
    "NoAnswer",
    "Output",
    "RequestFailed",
    "ask",
    "decode_output",
    "expired",
    "subscribe",
]

_log = structlog.get_logger(__name__)

Output = (
    WarningCommand
    | OrderCancel
    | Reduction
    | EpisodeNotice
    | InterestNotice
    | DeadLetter
    | Heartbeat
)

OUTPUT_TOPICS: dict[str, type[Output]] = {
    "warnings": WarningCommand,
    "order-cancels": OrderCancel,
    "reductions": Reduction,
    "episodes": EpisodeNotice,
    "interest": InterestNotice,
    "dead-letters": DeadLetter,
    "heartbeats": Heartbeat,
}
"""Topic → model of its messages."""

_REMEMBERED = 200_000
_COMMIT_SECONDS = 1.0
_POLL_MS = 200
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


def decode_output(topic: str, value: bytes) -> Output:
    """Decode a message of an output topic (without prefix); raises pydantic's `ValidationError`."""
    return OUTPUT_TOPICS[topic].model_validate_json(value)


def expired(command: Output | Command, now: int | None = None) -> bool:
    """Whether a command is past its `expires_at` and must not be carried out any more.

    `now` in epoch ms, by default this machine's clock; on the event clock give the last tick's
    `ts`. What is no command never expires.
    """
    if not isinstance(command, Command):
        return False
    return command.expires_at < (int(time.time() * 1000) if now is None else now)


class Acceptance:
    """Which commands are to be carried out: each once, none late, none after a newer one.

    One for all topics that a program carries out; it remembers the last 200,000 commands and
    episodes. `quantity` is the total of a `command_id`: of a re-send, carry out what is left.
    """

    def __init__(self) -> None:
        # Dictionaries as ordered sets: the oldest goes first.
        self._attempts: dict[str, int] = {}
        self._last: dict[tuple[type[Command], str], int] = {}

    def refusal(
        self, command: Command, now: int | None = None
    ) -> Literal["expired", "copy", "outdated"] | None:
        """Remember a command; return why it must not be carried out, None when it must.

        `now` as for `expired`. A re-send (`attempt` above the highest seen) is accepted although a
        newer command of its episode is known.
        """
        if expired(command, now):
            return "expired"
        seen = self._attempts.get(command.command_id)
        if seen is not None and command.attempt <= seen:
            return "copy"
        episode = type(command), command.episode_id
        last = self._last.pop(episode, None)
        self._last[episode] = command.sequence if last is None else max(last, command.sequence)
        _forget(self._last)
        if last is not None and command.sequence <= last and seen is None and command.attempt == 1:
            return "outdated"
        self._attempts.pop(command.command_id, None)
        self._attempts[command.command_id] = command.attempt
        _forget(self._attempts)
        return None


def _forget(known: dict[Any, Any]) -> None:
    if len(known) > _REMEMBERED:
        del known[next(iter(known))]


def subscribe(
    *topics: str,
    group: str | None = None,
    settings: Settings | None = None,
    from_start: bool | None = None,
) -> AsyncGenerator[Output, None]:
    """Follow output topics as typed models.

    `async for command in subscribe("warnings", "reductions", group="desk"): …`

    Every message is given but copies: of a command, the same (`command_id`, `attempt`), of a notice
    of interest, the same `interest_id`, as long as the first is remembered. Commands that are
    expired or outdated are given too; ask `Acceptance` before carrying one out.

    With a `group` its members share the work and go on where they left off, after a restart too:
    an offset is committed after the body ran for its message, so what a crash interrupts comes
    again. Without one, everything is followed and nothing committed. `from_start`: where to begin
    when nothing was committed, by default at the beginning with a group and at the end without.
    Brokers that are away are waited for. Raises ValueError for a topic that is no output.
    """
    unknown = [topic for topic in topics if topic not in OUTPUT_TOPICS]
    if unknown or not topics:
        raise ValueError(f"topics {unknown}: one or more of {', '.join(OUTPUT_TOPICS)}")
    found = settings if settings is not None else load_settings()
    start = group is not None if from_start is None else from_start
    return _Subscription(topics, group, found, start).messages()


class _Seen:
    """The last commands, each by id and attempt, and notices by id."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], None] = {}

    def repeats(self, message: Output) -> bool:
        """Remember a command or notice; say whether it was there."""
        if isinstance(message, Command):
            key = (message.command_id, message.attempt)
        elif isinstance(message, InterestNotice):
            key = (message.interest_id, 0)
        else:
            return False
        if key in self._seen:
            return True
        self._seen[key] = None
        _forget(self._seen)
        return False


class _Subscription(ConsumerRebalanceListener):  # type: ignore[misc]
    """One consumer, and how far the bodies have run."""

    def __init__(
        self, topics: Iterable[str], group: str | None, settings: Settings, from_start: bool
    ) -> None:
        self._names = Topics(settings.topic_prefix)
        self._topics = [self._names.name(topic) for topic in topics]
        self._group = None if group is None else settings.topic_prefix + group
        self._settings = settings
        self._from_start = from_start
        self._seen = _Seen()
        self._consumer: AIOKafkaConsumer | None = None
        self._done: dict[TopicPartition, int] = {}
        self._committed_at = time.monotonic()
        # Without a group the places reached are kept here, for after a failure.
        self._reached: dict[TopicPartition, int] = {}

    async def messages(self) -> AsyncGenerator[Output, None]:
        pause = _FIRST_PAUSE_SECONDS
        try:
            while True:
                try:
                    consumer = await self._connected()
                    batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=500)
                    await self._commit_if_due()
                except (KafkaError, OSError) as error:
                    _log.warning("subscription_failed", error=repr(error), pause=pause)
                    await self._close()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                    continue
                pause = _FIRST_PAUSE_SECONDS
                for place, record in _by_time(batches):
                    if self._revoked(place):
                        continue
                    message = self._decode(record)
                    if message is not None:
                        yield message  # what follows runs when the body has
                    self._done[place] = self._reached[place] = record.offset + 1
                    await self._commit_if_due()
        finally:
            await self._commit()
            await self._close()

    def _revoked(self, place: TopicPartition) -> bool:
        """Whether another member has this partition by now; it gets the message too."""
        return self._consumer is None or place not in self._consumer.assignment()

    def _decode(self, record: Any) -> Output | None:
        try:
            message = decode_output(self._names.bare(record.topic), record.value or b"")
        except ValidationError as error:
            _log.error(
                "output_not_understood",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error=str(error),
            )
            return None
        return None if self._seen.repeats(message) else message

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **kafka_client(self._settings),
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest" if self._from_start else "latest",
                session_timeout_ms=int(self._settings.session_timeout * 1000),
                heartbeat_interval_ms=int(self._settings.heartbeat_interval * 1000),
                # A body may wait for people; the heartbeat goes on meanwhile.
                max_poll_interval_ms=24 * 3600 * 1000,
            )
            try:
                if self._group is not None:
                    consumer.subscribe(self._topics, listener=self)
                    await consumer.start()
                else:
                    consumer.subscribe(self._topics)
                    await consumer.start()
                    await self._seek(consumer)
            # Cancelled or failed, what it has opened must not stay open.
            except BaseException:
                await _stop(consumer)
                raise
            self._consumer = consumer
        return self._consumer

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        """Go to where it was left, else to the end or the beginning as of now."""
        places = list(consumer.assignment())
        find = consumer.beginning_offsets if self._from_start else consumer.end_offsets
        self._reached = {**await find(places), **self._reached}
        for place in places:
            consumer.seek(place, self._reached[place])

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Commit what is done before another member goes on."""
        await self._commit()
        for place in revoked:
            self._done.pop(place, None)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Nothing: the group knows where to go on."""

    async def _commit_if_due(self) -> None:
        if time.monotonic() - self._committed_at >= _COMMIT_SECONDS:
            await self._commit()

    async def _commit(self) -> None:
        self._committed_at = time.monotonic()
        if self._group is None or self._consumer is None:
            return
        assigned = self._consumer.assignment()
        offsets = {place: offset for place, offset in self._done.items() if place in assigned}
        self._done.clear()
        if offsets:
            try:
                await self._consumer.commit(offsets)
            except (CommitFailedError, IllegalStateError, KafkaError) as error:
                # They come again, to this member or another; each body must bear that anyway.
                _log.warning("commit_failed", error=repr(error))

    async def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._done.clear()
        if consumer is not None:
            await _stop(consumer)


def _by_time(batches: Mapping[TopicPartition, list[Any]]) -> list[tuple[TopicPartition, Any]]:
    """Merge the partitions by append time; within one the order stays."""
    merged = [(place, record) for place, records in batches.items() for record in records]
    merged.sort(key=lambda item: item[1].timestamp)
    return merged


async def _stop(consumer: AIOKafkaConsumer) -> None:
    with contextlib.suppress(KafkaError, OSError):
        task = asyncio.ensure_future(consumer.stop())
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
