"""What if prices moved, an order filled, cash went (WI-1): worked numbers, then against decimals."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account
from monitor.margin import assess
from monitor.report import band_of
from monitor.scenario import BadScenario, Bulk, WhatIfAnswer, WhatIfQuestion, what_if
from monitor.scenario.revalued import RevaluedPrices
from monitor.scenario.shock import ShockedPrices, moves_of, risk_coins
from tests.rules.reduction_market import (
    account,
    d,
    isolated,
    order,
    price_book,
    reference,
    with_orders,
)
from tests.support.scenarios import crowd

REF = reference()


def named(name: str, held: Account) -> Account:
    held.account_id = name
    return held


def ask(*accounts: Account, prices: Mapping[str, str] | None = None, **asked: Any) -> WhatIfAnswer:
    every = asked.pop("every", False)
    question = WhatIfQuestion.model_validate(asked)
    return what_if(Bulk.of(accounts, REF), price_book(REF, prices), question, every=every)


def long(name: str, cash: str, contracts: str = "100") -> Account:
    """At 60,000 a notional of 600 × contracts; 0.45 % of it is asked."""
    return named(name, account({"USDT": cash}, [("BTC-USDT-SWAP", contracts, "60000")]))


def test_wi_1_a_shock_of_an_underlying_moves_its_index_and_every_mark_on_it() -> None:
    # 1 BTC long: −6,000; 54,000 × 0.0045 = 243 asked. 7,000 − 6,000 = 1,000
    # 1 BTC held at 0.95: 57,000 → 51,300. Long ETH swap: does not move.
    held = named(
        "a",
        account(
            {"USDT": "7000", "BTC": "1"},
            [("BTC-USDT-SWAP", "100", "60000"), ("ETH-USDT-SWAP", "10", "3000")],
        ),
    )
    found = ask(held, shocks={"BTC": "-0.1"}, account_id="a")
    (moved,) = found.moved
    assert moved.adjusted_equity_before == d("64000")
    assert moved.adjusted_equity_after == d("52300")
    assert moved.ratio_after == d("52300") / (d("54000") + d("3000")) / d("0.0045")
    assert found.prices == {"BTC": d("54000")}


def test_wi_1_a_shock_of_a_symbol_moves_that_price_alone() -> None:
    held = named("a", account({"BTC": "1", "USDT": "5000"}, [("BTC-USDT-SWAP", "1", "60000")]))
    mark = ask(held, shocks={"BTC-USDT-SWAP": "-0.1"}, account_id="a")
    index = ask(held, shocks={"BTC-USD": "-0.1"}, account_id="a")
    assert mark.moved[0].adjusted_equity_after == d(57000) + d(5000) - d(60)
    assert index.moved[0].adjusted_equity_after == d(51300) + d(5000)
    assert mark.prices == {"BTC-USDT-SWAP": d(54000)}
    assert index.prices == {"BTC-USD": d(54000)}


def test_wi_1_bands_before_and_after_and_those_that_fall() -> None:
    # asked after −1 %: 59,400 × 0.0045 = 267.3; the loss is 600
    found = ask(
        long("safe", "9000"),
        long("warned", "1200"),  # 4.44 → 600 / 267.3 = 2.24
        long("falls", "860"),  # 3.19 → 260 / 267.3 = 0.97
        long("was", "300"),  # 1.11 → −300 / 267.3
        shocks={"BTC": "-0.01"},
    )
    assert found.before.model_dump() == {
        "normal": 3, "warning": 1, "liquidation": 0, "unpriced": 0, "unassessed": 0,
    }  # fmt: skip
    assert (found.after.normal, found.after.warning, found.after.liquidation) == (1, 1, 2)
    assert [one.account_id for one in found.moved] == ["was", "falls", "warned"]
    assert (found.moved_total, found.falling) == (3, 3)
    assert [one.band_after for one in found.moved] == ["liquidation", "liquidation", "warning"]
    assert found.expected_reductions == 2
    assert found.bankrupt == 1
    assert found.shortfall_usd == d("300")
    assert found.shortfall_before_usd == 0
    assert found.notional_at_risk_usd == 2 * d("59400") + d("300")  # what `was` owes then


def test_wi_1_an_account_that_recovers_moves_and_does_not_fall() -> None:
    found = ask(long("a", "600"), shocks={"BTC": "0.01"})
    assert found.moved[0].band_before == "warning"
    assert found.moved[0].band_after == "normal"
    assert (found.moved_total, found.falling) == (1, 0)


def test_wi_1_no_more_than_the_worst_are_shown_but_all_are_counted() -> None:
    accounts = [long(f"a{n}", str(900 + n)) for n in range(8)]
    found = what_if(
        Bulk.of(accounts, REF),
        price_book(REF),
        WhatIfQuestion.model_validate({"shocks": {"BTC": "-0.01"}}),
        most=3,
    )
    assert [one.account_id for one in found.moved] == ["a0", "a1", "a2"]
    assert found.moved_total == 8


def test_es_4_what_cancelling_all_orders_would_save_is_not_reduced() -> None:
    """600 USD: 270 for the position, 540 more for an order of twice its size, and its fee of 60."""
    held = with_orders(
        long("a", "1230"), order("o", "BTC-USDT-SWAP", "buy", "200", "60000", leverage=d(100))
    )
    found = ask(held, long("b", "830"), shocks={"BTC": "-0.01"})
    assert found.after.liquidation == 2
    assert found.expected_reductions == 1


def test_mr_3_isolated_positions_are_counted_by_themselves() -> None:
    held = account({"USDT": "50000"})
    isolated(held, "BTC-USDT-SWAP", "100", "60000", "6100")
    found = ask(held, shocks={"BTC": "-0.11"})
    assert found.after.normal == 1
    assert (found.isolated_before.normal, found.isolated_after.liquidation) == (1, 1)
    # margin 6,100 − 6,600: 500 are missing
    assert found.shortfall_usd == d(500)
    assert found.notional_at_risk_usd == d("53400")


def test_cu_10_a_fill_that_did_not_happen_is_booked_on_a_copy() -> None:
    held = named("a", account({"USDT": "1000"}))
    fill = {"instrument": "BTC-USDT-SWAP", "side": "buy", "quantity": "100"}
    found = ask(held, account_id="a", fills=[fill])
    # at mark, fee 60,000 × 0.0005 = 30; 270 asked
    assert found.moved[0].ratio_before is None
    assert found.moved[0].adjusted_equity_after == d(970)
    assert found.moved[0].ratio_after == d(970) / d(270)
    assert not held.positions
    assert found.account is not None
    assert found.account.after.positions[0].instrument == "BTC-USDT-SWAP"
    assert not found.account.before.positions


def test_wi_1_an_open_order_fills_at_its_own_price_and_is_gone() -> None:
    held = with_orders(
        named("a", account({"USDT": "70000"})), order("o", "BTC-USDT", "buy", "1", "59000")
    )
    found = ask(held, account_id="a", fills=[{"order_id": "o"}])
    assert found.account is not None
    after = found.account.after
    assert after.currencies["BTC"].cash == d("0.999")  # the fee is paid in what is bought
    assert after.currencies["USDT"].cash == d(11000)
    assert after.frozen == 0
    assert "o" in held.orders


def test_wi_1_part_of_an_order_leaves_the_rest_open() -> None:
    held = with_orders(
        named("a", account({"USDT": "70000"})), order("o", "BTC-USDT", "buy", "1", "59000")
    )
    found = ask(held, account_id="a", fills=[{"order_id": "o", "quantity": "0.4"}])
    assert found.account is not None
    assert found.account.after.currencies["USDT"].frozen == d(35400)


def test_wi_1_cash_moves_and_prices_with_it() -> None:
    found = ask(long("a", "1000"), cash={"USDT": "-100"}, shocks={"BTC": "-0.01"})
    assert found.moved[0].adjusted_equity_after == d(300)


@pytest.mark.parametrize(
    ("asked", "field", "problem"),
    [
        ({"shocks": {"XRP": "0.1"}}, "shocks.XRP", "no currency and no price"),
        ({"shocks": {"BTC": "-1"}}, "shocks.BTC", "more than -1"),
        ({"shocks": {"USD": "0.1"}}, "shocks.USD", "unit of account"),
        ({"cash": {"XRP": "1"}}, "cash.XRP", "no such currency"),
        ({"account_id": "b"}, "account_id", "b is not known"),
        ({"fills": [{"order_id": "x"}]}, "fills.0.order_id", "x is no open order"),
        (
            {"fills": [{"instrument": "X", "side": "buy", "quantity": "1"}]},
            "fills.0.instrument",
            "X is not in the reference set",
        ),
        (
            {"fills": [{"order_id": "o", "quantity": "3"}]},
            "fills.0.quantity",
            "1 of o is open",
        ),
        (
            {
                "fills": [
                    {
                        "instrument": "BTC-USDT-SWAP",
                        "side": "buy",
                        "quantity": "1",
                        "position_side": "long",
                    }
                ]
            },
            "fills.0",
            "does not fit the account's position_mode",
        ),
    ],
)
def test_wi_1_what_cannot_be_done_names_its_field(
    asked: dict[str, Any], field: str, problem: str
) -> None:
    held = with_orders(long("a", "9000"), order("o", "BTC-USDT", "buy", "1", "59000"))
    with pytest.raises(BadScenario, match=problem) as caught:
        ask(held, **asked)
    assert caught.value.field == field


def test_wi_1_fills_and_cash_need_an_account_where_there_are_several() -> None:
    with pytest.raises(BadScenario, match="name it"):
        ask(long("a", "1"), long("b", "1"), cash={"USDT": "1"})
    assert ask(long("a", "500"), cash={"USDT": "-1"}).moved[0].adjusted_equity_after == d(499)


def test_px_2_a_coin_priced_through_another_keeps_its_usd_price_when_that_one_is_shocked() -> None:
    raw = {"SOL-BTC/index": "0.002"}
    book = price_book(REF, raw)
    del book.prices["SOL-USD/index"]
    book._routes.clear()
    by_coin = ShockedPrices(book, REF, moves_of({"BTC": d("-0.5")}, REF, book))
    by_tick = ShockedPrices(book, REF, moves_of({"BTC-USD": d("-0.5")}, REF, book))
    assert by_coin.index("SOL") == d(120)
    assert by_coin.index("BTC") == d(30000)
    assert by_tick.index("SOL") == d(60)


def test_wi_1_risk_coins_are_all_but_the_stablecoins_that_quote() -> None:
    book = price_book(REF)
    assert risk_coins(REF, book) == {"BTC", "ETH", "SOL"}
    apart = price_book(REF, {"USDC-USD/index": "0.94", "SOL-USD/index": "1"})
    # SOL is worth 1 and quotes nothing; USDC has lost its peg
    assert risk_coins(REF, apart) == {"BTC", "ETH", "SOL", "USDC"}


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10**9),
    st.sampled_from(({"BTC": "-0.2"}, {"BTC": "0.3", "ETH": "-0.1"}, {"BTC-USDT-SWAP": "-0.05"})),
)
def test_wi_1_every_band_is_the_one_that_decimals_find(seed: int, shocks: dict[str, str]) -> None:
    held = crowd(seed, 12)
    question = WhatIfQuestion.model_validate({"shocks": shocks})
    found = what_if(Bulk.of(held.accounts, held.reference), held.prices, question, every=True)
    moved = moves_of(question.shocks, held.reference, held.prices)
    shocked = RevaluedPrices(held.prices, held.reference, moved)
    total = Decimal(0)
    reductions = 0
    rows = {one.account_id: one for one in found.moved}
    for one in held.accounts:
        exact = assess(one, held.reference, shocked)
        band = None if exact.unpriced else band_of(exact, held.reference.policy)
        assert rows[one.account_id].band_after == band
        assert rows[one.account_id].ratio_after == (None if exact.unpriced else exact.ratio)
        for own in exact.isolated.values():
            total += max(Decimal(0), -own.equity)
        if exact.total_equity is not None and not exact.unpriced:
            total += max(Decimal(0), -exact.total_equity)
        if band == "liquidation":
            bare = one.copy()
            bare.orders = {}
            after = assess(bare, held.reference, shocked)
            reductions += band_of(after, held.reference.policy) == "liquidation"
    assert found.expected_reductions == reductions
    assert abs(found.shortfall_usd - total) <= d("0.01")
