"""How many of a demo's accounts hold options."""

from __future__ import annotations

import pytest

from streams.demo.exchange import shares_of


@pytest.mark.parametrize("accounts", [200, 1_000, 20_000, 1_000_000])
def test_there_are_a_few_books_whatever_the_size(accounts: int) -> None:
    shares = shares_of(accounts)
    assert accounts * shares.portfolio == pytest.approx(4)
    assert accounts * shares.options * 2 / 3 == pytest.approx(2)


def test_a_small_demo_is_not_all_options() -> None:
    shares = shares_of(10)
    assert shares.portfolio <= 0.02
    assert shares.options <= 0.02
