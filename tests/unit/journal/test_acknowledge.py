"""Events are acknowledged in offset order, whatever order they become durable in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streams.journal
from tests.unit.journal.mutants import Mutation, must_fail, parametrize
from tests.unit.journal.pretend import Event


@st.composite
def durable_orders(draw: st.DrawFn) -> tuple[list[Event], list[list[Event]]]:
    """Events of three source partitions, and the groups in which they become durable."""
    events = [
        Event(offset, f"a{offset % 3}", topic=topic, partition=partition)
        for topic, partition in (("fills", 0), ("fills", 1), ("orders", 0))
        for offset in sorted(draw(st.sets(st.integers(0, 50), max_size=12)))
    ]
    order = draw(st.permutations(events))
    groups: list[list[Event]] = []
    while order:
        size = draw(st.integers(1, len(order)))
        groups.append(list(order[:size]))
        order = order[size:]
    return events, groups


@given(durable_orders())
def test_h_7_only_what_is_durable_up_to_there_is_acknowledged(
    case: tuple[list[Event], list[list[Event]]],
) -> None:
    events, groups = case
    queues: streams.journal.AcknowledgeQueues[Event] = streams.journal.AcknowledgeQueues()
    for event in events:
        queues.add(event)
    durable: set[Event] = set()
    acknowledged: list[Event] = []
    for group in groups:
        durable.update(group)
        acknowledged += queues.done(group)
        for place in {(e.topic, e.partition) for e in events}:
            mine = [e for e in events if (e.topic, e.partition) == place]
            done = [e for e in acknowledged if (e.topic, e.partition) == place]
            first_missing = next((i for i, e in enumerate(mine) if e not in durable), len(mine))
            assert done == mine[:first_missing]
    assert sorted(map(repr, acknowledged)) == sorted(map(repr, events))
    assert len(queues) == 0


async def an_offset_that_does_not_rise_is_refused(package: Any) -> None:
    queues = package.AcknowledgeQueues()
    queues.add(Event(5, "a"))
    for offset in (5, 4):
        with pytest.raises(ValueError, match="came after 5"):
            queues.add(Event(offset, "a"))


async def source_partitions_do_not_wait_for_each_other(package: Any) -> None:
    queues = package.AcknowledgeQueues()
    first, second = Event(0, "a"), Event(1, "a", partition=1)
    queues.add(first)
    queues.add(second)
    assert queues.done([second]) == [second]
    assert queues.done([first]) == [first]


async def a_gap_is_waited_for(package: Any) -> None:
    queues = package.AcknowledgeQueues()
    first, second, third = (Event(offset, "a") for offset in range(3))
    for event in (first, second, third):
        queues.add(event)
    assert queues.done([third]) == []
    assert queues.done([first]) == [first]
    assert queues.done([second]) == [second, third]


_MUTATIONS = [
    Mutation(
        "offsets may fall",
        "acknowledge",
        "if event.offset <= self._last:",
        "if False:",
        an_offset_that_does_not_rise_is_refused,
    ),
    Mutation(
        "one queue for all",
        "acknowledge",
        "            queue = self._queues[place] = AcknowledgeQueue()",
        "            queue = next(iter(self._queues.values()), None) or AcknowledgeQueue()\n"
        "            self._queues[place] = queue",
        source_partitions_do_not_wait_for_each_other,
    ),
    Mutation(
        "a gap is passed over",
        "acknowledge",
        "while self._waiting and self._waiting[0].offset in self._durable:",
        "while self._waiting and self._durable:\n"
        "            self._durable.add(self._waiting[0].offset)",
        a_gap_is_waited_for,
    ),
]
_SCENARIOS = list(dict.fromkeys(mutation.scenario for mutation in _MUTATIONS))


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_acknowledging(scenario: Any) -> None:
    await scenario(streams.journal)


@parametrize(_MUTATIONS)
async def test_fails_without_the_rule(mutation: Mutation) -> None:
    await must_fail(mutation)
