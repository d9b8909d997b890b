"""BL-1 to BL-3: tiers, caps of main accounts, the platform's pool, and rates by utilisation."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from monitor.account import Account
from monitor.account.state import IsolatedPosition
from monitor.limits import (
    Totals,
    borrow_limits,
    exceeded,
    main_account_cap,
    main_account_of,
    next_yearly_rate,
    own_borrowing,
    tier_limit,
    usable_totals,
    utilisation,
    yearly_rate,
)
from monitor.margin import Figures, assess
from monitor.reference import Reference, load_reference
from monitor.schema.reference import Currency, Policy
from tests.rules.reduction_world import account, d, order, price_book, raw_reference, with_orders

TS = 1_700_000_000_000
TIERS = [
    {"up_to": "100", "initial": "0.1", "maintenance": "0.02", "max_leverage": "10"},
    {"up_to": "500", "initial": "0.2", "maintenance": "0.05", "max_leverage": "5"},
    {"up_to": "900", "initial": "0.5", "maintenance": "0.1", "max_leverage": "2"},
]


def reference(**usdt: Any) -> Reference:
    raw = raw_reference()
    raw["currencies"]["USDT"] |= usdt
    return load_reference(raw)


def figures_of(held: Account, found: Reference) -> Figures:
    figures = assess(held, found, price_book(found))
    assert figures.unpriced == ()
    return figures


def totals(
    main: Mapping[str, str] | None = None, platform: Mapping[str, str] | None = None, **more: Any
) -> Totals:
    return Totals(
        TS,
        {"M": {name: d(amount) for name, amount in (main or {}).items()}},
        {name: d(amount) for name, amount in (platform or {}).items()},
        **more,
    )


def debtor(amount: str = "1000", **more: Any) -> Account:
    held = account({"BTC": "1", "USDT": f"-{amount}"}, **more)
    held.main_account_id, held.vip_level = "M", "5"
    return held


# -- BL-1 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leverage", "limit"),
    [("1", "900"), ("2", "900"), ("2.1", "500"), ("5", "500"), ("10", "100"), ("10.1", "0")],
)
def test_bl_1_the_largest_amount_whose_tier_allows_the_leverage(leverage: str, limit: str) -> None:
    assert tier_limit(Currency.model_validate({"borrow_tiers": TIERS}), d(leverage)) == d(limit)


def test_bl_1_a_tier_without_max_leverage_allows_any_and_no_tiers_are_no_limit() -> None:
    open_ended = [*TIERS, {"up_to": "1000", "initial": "0.5", "maintenance": "0.1"}]
    entry = Currency.model_validate({"borrow_tiers": open_ended})
    assert tier_limit(entry, d("50")) == 1000
    assert tier_limit(Currency(), d("50")) is None


def test_bl_1_counts_the_potential_borrowing_of_the_account_alone() -> None:
    found = reference(borrow_tiers=TIERS)
    held = debtor("400")
    held.borrow_leverage = {"*": d(5)}
    limits = borrow_limits(held, figures_of(held, found), "USDT", found, None, added=d(60))
    assert (limits.tier.limit, limits.tier.used, limits.tier.left) == (d(500), d(460), d(40))
    over = borrow_limits(held, figures_of(held, found), "USDT", found, None, added=d(101))
    assert over.tier.left == 0
    assert over.tier.is_exceeded
    at_1x = borrow_limits(held, figures_of(held, found), "USDT", found, None, leverage=Decimal(1))
    assert at_1x.tier.limit == 900


# -- BL-2 -------------------------------------------------------------------------------------


def test_bl_2_cap_by_vip_level_a_level_not_listed_has_none() -> None:
    entry = Currency.model_validate({"vip_caps": {"5": "35000000", "1": "100"}})
    assert main_account_cap(entry, "5") == 35_000_000
    assert main_account_cap(entry, "2") == 0
    assert main_account_cap(entry, None) == 0
    assert main_account_cap(Currency(), "2") is None


def test_bl_2_is_shared_by_all_sub_accounts_of_the_main_account() -> None:
    """VIP 5, USDT: 35,000,000 over all of them; 34,999,000 are used by this one's sisters and it."""
    found = reference(vip_caps={"5": "35000000"})
    held = debtor()
    figures = figures_of(held, found)
    given = totals({"USDT": "34999000"})
    limits = borrow_limits(held, figures, "USDT", found, given)
    assert limits.main_account.left == 1000
    assert not borrow_limits(held, figures, "USDT", found, given, added=d(1000))[1].is_exceeded
    assert borrow_limits(held, figures, "USDT", found, given, added=d("1000.1"))[1].is_exceeded
    held.main_account_id = None  # its own main account: only its own part counts
    assert main_account_of(held) == held.account_id
    assert borrow_limits(held, figures, "USDT", found, given)[1].used == 1000


def test_bl_2_an_isolated_debt_counts_in_caps_and_pool_but_not_in_the_tier() -> None:
    found = reference(vip_caps={"5": "5000"}, platform_pool="9000", borrow_tiers=TIERS)
    held = debtor("100")
    held.isolated["BTC-USDT/isolated/net"] = IsolatedPosition(
        "BTC-USDT", "net", d("0.1"), d(60000), d(1000), "USDT", d(6), d(300), "USDT", d(1)
    )
    figures = figures_of(held, found)
    assert own_borrowing(held, figures) == {"USDT": d(401)}
    limits = borrow_limits(held, figures, "USDT", found, totals(), added_isolated=d(50))
    assert (limits.tier.used, limits.main_account.used, limits.platform.used) == (
        d(100),
        d(451),
        d(451),
    )


# -- BL-3 -------------------------------------------------------------------------------------


def test_bl_3_the_pool_less_what_everybody_borrows() -> None:
    found = reference(platform_pool="10000")
    held = debtor()
    figures = figures_of(held, found)
    limits = borrow_limits(held, figures, "USDT", found, totals(platform={"USDT": "8500"}))
    assert (limits.platform.limit, limits.platform.left) == (d(10_000), d(1_500))
    late = borrow_limits(held, figures, "USDT", found, totals(platform={"USDT": "500"}))
    assert late.platform.used == 1000, "a total that is behind counts the account's own part"


def test_bl_3_rates_are_linear_between_the_points_of_the_curve() -> None:
    entry = Currency.model_validate(
        {
            "yearly_rate": "0.05",
            "next_yearly_rate": "0.06",
            "utilisation_curve": [
                {"utilisation": "0.8", "rate": "0.1"},
                {"utilisation": "0.9", "rate": "0.3"},
                {"utilisation": "1", "rate": "1.3"},
            ],
        }
    )
    expected = {
        "0.79": "0.05",
        "0.8": "0.1",
        "0.85": "0.2",
        "0.9": "0.3",
        "0.95": "0.8",
        "1": "1.3",
        "1.2": "1.3",
    }
    assert {u: yearly_rate(entry, d(u)) for u in expected} == {u: d(r) for u, r in expected.items()}
    assert next_yearly_rate(entry, d("0.85")) == d("0.2")
    assert next_yearly_rate(entry, None) == d("0.06")
    assert yearly_rate(entry, None) == d("0.05")
    assert next_yearly_rate(Currency(yearly_rate=d("0.04")), d("0.9")) == d("0.04")


def test_bl_3_utilisation_is_the_lent_out_share_of_the_pool() -> None:
    found = reference(platform_pool="10000", lent_out="9500")
    assert utilisation("USDT", found, totals(platform={"USDT": "8000"})) == d("0.8")
    assert utilisation("USDT", found, None) == d("0.95")
    assert utilisation("BTC", found, totals()) is None, "no pool"
    assert utilisation("USDT", reference(platform_pool="10000"), None) is None


# -- H-10, OC-3 -------------------------------------------------------------------------------


def test_h_10_totals_that_are_not_known_leave_nothing_known() -> None:
    found = reference(vip_caps={"5": "5000"}, platform_pool="9000")
    held = debtor()
    figures = figures_of(held, found)
    for unknown in (None, totals(complete=False)):
        limits = borrow_limits(held, figures, "USDT", found, unknown)
        assert limits.main_account.unknown
        assert limits.platform.unknown
        assert (limits.main_account.left, limits.platform.left) == (None, None)
        assert exceeded(held, figures, found, unknown) == ()


@pytest.mark.parametrize(
    ("age", "scale", "usable"),
    [(10_000, "1", True), (10_001, "1", False), (-5, "1", True), (960_000, "96", True)],
)
def test_h_10_totals_are_usable_for_ten_seconds(age: int, scale: str, usable: bool) -> None:
    policy = Policy(time_scale=d(scale))
    given = totals()
    assert usable_totals(given, TS + age, policy) is (given if usable else None)
    assert usable_totals(None, TS, policy) is None


@pytest.mark.parametrize("place", ["main", "platform"])
def test_oc_3_names_the_coins_past_a_limit_for_certain(place: str) -> None:
    found = reference(vip_caps={"5": "5000"}, platform_pool="9000")
    held = debtor()
    figures = figures_of(held, found)
    at, past = {"main": ("5000", "5000.01"), "platform": ("9000", "9000.01")}[place]
    assert exceeded(held, figures, found, totals(**{place: {"USDT": at}})) == ()
    assert exceeded(held, figures, found, totals(**{place: {"USDT": past}})) == ("USDT",)


def test_oc_3_the_own_part_exceeds_a_limit_without_any_total() -> None:
    found = reference(vip_caps={"5": "999"})
    held = debtor()
    assert exceeded(held, figures_of(held, found), found, None) == ("USDT",)


def test_oc_3_counts_what_orders_would_borrow_and_needs_auto_borrow() -> None:
    found = reference(borrow_tiers=TIERS)
    held = with_orders(
        account({"BTC": "1", "USDT": "100"}), order("o1", "BTC-USDT", "buy", "0.02", "60000")
    )
    figures = figures_of(held, found)
    assert figures.currencies["USDT"].potential_borrowing == 1100
    assert exceeded(held, figures, found, None) == ("USDT",)
    held.auto_borrow = False
    assert exceeded(held, figures, found, None) == ()
