"""The published assessment: INTERFACE's fields, from the figures (BL-4, CU-3, MR-3, MR-4)."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance, IsolatedPosition, Position
from monitor.borrowing import borrowing_table
from monitor.limits import Totals
from monitor.liquidation_price import liquidation_prices
from monitor.margin import assess
from monitor.reference import load_reference
from monitor.report import assessment, band_of_ratio, shown
from monitor.schema import Assessment, Policy
from tests.support.accounts import RAW, any_account, any_prices, full_reference, price_book

REFERENCE = full_reference()
SWAP, OPTION = "BTC-USDT-SWAP", "BTC-USD-70000-C"
TOTALS = Totals(1, {"a": {"USDT": Decimal(4_000)}}, {"USDT": Decimal(70_000)})


def d(value: str | int) -> Decimal:
    return Decimal(value)


def account() -> Account:
    held = Account("a", known=True, auto_borrow=True, vip_level="5")
    held.balances = {"BTC": Balance(d(1)), "USDT": Balance(d(-3_000))}
    held.positions = {
        f"{SWAP}/net": Position(SWAP, "net", d(50), d(60_120)),
        f"{OPTION}/net": Position(OPTION, "net", d(-10), d("0.01")),
    }
    held.isolated = {
        f"{SWAP}/isolated/net": IsolatedPosition(
            SWAP, "net", d(-10), d(60_060), d(100), "USDT", d(10)
        ),
        "BTC-USDT/isolated/net": IsolatedPosition(
            "BTC-USDT", "net", d("0.1"), d(60_060), d(100), "USDT", d(9), d(6_006), "USDT", d(6)
        ),
    }
    return held


def whole(held: Account, raw: dict[str, Any] | None = None) -> Assessment:
    reference = load_reference(raw) if raw is not None else REFERENCE
    prices = price_book()
    figures = assess(held, reference, prices)
    return assessment(
        held,
        figures,
        reference.policy,
        borrowing=borrowing_table(held, figures, reference, TOTALS),
        liquidation=liquidation_prices(held, figures, reference, prices),
    )


def with_limits() -> dict[str, Any]:
    usdt = {
        **RAW["currencies"]["USDT"],
        "vip_caps": {"5": "35000"},
        "platform_pool": "100000",
        "utilisation_curve": [
            {"utilisation": "0.5", "rate": "0.1"},
            {"utilisation": "1", "rate": "0.2"},
        ],
    }
    return {**RAW, "currencies": {**RAW["currencies"], "USDT": usdt}}


def test_bl_4_each_currency_shows_its_rate_free_part_and_what_is_left() -> None:
    found = whole(account(), with_limits()).currencies["USDT"]
    assert found.liability == 3_030  # 3,000 and a loss of 30
    assert found.upl_liability == 30
    assert found.free_part == 1  # IN-2: min(30, the quota)
    assert found.yearly_rate == d("0.14")  # BL-3: at 70 %
    assert found.limits is not None
    # what it borrows itself, its isolated debt included, is more than the total that is behind
    used = d(3_030) + 6_012
    assert found.limits.tier == 90_000 - 3_030
    assert found.limits.main_account == 35_000 - used
    assert found.limits.platform == 30_000


def test_bl_4_without_a_limit_nothing_is_left_to_say() -> None:
    limits = whole(account()).currencies["BTC"].limits
    assert limits is not None
    assert (limits.tier, limits.main_account, limits.platform) == (d(3), None, None)


def test_cu_3_options_have_their_value_in_the_currency_and_in_the_position() -> None:
    found = whole(account())
    assert found.currencies["BTC"].options_value == d("-0.012")
    assert [p.options_value for p in found.positions] == [d("-0.012"), d(0)]


def test_mr_3_isolated_positions_are_listed_with_ratio_and_band() -> None:
    swap, margin = whole(account()).isolated
    assert (margin.instrument, swap.instrument) == ("BTC-USDT", SWAP)
    assert (swap.position_side, swap.quantity) == ("net", d(-10))
    assert swap.ratio == d("99.9") / (6_006 * d("0.999") * d("0.0045"))
    assert swap.band == "normal"
    assert swap.liability_currency is None
    assert (margin.liability, margin.liability_currency, margin.accrued_interest) == (
        d(6_006),
        "USDT",
        d(6),
    )
    assert margin.ratio is not None
    assert 0 < margin.ratio <= 1
    assert margin.band == "liquidation"


def test_mr_4_positions_isolated_ones_and_debts_show_their_liquidation_prices() -> None:
    held, prices = account(), price_book()
    found = whole(held)
    taken = liquidation_prices(held, assess(held, REFERENCE, prices), REFERENCE, prices)
    for shown_ in found.positions:
        one = taken.positions[f"{shown_.instrument}/{shown_.position_side}"]
        assert (
            shown_.liquidation_price,
            shown_.liquidation_price_buys_filled,
            shown_.liquidation_price_sells_filled,
        ) == one
    for own in found.isolated:
        price = taken.isolated[f"{own.instrument}/isolated/net"].price
        assert own.liquidation_price == price is not None
    assert found.currencies["USDT"].liquidation_price == taken.debts["USDT"].price is not None
    assert found.currencies["BTC"].liquidation_price is None


def test_what_is_not_asked_for_is_left_out_and_reads_as_null() -> None:
    held = account()
    figures = assess(held, REFERENCE, price_book())
    body = shown(held, figures, REFERENCE.policy)
    assert "liquidation_price" not in body["positions"][0]
    assert "limits" not in body["currencies"]["BTC"]
    read = Assessment.model_validate(body)
    assert read.positions[0].liquidation_price is None
    assert read.currencies["BTC"].limits is None


def test_px_3_an_unpriced_account_shows_no_figure() -> None:
    prices = price_book()
    del prices.prices["BTC-USD/index"]
    held = account()
    figures = assess(held, REFERENCE, prices)
    liquidation = liquidation_prices(held, figures, REFERENCE, prices)
    read = assessment(held, figures, REFERENCE.policy, liquidation=liquidation)
    assert (read.band, read.ratio, read.positions, read.isolated) == (None, None, (), ())
    assert read.unpriced == ("BTC-USD/index",)


@pytest.mark.parametrize(
    ("ratio", "mode", "band"),
    [
        (None, "spot", "normal"),
        ("3.0000000000000000000000000001", "spot", "normal"),
        ("3", "spot", "warning"),
        ("3", "multi_currency", "normal"),
        ("1", "spot", "liquidation"),
        ("-2", "spot", "liquidation"),
    ],
)
def test_es_1_bands_by_the_mode_s_levels(ratio: str | None, mode: str, band: str) -> None:
    policy = Policy.model_validate({"warning": {"multi_currency": "2.5"}})
    assert band_of_ratio(None if ratio is None else d(ratio), policy, mode) == band


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9))
def test_any_account_s_assessment_reads_back_as_it_was(seed: int) -> None:
    rng = Random(seed)
    prices = any_prices(rng)
    held = any_account(rng, REFERENCE, prices)
    figures = assess(held, REFERENCE, prices)
    borrowing = borrowing_table(held, figures, REFERENCE, None)
    liquidation = liquidation_prices(held, figures, REFERENCE, prices)
    body = shown(held, figures, REFERENCE.policy, borrowing=borrowing, liquidation=liquidation)
    read = Assessment.model_validate(body)
    assert read.ratio == figures.ratio
    assert len(read.positions) == len(figures.positions)
    assert len(read.isolated) == len(figures.isolated)
    again = Assessment.model_validate_json(read.model_dump_json())
    assert again == read
