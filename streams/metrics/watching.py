"""Watches the worker from beside it: the loop's delay, blind seconds, consumers that stand still."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.intake import GROUP
from streams.metrics.meters import Meters, Parts
from streams.metrics.standstill import Place, Standstills

if TYPE_CHECKING:
    from streams.worker.partition import OwnedPartition

__all__ = ["Watching"]

log = structlog.get_logger(__name__)

TURN_SECONDS = 0.1
POLL_SECONDS = 5.0
ASK_SECONDS = 10.0


class Watching:
    """Runs beside the workers of one process, in their event loop."""

    def __init__(self, meters: Meters) -> None:
        self.standstills = Standstills()
        self._meters = meters
        self._of: Parts | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._turn())
                    group.create_task(self._poll())
            # A defect here must neither end the worker nor leave it unwatched.
            except ExceptionGroup:
                log.exception("metrics_watching_failed")
                await asyncio.sleep(POLL_SECONDS)

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(TURN_SECONDS)
            took = loop.time() - before
            self._meters.sample(took, max(0.0, took - TURN_SECONDS))

    async def _poll(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(POLL_SECONDS)
            parts = self._meters.parts
            if parts is not self._of:
                self.standstills.places.clear()
                self._of = parts
            if parts is None:
                continue
            try:
                await self._look(parts)
            except (KafkaException, TimeoutError) as error:
                # Only the broker knows how far a topic reaches; a restart would not help it.
                self.standstills.unknown()
                if not failing:
                    log.warning("offsets_not_known", error=str(error))
                failing = True
            else:
                failing = False

    async def _look(self, parts: Parts) -> None:
        """Ask the broker: a consumer that has stalled does not know that there is more."""
        topics = parts.runtime.topics
        places = {
            (name, owned.number): owned
            for owned in parts.partitions.values()
            if owned.open.is_set()
            for name in topics.account_topics
        }
        asked = [*places, (topics.ticks, 0)]
        firsts = await _offsets(parts.admin, asked, OffsetSpec.earliest())
        ends = await _offsets(parts.admin, asked, OffsetSpec.latest())
        group = parts.runtime.settings.topic_prefix + GROUP
        committed = await _committed(parts.admin, group, list(places))
        if self._meters.parts is not parts:
            return
        now = asyncio.get_running_loop().time()
        for place, owned in places.items():
            topic = topics.bare(place[0])
            taken = owned.folded_here.get(topic, -1) + 1
            known = committed.get(place, 0)
            self.standstills.observe(
                place,
                now,
                position=max(taken, known, firsts[place]),
                end=ends[place],
                taken=taken,
                committed=known,
            )
        tick = (topics.ticks, 0)
        position = parts.ticking.position
        if position is not None:
            self.standstills.observe(
                tick, now, position=position, end=ends[tick], taken=0, committed=0
            )
        still_owned = {place for place, owned in places.items() if _still(parts, owned)}
        self.standstills.keep({*still_owned, tick})


def _still(parts: Parts, owned: OwnedPartition) -> bool:
    return parts.partitions.get(owned.number) is owned and owned.open.is_set()


async def _offsets(admin: AdminClient, places: list[Place], spec: OffsetSpec) -> dict[Place, int]:
    """Return an offset of each place. Raises KafkaException, or TimeoutError."""
    listed = admin.list_offsets(
        {TopicPartition(*place): spec for place in places}, request_timeout=ASK_SECONDS
    )
    async with asyncio.timeout(ASK_SECONDS):
        return {
            (place.topic, place.partition): (await asyncio.wrap_future(answer)).offset
            for place, answer in listed.items()
        }


async def _committed(admin: AdminClient, group: str, places: list[Place]) -> dict[Place, int]:
    """Return the group's committed offset of each place, 0 for none. Raises as `_offsets`."""
    if not places:
        return {}
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in places])
    listed = admin.list_consumer_group_offsets([asked], request_timeout=ASK_SECONDS)
    async with asyncio.timeout(ASK_SECONDS):
        found = await asyncio.wrap_future(listed[group])
    return {
        (place.topic, place.partition): max(0, place.offset)
        for place in found.topic_partitions or ()
    }
