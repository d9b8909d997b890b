"""How far prices may move together: worked by hand, and held against the ratio at that move."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from monitor.account import Account, Balance, Position
from monitor.margin import assess
from monitor.prices import Price, PriceBook
from monitor.reference import Reference, load_reference
from monitor.scenario import Bulk
from monitor.scenario import distances as bulk_distances
from streams.dashboard.source.distance import Distance, Distances, UniformMove, distances
from tests.support.accounts import any_account, any_prices, full_reference
from tests.support.bus import REFERENCE


def _prices(**changed: str) -> PriceBook:
    book = PriceBook()
    given = {"BTC-USD/index": "50000", "USDT-USD/index": "1", "BTC-USDT-SWAP/mark": "50000"}
    book.prices = {k: Price(Decimal(p), 1, 0, 0) for k, p in {**given, **changed}.items()}
    return book


def _account(cash: str, contracts: str) -> Account:
    account = Account("a", known=True)
    account.balances["USDT"] = Balance(Decimal(cash))
    account.positions["BTC-USDT-SWAP/net"] = Position(
        "BTC-USDT-SWAP", "net", Decimal(contracts), Decimal(50000)
    )
    return account


@pytest.fixture
def reference() -> Reference:
    return load_reference(REFERENCE)


@pytest.mark.parametrize(
    ("cash", "contracts", "to_warning", "to_liquidation"),
    [
        # 2000 + 50000 m = 3 × 0.0105 × 50000 (1 + m), and once: 525 (1 + m)
        ("2000", "100", "-0.88", "-2.98"),
        # Short: 2000 − 50000 m = 1575 (1 + m); 525 (1 + m)
        ("2000", "-100", "0.82", "2.92"),
        # Between the levels the way back is a rise: 1000 + 50000 m = 1575 (1 + m)
        ("1000", "100", "1.19", "-0.96"),
        # Far away: 30000 + 50000 m = 1575 (1 + m)
        ("30000", "100", "-58.70", "-59.58"),
    ],
)
def test_wi_2_the_move_is_where_the_ratio_is_at_its_level(
    reference: Reference, cash: str, contracts: str, to_warning: str, to_liquidation: str
) -> None:
    found = distances(_account(cash, contracts), reference, _prices())
    assert found.to_warning == Decimal(to_warning)
    assert found.to_liquidation == Decimal(to_liquidation)


def test_wi_2_without_anything_that_moves_there_is_no_distance(reference: Reference) -> None:
    account = Account("a", known=True)
    account.balances["USDT"] = Balance(Decimal(100))
    assert distances(account, reference, _prices()) == Distance(None, None, None)


def test_wi_2_an_unpriced_account_has_none(reference: Reference) -> None:
    prices = _prices()
    del prices.prices["BTC-USDT-SWAP/mark"]
    assert distances(_account("2000", "100"), reference, prices) == Distance(None, None, None)


def test_stablecoins_keep_their_price(reference: Reference) -> None:
    moved = UniformMove(_prices())
    moved.factor = Decimal("0.5")
    assert [moved.index(name) for name in ("USDT", "USD", "BTC")] == [1, 1, 25000]
    assert moved.mark("BTC-USDT-SWAP") == 25000


@pytest.mark.parametrize("seed", range(60))
def test_wi_2_at_the_distance_the_ratio_is_at_its_level(seed: int) -> None:
    """Any account: a hundredth of a percent beyond the move the level is passed, one before not."""
    rng, reference = Random(seed), full_reference()
    prices = any_prices(rng)
    account = any_account(rng, reference, prices)
    found = distances(account, reference, prices)
    moved = UniformMove(prices)

    def slack(percent: Decimal, level: int) -> Decimal:
        moved.factor = 1 + percent / 100
        figures = assess(account, reference, moved)
        return figures.adjusted_equity - level * figures.requirement

    for move, level in ((found.to_warning, 3), (found.to_liquidation, 1)):
        if move is not None and move:
            here = slack(Decimal(0), level)
            step = Decimal("0.02").copy_sign(move)
            assert (slack(move + step, level) > 0) != (here > 0)
            assert (slack(move - step, level) > 0) == (here > 0)


@pytest.mark.parametrize("seed", range(12))
def test_wi_2_it_is_the_distance_that_the_bulk_finds(seed: int) -> None:
    """Another search on other arithmetic; it has no way back, and looks at every half percent."""
    rng, reference = Random(seed), full_reference()
    prices = any_prices(rng)
    accounts = {f"a{n}": any_account(rng, reference, prices) for n in range(8)}
    for name, account in accounts.items():
        account.account_id = name
    bulk = Bulk.of(accounts.values(), reference)
    together = bulk_distances(bulk.frame(), bulk.find, reference, prices)
    compared = 0
    for account, other in zip(accounts.values(), together, strict=True):
        own = distances(account, reference, prices)
        if own.ratio is None or own.ratio <= 3 or other is None:
            continue
        compared += 1
        for one, two in zip(own[1:], other, strict=True):
            if one is not None and two is not None:
                assert abs(one - two) <= Decimal("0.02")
    assert compared


def test_what_was_worked_out_serves_while_the_ratio_holds() -> None:
    known = Distances()
    found = Distance(2.0, Decimal(1), Decimal(2))
    known.note("a", 100.0, found)
    assert known.known("a", "2.003", 105.0) is found
    assert known.known("a", "2.005", 105.0) is None
    assert known.known("a", "2", 111.0) is None
    assert known.last("a") is found
    assert known.known("b", "2", 100.0) is None


def test_so_many_a_second_and_no_more() -> None:
    known = Distances(a_second=3)
    assert [known.may(7.1) for _ in range(5)] == [True, True, True, False, False]
    assert known.may(8.0)
