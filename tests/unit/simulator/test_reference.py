"""The packaged reference set."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest

from monitor.reference import load_reference
from streams.simulator import demo_reference, subset

REPLAYED = {
    *("BTC", "ETH", "SOL", "XRP", "DOGE", "LTC", "LINK", "UNI", "OP"),
    *("ADA", "ALGO", "BCH", "BNB", "BSV", "ETC", "SUI", "XMR"),
}


def test_the_packaged_set_is_sound_and_covers_every_recorded_coin() -> None:
    reference = load_reference(demo_reference())
    assert set(reference.currencies) == REPLAYED | {"USDT", "USDC"}
    for coin in REPLAYED:
        assert {f"{coin}-USDT", f"{coin}-USDT-SWAP"} <= set(reference.instruments)
    assert {"BTC-USD-SWAP", "ETH-USD-SWAP", "ETH-BTC"} <= set(reference.instruments)
    assert reference.instruments["ETH-USD-SWAP"].settle == "ETH"


def test_tiers_never_get_cheaper_with_size() -> None:
    reference = load_reference(demo_reference())
    for name, instrument in reference.instruments.items():
        for rates in (
            [t.initial for t in instrument.position_tiers],
            [t.maintenance for t in instrument.position_tiers],
        ):
            assert rates == sorted(rates), name
        assert all(t.maintenance < t.initial for t in instrument.position_tiers), name
    for name, currency in reference.currencies.items():
        assert [t.maintenance for t in currency.borrow_tiers] == sorted(
            t.maintenance for t in currency.borrow_tiers
        ), name
        discounts = [t.rate for t in currency.discount_tiers]
        assert discounts == sorted(discounts, reverse=True), name


def test_a_subset_keeps_what_the_ticks_price() -> None:
    symbols = {"USDT-USD", "BTC-USD", "BTC-USDT-SWAP", "SOL-USDT", "ETH-USDT-SWAP"}
    raw = demo_reference(symbols, {"time_scale": "60", "max_age_seconds": {"*": "600"}})
    reference = load_reference(raw)
    assert set(reference.currencies) == {"USDT", "BTC", "SOL"}
    assert set(reference.instruments) == {"BTC-USDT", "SOL-USDT", "BTC-USDT-SWAP"}
    assert reference.policy.time_scale == 60
    assert reference.policy.max_age_seconds == {"*": Decimal(600)}
    assert reference.currencies["USDT"].quota_adds_available_of == ()


def test_options_stay_where_they_have_marks() -> None:
    name = "BTC-USD-261225-60000-C"
    whole = demo_reference()["instruments"]
    options = {key for key, entry in whole.items() if entry["kind"] == "option"}
    assert name in options
    assert {whole[key]["underlying"] for key in options} == {"BTC", "ETH"}
    kept = subset(demo_reference(), {"USDT-USD", "BTC-USD", name})["instruments"]
    assert options & set(kept) == {name}
    load_reference(demo_reference({"USDT-USD", "BTC-USD", name}))


def test_cutting_down_leaves_the_original_alone() -> None:
    whole = demo_reference()
    subset(whole, {"USDT-USD", "BTC-USD"})
    assert whole == demo_reference()


def test_bitcoins_figures_are_the_published_ones(shared_dir: Path) -> None:
    reference = load_reference(demo_reference())
    published = json.loads((shared_dir / "facts/discount_rate_BTC.json").read_text())["data"][0]
    assert [(t.up_to, t.rate) for t in reference.currencies["BTC"].discount_tiers] == [
        (Decimal(t["maxAmt"]), Decimal(t["discountRate"])) for t in published["details"]
    ]
    name = "facts/position_tiers_BTC-USDT-SWAP_2025-07-23.json"
    tiers = json.loads((shared_dir / name).read_text())["data"]
    swap = reference.instruments["BTC-USDT-SWAP"]
    assert [(t.up_to, t.initial, t.maintenance, t.max_leverage) for t in swap.position_tiers] == [
        tuple(Decimal(t[key]) for key in ("maxSz", "imr", "mmr", "maxLever")) for t in tiers
    ]


@pytest.mark.parametrize("kind", ["SWAP", "SPOT"])
def test_contract_values_and_ticks_are_the_published_ones(shared_dir: Path, kind: str) -> None:
    reference = load_reference(demo_reference())
    path = shared_dir / f"facts/instruments_{kind}_2022-05-13.json.gz"
    listed = {i["instId"]: i for i in json.loads(gzip.decompress(path.read_bytes()))["data"]}
    checked = 0
    for name, instrument in reference.instruments.items():
        if name not in listed:
            continue
        checked += 1
        assert instrument.tick == Decimal(listed[name]["tickSz"]), name
        if kind == "SWAP":
            assert instrument.contract_value == Decimal(listed[name]["ctVal"]), name
    assert checked >= 14
