"""Plain accounts made into records many at a time: the same records as decimals and forms make."""

from collections.abc import Iterable
from decimal import Decimal
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, IsolatedPosition, isolated_key
from monitor.engine import Engine
from monitor.engine.resting import Stored, decode_seen, decode_stored, encode_stored
from monitor.escalation import Episode
from monitor.ladder import Ladders
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema import Cause
from monitor.watch import Levels, Watch, layout
from monitor.watch.state import FLAGS, OFFSET, QUIET, UNSEEN, Floats
from streams.bench.accounts import states
from streams.bench.market import opening_prices
from streams.bench.market import reference as bench_reference
from tests.support.markets import Market, arm, reference, wild_account

REFERENCE = reference()
seeds = st.integers(0, 10**9)


def priced(prices: PriceBook) -> Watch:
    watch = Watch()
    for key, price in prices.prices.items():
        watch.first(key, float(price.price))
    return watch


def record(watch: Watch, name: str) -> Floats:
    """Return an account's record without the places that its columns have."""
    state = watch.screen.state
    slot = watch.watched[name].slot
    end = watch.screen.parts(slot)[-1]
    end += int(state.book[end + layout.LENGTH])
    found = state.book[state.slots[slot, OFFSET] : end].copy()
    for column in range(int(found[layout.COLUMNS])):
        found[layout.HEAD + column * layout.COLUMN + layout.PLACE] = 0.0
    return found


def both_ways(accounts: Iterable[Account], ref: Reference, prices: PriceBook) -> int:
    """Put each account from decimals and, through its journal record, from a sheet; compare.

    Returns how many the sheet could tell.
    """
    watch, ladders = priced(prices), Ladders(ref.policy)
    told = 0
    for account in accounts:
        ladder = ladders.of(account.mode, Episode())
        levels = Levels(watch.screen.shelf.place_ladder(ladder), None, quiet=True)
        made = decode_seen(encode_stored(Stored(account, Episode()))).account
        for read in (account, made):
            one = watch.admit(f"{account.account_id}-{read is made}")
            if watch.put_all([(one, read, levels)], ref, prices):
                continue
            told += read is made
            alone = watch.put(account, ref, prices)
            apart = dict.fromkeys(account.isolated, ladder)
            watch.arrange(alone, ladder, apart, quiet=not alone.asked)
            assert one.priced == alone.priced
            assert (one.keys, one.awaited) == (alone.keys, alone.awaited)
            assert (one.exact_only, one.cancellable, one.asked) == (False, False, False)
            assert (alone.exact_only, alone.cancellable, alone.asked) == (False, False, False)
            if alone.priced:
                np.testing.assert_allclose(
                    record(watch, one.account_id),
                    record(watch, account.account_id),
                    rtol=1e-12,
                    atol=1e-12,
                )
                flags = watch.screen.state.slots[[one.slot, alone.slot], FLAGS]
                assert flags[0] == flags[1] == UNSEEN | QUIET
                watch.look(one)
                watch.look(alone)
                assert one.ratio == pytest.approx(alone.ratio, rel=1e-9)
                for row in watch.screen.rows.values():
                    assert watch.screen.interval(one.slot, row) == pytest.approx(
                        watch.screen.interval(alone.slot, row), rel=1e-6
                    )
    return told


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_h_2_a_sheet_makes_the_records_that_decimals_make(seed: int) -> None:
    rng = Random(seed)
    prices = Market(rng, REFERENCE).book()
    made = [wild_account(rng, f"a{number}", REFERENCE, prices) for number in range(25)]
    for account in made:
        account.orders.clear()
        account.fee_schedule = rng.choice(("default", "unheard of"))
        if rng.random() < 0.4:
            isolate(rng, account, prices)
        if rng.random() < 0.3:
            account.borrow_leverage = {"*": Decimal(3), "USDT": Decimal(7), "SOL": Decimal(2)}
    assert both_ways(made, REFERENCE, prices) > 0


def isolate(rng: Random, account: Account, prices: PriceBook) -> None:
    for name in ("BTC-USDT-SWAP", "ETH-USD-SWAP"):
        settle = REFERENCE.instruments[name].settle or ""
        key = isolated_key(name, "net")
        account.isolated[key] = IsolatedPosition(
            name,
            "net",
            Decimal(rng.choice((-40, 99, 101, 350))),
            prices.mark(name) * Decimal("0.99"),
            Decimal(rng.choice(("0.5", "300"))),
            rng.choice((settle, "USDC")),
        )


def test_h_2_of_the_benchmarks_accounts_a_sheet_tells_nearly_all() -> None:
    made = [decode_stored(state).account for _, state in states(400)]
    assert both_ways(made, bench_reference(), opening_prices()) > 395


@pytest.mark.parametrize("at_bound", [True, False])
def test_mm_2_at_a_tier_s_bound_decimals_tell(at_bound: bool) -> None:
    prices = Market(Random(1), REFERENCE).book()
    account = Account("a", known=True, mode="spot")
    account.balance("USDT").cash = Decimal(10_000)
    account.balance("ETH").borrowed = Decimal("4.7")
    account.balance("ETH").accrued_interest = Decimal("0.3") if at_bound else Decimal("0.29")
    assert both_ways([account], REFERENCE, prices) == (not at_bound)


def test_px_3_a_sheet_finds_what_is_unpriced() -> None:
    prices = Market(Random(1), REFERENCE, keys=("USDT-USD/index",)).book()
    account = Account("a", known=True)
    account.balance("USDT").cash = Decimal(5)
    account.balance("BTC").cash = Decimal(1)
    assert both_ways([account], REFERENCE, prices) == 1


def journalled(engine: Engine) -> list[bytes]:
    return [entry.record() for entry in engine.entries.values()]


@settings(max_examples=6, deadline=None)
@given(seeds)
def test_h_1_accounts_adopted_together_answer_as_those_adopted_one_by_one(seed: int) -> None:
    rng = Random(seed)
    market, single, whole = Market(rng, REFERENCE), Engine(REFERENCE), Engine(REFERENCE)
    opening = market.opening()
    for engine in (single, whole):
        engine.ticks(opening, None)
    made = [wild_account(rng, f"a{n}", REFERENCE, single.prices) for n in range(12)]
    for account in made[::2]:
        account.orders.clear()
    records = [encode_stored(Stored(account, Episode())) for account in made]
    arm(single, made)
    whole.adopt_all(records, 0)
    whole.armed.add(0)
    whole.examine(list(whole.entries), Cause(kind="recovery", ts=whole.now))
    assert journalled(whole) == journalled(single)
    for _ in range(25):
        ticks = [market.step() for _ in range(3)]
        one, other = single.ticks(ticks, None), whole.ticks(ticks, None)
        assert [decision.commands for decision in one] == [d.commands for d in other]
        assert whole.bands() == single.bands()
        for name, entry in whole.entries.items():
            assert entry.watched.standing == single.entries[name].watched.standing
    assert whole.unseen(0) == []


def test_boxes_after_growth_are_those_of_single_puts() -> None:
    """Rows, the book and scratch space grow in the middle of a call."""
    raw = [state for _, state in states(600)]
    engines = [Engine(bench_reference()), Engine(bench_reference())]
    market = opening_prices()
    for engine in engines:
        for key, price in market.prices.items():
            engine.prices.prices[key] = price
            engine.watch.first(key, float(price.price))
    engines[0].adopt_all(raw, 0)
    for one in raw:
        stored = decode_stored(one)
        engines[1].adopt(stored.account, stored.episode, 0, stored.isolated, kept=one)
    for engine in engines:
        engine.armed.add(0)
        engine.examine(list(engine.entries), Cause(kind="recovery", ts=0))
    screens = [engine.watch.screen for engine in engines]
    for name, entry in engines[0].entries.items():
        other = engines[1].entries[name]
        assert entry.watched.standing == other.watched.standing
        flags = [s.flags(e.watched.slot) for s, e in zip(screens, (entry, other), strict=True)]
        assert flags[0] == flags[1]
        for key, row in screens[0].rows.items():
            assert screens[0].interval(entry.watched.slot, row) == pytest.approx(
                screens[1].interval(other.watched.slot, screens[1].rows[key]), rel=1e-6
            )
