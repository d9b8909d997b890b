"""What an account borrows by its book is what an exact assessment says it borrows (BL-4)."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.limits import own_borrowing
from monitor.margin import assess
from streams.totals.counting import borrowed_by_the_book
from tests.support.accounts import any_account, any_prices, full_reference
from tests.support.markets import Market, reference, wild_account

FULL, WILD = full_reference(), reference()


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**9))
def test_bl_4_what_is_told_without_an_assessment_is_what_one_says(seed: int) -> None:
    rng = Random(seed)
    ref = rng.choice([FULL, WILD])
    book = any_prices(rng) if ref is FULL else Market(rng, WILD).book()
    account = any_account(rng, ref, book) if ref is FULL else wild_account(rng, "a", ref, book)
    if rng.random() < 0.3:
        account.positions = {}
    found = borrowed_by_the_book(account, ref, book)
    figures = assess(account, ref, book)
    if found is not None:
        assert not figures.unpriced
        assert found == own_borrowing(account, figures)


def test_bl_4_most_accounts_need_no_assessment() -> None:
    told = with_positions = 0
    for seed in range(300):
        rng = Random(seed)
        book = Market(rng, WILD).book()
        account = wild_account(rng, "a", WILD, book)
        account.orders = {n: o for n, o in account.orders.items() if o.price is not None}
        found = borrowed_by_the_book(account, WILD, book)
        told += found is not None
        with_positions += found is not None and bool(account.positions)
    assert told > 100
    assert with_positions > 10
