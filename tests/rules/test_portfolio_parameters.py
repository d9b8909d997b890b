"""What a dated set of portfolio parameters must be; errors name the field and the value (PM-4)."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.reference import BadReference, entries_of, file_of, load_reference
from tests.support.portfolio import parameters, portfolio_reference


def errors_of(unit: dict[str, Any] | None = None, **fields: Any) -> list[str]:
    dated = {"valid_from": "2025-01-06", "units": {"BTC": unit or parameters()}, **fields}
    return refused([dated])


def refused(sets: list[dict[str, Any]]) -> list[str]:
    with pytest.raises(BadReference) as caught:
        load_reference({"currencies": {"BTC": {}}, "portfolio": sets})
    return caught.value.errors


def test_a_full_set_is_taken_and_travels_as_an_entry() -> None:
    raw = {
        "currencies": {"BTC": {}},
        "portfolio": [{"valid_from": "2025-01-06", "units": {"BTC": parameters()}}],
    }
    entries = entries_of(raw)
    assert "portfolio" in entries
    again = load_reference(file_of(entries))
    assert again.portfolio == load_reference(raw).portfolio
    assert again.portfolio[0].valid_ms == 1_736_121_600_000


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        (
            {"spot_shocks": ["0.04", "0.08"]},
            "portfolio.0.units.BTC.spot_shocks: 2 given, 3 are expected: with 0 seven price points",
        ),
        (
            {"spot_shocks": ["0.08", "0.04", "0.12"]},
            (
                "portfolio.0.units.BTC.spot_shocks: spot_shocks: the shares must rise from entry to "
                "entry, 0.04 follows 0.08"
            ),
        ),
        (
            {"extreme_shock": "0.1"},
            "portfolio.0.units.BTC: extreme_shock: 0.1 given, the largest of spot_shocks is 0.12",
        ),
        (
            {"minimum_scale": [{"up_to": "10", "factor": "2"}, {"up_to": "20", "factor": "1"}]},
            "portfolio.0.units.BTC.minimum_scale: factor: it must not fall, 1 follows 2",
        ),
        (
            {"volatility_shocks": []},
            (
                "portfolio.0.units.BTC.volatility_shocks: at least one entry is expected; leave the "
                "field out where it is unknown"
            ),
        ),
        (
            {
                "rate_shocks": [
                    {"days": "30", "shock": "0.01"},
                    {"days": "30", "shock": "0.02"},
                ]
            },
            (
                "portfolio.0.units.BTC.rate_shocks: days: days must rise from entry to entry, 30 "
                "follows 30"
            ),
        ),
        (
            {"tenors": [{"days": "30", "shock": "0.1", "offsets": ["1"]}]},
            (
                "portfolio.0.units.BTC: tenors.0.offsets: 1 given, one for each shorter tenor is "
                "expected: 0"
            ),
        ),
        (
            {"stablecoin_table": [{"index": "0.9", "tiers": [{"up_to": "1", "rate": "0.1"}]}]},
            (
                "portfolio.0.units.BTC: stablecoin_table: index ['0.9'] given, falling ones down to 0 "
                "are expected"
            ),
        ),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(changed: dict[str, Any], error: str) -> None:
    assert errors_of(parameters(**changed)) == [error]


@pytest.mark.parametrize("name", ["spot_shocks", "extreme_shock", "basis_yearly", "minimum_charge"])
def test_what_every_unit_needs_must_be_given(name: str) -> None:
    assert errors_of(parameters(**{name: None})) == [
        f"portfolio.0.units.BTC.{name}: Field required"
    ]


def test_sets_of_one_day_and_units_of_unknown_coins_are_refused() -> None:
    dated = {"valid_from": "2025-01-06", "units": {"XYZ": parameters()}}
    assert refused([dated, dated]) == [
        "portfolio.0.units.XYZ: unknown currency XYZ",
        "portfolio.1.valid_from: 2025-01-06 is given twice",
        "portfolio.1.units.XYZ: unknown currency XYZ",
    ]


def test_initial_margin_is_not_below_maintenance() -> None:
    assert errors_of(initial_factor="0.9") == [
        "portfolio.0.initial_factor: Input should be greater than or equal to 1"
    ]


def test_default_serves_every_underlying_not_named() -> None:
    reference = portfolio_reference(
        sets=[
            {
                "valid_from": "2025-01-06",
                "units": {
                    "BTC": parameters(),
                    "default": parameters(
                        spot_shocks=["0.08", "0.16", "0.25"], extreme_shock="0.5"
                    ),
                },
            }
        ]
    )
    dated = reference.portfolio[0]
    btc, eth = dated.unit("BTC"), dated.unit("ETH")
    assert btc is not None
    assert eth is not None
    assert (str(btc.extreme_shock), str(eth.extreme_shock)) == ("0.24", "0.5")
