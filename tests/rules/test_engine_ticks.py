"""Ticks into the engine, in batches and turns: the same as one by one (PX-5, PX-6, H-1, H-8)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import Engine, TickBatch
from monitor.schema import Tick
from monitor.watch.hearing import AT_ONCE
from tests.support.guards import Loud
from tests.support.markets import reference

T0 = 1_700_000_000_000
KEYS = ("BTC-USD/index", "X-BTC/index", "X-USD/index", "X-USD/mark")
POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {"grace_seconds": "5", "max_age_seconds": {"*": "0.003"}},
    {"jump_guard": {"*": {"percent": "10", "confirm": 2}}},
)

Pairs = list[tuple[Tick, int]]


def pairs_of(ticks: list[tuple[str, int, int, int]]) -> Pairs:
    """Return (tick, offset) of (key, price, milliseconds, seq)."""
    found = []
    for offset, (key, price, ts, seq) in enumerate(ticks):
        symbol, _, kind = key.rpartition("/")
        raw = {"symbol": symbol, "kind": kind, "price": str(price), "ts": T0 + ts, "seq": seq}
        found.append((Tick.model_validate(raw), offset))
    return found


batches = st.lists(
    st.tuples(st.sampled_from(KEYS), st.integers(1, 9), st.integers(0, 9), st.integers(-1, 1)),
    max_size=30,
).map(pairs_of)


def same(one: Engine, other: Engine, now: int) -> None:
    """Assert that two engines know the same of all prices."""
    books, policy = (one.prices, other.prices), one.reference.policy
    assert books[0].prices == books[1].prices
    assert one.now == other.now
    assert (books[0].dropped, books[0].held) == (books[1].dropped, books[1].held)
    assert books[0].stale(KEYS, policy, now) == books[1].stale(KEYS, policy, now)
    for currency in ("X", "BTC"):
        assert books[0].route(currency) == books[1].route(currency)
    screens = one.watch.screen, other.watch.screen
    assert screens[0].rows == screens[1].rows
    for row in screens[0].rows.values():
        assert screens[0].state.prices[row] == screens[1].state.prices[row]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("clock", ["event", "wall"])
@settings(deadline=None)  # the compiled loops are loaded in the first example
@given(ticks=batches, cuts=st.lists(st.integers(0, 30), max_size=3).map(sorted))
def test_px_5_px_6_a_batch_is_taken_as_each_of_its_ticks(
    policy: dict[str, Any], clock: str, ticks: Pairs, cuts: list[int]
) -> None:
    ref = reference(policy)
    whole, single = Engine(ref), Engine(ref)
    begin = 0
    for at, end in enumerate([*cuts, len(ticks)], T0):
        now = None if clock == "event" else at
        for pair in ticks[begin:end]:
            single.ticks([pair], now)
        whole.ticks(ticks[begin:end], now)
        begin = max(begin, end)
        same(whole, single, at)


@settings(deadline=None)
@given(ticks=batches, between=batches, at=st.integers(0, 30))
def test_px_5_a_tick_that_comes_between_two_turns_of_a_batch_counts(
    ticks: Pairs, between: Pairs, at: int
) -> None:
    """The order within a batch is worked out ahead; what is taken otherwise meanwhile changes it."""
    ref = reference()
    whole, single = Engine(ref), Engine(ref)
    batch, cut = TickBatch.of(ticks), min(at, len(ticks))
    _turns(whole, batch[:cut])
    taken, _ = whole.turn(batch, cut, None, _once())
    for tick, offset in between:
        whole.ticks([(tick, offset)], None)
    _turns(whole, batch, taken)
    for pair in [*ticks[:taken], *between, *ticks[taken:]]:
        single.ticks([pair], None)
    same(whole, single, T0)


class Hearer(Loud):
    """A guard of nobody that hears of some prices."""

    def __init__(self, engine: Engine, keys: set[str]) -> None:
        super().__init__()
        self.engine, self.keys = engine, keys
        self.heard: list[tuple[str, Decimal]] = []

    def put(self, *_: object) -> bool:
        return False

    def drop(self, slot: int) -> None:
        """Nobody is here."""

    mute = drop

    def look(self, slot: int, levels: tuple[float, ...]) -> None:
        """Nobody is here."""

    def goes_by(self, key: str) -> bool:
        return key in self.keys

    def tick(self, key: str) -> list[int]:
        if key in self.keys:
            self.heard.append((key, self.engine.prices.prices[key].price))
        return []


@pytest.mark.parametrize("count", [32, AT_ONCE])
@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_h_3_a_guard_hears_of_every_tick_at_the_prices_of_that_tick(
    count: int, data: st.DataObject
) -> None:
    keys = [f"C{number}-USD/index" for number in range(count)]
    guarded = data.draw(st.sets(st.sampled_from(keys), max_size=5))
    order = data.draw(st.permutations(keys * 2))
    opening = pairs_of([(key, 1, 0, 0) for key in keys])
    batch = pairs_of([(key, 2 + n % 5, 1 + n, 0) for n, key in enumerate(order)])
    engine = Engine(reference())
    engine.ticks(opening, None)
    hearer = engine.watch.guard = Hearer(engine, guarded)
    engine.ticks(batch, None)
    assert hearer.heard == [
        (f"{tick.symbol}/{tick.kind}", tick.price)
        for tick, _ in batch
        if f"{tick.symbol}/{tick.kind}" in guarded
    ]
    assert hearer.followed == [tick.value for tick, _ in batch]


def _turns(engine: Engine, batch: TickBatch[Tick], begin: int = 0) -> None:
    """Take a batch from `begin` on."""
    while begin < len(batch):
        begin, _ = engine.turn(batch, begin, None)


def _once() -> Any:
    """Return what says that a turn is over when it is asked for the second time."""
    answers: Iterator[bool] = iter([False])
    return lambda: next(answers, True)


def test_a_part_of_a_batch_is_a_batch() -> None:
    batch = TickBatch.of(pairs_of([(KEYS[0], 5, 1, 0), (KEYS[1], 6, 3, 0), (KEYS[2], 7, 2, 0)]))
    part = batch[1:]
    assert list(part) == list(batch)[1:] == [batch[1], batch[2]]
    assert (part.ts, part.values, part.offsets) == ([T0 + 3, T0 + 2], [6.0, 7.0], [1, 2])
