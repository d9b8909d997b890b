"""A source topic that was made anew, or that lost records, is noticed before anything is armed."""

import dataclasses
from typing import Any

import pytest

from tests.integration.journal.world import World, admin, create_topic, send_raw
from tests.unit.journal.mutants import Mutation, must_fail, parametrize
from tests.unit.journal.pretend import eventually

pytestmark = pytest.mark.integration


async def fills_with(world: World, events: int) -> str:
    topic = f"{world.prefix}fills"
    create_topic(world.bootstrap, topic, config={})
    for number in range(events):
        await send_raw(world, b"a", b"%d" % number, topic)
    return topic


async def read(world: World, topic: str) -> Any:
    return await world.package.read_sources(admin(world.bootstrap), [topic], [0])


async def remake(world: World, topic: str, events: int) -> None:
    client = admin(world.bootstrap)
    for future in client.delete_topics([topic]).values():
        future.result(10)
    await eventually(lambda: topic not in client.list_topics(timeout=5).topics)
    assert await fills_with(world, events) == topic


async def the_same_topic_passes(world: World) -> None:
    topic = await fills_with(world, 3)
    before = await read(world, topic)
    assert before.ends == {(topic, 0): 3}
    world.package.verify_sources(before.ids, {(topic, 0): 2}, await read(world, topic))


async def a_topic_made_anew_is_refused(world: World) -> None:
    topic = await fills_with(world, 3)
    before = await read(world, topic)
    await remake(world, topic, events=5)
    after = await read(world, topic)
    with pytest.raises(world.package.SourceReplaced) as refused:
        world.package.verify_sources(before.ids, {(topic, 0): 2}, after)
    assert topic in str(refused.value)
    assert before.ids[topic] in str(refused.value)
    assert after.ids[topic] in str(refused.value)


async def an_end_below_a_book_is_refused(world: World) -> None:
    topic = await fills_with(world, 3)
    found = await read(world, topic)
    with pytest.raises(world.package.SourceReplaced, match="ends at 3, and a book has applied"):
        world.package.verify_sources(found.ids, {(topic, 0): 3}, found)


async def a_journal_made_anew_is_refused(world: World) -> None:
    topic = await fills_with(world, 1)
    worker = await world.worker().claim()
    await worker.writer.begin(worker.recovery, (await read(world, topic)).ids)
    await worker.close()
    second = await world.worker("w2").claim()
    world.package.verify_journal(second.recovery.sources, {topic: 1})
    world.package.verify_journal({}, {topic: 0})
    with pytest.raises(world.package.JournalRefused, match="made anew"):
        world.package.verify_journal({}, {topic: 1})
    await second.journal.abort()


async def a_partition_that_is_not_there_is_refused(world: World) -> None:
    topic = await fills_with(world, 1)
    found = await read(world, topic)
    with pytest.raises(world.package.SourceReplaced, match="ends at None"):
        world.package.verify_sources(found.ids, {(topic, 7): 0}, found)


_MUTATIONS = [
    Mutation(
        "an empty journal passes",
        "sources",
        "    if acknowledged and not stored_ids:\n",
        "    if False:\n",
        a_journal_made_anew_is_refused,
    ),
    Mutation(
        "the sources are not noted",
        "writer",
        "                notes.append((SOURCES_KEY,",
        "                list((SOURCES_KEY,",
        a_journal_made_anew_is_refused,
    ),
    Mutation(
        "ids are not compared",
        "sources",
        "        if present != stored:\n",
        "        if False:\n",
        a_topic_made_anew_is_refused,
    ),
    Mutation(
        "ends are not compared",
        "sources",
        "        if end is None or end <= offset:\n",
        "        if end is None:\n",
        an_end_below_a_book_is_refused,
    ),
    Mutation(
        "the end itself passes",
        "sources",
        "end <= offset",
        "end < offset",
        an_end_below_a_book_is_refused,
    ),
    Mutation(
        "the last offset itself fails",
        "sources",
        "end <= offset",
        "end <= offset + 1",
        the_same_topic_passes,
    ),
    Mutation(
        "a partition may be missing",
        "sources",
        "end is None or end <= offset",
        "end is not None and end <= offset",
        a_partition_that_is_not_there_is_refused,
    ),
]
_SCENARIOS = list(dict.fromkeys(mutation.scenario for mutation in _MUTATIONS))


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_sources(scenario: Any, world: World) -> None:
    await scenario(world)


@parametrize(_MUTATIONS)
async def test_fails_without_the_rule(mutation: Mutation, world: World) -> None:
    await must_fail(mutation, lambda package: dataclasses.replace(world, package=package))
