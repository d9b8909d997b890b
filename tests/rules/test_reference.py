"""The reference set: every contradiction is named; a set is known by its hash."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from monitor.reference import (
    BadReference,
    Reference,
    borrow_tier,
    entries_of,
    entry_bytes,
    file_of,
    load_reference,
    position_tier,
    set_hash,
)
from monitor.schema.reference import BorrowTier, PositionTier
from tests.rules.reduction_world import d, raw_reference

Path = tuple[str, ...]


def changed(*changes: tuple[Path, Any]) -> dict[str, Any]:
    """The small market with single entries replaced; `...` takes one away."""
    raw = copy.deepcopy(raw_reference())
    for path, value in changes:
        place: Any = raw
        for step in path[:-1]:
            place = place[int(step)] if isinstance(place, list) else place[step]
        if value is ...:
            del place[path[-1]]
        else:
            place[path[-1]] = value
    return raw


def errors(*changes: tuple[Path, Any]) -> list[str]:
    with pytest.raises(BadReference) as refused:
        load_reference(changed(*changes))
    assert str(refused.value) == "; ".join(refused.value.errors)
    return refused.value.errors


def tiers(*bounds: str, **rates: str) -> list[dict[str, str]]:
    return [{"up_to": bound, "initial": "0.1", "maintenance": "0.02", **rates} for bound in bounds]


SWAP = ("instruments", "BTC-USDT-SWAP")
USDT = ("currencies", "USDT")


def test_the_market_of_these_tests_is_sound() -> None:
    assert isinstance(load_reference(raw_reference()), Reference)


@pytest.mark.parametrize(
    ("path", "value", "place", "says"),
    [
        # tiers that do not rise
        (
            (*USDT, "borrow_tiers"),
            tiers("5", "5"),
            "currencies.USDT.borrow_tiers",
            "up_to must rise",
        ),
        ((*USDT, "borrow_tiers"), tiers("5", "4"), "currencies.USDT.borrow_tiers", "4 follows 5"),
        (
            (*SWAP, "position_tiers"),
            tiers("9", "1"),
            "instruments.BTC-USDT-SWAP.position_tiers",
            "1 follows 9",
        ),
        (
            (*USDT, "discount_tiers"),
            [{"up_to": "2", "rate": "1"}, {"up_to": "1", "rate": "0.9"}],
            "currencies.USDT.discount_tiers",
            "up_to must rise",
        ),
        (
            (*USDT, "borrow_tiers"),
            tiers("0"),
            "currencies.USDT.borrow_tiers.0.up_to",
            "greater than 0",
        ),
        # rates outside 0..1
        (
            (*USDT, "minimum_rate"),
            "1.01",
            "currencies.USDT.minimum_rate",
            "less than or equal to 1",
        ),
        (
            (*USDT, "minimum_rate"),
            "-0.1",
            "currencies.USDT.minimum_rate",
            "greater than or equal to 0",
        ),
        (
            (*USDT, "discount_tiers", "0", "rate"),
            "98",
            "currencies.USDT.discount_tiers.0.rate",
            "less than or equal to 1",
        ),
        (
            (*SWAP, "position_tiers"),
            tiers("9", maintenance="2"),
            "instruments.BTC-USDT-SWAP.position_tiers.0.maintenance",
            "less than or equal to 1",
        ),
        (
            ("fees", "default", "spot_taker"),
            "10",
            "fees.default.spot_taker",
            "less than or equal to 1",
        ),
        # currencies that nobody knows, and settle coins that do not fit
        (
            (*SWAP, "underlying"),
            "XYZ",
            "instruments.BTC-USDT-SWAP.underlying",
            "unknown currency XYZ",
        ),
        (
            ("instruments", "BTC-USDT", "quote"),
            "XYZ",
            "instruments.BTC-USDT.quote",
            "unknown currency XYZ",
        ),
        (
            (*SWAP, "settle"),
            "BTC",
            "instruments.BTC-USDT-SWAP",
            "a linear contract settles in USDT",
        ),
        (
            ("instruments", "BTC-USD-SWAP", "settle"),
            "USD",
            "instruments.BTC-USD-SWAP",
            "an inverse contract settles in BTC",
        ),
        ((*SWAP, "settle"), ..., "instruments.BTC-USDT-SWAP", "a swap needs its settle currency"),
        (
            (*SWAP, "position_tiers"),
            [],
            "instruments.BTC-USDT-SWAP",
            "position_tiers: a swap needs at least one",
        ),
        (
            (*USDT, "quota_adds_available_of"),
            ["XYZ"],
            "currencies.USDT.quota_adds_available_of",
            "unknown currency XYZ",
        ),
        # amounts and names
        ((*SWAP, "lot"), "0", "instruments.BTC-USDT-SWAP.lot", "greater than 0"),
        (
            (*SWAP, "contract_value"),
            "-1",
            "instruments.BTC-USDT-SWAP.contract_value",
            "greater than 0",
        ),
        (
            (*SWAP, "kind"),
            "perp",
            "instruments.BTC-USDT-SWAP.kind",
            "'spot', 'swap', 'future' or 'option'",
        ),
        ((*SWAP, "lot"), 0.1, "instruments.BTC-USDT-SWAP.lot", "0.1 must be a decimal in a string"),
        (
            (*SWAP, "tick"),
            "1e-3",
            "instruments.BTC-USDT-SWAP.tick",
            "not a decimal in plain notation",
        ),
        ((*USDT, "tier_unit"), "eur", "currencies.USDT.tier_unit", "'coin' or 'usd'"),
        (
            ("instruments", "A/B"),
            raw_reference()["instruments"]["BTC-USDT"],
            "instruments.A/B",
            "must not contain '/'",
        ),
        (("currencies",), ..., "currencies", "Field required"),
    ],
)
def test_a_contradiction_is_named_with_its_place(
    path: Path, value: Any, place: str, says: str
) -> None:
    (found,) = errors((path, value))
    assert found.startswith(f"{place}: ")
    assert says in found


def policy(**settings: Any) -> list[str]:
    return errors((("policy",), settings))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"warnning": "3"}, "policy.warnning: Extra inputs are not permitted"),
        ({"warning": "1"}, "warning 1 > liquidation 1 ≥ 1 does not hold"),
        ({"warning": "4"}, "warning_exit 3.15 ≥ warning 4"),
        ({"liquidation": "0.9"}, "liquidation 0.9 ≥ 1 does not hold"),
        ({"liquidation_exit": "3"}, "liquidation_exit 3 of mode spot must lie"),
        ({"liquidation": "1.1", "liquidation_exit": "1.05"}, "liquidation_exit 1.05"),
        ({"worsened": ["2", "2"]}, "worsened: the levels must fall"),
        ({"worsened": ["3"]}, "must lie between warning 3 and liquidation 1"),
        ({"warning": {"spot": "9", "default": "3"}}, "levels of mode spot"),
        ({"warning": {"sport": "9"}}, "policy.warning"),
        ({"attempts": 0}, "policy.attempts"),
        ({"confirm_seconds": "0"}, "policy.confirm_seconds"),
        ({"expire_seconds": "14"}, "expire_seconds 14 is less than attempts × confirm_seconds"),
        ({"max_age_seconds": {"*": "0"}}, "policy.max_age_seconds.*"),
        ({"jump_guard": {"BTC-USD": {"percent": "-5"}}}, "policy.jump_guard.BTC-USD.percent"),
        ({"spot_cancel_scope": "some"}, "'auto_borrow' or 'all'"),
        ({"sale_order": "random"}, "'lowest_rate_first' or 'highest_rate_first'"),
        ({"debt_size": "big"}, "'tier_step' or 'smallest'"),
        ({"time_scale": "0"}, "policy.time_scale"),
        ({"grace_seconds": "-1"}, "policy.grace_seconds"),
        ({"takeover_at_first_tier": "maybe"}, "policy.takeover_at_first_tier"),
    ],
)
def test_a_policy_s_wrong_names_and_values_are_named(settings: dict[str, Any], says: str) -> None:
    assert any(says in found for found in policy(**settings)), policy(**settings)


def test_every_error_is_named_at_once() -> None:
    found = errors(
        ((*USDT, "borrow_tiers"), tiers("5", "5")),
        ((*USDT, "minimum_rate"), "2"),
        ((*SWAP, "lot"), "x"),
        (("instruments", "ETH-USDT", "quote"), "XYZ"),
        (("instruments", "BTC-USD-SWAP", "settle"), "USD"),
        (("instruments", "BTC-USD-SWAP", "position_tiers"), []),
        (("policy",), {"attempts": 0, "colour": "red"}),
    )
    assert {text.partition(": ")[0] for text in found} == {
        "currencies.USDT.borrow_tiers",
        "currencies.USDT.minimum_rate",
        "instruments.BTC-USDT-SWAP.lot",
        "instruments.ETH-USDT.quote",
        "instruments.BTC-USD-SWAP",
        "policy.attempts",
        "policy.colour",
    }
    (both,) = [text for text in found if text.startswith("instruments.BTC-USD-SWAP: ")]
    assert "settles in BTC; position_tiers" in both


def test_every_error_of_the_levels_is_named_at_once() -> None:
    (found,) = policy(warning="4", expire_seconds="14", worsened=["2", "2"])
    assert found.count("levels of mode") == 3
    assert "the levels must fall" in found
    assert "expire_seconds 14" in found


def test_every_unknown_currency_is_named_at_once() -> None:
    found = errors(((*SWAP, "underlying"), "XYZ"), (("instruments", "BTC-USDT", "quote"), "ABC"))
    assert len(found) == 2


def test_unknown_fields_of_entries_are_left_for_later_versions() -> None:
    load_reference(changed(((*USDT, "colour"), "red")))


# -- reading ----------------------------------------------------------------------------------

POSITION = tuple(
    PositionTier.model_validate({"up_to": bound, "initial": "0", "maintenance": rate})
    for bound, rate in (("10", "0.1"), ("20", "0.2"))
)
BORROW = tuple(
    BorrowTier.model_validate({"up_to": bound, "initial": "0", "maintenance": rate})
    for bound, rate in (("10", "0.1"), ("20", "0.2"))
)


@pytest.mark.parametrize(
    ("size", "number", "beyond"),
    [
        ("0", 1, False),
        ("10", 1, False),
        ("10.0000001", 2, False),
        ("20", 2, False),
        ("21", 2, True),
    ],
)
def test_mm_2_a_tier_holds_its_upper_bound(size: str, number: int, beyond: bool) -> None:
    assert position_tier(POSITION, d(size)) == (number, POSITION[number - 1], beyond)
    assert borrow_tier(BORROW, d(size)) == (number, BORROW[number - 1], beyond)


def test_mm_2_without_borrow_tiers_nothing_is_asked() -> None:
    number, tier, beyond = borrow_tier((), d(5))
    assert (number, beyond) == (0, False)
    assert tier.initial == tier.maintenance == 0


def test_es_1_a_level_may_be_given_by_mode() -> None:
    found = load_reference(
        changed(
            (
                ("policy",),
                {"warning": {"spot": "4"}, "warning_exit": {"spot": "5", "default": "3.5"}},
            )
        )
    ).policy
    assert [found.level("warning", mode) for mode in ("spot", "multi_currency")] == [4, 3]
    assert [found.level("warning_exit", mode) for mode in ("spot", "portfolio")] == [d(5), d("3.5")]


def test_mm_4_an_unknown_fee_schedule_pays_the_default() -> None:
    found = load_reference(changed((("fees", "vip"), {"spot_taker": "0"})))
    assert found.fees_of("vip").spot_taker == 0
    assert found.fees_of("nobody's").spot_taker == d("0.001")
    bare = load_reference(changed((("fees",), {})))
    assert bare.fees_of("default").derivative_taker == d("0.0005")


# -- the set as entries -----------------------------------------------------------------------


def test_a_set_is_its_entries_under_their_keys_and_back() -> None:
    raw = changed((("policy",), {"attempts": 4}))
    entries = entries_of(raw)
    assert {"currency:BTC", "instrument:BTC-USDT-SWAP", "fees:default", "policy"} <= set(entries)
    again = load_reference(file_of(entries))
    assert again.policy.attempts == 4
    assert again == load_reference(raw)


@pytest.mark.parametrize("key", ["currencies:BTC", "currency:", "colour", ""])
def test_an_entry_under_an_unknown_key_is_refused(key: str) -> None:
    with pytest.raises(BadReference, match="no kind of entry has such a key"):
        file_of({key: {}})


def test_equal_sets_have_equal_hashes_whatever_the_order_of_their_keys() -> None:
    raw = raw_reference()
    turned = json.loads(json.dumps(raw))
    turned["currencies"] = dict(reversed(turned["currencies"].items()))
    assert load_reference(raw).sha256 == load_reference(turned).sha256
    other = changed((("policy",), {"attempts": 4}))
    assert load_reference(raw).sha256 != load_reference(other).sha256
    assert set_hash({"a": "1", "b": "2"}) == set_hash({"b": "2", "a": "1"})
    assert entry_bytes({"a": 1, "b": 2}) == entry_bytes({"b": 2, "a": 1})


def test_a_set_from_the_bus_keeps_the_name_it_came_under() -> None:
    assert load_reference(raw_reference(), sha256="f" * 64).sha256 == "f" * 64
