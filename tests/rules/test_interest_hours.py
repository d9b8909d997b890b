"""IN-1, BL-3: the hours, their prices and rates, and when they pass."""

from __future__ import annotations

import pytest

from monitor.account.interest import HOUR_MS, echoes, hour_of, interest_id
from monitor.exact import plain
from monitor.interest.hours import HOURS_KEPT, HourBook, HourCut, HourPrices, hour_prices
from monitor.limits import Totals
from tests.rules.interest_world import H, rated
from tests.rules.reduction_world import PRICES, d, price_book


def _hour(number: int, **prices: str) -> HourPrices:
    return HourPrices(H + number * HOUR_MS, {f"{k}-USD/index": v for k, v in prices.items()})


@pytest.mark.parametrize(
    ("first", "then", "passed"),
    [
        (H - 1, H - 1, []),
        (H - 1, H, []),  # a tick of the very hour still belongs to it
        (H - 1, H + 1, [0]),
        (H, H + 1, [0]),
        (H + 1, H + 2, []),
        (H - 1, H + HOUR_MS, [0]),
        (H - 1, H + 3 * HOUR_MS + 1, [0, 1, 2, 3]),
    ],
)
def test_in_1_a_full_hour_passes_with_the_first_later_tick(
    first: int, then: int, passed: list[int]
) -> None:
    cut = HourCut()
    assert list(cut.passed(first)) == []
    assert [(hour - H) // HOUR_MS for hour in cut.passed(then)] == passed
    assert list(cut.passed(then)) == [], "once"
    assert list(cut.passed(first)) == [], "a late tick passes nothing"


def test_in_1_a_leap_of_time_passes_no_more_hours_than_are_kept() -> None:
    cut = HourCut()
    cut.passed(H)
    assert len(cut.passed(H + 10 * HOURS_KEPT * HOUR_MS)) <= HOURS_KEPT


def test_in_1_a_record_has_every_price_and_the_rate_by_utilisation() -> None:
    curve = [{"utilisation": "0.5", "rate": "0.1"}, {"utilisation": "1", "rate": "0.5"}]
    reference = rated(platform_pool="1000", utilisation_curve=curve)
    totals = Totals(H, platform={"USDT": d(750)})
    prices = price_book(reference)
    record = hour_prices(H, prices, reference, totals)
    assert record.prices == {k: plain(p.price) for k, p in prices.prices.items()}
    assert record.prices.items() >= PRICES.items()
    assert list(record.prices) == sorted(record.prices), "the same prices give the same bytes"
    assert record.rates["USDT"] == "0.3"
    assert record.rates["BTC"] == "0.0438"
    assert hour_prices(H, price_book(reference), reference).rates["USDT"] == "0.0876"


def test_in_1_the_first_record_of_an_hour_stands_and_hours_rise() -> None:
    book = HourBook()
    assert book.take(_hour(0, BTC="1"))
    assert not book.take(_hour(0, BTC="2"))
    assert book.take(_hour(2, BTC="3"))
    assert not book.take(_hour(1, BTC="4")), "it has been overtaken"
    assert book.last == H + 2 * HOUR_MS
    own, other = book.at(H), book.at(H + HOUR_MS)
    assert own is not None
    assert other is not None
    assert (own.prices.index("BTC"), own.exact) == (d(1), True)
    assert (other.prices.index("BTC"), other.exact) == (d(3), False)
    assert book.at(H + 3 * HOUR_MS) is None


def test_in_1_what_an_hour_lacks_the_next_that_has_it_gives() -> None:
    book = HourBook()
    assert list(book.serving(H)) == []
    book.take(_hour(0, BTC="1"))
    assert [k.exact for k in book.serving(H)] == [True]
    book.take(_hour(1, BTC="2", ETH="3"))
    book.take(_hour(2, BTC="4", ETH="5", SOL="6"))
    own, filled = book.serving(H)
    assert set(own.prices.prices) == {"BTC-USD/index"}
    assert not filled.exact
    assert [filled.prices.index(c) for c in ("BTC", "ETH", "SOL")] == [1, 3, 6]
    book.take(_hour(3, XRP="7"))
    assert [k.prices.index("XRP") for k in list(book.serving(H))[1:]] == [7]
    assert [k.prices.index("ETH") for k in list(book.serving(H + 2 * HOUR_MS))[:1]] == [5]
    assert [k.prices.index("BTC") for k in list(book.serving(H + HOUR_MS))[:1]] == [2]


def test_in_1_hours_past_a_month_are_let_go_and_the_oldest_kept_serves() -> None:
    book = HourBook()
    for number in range(HOURS_KEPT + 2):
        book.take(_hour(number, BTC=str(number + 1)))
    found = book.at(H)
    assert found is not None
    assert (found.prices.index("BTC"), found.exact) == (d(3), False)


@pytest.mark.parametrize(("late", "known"), [(0, True), (24, True), (25, False)])
def test_in_1_an_echo_is_known_by_its_id_for_a_day(late: int, known: bool) -> None:
    own = interest_id("A", "USDT", None, H, "deducted")
    assert echoes(own, "A", "USDT", None, H + late * HOUR_MS + 1) is known
    assert not echoes(own, "B", "USDT", None, H + 1)
    assert not echoes(own, "A", "USDC", None, H + 1)
    assert not echoes(own, "A", "USDT", "BTC-USDT/isolated/net", H + 1)
    assert not echoes("t1", "A", "USDT", None, H + 1)


def test_in_1_hour_of() -> None:
    assert (hour_of(H), hour_of(H - 1), hour_of(H + 1)) == (H, H - HOUR_MS, H)
