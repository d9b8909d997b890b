"""H-2: while a tracked account is not due nothing changes, wherever its prices walk together."""

from decimal import Decimal
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.reference import load_reference
from monitor.watch import Standing, kernels, tracks
from tests.rules.reduction_world import account, price_book, raw_reference
from tests.rules.test_watch_box import CASES
from tests.support.boxes import Boxed, wild_box

MARK = "BTC-USDT-SWAP/mark"


def track(boxed: Boxed) -> bool:
    """Let the account of a box be tracked from its next look on; say whether it is."""
    screen = boxed.engine.watch.screen
    screen.state.pulse[tracks.PATIENCE] = 1 << 30
    kernels.survey(screen._fields, np.array([boxed.watched.slot]), kernels.TICK)
    if screen.state.pulse[tracks.WANTING]:  # no list has room before it is wanted
        screen._grow_lists()
        kernels.survey(screen._fields, np.array([boxed.watched.slot]), kernels.TICK)
    return bool(screen.flags(boxed.watched.slot) & kernels.TRACKED)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9))
def test_h_2_while_a_tracked_account_is_not_due_nothing_changes(seed: int) -> None:
    rng = Random(seed)
    boxed = wild_box(rng)
    centre = boxed.exact()
    if not boxed.sure or centre is None or not boxed.keys:
        return
    keys = boxed.keys
    boxed.stand(centre)
    assert track(boxed)
    step = 10 ** rng.uniform(-4.5, -2)
    drift = {key: rng.gauss(0, 0.5 * step) for key in keys}
    for _ in range(60):
        key = rng.choice(keys)
        price = float(boxed.book.prices[key].price)
        boxed.tick(key, price * (1 + drift[key] + rng.gauss(0, step)))
        if boxed.standing_is_open:
            return
        assert boxed.exact() == centre, boxed.story()


@pytest.mark.parametrize("name", CASES)
def test_h_2_the_tracked_account_of(name: str) -> None:
    """Price by price to just before it is due, in every direction; each state is the same by decimals."""
    ref = load_reference(raw_reference())
    boxed = Boxed(CASES[name], ref, price_book(ref))
    centre = boxed.exact()
    assert centre is not None
    boxed.stand(centre)
    if not track(boxed):
        pytest.fail("it has no prices")
    rng = Random(name)
    for _ in range(200):
        boxed.leave(rng, (0.999999, 1.000001, 1.5))
        if boxed.standing_is_open:
            break
        assert boxed.exact() == centre


def test_h_2_what_a_price_gives_back_can_be_used_by_another() -> None:
    """A long on one mark and a short on another, falling and rising together: no box is as wide.

    900 of equity against 3.15 × 270 are 0.084 % of one mark; both move by 0.3 %.
    """
    ref = load_reference(raw_reference())
    held = account(
        {"USDT": "930"}, [("BTC-USDT-SWAP", "100", "60000"), ("ETH-USDT-SWAP", "-200", "3000")]
    )
    boxed = Boxed(held, ref, price_book(ref))
    centre = boxed.exact()
    assert centre is not None
    boxed.stand(centre)
    assert track(boxed)
    looked = 0
    for number in range(1, 61):
        for key in (MARK, "ETH-USDT-SWAP/mark"):
            price = Decimal(60_000 if key == MARK else 3_000) * (1 - Decimal(number) / 20_000)
            before = float(boxed.watched.ratio)
            boxed.tick(key, float(price))
            looked += boxed.watched.ratio != before
            assert not boxed.standing_is_open
    assert boxed.exact() == centre
    assert looked <= 2  # made anew where the bounds end, not with each step


def test_a_tracked_account_that_no_tick_concerns_any_more_gets_a_box_again() -> None:
    ref = load_reference(raw_reference())
    boxed = Boxed(CASES["a long near the warning"], ref, price_book(ref))
    centre = boxed.exact()
    assert centre is not None
    boxed.stand(centre)
    assert track(boxed)
    screen, slot = boxed.engine.watch.screen, boxed.watched.slot
    screen._refresh()
    assert screen.flags(slot) & kernels.TRACKED  # it is not long yet
    screen.state.pulse[tracks.PATIENCE] = 10
    row = screen.rows["ETH-USDT-SWAP/mark"]
    price = float(boxed.book.prices["ETH-USDT-SWAP/mark"].price)
    for _ in range(20):
        screen.run(np.full((4096, 2), (row, price)))
    assert not screen.flags(slot) & kernels.TRACKED
    low, high = screen.interval(slot, screen.rows[MARK])
    assert 0.0 < low < 60_000 < high < np.inf


def test_lists_grow_and_entries_that_move_up_are_found_again() -> None:
    """Two hundred accounts tracked on one mark; every other one is given up, the rest still due in time."""
    ref = load_reference(raw_reference())
    boxed = Boxed(CASES["a long near the warning"], ref, price_book(ref))
    watch = boxed.engine.watch
    screen = watch.screen
    for number in range(200):
        held = account({"USDT": str(900 + number)}, [("BTC-USDT-SWAP", "100", "60000")])
        held.account_id = f"a{number}"
        watched = watch.put(held, ref, boxed.book)
        watch.arrange(watched, boxed.ladder, {}, quiet=False)
        assert watch.look(watched) == kernels.SURE
        standing = Standing(boxed.ladder, int(screen.state.zones[0]), short=False)
        watch.decided(watched, standing, always=False, again=False)
    screen.state.pulse[tracks.PATIENCE] = 1 << 30
    names = [f"a{number}" for number in range(200)]
    slots = np.array([watch.watched[name].slot for name in names])
    for _ in range(4):
        kernels.survey(screen._fields, slots.copy(), kernels.TICK)
        screen._grow_lists()
    assert all(screen.flags(slot) & kernels.TRACKED for slot in slots)
    for name in names[::2]:
        watch.drop(name)
    left = {int(slot) for slot in slots[1::2]}
    row = screen.rows[MARK]
    start, _, count = screen.state.rows[row, tracks.START :].tolist()
    assert count == len(left)
    assert (screen.state.near[start + count : start + len(slots)] == (-np.inf, np.inf)).all()
    found = screen.run(np.array([[row, 55_000.0]]))
    assert left <= set(found.slots)
    assert found.looked >= len(left)


def test_where_nothing_is_left_of_a_budget_every_tick_makes_it_due() -> None:
    entries = np.zeros((tracks.BLOCK, tracks.ENTRY))
    near = np.full((tracks.BLOCK, 2), (-np.inf, np.inf))
    near[0] = 0.0, 1e9  # what another account left there
    hulls = np.zeros((1, 2))
    tracks.wrap(near, hulls, 0, 1, tracks.BLOCK)
    nothing = np.zeros((1, tracks.FOLLOWED))
    assert not tracks._reserve(entries, near, hulls, nothing, 0, 0, 100.0)
    assert not near[0, 0] <= 100.0 <= near[0, 1]
    assert not hulls[0, 0] <= 100.0 <= hulls[0, 1]


@given(st.lists(st.tuples(st.integers(0, tracks.BLOCK - 1), st.integers(0, 9), st.integers(0, 9))))
def test_a_hull_is_that_of_its_entries_whatever_becomes_of_them(
    bounds: list[tuple[int, int, int]],
) -> None:
    near = np.full((2 * tracks.BLOCK, 2), (-np.inf, np.inf))
    hulls = np.zeros((2, 2))
    tracks.wrap(near, hulls, 0, 0, 2 * tracks.BLOCK)
    for place, low, high in bounds:
        tracks._bound(near, hulls, place, float(low), float(high))
    first = near[: tracks.BLOCK]
    assert hulls.tolist() == [[first[:, 0].max(), first[:, 1].min()], [-np.inf, np.inf]]
