"""Are the source topics still those that the books were folded from?"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import TopicCollection
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.journal.exceptions import JournalRefused, SourceReplaced

__all__ = ["SourceTopics", "read_sources", "verify_journal", "verify_sources"]

SourcePlace = tuple[str, int]


@dataclass(frozen=True, slots=True)
class SourceTopics:
    """The ids of topics, and the end offset (the next to be written) of each partition asked."""

    ids: dict[str, str]
    ends: dict[SourcePlace, int]


async def read_sources(
    admin: AdminClient, topics: Sequence[str], partitions: Iterable[int], seconds: float = 10.0
) -> SourceTopics:
    """Ask the broker for the ids and ends of topics; aiokafka cannot read a topic's id.

    Raises confluent_kafka.KafkaException (an unknown topic is one), or TimeoutError.
    """
    described = admin.describe_topics(TopicCollection(list(topics)), request_timeout=seconds)
    latest = OffsetSpec.latest()
    places = {Place(t, p): latest for t in topics for p in partitions}
    listed = admin.list_offsets(places, request_timeout=seconds)
    async with asyncio.timeout(seconds):
        ids = {t: str((await asyncio.wrap_future(f)).topic_id) for t, f in described.items()}
        ends = {
            (place.topic, place.partition): (await asyncio.wrap_future(f)).offset
            for place, f in listed.items()
        }
    return SourceTopics(ids, ends)


def verify_journal(stored_ids: Mapping[str, str], committed: Mapping[str, int]) -> None:
    """Raise JournalRefused if events were acknowledged although the journal knows of no sources.

    An owner notes the sources before its first event, so this journal was made anew, and the
    effects of what was acknowledged are lost. `committed` are the group's offsets by topic.
    """
    acknowledged = {topic: offset for topic, offset in committed.items() if offset > 0}
    if acknowledged and not stored_ids:
        raise JournalRefused(
            f"the journal is empty, and the group has acknowledged events up to {acknowledged}: "
            f"the journal was made anew, its accounts are lost"
        )


def verify_sources(
    stored_ids: Mapping[str, str], applied: Mapping[SourcePlace, int], found: SourceTopics
) -> None:
    """Raise SourceReplaced if a topic was made anew or ends before what books have applied.

    `stored_ids` are the ids noted with the books, by topic; `applied` the highest offset that any
    book has applied, by topic and partition.
    """
    for topic, stored in stored_ids.items():
        present = found.ids.get(topic)
        if present != stored:
            raise SourceReplaced(
                f"topic {topic} was made anew: the books were folded from id {stored}, "
                f"it is now {present}; every new event would look like a repeat"
            )
    for (topic, partition), offset in applied.items():
        end = found.ends.get((topic, partition))
        if end is None or end <= offset:
            raise SourceReplaced(
                f"{topic}-{partition} ends at {end}, and a book has applied offset {offset} "
                f"of it: records were lost"
            )
