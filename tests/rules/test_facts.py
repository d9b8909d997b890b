"""Published payloads of exchanges, against the rules.

The figures that a test needs are in the test, with their source; what is read from the recorded
material besides (whole tier tables) needs that folder.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from monitor.account import Account, Balance, Position
from monitor.currency import discounted
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import load_reference, position_tier
from monitor.schema import Tick
from monitor.schema.reference import Currency, PositionTier
from monitor.terms import coin_terms

TOLERANCE = Decimal("1e-9")
"""Payloads come from binary floats; relative."""


def agrees(found: Decimal | None, published: str) -> bool:
    assert found is not None
    return abs(found / Decimal(published) - 1) <= TOLERANCE


# OKX API documentation, early-2024 edition, as copied by OKX.Net (GetAccountBalance.txt): one account
# with its USDT row. `mgnRatio` is adjusted equity / (mmr + fee), `imr` and `mmr` are those of one position
# of 85.7 USD at 10x, and `disEq` is the row's discounted equity (rate 1, so its USD value).
BALANCE = {
    "adjEq": "55415.624719833286",
    "imr": "8.57068529",
    "mmr": "0.3428274116",
    "mgnRatio": "143682.59776662575",
    "notionalUsd": "85.7068529",
}
USDT_ROW = {
    "cashBal": "4850.435693622894",
    "upl": "-7.545600000000006",
    "stgyEq": "150",
    "eq": "4992.890093622894",
    "disEq": "4991.542013297616",
}


def account_of_the_payload() -> Figures:
    """An account with that USDT row and position; the rest of its equity, not shown, as USD."""
    usdt = Decimal(USDT_ROW["disEq"]) / Decimal(USDT_ROW["eq"])
    contracts = Decimal(BALANCE["notionalUsd"])
    raw: dict[str, Any] = {
        "currencies": {
            "USDT": {"discount_tiers": [{"up_to": "1000000000", "rate": "1"}], "minimum_rate": "0"},
        },
        "instruments": {
            "X-USD-SWAP": {
                "kind": "swap",
                "family": "X-USD",
                "underlying": "USDT",
                "quote": "USD",
                "settle": "USDT",
                "inverse": True,
                "contract_value": "1",
                "lot": "1",
                "tick": "1",
                "position_tiers": [{"up_to": "1000", "initial": "0.01", "maintenance": "0.004"}],
            }
        },
    }
    reference = load_reference(raw)
    book = PriceBook()
    for offset, (symbol, kind, price) in enumerate(
        [("USDT-USD", "index", usdt), ("X-USD-SWAP", "mark", Decimal(1))]
    ):
        tick = Tick.model_validate({"symbol": symbol, "kind": kind, "price": price, "ts": 1})
        book.take(tick, offset, reference.policy, 1)
    held = Account("A1", known=True, auto_borrow=True)
    # Strategy equity counts as cash of the row; the loss is realised here, so that PnL is 0 at mark 1.
    cash = sum((Decimal(USDT_ROW[name]) for name in ("cashBal", "upl", "stgyEq")), Decimal(0))
    held.balances["USDT"] = Balance(cash)
    held.balances["USD"] = Balance(Decimal(BALANCE["adjEq"]) - Decimal(USDT_ROW["disEq"]))
    held.positions["X-USD-SWAP/net"] = Position("X-USD-SWAP", "net", contracts, Decimal(1))
    held.leverage = {"X-USD-SWAP": Decimal(10)}
    return assess(held, reference, book)


def test_account_balance_equity_and_discounted_equity() -> None:
    found = account_of_the_payload()
    assert agrees(found.currencies["USDT"].equity, USDT_ROW["eq"])
    assert agrees(found.currencies["USDT"].discounted_usd, USDT_ROW["disEq"])
    assert agrees(found.adjusted_equity, BALANCE["adjEq"])


def test_account_balance_margins_and_ratio() -> None:
    """MR-1: 55,415.62 / (0.3428 + 85.7 × 0.0005) is the published 143,682.6."""
    found = account_of_the_payload()
    assert agrees(found.position_value, BALANCE["notionalUsd"])
    assert agrees(found.initial_margin, BALANCE["imr"])
    assert agrees(found.maintenance_margin, BALANCE["mmr"])
    assert agrees(found.ratio, BALANCE["mgnRatio"])


def test_the_recorded_balance_is_the_one_in_this_test(shared_dir: Path) -> None:
    text = (shared_dir / "facts" / "account_balance_2024.json").read_text()
    (row,) = json.loads(text)["payload"]["data"]
    assert {name: row[name] for name in BALANCE} == BALANCE
    assert {name: row["details"][0][name] for name in USDT_ROW} == USDT_ROW


# OKX discount-rate payload for BTC: two tiers and a minimum rate of 0.
def test_cu_9_discount_rates_of_btc() -> None:
    terms = coin_terms(
        Currency.model_validate(
            {
                "discount_tiers": [
                    {"up_to": "20", "rate": "0.98"},
                    {"up_to": "25", "rate": "0.9775"},
                ],
                "minimum_rate": "0",
            }
        )
    )
    at = Decimal(100_000)
    assert discounted(terms, Decimal(20), at, True) == 1_960_000
    assert discounted(terms, Decimal(25), at, True) == 1_960_000 + 488_750
    assert discounted(terms, Decimal(26), at, True) == 2_448_750


def test_cu_9_the_recorded_discount_rates_read_as_reference_data(shared_dir: Path) -> None:
    (row,) = json.loads((shared_dir / "facts" / "discount_rate_BTC.json").read_text())["data"]
    entry = Currency.model_validate(
        {
            "discount_tiers": [
                {"up_to": tier["maxAmt"], "rate": tier["discountRate"]} for tier in row["details"]
            ],
            "minimum_rate": row["minDiscountRate"],
        }
    )
    assert [(t.up_to, t.rate) for t in entry.discount_tiers] == [
        (Decimal(20), Decimal("0.98")),
        (Decimal(25), Decimal("0.9775")),
    ]
    assert entry.minimum_rate == 0


def tiers_of(rows: list[dict[str, str]]) -> tuple[PositionTier, ...]:
    return tuple(
        PositionTier.model_validate(
            {
                "up_to": row["maxSz"],
                "initial": row["imr"],
                "maintenance": row["mmr"],
                "max_leverage": row["maxLever"],
            }
        )
        for row in rows
    )


# OKX position tiers of BTC-USDT-SWAP, 2025-07-23: its first four.
FIRST_TIERS = [
    {"maxSz": "1000", "imr": "0.01", "mmr": "0.004", "maxLever": "100"},
    {"maxSz": "5000", "imr": "0.015", "mmr": "0.005", "maxLever": "66.66"},
    {"maxSz": "20000", "imr": "0.02", "mmr": "0.0075", "maxLever": "50"},
    {"maxSz": "40000", "imr": "0.025", "mmr": "0.0125", "maxLever": "40"},
]


@pytest.mark.parametrize(
    ("size", "number", "maintenance"),
    [
        ("1000", 1, "0.004"),
        ("1000.01", 2, "0.005"),
        ("20000", 3, "0.0075"),
        ("20000.01", 4, "0.0125"),
    ],
)
def test_mm_2_position_tiers_of_btc_usdt_swap(size: str, number: int, maintenance: str) -> None:
    found, tier, beyond = position_tier(tiers_of(FIRST_TIERS), Decimal(size))
    assert (found, str(tier.maintenance), beyond) == (number, maintenance, False)


@pytest.mark.parametrize(
    "name", ["position_tiers_BTC-USDT-SWAP_2025-07-23.json", "position_tiers_tier1_ETH_BTC-UM.json"]
)
def test_mm_2_the_recorded_tiers_read_as_reference_data(name: str, shared_dir: Path) -> None:
    rows = json.loads((shared_dir / "facts" / name).read_text())["data"]
    families: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        families.setdefault(row["instFamily"], []).append(row)
    for family, own in families.items():
        raw: dict[str, Any] = {
            "currencies": {"BTC": {}, "USDT": {}},
            "instruments": {
                family: {
                    "kind": "swap",
                    "family": family,
                    "underlying": "BTC",
                    "quote": "USDT",
                    "settle": "USDT",
                    "lot": "1",
                    "tick": "1",
                    "position_tiers": [tier.model_dump(mode="json") for tier in tiers_of(own)],
                }
            },
        }
        tiers = load_reference(raw).instruments[family].position_tiers
        assert len(tiers) == len(own)
        for row, tier in zip(own, tiers, strict=True):
            number = int(row["tier"])
            assert position_tier(tiers, Decimal(row["maxSz"])) == (number, tier, False)
            above = max(Decimal(row["minSz"]), Decimal("0.01"))
            assert position_tier(tiers, above)[0] == number
            # a tier's initial rate is what its largest leverage asks, to the digits published
            assert abs(tier.initial * Decimal(row["maxLever"]) - 1) < Decimal("0.01")
    if len(families) == 1:
        assert tiers_of(rows[:4]) == tiers_of(FIRST_TIERS)


# OKX instruments of type OPTION, 2022-05-13: the first two of BTC-USD.
OPTION_ROWS = [
    {
        "instId": f"BTC-USD-220514-22000-{letter}",
        "uly": "BTC-USD",
        "ctVal": "1",
        "ctMult": "0.1",
        "ctValCcy": "BTC",
        "settleCcy": "BTC",
        "expTime": "1652515200000",
        "stk": "22000",
        "optType": letter,
        "lotSz": "1",
        "tickSz": "0.0005",
    }
    for letter in "CP"
]


def option_of(row: dict[str, str]) -> dict[str, Any]:
    """A payload's row as an entry of the reference set."""
    underlying, _, quote = row["uly"].partition("-")
    return {
        "kind": "option",
        "family": row["uly"],
        "underlying": underlying,
        "quote": quote,
        "settle": row["settleCcy"],
        "contract_value": row["ctVal"],
        "multiplier": row["ctMult"],
        "lot": row["lotSz"],
        "tick": row["tickSz"],
        "expiry": int(row["expTime"]),
        "strike": row["stk"],
        "option_type": {"C": "call", "P": "put"}[row["optType"]],
        "position_tiers": [{"up_to": "2000", "initial": "0", "maintenance": "0"}],
    }


def test_cu_3_mm_3_a_listed_option_is_a_tenth_of_a_coin() -> None:
    """One contract short of the 22,000 call at 0.35 BTC, with BTC at 30,000."""
    names = [row["instId"] for row in OPTION_ROWS]
    reference = load_reference(
        {
            "currencies": {"BTC": {}},
            "instruments": {row["instId"]: option_of(row) for row in OPTION_ROWS},
        }
    )
    book = PriceBook()
    for offset, (symbol, kind, price) in enumerate(
        [("BTC-USD", "index", 30_000), (names[0], "mark", "0.35"), (names[1], "mark", "0.05")]
    ):
        tick = Tick.model_validate({"symbol": symbol, "kind": kind, "price": price, "ts": 1})
        book.take(tick, offset, reference.policy, 1)
    held = Account("A1", known=True, auto_borrow=True)
    held.balances["BTC"] = Balance(Decimal(1))
    held.positions = {f"{n}/net": Position(n, "net", Decimal(-1), Decimal(1)) for n in names}
    found = assess(held, reference, book)
    assert found.currencies["BTC"].options_value == Decimal("-0.04")
    call, put = (found.positions[f"{name}/net"] for name in names)
    assert call.notional_usd == put.notional_usd == 3_000
    assert call.maintenance_margin == 3_000 * Decimal("0.38")
    assert put.maintenance_margin == 3_000 * Decimal("0.08")
    assert call.initial_margin == 3_000 * Decimal("0.5")  # in the money
    assert put.initial_margin == 3_000 * Decimal("0.15")  # 8,000 of 30,000 out: a tenth


def test_the_recorded_options_read_as_reference_data(shared_dir: Path) -> None:
    path = shared_dir / "facts" / "instruments_OPTION_BTC_2022-05-13.json.gz"
    rows = json.loads(gzip.decompress(path.read_bytes()))["data"]
    own = {row["instId"]: row for row in OPTION_ROWS}
    for row in rows:
        if row["instId"] in own:
            assert {name: row[name] for name in own[row["instId"]]} == own[row["instId"]]
    reference = load_reference(
        {
            "currencies": {"BTC": {}},
            "instruments": {row["instId"]: option_of(row) for row in rows},
        }
    )
    assert len(reference.instruments) == len(rows) > len(own)
    for row in rows:
        name = row["instId"]
        instrument = reference.instruments[name]
        _, _, day, strike, letter = name.split("-")
        expiry = datetime.fromtimestamp((instrument.expiry or 0) / 1000, UTC)
        assert expiry.strftime("%y%m%d %H") == f"{day} 08"
        assert instrument.strike == Decimal(strike)
        assert instrument.option_type == ("call" if letter == "C" else "put")
        assert reference.sizes[name] == Decimal("0.1")
        assert row["ctValCcy"] == instrument.settle == instrument.underlying
