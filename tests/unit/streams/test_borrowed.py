"""What an account borrows at any price is what an exact assessment says it borrows (BL-4)."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.limits import own_borrowing
from monitor.margin import assess
from streams.totals.counting import borrowed_at_any_price
from tests.support.accounts import any_account, any_prices, full_reference
from tests.support.markets import Market, reference, wild_account

FULL, WILD = full_reference(), reference()


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**9))
def test_bl_4_what_no_price_moves_is_told_without_an_assessment(seed: int) -> None:
    rng = Random(seed)
    ref = rng.choice([FULL, WILD])
    book = any_prices(rng) if ref is FULL else Market(rng, WILD).book()
    account = any_account(rng, ref, book) if ref is FULL else wild_account(rng, "a", ref, book)
    if rng.random() < 0.7:
        account.positions = {}
    found = borrowed_at_any_price(account, ref)
    figures = assess(account, ref, book)
    if found is not None:
        assert not figures.unpriced
        assert found == own_borrowing(account, figures)


def test_bl_4_positions_and_market_orders_are_left_to_prices() -> None:
    told = 0
    for seed in range(300):
        rng = Random(seed)
        book = any_prices(rng)
        account = any_account(rng, FULL, book)
        moves = bool(account.positions) or any(o.price is None for o in account.orders.values())
        if moves:
            assert borrowed_at_any_price(account, FULL) is None
        told += borrowed_at_any_price(account, FULL) is not None
    assert told > 50
