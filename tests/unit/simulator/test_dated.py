"""Which dated contracts a market lists on the day it begins."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.reference import load_reference
from streams.replay import ListedFuture, ListedOption
from streams.simulator import demo_reference, list_dated
from streams.simulator.dated import listed, quarter_end

PRICES = {"USDT-USD": "1", "BTC-USD": "20910.3", "ETH-USD": "1568.3", "BTC-USDT-SWAP": "20910.3"}


def ms(year: int, month: int, day: int, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)


def made(after: int, prices: dict[str, str] | None = None) -> dict[str, dict[str, object]]:
    return list_dated(demo_reference(), prices or PRICES, after)


@pytest.mark.parametrize(
    "after", [ms(2022, 11, 10, 23), ms(2022, 12, 30, 9), ms(2025, 1, 6, 12), ms(2026, 2, 27)]
)
def test_nothing_expires_before_the_end_and_all_on_a_friday_at_eight(after: int) -> None:
    expiries = sorted({int(str(entry["expiry"])) for entry in made(after).values()})
    assert len(expiries) == 3
    assert expiries[0] > after
    days = [datetime.fromtimestamp(expiry / 1000, UTC) for expiry in expiries]
    assert [(day.weekday(), day.hour) for day in days] == [(4, 8)] * 3
    assert days[2].month in (3, 6, 9, 12)


def test_names_say_coin_day_strike_and_kind() -> None:
    found = made(ms(2022, 11, 10, 23))
    assert found["BTC-USD-221111-21000-C"]["expiry"] == ms(2022, 11, 11, 8)
    assert found["BTC-USD-221111-21000-C"]["option_type"] == "call"
    assert found["BTC-USD-221111-15500-P"]["strike"] == "15500"
    assert found["ETH-USD-221209-1560-P"]["settle"] == "ETH"
    assert found["BTC-USDT-221111"]["kind"] == "future"
    assert "funding_hours" not in found["BTC-USDT-221111"]


def test_the_set_stays_sound_with_them() -> None:
    dated = made(ms(2022, 11, 10, 23))
    reference = load_reference(demo_reference({*PRICES, *dated}, dated=dated))
    assert set(dated) <= set(reference.instruments)
    expiry = ms(2022, 11, 11, 8)
    assert reference.forwards["BTC", expiry] == ("BTC-USDT-221111",)


def test_a_recording_with_options_of_its_own_gets_no_others_on_that_coin() -> None:
    own = {**PRICES, "BTC-USD-261225-20000-C": "0.13"}
    found = made(ms(2022, 11, 10, 23), own)
    options = {e["underlying"] for e in found.values() if e["kind"] == "option"}
    assert options == {"ETH"}
    assert "BTC-USDT-221111" in found


def test_a_coin_without_an_index_gets_none() -> None:
    assert made(ms(2022, 11, 10), {"USDT-USD": "1", "SOL-USD": "30"}) == {}


def test_a_market_quotes_what_is_listed_by_coin() -> None:
    dated = made(ms(2022, 11, 10, 23))
    quoted = listed(dated)
    assert {contract.name for found in quoted.values() for contract in found} == set(dated)
    assert ListedFuture("ETH-USDT-221111", ms(2022, 11, 11, 8), 2) in quoted["ETH"]
    call = ListedOption("BTC-USD-221111-21000-C", "call", 21_000.0, ms(2022, 11, 11, 8))
    assert call in quoted["BTC"]


@pytest.mark.parametrize(
    ("day", "wanted"),
    [
        ((2022, 11, 1), (2022, 12, 30)),
        ((2022, 12, 31), (2023, 3, 31)),
        ((2025, 6, 27), (2025, 6, 27)),
    ],
)
def test_a_quarter_ends_on_its_last_friday(
    day: tuple[int, int, int], wanted: tuple[int, int, int]
) -> None:
    assert quarter_end(datetime(*day, tzinfo=UTC)) == datetime(*wanted, tzinfo=UTC)
