"""Portfolio accounts in what-if and the liquidation map: the decimals' own answer (WI-1, WI-2)."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Position
from monitor.margin import assess
from monitor.report import band_of
from monitor.scenario import Bulk, WhatIfQuestion, liquidation_map, what_if
from monitor.scenario.shock import ShockedPrices, moves_of
from tests.support.markets import with_ratio
from tests.support.portfolio import (
    NOW,
    any_portfolio_account,
    market,
    portfolio_reference,
    price_book_at,
)

REFERENCE = portfolio_reference()
BOOK = price_book_at(market(REFERENCE), REFERENCE)


def accounts(seed: int, count: int) -> list[Account]:
    rng = Random(seed)
    found = []
    for number in range(count):
        held = any_portfolio_account(rng, REFERENCE)
        held.account_id = f"p{number}"
        with_ratio(held, REFERENCE, BOOK, Decimal(rng.choice(("1.2", "2", "3.4"))))
        found.append(held)
    return found


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["-0.2", "-0.05", "0.1"]))
def test_wi_1_bands_after_a_shock_are_the_exact_ones(seed: int, shock: str) -> None:
    held = accounts(seed, 4)
    question = WhatIfQuestion.model_validate({"shocks": {"BTC": shock}})
    found = what_if(Bulk.of(held, REFERENCE), BOOK, question, every=True)
    moved = ShockedPrices(BOOK, REFERENCE, moves_of({"BTC": Decimal(shock)}, REFERENCE, BOOK))
    by_name = {one.account_id: one for one in found.moved}
    assert sorted(by_name) == [one.account_id for one in held]
    for one in held:
        exact = assess(one, REFERENCE, moved)
        assert by_name[one.account_id].ratio_after == exact.ratio
        assert by_name[one.account_id].band_after == band_of(exact, REFERENCE.policy)


def test_wi_2_a_portfolio_account_stands_in_the_map_where_its_ratio_crosses() -> None:
    held = Account("p", known=True, mode="portfolio", auto_borrow=True)
    mark = BOOK.mark("BTC-USDT-SWAP")
    held.positions["BTC-USDT-SWAP/net"] = Position("BTC-USDT-SWAP", "net", Decimal(100), mark)
    with_ratio(held, REFERENCE, BOOK, Decimal("1.5"))
    found = liquidation_map(Bulk.of([held], REFERENCE), BOOK, "BTC", now=NOW)
    (bucket,) = [one for one in found.buckets if one.level1.accounts]
    moves = {"BTC": bucket.move / 100}
    there = ShockedPrices(BOOK, REFERENCE, moves_of(moves, REFERENCE, BOOK))
    ratio = assess(held, REFERENCE, there).ratio
    assert ratio is not None
    assert ratio <= 1
    assert bucket.move < 0
