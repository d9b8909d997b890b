"""The position builder's published example, figure by figure (PM-1 to PM-5, MR-1).

An answer of OKX's REST API documentation (POST /account/position-builder, of 15 January 2025): 10 short
BTC-USDT perpetuals and 10 long LTC-USDT ones over 100 USDT in portfolio mode. Its figures come from
binary floats.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from monitor.account import Account, open_account
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import AccountSettings, Policy, Tick

TOLERANCE = Decimal("1e-9")
TS = 1736936801642
"""The answer's own."""

# PM-5: the scenarios imply these indices; marks as answered.
INDICES = {"BTC-USD": "97034.243706", "LTC-USD": "101.948182254", "USDT-USD": "0.99954"}
MARKS = {"BTC-USDT-SWAP": "97093.7", "LTC-USDT-SWAP": "102"}

ACCOUNT = {
    "eq": "-78553.21888979999",
    "borrowMmr": "1571.064377796",
    "borrowImr": "7855.32188898",
    "derivMmr": "1375.4837063088003",
    "totalImr": "9643.45070718144",
    "totalMmr": "2946.5480841048",
    "marginRatio": "-25.95365779811705",
}
UNITS: dict[str, dict[str, str]] = {
    "BTC": {
        "delta": "-9704.903689800001",
        "imr": "1538.9669514070802",
        "mmr": "1183.8207318516002",
        "mr1": "1164.4109244719994",
        "mr4": "19.4098073796",
        "mr6": "1164.4109244720003",
        "mr7": "43.67206660410001",
        "worst": "0.12",
        "pnl": "-1164.4109244719994",
        "extreme": "0.24",
        "extreme_pnl": "-2328.8218489440005",
    },
    "LTC": {
        "delta": "1019.5308",
        "imr": "249.16186679436",
        "mmr": "191.6629744572",
        "mr1": "183.50672805719995",
        "mr4": "8.1562464",
        "mr6": "183.5067280572",
        "mr7": "7.1367156",
        "worst": "-0.18",
        "pnl": "-183.50672805719995",
        "extreme": "-0.36",
        "extreme_pnl": "-367.0134561144",
    },
}
SCENARIOS = {
    "BTC": {
        "-0.12": "1164.4109244719994",
        "-0.08": "776.2739496480004",
        "-0.04": "388.1369748240002",
        "0": "0",
        "0.04": "-388.1369748240002",
        "0.08": "-776.2739496480004",
        "0.12": "-1164.4109244719994",
    },
    "LTC": {
        "-0.18": "-183.50672805719995",
        "-0.12": "-122.33781870480001",
        "-0.06": "-61.168909352399936",
        "0": "0",
        "0.06": "61.168909352399936",
        "0.12": "122.33781870480001",
        "0.18": "183.50672805719995",
    },
}


def swap(underlying: str, size: str) -> dict[str, Any]:
    return {
        "kind": "swap",
        "family": f"{underlying}-USDT",
        "underlying": underlying,
        "quote": "USDT",
        "settle": "USDT",
        "contract_value": size,
        "lot": "1",
        "tick": "0.1",
        "position_tiers": [{"up_to": "1000", "initial": "0.01", "maintenance": "0.004"}],
    }


def reference() -> Reference:
    """PM-4's sets of 2025, and the rates of borrowing that the answer implies: 10 % and 2 %."""
    return load_reference(
        {
            "currencies": {
                "BTC": {"minimum_rate": "0.98"},
                "LTC": {"minimum_rate": "0.95"},
                "USDT": {
                    "minimum_rate": "1",
                    "borrow_tiers": [{"up_to": "5000000", "initial": "0.1", "maintenance": "0.02"}],
                },
            },
            "instruments": {
                "BTC-USDT-SWAP": swap("BTC", "0.01"),
                "LTC-USDT-SWAP": swap("LTC", "1"),
            },
            "portfolio": [
                {
                    "valid_from": "2025-01-06",
                    "units": {
                        "BTC": {
                            "spot_shocks": ["0.04", "0.08", "0.12"],
                            "extreme_shock": "0.24",
                            "basis_perpetual": "0.002",
                            "basis_yearly": "0.05",
                            "minimum_charge": "0.0045",
                        },
                        "LTC": {
                            "spot_shocks": ["0.06", "0.12", "0.18"],
                            "extreme_shock": "0.36",
                            "basis_perpetual": "0.008",
                            "basis_yearly": "0.15",
                            "minimum_charge": "0.007",
                        },
                    },
                }
            ],
        }
    )


def the_account(known: Reference) -> Account:
    message = AccountSettings.model_validate(
        {
            "account_id": "A1",
            "mode": "portfolio",
            "auto_borrow": True,
            "position_mode": "net",
            "ts": TS,
            "snapshot": {
                "balances": [{"currency": "USDT", "cash": "100"}],
                "positions": [
                    {"instrument": "BTC-USDT-SWAP", "quantity": "-10", "entry_price": "100000"},
                    {"instrument": "LTC-USDT-SWAP", "quantity": "10", "entry_price": "8000"},
                ],
            },
        }
    )
    return open_account(message, known)


@pytest.fixture(scope="module")
def found() -> Figures:
    known, book = reference(), PriceBook()
    for kind, given in (("index", INDICES), ("mark", MARKS)):
        for symbol, price in given.items():
            tick = Tick.model_validate({"symbol": symbol, "kind": kind, "price": price, "ts": TS})
            book.take(tick, 0, Policy(), TS)
    return assess(the_account(known), known, book)


def agrees(value: Decimal | None, published: str) -> bool:
    assert value is not None
    wanted = Decimal(published)
    return abs(value - wanted) <= TOLERANCE * abs(wanted)


def test_pm_2_the_accounts_margins_and_ratio(found: Figures) -> None:
    assert found.unpriced == ()
    assert agrees(found.adjusted_equity, ACCOUNT["eq"])
    assert agrees(found.borrowing_maintenance, ACCOUNT["borrowMmr"])
    assert agrees(found.borrowing_initial, ACCOUNT["borrowImr"])
    derivatives = sum(unit.maintenance_margin for unit in found.risk_units.values())
    assert agrees(Decimal(derivatives), ACCOUNT["derivMmr"])
    assert agrees(found.initial_margin, ACCOUNT["totalImr"])
    assert agrees(found.maintenance_margin, ACCOUNT["totalMmr"])
    assert agrees(found.ratio, ACCOUNT["marginRatio"])


def test_pm_5_the_liquidation_fee_covers_the_borrowing_alone(found: Figures) -> None:
    """MM-4: 78,553.22 × 1.02 × 0.001, nothing for 10,700 USD of perpetuals."""
    assert agrees(found.liquidation_fee, "80.124283267596")


@pytest.mark.parametrize("name", ["BTC", "LTC"])
def test_pm_2_every_figure_of_a_unit(found: Figures, name: str) -> None:
    unit, published = found.risk_units[name], UNITS[name]
    assert agrees(unit.delta, published["delta"])
    assert agrees(unit.maintenance_margin, published["mmr"])
    assert agrees(unit.initial_margin, published["imr"])
    for label in ("mr1", "mr4", "mr6", "mr7"):
        assert agrees(getattr(unit.charges, label), published[label]), label
    assert unit.charges.mr2 == unit.charges.mr3 == unit.charges.mr5 == unit.charges.mr9 == 0
    assert unit.gamma == unit.vega == unit.theta == unit.spot_in_use == 0
    assert unit.worst.volatility == "up"
    assert unit.worst.spot == Decimal(published["worst"])
    assert agrees(unit.worst.pnl, published["pnl"])
    assert unit.extreme.spot == Decimal(published["extreme"])
    assert agrees(unit.extreme.pnl, published["extreme_pnl"])


@pytest.mark.parametrize("name", ["BTC", "LTC"])
def test_pm_3_every_scenario_of_a_unit(found: Figures, name: str) -> None:
    unit = found.risk_units[name]
    assert list(unit.scenarios) == ["down", "same", "up"]
    for row in unit.scenarios.values():
        assert list(row) == [Decimal(shock) for shock in SCENARIOS[name]]
        for shock, published in SCENARIOS[name].items():
            assert agrees(row[Decimal(shock)], published), shock


def test_the_recorded_answer_is_the_one_in_this_test(shared_dir: Path) -> None:
    recorded = json.loads((shared_dir / "facts" / "position_builder.json").read_text())
    answer = recorded["examples"][-1]["data"][0]
    assert answer["ts"] == str(TS)
    assert {name: answer[name] for name in ACCOUNT if name in answer} == {
        name: value for name, value in ACCOUNT.items() if name in answer
    }
    for unit in answer["riskUnitData"]:
        ours = UNITS[unit["riskUnit"]]
        for label in ("delta", "imr", "mmr", "mr1", "mr4", "mr6", "mr7"):
            assert unit[label] == ours[label]
        published = unit["mr1Scenarios"]
        assert published["volSame"] == SCENARIOS[unit["riskUnit"]]
        assert published["volShockUp"] == published["volShockDown"] == published["volSame"]
        assert unit["portfolios"][0]["markPx"] == MARKS[unit["portfolios"][0]["instId"]]
