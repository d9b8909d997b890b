"""What may be committed of one source partition: everything before the first gap."""

from __future__ import annotations

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.intake.place import Place


def place(*offsets: int) -> Place:
    found = Place(TopicPartition("fills", 0))
    found.hand_over(offsets)
    return found


def test_nothing_may_be_committed_before_something_is_acknowledged() -> None:
    assert place(5, 6).position is None


def test_an_acknowledgement_behind_a_gap_waits_for_it() -> None:
    found = place(5, 6, 7)
    found.acknowledge(6)
    found.acknowledge(7)
    assert (found.position, found.unacknowledged) == (None, 3)
    found.acknowledge(5)
    assert (found.position, found.unacknowledged) == (8, 0)


def test_offsets_that_the_topic_leaves_out_are_no_gap() -> None:
    found = place(5, 9)
    found.acknowledge(5)
    assert found.position == 6
    found.acknowledge(9)
    assert found.position == 10


def test_records_that_come_again_after_a_reset_hold_nothing_up() -> None:
    found = place(5, 6)
    found.hand_over([4, 5, 6, 7])
    for offset in (5, 6, 7):
        found.acknowledge(offset)
    assert (found.position, found.unacknowledged) == (8, 0)


@given(st.permutations(range(0, 60, 3)))
def test_the_position_is_never_past_a_record_that_is_not_acknowledged(order: list[int]) -> None:
    offsets = sorted(order)
    found = place(*offsets)
    done: set[int] = set()
    for offset in order:
        found.acknowledge(offset)
        done.add(offset)
        leading = []
        for each in offsets:
            if each not in done:
                break
            leading.append(each)
        assert found.position == (leading[-1] + 1 if leading else None)
        assert found.unacknowledged == len(offsets) - len(leading)
