"""The screen: which boxes does a price leave? And whom does a batch concern?"""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.watch.screen import Screen

KEYS = ("a", "b", "c")


def screen_with(prices: dict[str, float], *boxes: dict[str, float]) -> Screen:
    """Boxes as price key → weight, all made at `prices`, in slots 0, 1, …"""
    screen = Screen(capacity=2)
    for key, price in prices.items():
        screen.prices[screen.row(key)] = price
    for box in boxes:
        screen.put(screen.slot(), {screen.row(key): weight for key, weight in box.items()})
    return screen


@pytest.mark.parametrize(("price", "left"), [(109.9, []), (110.1, [0]), (90.1, []), (89.9, [0])])
def test_h_3_a_box_is_left_where_move_times_weight_reaches_one(
    price: float, left: list[int]
) -> None:
    screen = screen_with({"a": 100.0}, {"a": 10.0})
    assert screen.left(screen.row("a"), price) == left


def test_h_3_the_moves_of_several_prices_add_up() -> None:
    screen = screen_with({"a": 100.0, "b": 50.0}, {"a": 10.0, "b": 10.0}, {"b": 10.0})
    assert screen.left(screen.row("a"), 106.0) == []
    assert screen.left(screen.row("b"), 51.9) == []  # 0.6 + 0.38
    assert screen.left(screen.row("b"), 47.9) == [0]  # 0.6 + 0.42
    assert screen.left(screen.row("a"), 100.0) == []  # what came back is given back


def test_h_3_a_new_box_begins_unspent_at_the_present_prices() -> None:
    screen = screen_with({"a": 100.0}, {"a": 10.0})
    assert screen.left(0, 120.0) == [0]
    screen.put(0, {0: 10.0})
    assert screen.left(0, 131.9) == []
    assert screen.left(0, 132.1) == [0]


def test_h_3_slots_and_rows_are_used_again_without_a_trace() -> None:
    screen = screen_with({"a": 100.0}, {"a": 10.0}, {"a": 1.0})
    screen.left(0, 109.0)
    screen.release(0)
    assert screen.slot() == 0
    screen.put(0, {0: 10.0})
    assert screen.left(0, 118.0) == []  # 0.83 from 109, whatever was spent before
    screen.prices[screen.row("b")] = 5.0
    screen.put(0, {screen.row("b"): 10.0})
    assert screen.left(0, 130.0) == []  # `a` is no longer in its box
    assert screen.left(0, 109.0) == []
    screen.put(0, {0: 10.0})
    assert screen.left(0, 118.0) == []
    more = [screen.slot() for _ in range(5)]  # grows past its capacity
    for number in range(20):
        screen.prices[screen.row(f"more{number}")] = 1.0
    screen.put(more[-1], {screen.row("more19"): 2.0})
    assert screen.left(screen.row("more19"), 1.6) == [more[-1]]
    assert screen.left(0, 120.0) == [0]  # the others do not depend on this price


def test_h_3_a_batch_leaves_a_box_between_its_first_and_last_price() -> None:
    screen = screen_with({"a": 100.0, "b": 50.0}, {"a": 10.0, "b": 10.0})
    assert not screen.any_left({0: (95.0, 104.0)})
    assert screen.any_left({0: (89.0, 100.0)})
    assert screen.any_left({0: (95.0, 100.0), 1: (47.0, 50.0)})


def test_h_3_a_price_on_its_way_back_frees_nothing_before_it_has_come() -> None:
    screen = screen_with({"a": 100.0, "b": 50.0}, {"a": 10.0, "b": 10.0})
    screen.left(0, 107.0)
    # first `b` ticks down to 47, and only then does `a` return to 100
    assert screen.any_left({1: (47.0, 47.0), 0: (100.0, 100.0)})


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_h_3_what_a_batch_clears_no_order_of_its_ticks_leaves(seed: int) -> None:
    rng = Random(seed)
    prices = dict.fromkeys(KEYS, 100.0)
    boxes = [
        {key: rng.uniform(5, 200) for key in rng.sample(KEYS, rng.randint(1, 3))} for _ in range(9)
    ]
    whole, single = screen_with(prices, *boxes), screen_with(prices, *boxes)
    for _ in range(30):
        batch = [(rng.randrange(3), 100 * (1 + rng.gauss(0, 0.002))) for _ in range(4)]
        rows = {row for row, _ in batch}
        found = {r: [price for row, price in batch if row == r] for r in rows}
        cleared = not whole.any_left({r: (min(p), max(p)) for r, p in found.items()})
        named = [slot for row, price in batch for slot in single.left(row, price)]
        if cleared:
            assert not named
            for row, price in batch:
                whole.move(row, price)
        else:
            for row, price in batch:
                whole.left(row, price)
            for slot, box in enumerate(boxes):  # looked at: boxes made anew
                for screen in (whole, single):
                    screen.put(slot, {screen.row(key): weight for key, weight in box.items()})
        assert whole.prices == single.prices
