"""Risk units of a portfolio account: charges, the scenario grid, greeks, in any width and theme."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import pytest

from tests.support.browser import (
    NARROW,
    WIDE,
    faint_texts,
    spoken_faults,
    watched,
    wider_than_window,
)
from tests.support.desk import ACCOUNT
from tests.support.desk_book import BOOK, risk_units
from tests.support.desk_server import DeskServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def _worked_out(server: DeskServer) -> None:
    """Let the book be worked out before a page waits for it: its liquidation prices take a while."""
    risk_units(server.desk.folder)


HEAT = '[data-unit="BTC"] .heat'


def _plain(text: str | None) -> str:
    return re.sub(r"\s+", " ", (text or "").replace("\u00a0", " ")).strip()


def _number(text: str) -> float:
    return float(text.replace("\u2212", "-").replace(",", ""))


def _open(page: Page) -> None:
    page.goto(f"/#/account/{BOOK}?part=risk-units")
    page.wait_for_selector(f"{HEAT} td")


def test_the_grid_has_every_scenario_where_its_headers_say(page: Page, desk: DeskServer) -> None:
    """Losses are rounded up, gains down: no cell says better than it is."""
    _open(page)
    grid = risk_units(desk.desk.folder)["BTC"]["scenarios"]
    shocks = sorted(grid["same"], key=float)
    heads = [_plain(text) for text in page.locator(f"{HEAT} thead th").all_text_contents()]
    assert heads == ["Volatility", *(f"Price {_move(shock)}" for shock in shocks)]
    rows = page.locator(f"{HEAT} tbody tr")
    assert rows.count() == 3
    for number, volatility in enumerate(("down", "same", "up")):
        row = rows.nth(number)
        assert _plain(row.locator("th").text_content()) == f"Volatility {volatility}"
        assert row.locator("th").get_attribute("scope") == "row"
        cells = row.locator("td")
        for at, shock in enumerate(shocks):
            cell = cells.nth(at)
            wanted = grid[volatility][shock]
            assert cell.get_attribute("title") == wanted
            shown = _number(_plain(cell.inner_text()).split(" ")[0])
            assert float(wanted) - 1 <= shown <= float(wanted)
            heat = int(cell.get_attribute("data-heat") or 9)
            assert heat == 0 or (heat > 0) == (float(wanted) > 0)


def _move(shock: str) -> str:
    sign = {True: "\u2212", False: "+"}[float(shock) < 0] if float(shock) else ""
    return f"{sign}{abs(float(shock)) * 100:.0f} %"


def test_the_worst_cell_has_a_word_and_a_frame_and_is_the_only_one(
    page: Page, desk: DeskServer
) -> None:
    _open(page)
    worst = risk_units(desk.desk.folder)["BTC"]["worst"]
    cell = page.locator(f"{HEAT} td.worst")
    assert cell.count() == 1
    assert cell.get_attribute("title") == worst["pnl"]
    assert "worst" in (cell.text_content() or "")
    assert cell.get_attribute("data-heat") == "-4"  # the largest loss of all
    plain = page.locator(f"{HEAT} td:not(.worst)").first
    colours = [one.evaluate("e => getComputedStyle(e).borderTopColor") for one in (cell, plain)]
    assert colours[1] == "rgba(0, 0, 0, 0)" != colours[0]


@pytest.mark.parametrize(("unit", "charge"), [("BTC", "MR1"), ("ETH", "MR7")])
def test_the_charge_that_decides_is_named(page: Page, unit: str, charge: str) -> None:
    _open(page)
    place = page.locator(f'[data-unit="{unit}"]')
    rows = place.locator(".charges tbody tr")
    said = {
        _plain(row.locator("th").text_content()): _plain(row.locator("td").nth(2).text_content())
        for row in rows.all()
    }
    assert len(said) == 8
    assert [name for name, counts in said.items() if "decides" in counts] == [charge]
    added = {name for name, counts in said.items() if counts == "added"}
    assert added == ({"MR3", "MR4", "MR5", "MR9"} if charge == "MR1" else set())
    assert f"{charge} decides" in _plain(place.locator(".decided").text_content())
    summary = page.locator("#risk-units table").first.locator(f"tr:has(th:text-is('{unit}'))")
    assert _plain(summary.locator("td").nth(2).text_content()) == charge


def test_greeks_are_shown_by_underlying_and_by_position(page: Page, desk: DeskServer) -> None:
    _open(page)
    unit = risk_units(desk.desk.folder)["BTC"]
    row = page.locator("#risk-units table").first.locator("tbody tr").first
    shown = [_number(text) for text in row.locator("td").all_inner_texts()[4:]]
    wanted = [float(unit[greek]) for greek in ("delta", "gamma", "vega", "theta")]
    assert shown == pytest.approx(wanted, abs=0.0051)
    table = page.locator('[data-unit="BTC"] table').last
    rows = table.locator("tbody tr")
    assert rows.count() == len(unit["positions"])
    for number, held in enumerate(unit["positions"]):
        cells = rows.nth(number).locator("td").all_inner_texts()
        assert rows.nth(number).locator("th").inner_text() == held["instrument"]
        wanted = [float(held[greek]) for greek in ("delta", "gamma", "vega", "theta")]
        assert [_number(text) for text in cells[2:6]] == pytest.approx(wanted, abs=0.0051)
    volatility = float(unit["positions"][0]["implied_volatility"])
    shown_volatility = _plain(rows.first.locator("td").last.text_content())
    assert float(shown_volatility.removesuffix(" %")) == pytest.approx(100 * volatility, abs=0.051)
    assert _plain(rows.last.locator("td").last.text_content()) == "–"


def test_the_extreme_move_is_told(page: Page, desk: DeskServer) -> None:
    _open(page)
    extreme = risk_units(desk.desk.folder)["BTC"]["extreme"]
    said = _plain(page.locator('[data-unit="BTC"] .foot').nth(1).text_content())
    told = re.match(r"The worse extreme move, (\S+ %), would cost ([\d,.]+) USD; MR6 is", said)
    assert told is not None
    assert told[1] == _move(extreme["spot"])
    cost = -float(extreme["pnl"])
    assert cost <= _number(told[2]) < cost + 0.0101


def test_what_is_borrowed_is_told_apart(page: Page) -> None:
    _open(page)
    said = _plain(page.locator("#risk-units > .decided").text_content())
    assert (
        said
        == "The account's maintenance margin is that of its units; it borrows nothing (MR8). PM-2"
    )


def test_every_table_is_reached_and_scrolled_without_a_mouse(
    browser: Browser, desk: DeskServer
) -> None:
    with watched(browser, viewport=NARROW, base_url=desk.url) as page:
        _open(page)
        box = page.locator("#risk-units .scroll:has(.heat)").first
        box.focus()
        assert box.evaluate("e => e === document.activeElement && e.scrollLeft === 0")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.activeElement.scrollLeft > 0")
        page.wait_for_timeout(2_300)  # new figures come in meanwhile
        assert box.evaluate("e => e === document.activeElement && e.scrollLeft > 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_on_every_colour_of_the_grid(
    browser: Browser,
    desk: DeskServer,
    keep: Callable[[Page, str], None],
    scheme: Literal["light", "dark"],
) -> None:
    with watched(browser, viewport=WIDE, base_url=desk.url, color_scheme=scheme) as page:
        _open(page)
        heats = page.locator(f"{HEAT} td").evaluate_all(
            "cells => [...new Set(cells.map(e => e.dataset.heat))]"
        )
        assert len(heats) >= 5
        grounds = page.locator(f"{HEAT} td").evaluate_all(
            "cells => [...new Set(cells.map(e => getComputedStyle(e).backgroundColor))]"
        )
        assert len(grounds) == len(set(heats))
        assert faint_texts(page) == []
        assert wider_than_window(page) == 0
        keep(page, f"risk-units-{scheme}")


def test_at_390_px_nothing_sticks_out(
    browser: Browser, desk: DeskServer, keep: Callable[[Page, str], None]
) -> None:
    options = {"viewport": NARROW, "base_url": desk.url, "is_mobile": True, "has_touch": True}
    with watched(browser, **options) as page:
        _open(page)
        assert wider_than_window(page) == 0
        keep(page, "risk-units-390")


def test_a_screen_reader_finds_names_headings_and_headers(page: Page) -> None:
    _open(page)
    assert spoken_faults(page) == []
    captions = page.locator("#risk-units caption").all_text_contents()
    assert len(captions) == len(set(captions)) == 7


def test_other_modes_have_no_risk_units_and_no_way_to_them(page: Page) -> None:
    page.goto(f"/#/account/{ACCOUNT}")
    page.wait_for_selector(".timeline li")
    assert page.locator("#risk-units").count() == 0
    assert not page.locator('[data-jump="risk-units"]').is_visible()
    _open(page)
    assert page.locator('[data-jump="risk-units"]').is_visible()


def test_what_if_shows_the_units_then(page: Page, desk: DeskServer) -> None:
    page.goto(f"/#/what-if?shocks=BTC:-0.1&account={BOOK}")
    page.wait_for_selector(f"{HEAT} td.worst")
    assert desk.desk.asked == [{"shocks": {"BTC": "-0.1"}, "account_id": BOOK}]
    told = page.locator("table:has(caption:text-is('Risk units, now and then')) tbody tr")
    assert [_plain(text) for text in told.locator("th").all_text_contents()] == ["BTC", "ETH"]
    assert spoken_faults(page) == []
