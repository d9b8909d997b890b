"""RD-6: under a crowd the caps are kept, and all are served in turn."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.reduction import Capped, Caps, Plan
from monitor.reduction.capping import within_caps
from tests.rules.reduction_world import START, World, d
from tests.rules.test_reduction_caps import SECOND, SWAP, book, capped, long_swap


@lru_cache
def market(cap: str) -> World:
    return capped(long_swap(), {SWAP: cap})


def ask(ledger: Caps, name: str, lots: int, now: int, lot: str = "10", cap: str = "100") -> int:
    """Ask for lots, book the answer, return the lots granted."""
    world = market(cap)
    world.caps, world.now = ledger, now
    found = within_caps(
        world.context, name, lots, lambda n: ((SWAP, n * d(lot)),), lambda _: True, ()
    )
    if isinstance(found, Capped):
        ledger.book(name, found, now)
        return 0
    usd = found.count * d(lot)
    cut = found.count < lots
    ledger.book(name, Plan("tier", (), None, (), (), ((SWAP, usd),), cut), now)
    return found.count


def test_rd_6_a_crowd_is_served_in_turn_whatever_the_order_it_asks_in() -> None:
    ledger, names = Caps(), ["A", "B", "C", "D"]
    # A always asks first, and each always wants more than a whole cap
    asked = [(second, name) for second in range(12) for name in names]
    served = [name for second, name in asked if ask(ledger, name, 50, second * SECOND)]
    assert served == names * 3


def test_rd_6_a_newcomer_leaves_what_the_refused_claim() -> None:
    ledger = Caps()
    assert ask(ledger, "A", 10, 0) == 10
    assert ask(ledger, "B", 8, 1) == 0
    assert ask(ledger, "C", 9, SECOND) == 2
    assert ask(ledger, "B", 8, SECOND + 1) == 8


def test_rd_6_a_claim_lasts_one_second_and_a_place_a_minute() -> None:
    ledger = Caps()
    ask(ledger, "A", 10, 0)
    ask(ledger, "B", 10, 0)
    assert ask(ledger, "C", 10, 2 * SECOND) == 10  # B did not come in second 1
    assert ask(ledger, "D", 10, 2 * SECOND) == 0
    assert ask(ledger, "B", 10, 2 * SECOND) == 0
    assert ask(ledger, "D", 10, 3 * SECOND) == 0  # B stands before
    assert ask(ledger, "B", 10, 3 * SECOND) == 10
    assert ask(ledger, "D", 10, 4 * SECOND) == 10
    ask(ledger, "B", 10, 4 * SECOND)
    assert ask(ledger, "E", 10, 70 * SECOND) == 10
    ask(ledger, "D", 10, 70 * SECOND)
    assert ask(ledger, "B", 10, 70 * SECOND) == 0
    assert ask(ledger, "B", 10, 71 * SECOND) == 0  # its place is gone: D is before
    assert ask(ledger, "D", 10, 71 * SECOND) == 10


def test_rd_6_accounts_under_one_ledger_are_served_in_turn() -> None:
    ledger = Caps()
    worlds = [capped(long_swap(f"A{n}", cash="1500"), {SWAP: "60000"}, ledger) for n in range(3)]
    served = []
    for second in range(9):
        for world in worlds:
            world.now = START + second * SECOND
            book(world, found := world.plan())
            if isinstance(found, Plan):
                served.append(world.account.account_id)
                world.carry_out(found)
    assert served[:6] == ["A0", "A1", "A2"] * 2


crowds = st.lists(
    st.tuples(st.integers(1, 400), st.integers(1, 30), st.integers(0, 5)), min_size=1, max_size=6
)
"""(lots wanted, USD a lot, second of arrival) by subject."""


@settings(max_examples=40, deadline=None)
@given(crowds, st.integers(10, 120), st.randoms(use_true_random=False))
def test_rd_6_never_more_than_the_cap_a_second_on_average_and_nobody_waits_for_ever(
    crowd: list[tuple[int, int, int]], cap: int, rng: Any
) -> None:
    ledger = Caps()
    left = {f"A{n}": lots for n, (lots, _, _) in enumerate(crowd)}
    total, waited = Decimal(0), dict.fromkeys(left, 0)
    largest_lot = max(lot for _, lot, _ in crowd)
    # one lot larger than the cap keeps it for this many seconds
    turn = -(-largest_lot // cap) + 1
    second = 0
    while any(left.values()):
        spent = Decimal(0)
        names = [n for n in left if left[n] and crowd[int(n[1:])][2] <= second]
        rng.shuffle(names)
        for name in names:
            lot = crowd[int(name[1:])][1]
            got = ask(ledger, name, left[name], second * SECOND, str(lot), str(cap))
            left[name] -= got
            spent += got * lot
            waited[name] = 0 if got else waited[name] + 1
            assert waited[name] <= turn * len(crowd)
        total += spent
        second += 1
        if largest_lot <= cap:
            assert spent <= cap
        assert total <= cap * second + largest_lot
        assert second < 20000
