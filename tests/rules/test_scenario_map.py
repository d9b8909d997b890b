"""The liquidation map (WI-2) against liquidation prices, and against decimals at every point."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account
from monitor.liquidation_price import account_boundary
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.scenario import BadScenario, Bulk, LiquidationMap, distances, liquidation_map
from monitor.scenario.crossings import LEVELS, NOWHERE, Road
from monitor.scenario.exposure import underlying_of
from monitor.scenario.isolated import isolated_lines
from monitor.scenario.liquidation_map import MOVES
from monitor.scenario.messages import MapBucket
from monitor.scenario.shock import Moves, ShockedPrices
from monitor.scenario.standing import standings
from monitor.scenario.tables import price_arrays
from tests.rules.reduction_market import (
    EXPIRY,
    START,
    account,
    currency,
    d,
    isolated,
    order,
    price_book,
    raw_reference,
    raw_with_options,
    reference,
    with_orders,
)
from tests.support.markets import describe
from tests.support.scenarios import Crowd, crowd, reference_with

REF = reference()
SEEDS = st.integers(0, 10**9)


def map_of(*accounts: Account, prices: Mapping[str, str] | None = None) -> LiquidationMap:
    for number, held in enumerate(accounts):
        held.account_id = f"a{number}"
    return liquidation_map(Bulk.of(accounts, REF), price_book(REF, prices), "BTC", now=START)


def filled(found: LiquidationMap, level: str) -> list[tuple[Decimal, MapBucket]]:
    return [
        (b.move, b)
        for b in found.buckets
        if getattr(b, level).accounts or getattr(b, level).isolated
    ]


def long(cash: str, contracts: str = "100") -> Account:
    return account({"USDT": cash}, [("BTC-USDT-SWAP", contracts, "60000")])


def test_wi_2_a_long_crosses_where_its_liquidation_price_lies() -> None:
    """4,000 − 60,000 m = 270 (1 − m): m = 3,730 / 59,730 = 6.245 %; at 3: 3,190 / 59,190 = 5.389 %."""
    found = map_of(long("4000"))
    ((three, warned),) = filled(found, "level3")
    ((one, gone),) = filled(found, "level1")
    assert (three, one) == (d("-5.5"), d("-6.25"))
    assert gone.price == d("56250")
    assert warned.level3.long_usd == d("56700")
    assert (gone.level1.accounts, gone.level1.long_usd) == (1, d("56250"))
    assert gone.level1.short_usd == 0
    assert found.at_risk["-10"] == d("56250")
    assert found.at_risk["-5"] == 0
    assert found.at_risk["10"] == 0
    assert (found.price, found.levels, found.accounts) == (d(60000), (d(3), d(1)), 1)


@pytest.mark.parametrize(
    ("cash", "move"), [("4003.125", "-6.25"), ("4003.12500000000000000001", "-6.5")]
)
def test_wi_2_decimals_decide_in_which_bucket_a_ratio_of_exactly_1_lies(
    cash: str, move: str
) -> None:
    """At −6.25 %: 4,003.125 − 3,750 = 253.125 = 56,250 × 0.0045."""
    apart = account({"USDT": "100000"})
    isolated(apart, "BTC-USDT-SWAP", "100", "60000", cash)
    for held in (long(cash), apart):
        assert [m for m, _ in filled(map_of(held), "level1")] == [d(move)]


def test_wi_2_a_short_crosses_above_and_is_on_the_short_side() -> None:
    """1,000 − 60,000 m = 270 (1 + m): m = 730 / 60,270 = 1.211 %."""
    found = map_of(long("1000", "-100"))
    ((move, bucket),) = filled(found, "level1")
    assert move == d("1.25")
    assert (bucket.level1.long_usd, bucket.level1.short_usd) == (d(0), d("60750"))
    assert found.at_risk["3"] == d("60750")
    assert found.at_risk["1"] == 0


def test_wi_2_a_holder_who_owes_dollars_is_at_risk_for_what_is_owed() -> None:
    """0.95 × 60,000 (1 − m) × 2 − 100,000 = 100,000 × (0.02 + 1.02 × 0.001) → m = 10.4 %."""
    held = account({"BTC": "2"}, mode="spot", borrowed={"USDT": "100000"})
    ((move, bucket),) = filled(map_of(held), "level1")
    assert move == d("-10.5")
    assert bucket.level1.long_usd == d(100000)


def test_wi_2_an_owed_coin_is_short() -> None:
    held = account({"USDT": "70000", "BTC": "-1"})
    ((move, bucket),) = filled(map_of(held), "level1")
    # 70,000 − 60,000 f = 60,000 f × 0.02102: f = 1.14265
    assert move == d("14.5")
    assert bucket.level1.short_usd == d("68700")


def test_wi_2_what_is_at_the_levels_already_is_in_no_bucket() -> None:
    found = map_of(long("500"), long("100"))
    assert (found.now.level3.accounts, found.now.level1.accounts) == (2, 1)
    assert found.now.level1.long_usd == d(60000)
    assert sum(b.level3.accounts for b in found.buckets) == 0
    assert sum(b.level1.accounts for b in found.buckets) == 1


def test_wi_2_an_account_far_from_all_or_without_the_coin_is_in_none() -> None:
    elsewhere = account({"USDT": "100"}, [("ETH-USDT-SWAP", "100", "3000")])
    found = map_of(long("60000000"), elsewhere)
    assert not filled(found, "level3")
    assert (found.accounts, found.concerned) == (2, 1)


def test_wi_2_isolated_positions_cross_by_themselves() -> None:
    """Margin 3,000: 3,000 − 60,000 m = 270 (1 − m): m = 4.571 %."""
    held = account({"USDT": "100000"})
    isolated(held, "BTC-USDT-SWAP", "100", "60000", "3000")
    isolated(held, "ETH-USDT-SWAP", "-10", "3000", "3000")
    ((move, bucket),) = filled(map_of(held), "level1")
    assert move == d("-4.75")
    assert (bucket.level1.accounts, bucket.level1.isolated) == (0, 1)
    assert bucket.level1.long_usd == d("57150")


def test_wi_2_accounts_that_only_decimals_know_are_walked_in_decimals() -> None:
    plain, with_market = long("4000"), long("4000")
    with_orders(with_market, order("o", "ETH-USDT", "sell", "1"))
    found = map_of(with_market)
    exact = [m for m, _ in filled(found, "level1")]
    assert exact == [m for m, _ in filled(map_of(plain), "level1")]
    assert found.unassessed == 0


def test_wi_2_accounts_past_the_bound_are_named_unassessed() -> None:
    accounts = [with_orders(long("4000"), order("o", "ETH-USDT", "sell", "1")) for _ in range(3)]
    for number, held in enumerate(accounts):
        held.account_id = str(number)
    bulk = Bulk.of(accounts, REF)
    found = liquidation_map(bulk, price_book(REF), "BTC", now=START, most_exact=1)
    assert found.unassessed == 2
    assert sum(b.level1.accounts for b in found.buckets) == 1


def test_wi_2_a_short_call_is_on_the_short_side() -> None:
    ref = reference_with(raw_with_options())
    held = account({"USDT": "4000"}, [("BTC-USDT-C", "-10", "3000")])
    found = liquidation_map(Bulk.of([held], ref), price_book(ref), "BTC", now=EXPIRY - 10**9)
    total = [getattr(found.now, name) for name in ("level1",)]
    total += [b.level1 for b in found.buckets]
    assert sum(t.accounts for t in total) == 1
    assert sum(t.long_usd for t in total) == 0
    assert sum(t.short_usd for t in total) > d(50000)


@pytest.mark.parametrize(("name", "problem"), [("XRP", "no currency"), ("USD", "no currency")])
def test_wi_2_what_has_no_price_to_move_is_refused(name: str, problem: str) -> None:
    with pytest.raises(BadScenario, match=problem):
        liquidation_map(Bulk.of([long("1")], REF), price_book(REF), name, now=START)


def test_wi_2_without_an_index_there_is_no_map() -> None:
    with pytest.raises(BadScenario, match="no index price"):
        liquidation_map(Bulk.of([long("1")], REF), PriceBook(), "BTC", now=START)


# -- against decimals at every point of the road -----------------------------------------------


def road_of(held: Crowd, sign: int, moves: tuple[Decimal, ...] = MOVES[::4]) -> tuple[Road, Bulk]:
    bulk = Bulk.of(held.accounts, held.reference)
    factors = tuple(1 + sign * move / 100 for move in moves)
    arrays = price_arrays(bulk.packer, held.prices)
    underlying = underlying_of(bulk.packer, "BTC")
    return Road(underlying, factors, held.reference, held.prices, arrays, bulk.find), bulk


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from((-1, 1)))
def test_wi_2_first_crossings_are_those_that_decimals_find_point_by_point(
    seed: int, sign: int
) -> None:
    held = crowd(seed, 6, exact=False)
    road, bulk = road_of(held, sign)
    frame = bulk.frame()
    stands = standings(frame, bulk.find, held.reference, held.prices)
    found = road.crossings(frame, [stands.bands < band for band in (1, 2)])
    lines = isolated_lines(frame, road.arrays, road.underlying.coins, road.underlying.marks)
    own = road.isolated_crossings(frame, lines, [stands.isolated_bands < band for band in (1, 2)])
    policy = held.reference.policy
    for place, one in enumerate(held.accounts):
        rows = np.flatnonzero(frame.isolated_account == place).tolist()
        expected: dict[tuple[int | None, int], int | None] = {
            (row, number): None for row in (None, *rows) for number in (0, 1)
        }
        for step, factor in enumerate(road.factors):
            moved = ShockedPrices(held.prices, held.reference, Moves({"BTC": factor}))
            exact = assess(one, held.reference, moved)
            ratios: dict[int | None, Decimal | None] = {None: exact.ratio}
            ratios |= {row: exact.isolated[frame.isolated_key(row)].ratio for row in rows}
            for (row, number), known in list(expected.items()):
                ratio, level = ratios[row], policy.level(LEVELS[number], one.mode)
                if known is None and ratio is not None and ratio <= level:
                    expected[row, number] = step
        for (row, number), first in expected.items():
            place_found = found[number][place] if row is None else own[number][row]
            # what is there at the start crosses nowhere
            wanted = NOWHERE if first is None or first == 0 else first
            assert place_found == wanted, (row, number, describe(one, exact))


def test_wi_2_a_ratio_that_dips_and_recovers_crosses_where_it_dips() -> None:
    """Falling prices pay a short's debt down, past a tier's bound at which less is asked.

    19.43 BTC count 1,107,510; 1,005,000 USDT are owed at 0.03103; the short asks 2,430. At −0.25 %:
    (1,104,741 − 1,003,650) / (31,143 + 2,424) = 3.01; at −0.5 %: 2.97; at −1 %: 4.18, the tier below.
    """
    held = account({"USDT": "-1005000", "BTC": "19.43"}, [("BTC-USDT-SWAP", "-900", "60000")])
    ref = reference_with(raw_with_options())
    road, bulk = road_of(Crowd([held], ref, price_book(ref)), -1, MOVES)
    above = [np.array([True]), np.array([True])]
    found = road.crossings(bulk.frame(), above)
    assert [MOVES[int(found[0][0])], MOVES[int(found[1][0])]] == [d("0.5"), d("14.5")]


def first_places(held: Account, raw: dict[str, Any], sign: int) -> list[Decimal | None]:
    """Return by level the move at which an account that is above it now first comes to it."""
    ref = reference_with(raw)
    road, bulk = road_of(Crowd([held], ref, price_book(ref)), sign, MOVES)
    stands = standings(bulk.frame(), bulk.find, ref, road.prices)
    assert stands.bands[0] == 0
    found = road.crossings(bulk.frame(), [np.array([True]), np.array([True])])
    return [None if place[0] == NOWHERE else MOVES[int(place[0])] for place in found]


def test_wi_2_a_growing_debt_whose_tier_asks_more_dips_where_equity_rises() -> None:
    """995,000 + 540,000 m USDT are owed; past 1,000,000, at 0.926 %, they ask half as much again.

    18.95 BTC count 1,080,150 (1 + m). At 1 %: (1,090,952 − 1,000,400) / (31,042 + 2,454) = 2.70.
    """
    held = account({"USDT": "-995000", "BTC": "18.95"}, [("BTC-USDT-SWAP", "-900", "60000")])
    assert first_places(held, raw_reference(), 1) == [d("1"), None]


def test_wi_2_options_whose_value_curves_are_looked_at_at_every_point() -> None:
    """5 BTC of options, in coin: 285,000 f² in USD, against 660,000 f of a short: least at f = 1.158."""
    raw = raw_with_options()
    raw["currencies"]["USDT"] = currency("1")
    raw["instruments"]["BTC-USDT-SWAP"]["position_tiers"] = [
        {"up_to": "100000", "initial": "0.01", "maintenance": "0.001"}
    ]
    held = account(
        {"USDT": "-278000"}, [("BTC-C", "1000", "0.05"), ("BTC-USDT-SWAP", "-1100", "60000")]
    )
    # At 8.75 %: 337,057 − 57,750 − 278,000 = 1,307, and 1.5 ‰ of 717,750 and 1 ‰ of 335,750 are
    # asked, 1,412. At 50 %: 33,250 against 2,093, and 7,000 at the start is more than 3 × that.
    warned, gone = first_places(held, raw, 1)
    assert gone == d("8.75")
    assert warned is not None
    assert warned < gone


def test_wi_2_an_order_that_comes_to_cost_more_is_looked_at() -> None:
    """10,000 USDT buy SOL, both switched off: while there are so many they count for nothing.

    At −47 % USDT stand at −13,200 and the order costs its whole value: 24,168 − 13,200 − 10,000 =
    968 against 31,800 × 0.0045 + 23,200 × 0.02102 = 631; at −48 % nothing is left.
    """
    held = account({"USDT": "15000", "BTC": "0.8"}, [("BTC-USDT-SWAP", "100", "60000")])
    held.collateral_off = ("USDT", "SOL")
    with_orders(held, order("o", "SOL-USDT", "buy", "100", "100"))
    assert first_places(held, raw_reference(), -1) == [d("47"), d("48")]


@settings(max_examples=12, deadline=None)
@given(SEEDS)
def test_wi_2_halving_finds_what_walking_every_point_finds(seed: int) -> None:
    held = crowd(seed, 25, exact=False)
    for sign in (-1, 1):
        road, bulk = road_of(held, sign, MOVES)
        frame = bulk.frame()
        stands = standings(frame, bulk.find, held.reference, held.prices)
        above = [stands.bands < band for band in (1, 2)]
        halved = road.crossings(frame, above)
        walked = [np.full(frame.count, NOWHERE, dtype=np.intp) for _ in LEVELS]
        road._walk(frame, np.arange(frame.count), above, walked)
        for first, second in zip(halved, walked, strict=True):
            np.testing.assert_array_equal(first, second)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_mr_4_a_bucket_holds_the_liquidation_price(seed: int) -> None:
    """Where MR-4 finds a boundary within the map, the account crosses in the bucket around it."""
    held = crowd(seed, 5, exact=False)
    for one in held.accounts:
        one.isolated = {}
        found = liquidation_map(Bulk.of([one], held.reference), held.prices, "BTC", now=START)
        if found.now.level1.accounts:
            continue
        level = held.reference.policy.level("liquidation", one.mode)
        boundary = account_boundary(one, held.reference, held.prices, "BTC", level)
        moves = [move for move, _ in filled(found, "level1")]
        if boundary is None or not d("0.5") < boundary.factor < d("1.5"):
            continue
        percent = (boundary.factor - 1) * 100
        near = [m for m in moves if (m < 0) == (percent < 0)]
        assert near, describe(one, assess(one, held.reference, held.prices))
        assert abs(percent) <= abs(near[0]) < abs(percent) + d("1.01")


# -- how far all prices may move together ------------------------------------------------------


@pytest.mark.parametrize(
    ("cash", "contracts", "to_warning", "to_liquidation"),
    [
        # 4,000 − 60,000 m = 810 (1 − m); 270 (1 − m)
        ("4000", "100", "-5.38", "-6.24"),
        ("1000", "-100", "0.31", "1.21"),
        ("500", "100", "0", "-0.38"),
        ("100", "100", "0", "0"),
    ],
)
def test_wi_1_distance_to_the_levels_in_percent(
    cash: str, contracts: str, to_warning: str, to_liquidation: str
) -> None:
    bulk = Bulk.of([long(cash, contracts)], REF)
    (found,) = distances(bulk.frame(), bulk.find, REF, price_book(REF))
    assert found is not None
    assert (found.to_warning, found.to_liquidation) == (d(to_warning), d(to_liquidation))


def test_wi_1_no_distance_where_no_move_comes_to_a_level_and_none_without_a_price() -> None:
    safe, unpriced = account({"USDT": "100"}), long("100")
    unpriced.account_id = "b"
    book = price_book(REF)
    del book.prices["BTC-USDT-SWAP/mark"]
    bulk = Bulk.of([safe, unpriced], REF)
    first, second = distances(bulk.frame(), bulk.find, REF, book)
    assert first == (None, None)
    assert second is None


def test_wi_1_distance_of_an_account_that_only_decimals_know_is_the_same() -> None:
    plain, market = long("4000"), long("4000")
    market.account_id = "b"
    with_orders(market, order("o", "SOL-USDT", "buy", "0", None))
    bulk = Bulk.of([plain, market], REF)
    first, second = distances(bulk.frame(), bulk.find, REF, price_book(REF))
    assert first == second


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_wi_1_at_its_distance_an_account_is_at_its_level(seed: int) -> None:
    held = crowd(seed, 6, exact=False)
    bulk = Bulk.of(held.accounts, held.reference)
    found = distances(bulk.frame(), bulk.find, held.reference, held.prices)
    coins = [name for name in held.reference.currencies if not name.startswith("USD")]
    for one, distance in zip(held.accounts, found, strict=True):
        assert distance is not None
        for move, name in zip(distance, LEVELS, strict=True):
            if not move:
                continue
            level = held.reference.policy.level(name, one.mode)
            beyond = move + (d("0.011") if move > 0 else d("-0.011"))
            factor = 1 + beyond / 100
            moves = Moves(dict.fromkeys(coins, factor))
            exact = assess(one, held.reference, ShockedPrices(held.prices, held.reference, moves))
            assert exact.ratio is not None
            assert exact.ratio <= level * d("1.0001"), describe(one, exact)
