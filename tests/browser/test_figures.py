"""How figures read: exact decimals, rounded against the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import watched
from tests.support.desk_server import DeskServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def modules(browser: Browser, server: DeskServer) -> Iterator[Page]:
    """One page for all: nothing here changes it."""
    with watched(browser, base_url=server.url) as page:
        page.goto("/")
        yield page


_CALL = "async ([file, name, given]) => (await import(`/static/js/${file}.js`))[name](...given)"


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("percent", ["0.9999999"], "99.99 %"),  # never 100 % of what is below
        ("percent", ["1"], "100.00 %"),
        ("percent", ["-0.00001"], "−0.01 %"),
        ("percent", ["12.3456"], "1,234 %"),
        ("percent", ["1000"], "> 99,999 %"),
        ("percent", [None], "∞"),
        ("level", ["3"], "300 %"),
        ("level", ["3.15"], "315 %"),
        ("has", ["1234567.899"], "1,234,567.89"),
        ("has", ["-0.001"], "−0.01"),
        ("asked", ["1234567.891"], "1,234,567.90"),
        ("asked", ["0"], "0.00"),
        ("asked", [None], "–"),
        (
            "has",
            ["123456789012345678901234567890.129"],
            "123,456,789,012,345,678,901,234,567,890.12",
        ),
        ("coin", ["0.1"], "0.1"),
        ("coin", ["0.123456789"], "0.12345678"),
        ("coin", ["1000"], "1,000"),
        ("price", ["52810.40"], "52,810.4"),
        ("price", ["0.00001234"], "0.00001234"),
        ("share", ["-0.3115", {"plus": True, "places": 1}], "−31.2 %"),
        ("share", ["0.05", {"plus": True}], "+5.00 %"),
        ("move", ["-4.25"], "−4.25 %"),
        ("move", [None], "none"),
        ("short", ["1234567.8"], "1.23 M"),
        ("short", ["65472.1"], "65.5 k"),
        ("short", ["9999"], "9,999"),
        ("short", ["0"], "0"),
        ("duration", [400], "0.4 s"),
        ("duration", [90_000], "90 s"),
        ("duration", [7_200_000], "2 h"),
        ("time", [1_760_130_245_000], "21:04:05"),
        ("dateTime", [1_760_130_245_000], "2025-10-10 21:04:05 UTC"),
        ("plural", [1, "order"], "1 order"),
        ("plural", [1200, "order"], "1,200 orders"),
    ],
)
def test_a_figure_reads(modules: Page, name: str, given: list[Any], wanted: str) -> None:
    found = modules.evaluate(_CALL, ["format", name, given])
    assert found.replace("\u00a0", " ") == wanted


def test_bars_of_one_width_lose_nothing(modules: Page) -> None:
    """0.25 % steps to 1 % bars: −0.25 to −1 are in the first one below, 1.25 in the second above."""
    level = {"accounts": 1, "isolated": 0, "long_usd": "10", "short_usd": "1"}
    moves = ["-50", "-1.25", "-1", "-0.75", "-0.25", "0.25", "1", "1.25", "50"]
    buckets = [{"move": move, "level1": level, "level3": level} for move in moves]
    bins = modules.evaluate(_CALL, ["bins", "binned", [{"price": "100", "buckets": buckets}, 50]])
    counted = {one["to"]: one["level1"]["accounts"] for one in bins if one["level1"]["accounts"]}
    assert counted == {-50: 1, -2: 1, -1: 3, 1: 2, 2: 1, 50: 1}
    assert [round(one["price"], 9) for one in bins[49:51]] == [99.5, 100.5]
    assert sum(one["level1"]["long"] for one in bins) == 90


def test_addresses_are_read_and_made(modules: Page) -> None:
    assert (
        modules.evaluate(_CALL, ["router", "accountLink", ["a/b #1?"]])
        == "#/account/a%2Fb%20%231%3F"
    )
    read = "async (hash) => { const r = (await import('/static/js/router.js')).parse(hash); return [r.name, r.id, r.query.get('episode')]; }"
    assert modules.evaluate(read, "#/account/a%2Fb%20%231%3F?episode=x%231") == [
        "account",
        "a/b #1?",
        "x#1",
    ]
    assert modules.evaluate(read, "") == ["overview", None, None]
