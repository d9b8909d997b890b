"""The tree of edges: whom does a price pass? Held against a plain look at every interval."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.watch import edges as tree

NEVER, EVERY = (-np.inf, np.inf), (np.inf, -np.inf)


class Row:
    """One row by itself, grown as the screen grows it."""

    def __init__(self, room: int = 32) -> None:
        self.edges = np.zeros((0, 2), dtype=np.float32)
        self.owners = np.zeros(0, dtype=np.int32)
        self.row = np.zeros(5, dtype=np.int64)
        self.row[tree.FREE] = -1
        self.intervals: dict[int, tuple[float, float]] = {}
        """Slot → interval."""
        self.places: dict[int, int] = {}
        self._grow(room)

    def _grow(self, room: int) -> None:
        start = len(self.edges)
        more = tree.block(room)
        self.edges = np.concatenate([self.edges, np.full((more, 2), 7.0, dtype=np.float32)])
        self.owners = np.concatenate([self.owners, np.full(more, 99, dtype=np.int32)])
        tree.grow(self.edges, self.owners, self.row, start, room, self.edges, self.owners)

    def add(self, slot: int) -> None:
        place = tree.take_place(self.owners, self.row, slot)
        if place < 0:
            self._grow(2 * int(self.row[tree.ROOM]))
            place = tree.take_place(self.owners, self.row, slot)
        self.places[slot] = place
        self.move(slot, NEVER)

    def move(self, slot: int, interval: tuple[float, float]) -> None:
        self.intervals[slot] = interval
        start, room = self.row[tree.START], self.row[tree.ROOM]
        tree.move(self.edges, start, room, self.places[slot], *interval)

    def drop(self, slot: int) -> None:
        self.move(slot, NEVER)
        del self.intervals[slot]
        tree.free_place(self.owners, self.row, self.places.pop(slot))

    def left(self, price: float, at_once: int = 1000) -> list[int]:
        found, stack = np.zeros(at_once, dtype=np.int64), np.zeros(32, dtype=np.int64)
        slots, place = [], 0
        while place >= 0:
            count, place = tree.left(self.edges, self.owners, self.row, price, place, found, stack)
            slots += found[:count].tolist()
        return slots

    def plainly(self, price: float) -> set[int]:
        return {slot for slot, (low, high) in self.intervals.items() if not low <= price <= high}


@pytest.mark.parametrize(
    ("price", "left"), [(90.0, [1]), (89.9, [0, 1]), (110.0, [1]), (110.1, [0, 1])]
)
def test_h_3_an_interval_holds_its_edges(price: float, left: list[int]) -> None:
    row = Row()
    for slot, interval in enumerate([(90.0, 110.0), EVERY, NEVER]):
        row.add(slot)
        row.move(slot, interval)
    assert row.left(price) == left


@settings(deadline=None)
@given(st.floats(1e-30, 1e30), st.floats(1e-9, 0.4), st.floats(1e-9, 0.4))
def test_h_3_an_edge_that_32_bits_do_not_hold_lies_within(
    price: float, fall: float, rise: float
) -> None:
    row, low, high = Row(), price * (1.0 - fall), price * (1.0 + rise)
    row.add(0)
    row.move(0, (low, high))
    lower, upper = map(float, row.edges[row.places[0]])
    assert low <= lower <= low * (1.0 + 2.0**-22)
    assert high * (1.0 - 2.0**-22) <= upper <= high


@pytest.mark.parametrize("price", [1e-42, 1e39])
def test_h_3_every_tick_concerns_a_price_beyond_32_bits(price: float) -> None:
    row = Row()
    row.add(0)
    row.move(0, (price * 0.9, price * 1.1))
    assert row.left(price) == [0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 2500), st.sampled_from([1, 7, 1000]))
def test_h_3_the_tree_finds_whom_a_price_passes(seed: int, count: int, at_once: int) -> None:
    rng, row = Random(seed), Row()
    for slot in range(count):
        row.add(slot)
    for _ in range(40):
        for _ in range(rng.choice((1, 5, 300))):
            slot = rng.randrange(count)
            if slot not in row.places:
                row.add(slot)
            elif rng.random() < 0.1:
                row.drop(slot)
            else:
                width = 10 ** rng.uniform(-3, 1.5)
                around = 100 + rng.uniform(-1, 1)
                low, high = around - width * rng.random(), around + width * rng.random()
                interval = (float(np.float32(low)), float(np.float32(high)))
                row.move(slot, rng.choice((interval, interval, interval, interval, NEVER, EVERY)))
        price = 100 + rng.uniform(-1, 1) * rng.choice((0.001, 1, 30))
        found = row.left(price, at_once)
        assert len(found) == len(set(found))
        assert set(found) == row.plainly(price)
        root = row.edges[row.row[tree.ROOT]]
        assert bool(root[0] <= price <= root[1]) == (not found)
