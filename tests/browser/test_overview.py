"""The overview: what the API says is what stands there, and it says when it does not know."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import WIDE, watched
from tests.support.desk import ACCOUNT, NOW, Desk
from tests.support.desk_server import DeskServer, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def _plain(text: str | None) -> str:
    return re.sub(r"\s+", " ", (text or "").replace("\u00a0", " ")).strip()


def test_the_state_is_one_sentence(page: Page, keep: Callable[[Page, str], None]) -> None:
    page.goto("/")
    page.wait_for_selector(".state.liquidation")
    assert _plain(page.text_content("#sentence")) == (
        "330 of 20,000 accounts are at or below 100 %: "
        "orders are being cancelled and positions reduced; 61 are warned."
    )
    second = _plain(page.text_content(".state .second"))
    assert "Prices: SOL −31.2 %, ETH −24.1 %, BTC −11.2 %." in second
    assert "61 warnings, 312 order cancels, 288 reductions" in second
    flaws = page.locator(".flaws li").all_text_contents()
    assert flaws == [
        "1 price is too old: nothing is reduced on it.",
        "12 accounts cannot be assessed, a price is missing.",
    ]
    page.wait_for_selector(".nearest tbody tr")
    page.wait_for_timeout(600)
    keep(page, "overview-1280")


def test_figures_are_those_of_the_api(page: Page, desk: DeskServer) -> None:
    page.goto("/")
    page.wait_for_selector(".nearest tbody tr")
    for band, number in desk.desk.overview()["bands"].items():
        assert page.text_content(f'.count[data-band="{band}"]') == f"{number:,}"
    rows = page.locator(".nearest tbody tr").all()
    wanted = desk.desk.rows()
    assert len(rows) == 15
    for row, one in zip(rows, wanted, strict=False):
        cells = [_plain(text) for text in row.locator("th, td").all_text_contents()]
        assert cells[0] == one["account_id"]
        # Down to the hundredth: 0.0 % is said of nothing that is below.
        assert f"{float(one['ratio']) * 100:.2f} %".replace("-", "−") in cells[1]
        assert cells[1].startswith(one["band"])
    assert _plain(rows[3].locator("td").nth(3).text_content()) == "+6.54 %"
    assert _plain(rows[0].locator("td").nth(3).text_content()) == "none"


def test_a_command_is_said_in_plain_words(page: Page) -> None:
    page.goto("/")
    first = page.locator(".feed .line").first
    first.wait_for()
    assert _plain(first.locator(".what").text_content()) == (
        f"{ACCOUNT} Reduce, step 2: close 84.5 of BTC-USDT-SWAP long 446 k USD"
    )
    assert _plain(first.locator(".why").text_content()) == (
        "ratio 96.88 % when BTC-USD came to 52,810.4 → expected 100.19 %"
    )
    page.select_option("#feed-kind", "order_cancel")
    kinds = {
        _plain(text).split(" ", 1)[1] for text in page.locator(".feed .what").all_text_contents()
    }
    assert kinds == {"Cancel 3 orders"}


def test_a_command_that_goes_out_now_comes_first(page: Page, desk: DeskServer) -> None:
    page.goto("/")
    page.wait_for_selector(".feed .line")
    fresh = {**desk.desk.episode()[0], "command_id": "new", "decided_at": NOW + 60_000}
    desk.extra.append(fresh)
    page.wait_for_function(
        "() => document.querySelector('.feed .line .what').textContent.includes('Warned')"
    )
    again = {**fresh, "attempt": 2}
    desk.extra.append(again)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.feed .what')].filter(e => e.textContent.includes('attempt 2')).length === 1"
    )


def test_nothing_to_see_proves_that_somebody_looks(page: Page, desk: DeskServer) -> None:
    desk.desk.state = "calm"
    page.goto("/")
    page.wait_for_selector(".state.normal")
    assert _plain(page.text_content("#sentence")) == (
        "All is well: none of 20,000 accounts is at or below 300 %."
    )
    said = _plain(page.text_content(".place-feed"))
    assert said.startswith("Nothing had to be said. 20,000 accounts checked by 2 workers, nearest")
    assert "acct-10000 at 412.07 %" in said
    assert "last tick 0.3 s ago" in said


def test_an_empty_desk_says_so(page: Page, desk: DeskServer) -> None:
    desk.desk.state = "empty"
    page.goto("/")
    page.wait_for_selector(".state.quiet .flaws")
    assert "waiting for the first account" in _plain(page.text_content("#sentence"))
    flaws = " ".join(page.locator(".flaws li").all_text_contents())
    assert "No worker is ready" in flaws
    assert "No price has come in yet" in flaws


def test_a_change_reaches_the_page_live(page: Page, desk: DeskServer) -> None:
    page.goto("/")
    page.wait_for_selector(".state.liquidation")
    desk.desk.state = "calm"
    page.wait_for_selector(".state.normal")
    assert page.text_content('.count[data-band="liquidation"]') == "0"


def test_a_silent_link_is_called_stale_and_comes_back(page: Page, desk: DeskServer) -> None:
    page.goto("/")
    page.wait_for_selector("#link.live")
    desk.silent = True
    page.wait_for_selector("#link.stale")
    assert re.fullmatch(
        r"stale since \d\d:\d\d:\d\d UTC \(.+\)", _plain(page.text_content("#link"))
    )
    desk.silent = False
    page.wait_for_selector("#link.live")


def test_paused_figures_stand_still_and_then_catch_up(page: Page, desk: DeskServer) -> None:
    page.goto("/")
    page.wait_for_selector(".state.liquidation")
    page.click("#pause")
    page.wait_for_selector("#link.paused")
    assert page.get_attribute("#pause", "aria-pressed") == "true"
    desk.desk.state = "calm"
    desk.extra.append({**desk.desk.episode()[0], "command_id": "new"})
    page.wait_for_function(
        "() => document.getElementById('link').textContent === 'paused, 1 waiting'"
    )
    assert page.locator(".state.liquidation").count() == 1
    page.click("#pause")
    page.wait_for_selector(".state.normal")


def test_a_token_is_asked_for_once_and_kept_for_the_tab(browser: Browser, tmp_path: Path) -> None:
    with (
        serving(Desk(tmp_path), token="wine-dark") as server,
        watched(browser, viewport=WIDE, base_url=server.url) as page,
    ):
        page.goto("/")
        page.wait_for_selector("#token-box[open]")
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("#token-box:not([open])", state="attached")
        page.wait_for_selector("#token-box[open]")
        page.fill("#token", "wine-dark")
        page.keyboard.press("Enter")
        page.wait_for_selector(".state.liquidation")
        page.wait_for_selector("#link.live")
        page.reload()
        page.wait_for_selector("#link.live")
        assert page.evaluate("sessionStorage.getItem('liqmon.token')") == "wine-dark"
        assert page.evaluate("localStorage.length") == 0


def test_a_server_that_is_gone_is_named(page: Page) -> None:
    page.route("**/api/**", lambda route: route.abort())
    page.goto("/")
    page.wait_for_selector(".state.trouble")
    assert "the dashboard's server does not answer" in _plain(page.text_content(".sentence"))
    assert page.text_content("#link") in {"connecting", "no connection"}
