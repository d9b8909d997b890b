"""All accounts in floats against one account in decimals, and who decides near a level (H-2)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.report import band_of, band_of_ratio
from monitor.scenario import Bulk
from monitor.scenario.evaluation import Evaluation, evaluate
from monitor.scenario.isolated import evaluate_isolated
from monitor.scenario.shock import Moves, ShockedPrices
from monitor.scenario.standing import BANDS, standings
from monitor.scenario.tables import price_arrays
from tests.rules.reduction_market import (
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

SEEDS = st.integers(0, 10**9)
CLOSE = 1e-9


def near(found: float, exact: Decimal, gross: float) -> bool:
    return abs(found - float(exact)) <= CLOSE * 1e-3 * max(gross, 1e-6)


def compare(found: Evaluation, place: int, exact: Figures, story: str) -> None:
    gross = float(found.gross[place])
    assert near(float(found.equity[place]), exact.adjusted_equity, gross), story
    if found.blurred[place]:
        return  # a debt at a tier's bound: what is asked jumps there, and decimals decide
    assert near(float(found.requirement[place]), exact.requirement, gross), story
    assert near(float(found.value[place]), exact.position_value, gross), story
    if exact.total_equity is None:
        assert np.isnan(found.total[place]), story
    else:
        assert near(float(found.total[place]), exact.total_equity, gross), story


def compare_all(held: Crowd, moves: Mapping[str, Decimal] | None = None) -> None:
    bulk = Bulk.of(held.accounts, held.reference)
    prices = ShockedPrices(held.prices, held.reference, Moves(dict(moves or {})))
    frame, arrays = bulk.frame(), price_arrays(bulk.packer, prices)
    found, priced = evaluate(frame, arrays), frame.priced(arrays)
    own = evaluate_isolated(frame, arrays)
    for place, one in enumerate(held.accounts):
        exact = assess(one, held.reference, prices)
        story = describe(one, exact)
        if not frame.exact[place]:
            assert priced[place] == (not exact.unpriced), story
        if exact.unpriced:
            continue
        if not frame.exact[place]:
            compare(found, place, exact, story)
        rows = np.flatnonzero(frame.isolated_account == place).tolist()
        assert [frame.isolated_key(row) for row in rows] == list(one.isolated)
        for row in rows:
            figures = exact.isolated[frame.isolated_key(row)]
            gross = float(own.gross[row])
            assert near(float(own.equity[row]), figures.equity, gross), story
            assert near(float(own.requirement[row]), figures.requirement, gross), story
            assert near(float(own.notional[row]), figures.notional_usd, gross), story


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_wi_1_floats_agree_with_decimals_for_accounts_of_every_kind(seed: int) -> None:
    compare_all(crowd(seed, 12))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(("0.5", "0.8", "1.1", "1.9")))
def test_wi_1_floats_agree_with_decimals_after_a_shock(seed: int, factor: str) -> None:
    compare_all(crowd(seed, 8), {"BTC": Decimal(factor), "ETH": Decimal("0.9")})


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_wi_1_floats_agree_with_decimals_where_a_price_is_missing(seed: int) -> None:
    held = crowd(seed, 10)
    rng = Random(seed)
    gone = rng.sample(sorted(held.prices.prices), 2)
    left = PriceBook()
    left.prices = {key: price for key, price in held.prices.prices.items() if key not in gone}
    compare_all(Crowd(held.accounts, held.reference, left))


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_cu_4_floats_agree_with_decimals_when_funding_is_anticipated(seed: int) -> None:
    held = crowd(seed, 8)
    raw = raw_reference()
    for name, rate in (("BTC-USDT-SWAP", "0.01"), ("BTC-USD-SWAP", "0.02")):
        raw["instruments"][name]["funding_rate"] = rate
    ref = reference_with(raw, anticipate_funding=True)
    book = price_book(ref)
    rng = Random(seed)
    accounts = [
        account(
            {"USDT": rng.choice(("-500", "20", "30000")), "BTC": rng.choice(("0", "0.3"))},
            [
                ("BTC-USDT-SWAP", rng.choice(("100", "-100")), "59000"),
                ("BTC-USD-SWAP", rng.choice(("50", "-50")), "61000"),
            ],
        )
        for _ in held.accounts
    ]
    for number, one in enumerate(accounts):
        one.account_id = f"f{number}"
        one.auto_borrow = rng.random() < 0.7
    compare_all(Crowd(accounts, ref, book))


def test_wi_1_the_comparison_notices_a_rule_that_is_left_out() -> None:
    """Were spot orders, frozen fees or debts missing in the rows, the figures would differ by far."""
    held = account({"BTC": "1", "USDT": "-5000"}, [("BTC-USDT-SWAP", "100", "60000")])
    with_orders(held, order("o", "BTC-USDT", "buy", "0.5", "59000"))
    bare = account({"BTC": "1", "USDT": "-5000"}, [("BTC-USDT-SWAP", "100", "60000")])
    ref = reference()
    book = price_book(ref)
    exact = assess(held, ref, book)
    bulk = Bulk.of([bare], ref)
    found = evaluate(bulk.frame(), price_arrays(bulk.packer, book))
    assert not near(float(found.requirement[0]), exact.requirement, float(found.gross[0]))


def at_ratio(level: str, more: str = "0") -> Account:
    """100 contracts long at the mark: 60,000 × (0.004 + 0.0005) = 270 USD are asked."""
    return account({"USDT": str(270 * d(level) + d(more))}, [("BTC-USDT-SWAP", "100", "60000")])


@pytest.mark.parametrize(
    ("level", "more", "band"),
    [
        ("3", "0", "warning"),
        ("3", "0.00000000000000000001", "normal"),
        ("3", "-0.00000000000000000001", "warning"),
        ("1", "0", "liquidation"),
        ("1", "0.00000000000000000001", "warning"),
    ],
)
def test_es_1_within_rounding_of_a_level_decimals_decide(level: str, more: str, band: str) -> None:
    held = at_ratio(level, more)
    ref = reference()
    bulk = Bulk.of([held], ref)
    found = standings(bulk.frame(), bulk.find, ref, price_book(ref))
    assert list(found.figures) == [0]
    assert BANDS[found.bands[0]] == band


@pytest.mark.parametrize(
    ("margin", "band"),
    [
        ("810", "warning"),
        ("810.00000000000000000001", "normal"),
        ("270", "liquidation"),
        ("270.00000000000000000001", "warning"),
    ],
)
def test_mr_3_within_rounding_of_a_level_decimals_decide_on_an_isolated_position(
    margin: str, band: str
) -> None:
    held = account({"USDT": "50000"})
    isolated(held, "BTC-USDT-SWAP", "100", "60000", margin)
    ref = reference()
    bulk = Bulk.of([held], ref)
    found = standings(bulk.frame(), bulk.find, ref, price_book(ref))
    assert BANDS[found.isolated_bands[0]] == band


@pytest.mark.parametrize("mark", ["3000", "70000"])
@pytest.mark.parametrize("name", ["BTC-USDT-P", "BTC-USDT-C"])
def test_mm_3_a_short_put_worth_more_than_the_index_asks_on_its_mark(mark: str, name: str) -> None:
    ref = reference_with(raw_with_options())
    held = account({"USDT": "500000"}, [(name, "-10", "3000")])
    compare_all(Crowd([held], ref, price_book(ref, {f"{name}/mark": mark})))


def test_es_1_away_from_a_level_no_decimals_are_needed() -> None:
    ref = reference()
    bulk = Bulk.of([at_ratio("3.001")], ref)
    found = standings(bulk.frame(), bulk.find, ref, price_book(ref))
    assert not found.figures
    assert BANDS[found.bands[0]] == "normal"


def test_mm_1_a_debt_at_the_bound_of_its_tier_is_decimals_to_tell() -> None:
    """0.1 + 0.2 is above 0.3 in floats; the bound belongs to the tier below."""
    raw = raw_reference()
    raw["currencies"]["ETH"] = currency("0.9", ("0.3", "0.01"), ("1", "0.9"))
    ref = reference_with(raw)
    held = account({"USDT": "1500", "ETH": "0"})
    held.mode = "spot"
    held.balances["ETH"] = Balance(d(0), d("0.1"), d("0.2"))
    book = price_book(ref)
    bulk = Bulk.of([held], ref)
    found = evaluate(bulk.frame(), price_arrays(bulk.packer, book))
    exact = assess(held, ref, book)
    assert float(found.requirement[0]) == pytest.approx(float(exact.requirement), rel=CLOSE)
    assert exact.requirement < 20


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_es_1_bands_are_those_of_decimals(seed: int) -> None:
    held = crowd(seed, 15, ticks=0)
    bulk = Bulk.of(held.accounts, held.reference)
    frame = bulk.frame()
    found = standings(frame, bulk.find, held.reference, held.prices)
    policy = held.reference.policy
    for place, one in enumerate(held.accounts):
        exact = assess(one, held.reference, held.prices)
        expected = "unpriced" if exact.unpriced else band_of(exact, policy)
        assert BANDS[found.bands[place]] == expected, describe(one, exact)
        for row in np.flatnonzero(frame.isolated_account == place).tolist():
            own = exact.isolated[frame.isolated_key(row)]
            band = band_of_ratio(own.ratio, policy, one.mode)
            assert BANDS[found.isolated_bands[row]] == band


def test_wi_1_accounts_that_only_decimals_know_beyond_the_bound_are_unassessed() -> None:
    ref = reference()
    accounts = [
        with_orders(at_ratio("2"), order("o", "BTC-USDT", "buy", "1", None)) for _ in range(3)
    ]
    for number, one in enumerate(accounts):
        one.account_id = str(number)
    bulk = Bulk.of(accounts, ref)
    frame = bulk.frame()
    assert frame.exact.all()
    found = standings(frame, bulk.find, ref, price_book(ref), most=2)
    assert found.count(BANDS.index("unassessed")) == 1
    assert len(found.figures) == 2


def test_px_3_what_the_reference_set_does_not_know_is_unpriced() -> None:
    ref = reference()
    held = account({"USDT": "100", "XYZ": "1"})
    bulk = Bulk.of([held], ref)
    found = standings(bulk.frame(), bulk.find, ref, price_book(ref))
    assert BANDS[found.bands[0]] == "unpriced"


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_wi_1_changed_accounts_stand_as_if_all_were_packed_anew(seed: int) -> None:
    held, other = crowd(seed, 8), crowd(seed + 1, 8)
    books = {one.account_id: one for one in held.accounts}
    bulk = Bulk(held.reference, books.get)
    for one in held.accounts:
        bulk.put(one)
    bulk.frame()
    for one in other.accounts[:4]:
        books[one.account_id] = one
        bulk.put(one)
    bulk.drop("a7")
    del books["a7"]
    fresh = Bulk.of(books.values(), held.reference)
    arrays = price_arrays(bulk.packer, held.prices)
    first, second = (evaluate(b.frame(), arrays) for b in (bulk, fresh))
    assert list(bulk) == list(fresh)
    np.testing.assert_array_equal(first.equity, second.equity)
    np.testing.assert_array_equal(first.requirement, second.requirement)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_wi_2_each_account_at_a_factor_of_its_own_is_as_all_at_that_factor(seed: int) -> None:
    held = crowd(seed, 8, exact=False)
    bulk = Bulk.of(held.accounts, held.reference)
    chosen = np.array([3, 0, 3, 7, 5])
    frame = bulk.frame().only(chosen)
    assert [frame.name(n) for n in range(5)] == ["a3", "a0", "a3", "a7", "a5"]
    arrays = price_arrays(bulk.packer, held.prices)
    coins = np.array([name == "BTC" for name in bulk.packer.coins])
    instruments = held.reference.instruments
    marks = np.array([instruments[n].underlying == "BTC" for n in bulk.packer.instruments])
    factors = np.array([0.7, 0.9, 1.0, 1.2, 1.5])
    apart = evaluate(frame, arrays.apart(coins, marks, factors))
    for place, factor in enumerate(factors.tolist()):
        moved = evaluate(bulk.frame(), arrays.moved(coins, marks, factor))
        number = int(chosen[place])
        assert apart.equity[place] == pytest.approx(moved.equity[number], rel=1e-12, abs=1e-6)
        assert apart.requirement[place] == pytest.approx(
            moved.requirement[number], rel=1e-12, abs=1e-6
        )
