"""Every view by its address, with the figures of the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.desk import ACCOUNT, EPISODE
from tests.support.desk_server import DeskServer, map_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def _plain(text: str | None) -> str:
    return re.sub(r"\s+", " ", (text or "").replace("\u00a0", " ")).strip()


def test_an_account_says_why_it_was_reduced_and_by_how_much(
    page: Page, keep: Callable[[Page, str], None]
) -> None:
    """394.5 contracts of 0.01 BTC in two steps: 1,635,834.10 and 446,169.30 USD."""
    page.goto(f"/#/account/{ACCOUNT}")
    page.wait_for_selector(".timeline li")
    story = [_plain(text) for text in page.locator(".story p").all_text_contents()]
    assert story == [
        (
            "Reduced by 2.08 M USD in 2 steps: close 310 of BTC-USDT-SWAP long (1.64 M USD), "
            "close 84.5 of BTC-USDT-SWAP long (446 k USD)."
        ),
        (
            "Because its ratio was 97.12 %, at or below 100 %: adjusted equity 4,800.31 USD against "
            "4,942.66 USD of maintenance margin and liquidation fee."
        ),
        "The last step was to bring it to 100.19 %.",
        "It was warned at 21:03:00 UTC, when its ratio was 291.34 %.",
        "At 21:03:56 (99.84 %) 3 orders were to be cancelled.",
        "Still open; the ratio is 94.23 % now.",
    ]
    steps = [_plain(text) for text in page.locator(".timeline > li").all_text_contents()]
    assert len(steps) == 7
    assert "Reduce, step 1: 1,635,834.10 USD" in steps[5]
    assert "tier 3 → 1" in steps[5]
    assert "Why this one: relief 6,543.33 USD for a loss of 817.91 USD" in steps[5]
    assert "Expected 100.43 %; then: 97.12 % → 96.88 % at the next step, 4.1 s later" in steps[5]
    assert "RD-6 the smallest lot that is enough" in steps[5]
    keep(page, "account-1280")


def test_figures_of_an_account_are_those_of_the_api(page: Page, desk: DeskServer) -> None:
    """What it has is rounded down, what is asked of it up; the whole figure is in the title."""
    page.goto(f"/#/account/{ACCOUNT}")
    page.wait_for_selector(".timeline li")
    assessment = desk.desk.detail()["assessment"]
    for field in ("adjusted_equity", "maintenance_margin", "liquidation_fee", "initial_margin"):
        place = page.locator(f'[data-figure="{field}"]')
        assert place.get_attribute("title") == assessment[field]
        off = float((place.text_content() or "").replace(",", "")) - float(assessment[field])
        assert -0.0101 < off <= 1e-9 if field == "adjusted_equity" else -1e-9 <= off < 0.0101
    prices = page.locator("#positions table").first.locator("tbody td:last-child")
    for text, position in zip(prices.all_text_contents(), assessment["positions"], strict=True):
        wanted = float(position["liquidation_price"])
        assert abs(float(_plain(text).split(" ")[0].replace(",", "")) - wanted) <= 0.0051
    isolated = page.locator("#positions table").nth(1).locator("tbody td").all_text_contents()
    assert "normal" in isolated[1]
    assert page.locator("#currencies tbody tr").count() == len(assessment["currencies"])
    assert "7,961,487.25 of 8,000,000" in _plain(page.text_content("#borrowing"))
    assert "no limit" in _plain(page.text_content("#borrowing"))
    assert "none was charged" in _plain(page.text_content("#interest"))


def test_the_explanation_unfolds_and_stays_unfolded(page: Page, desk: DeskServer) -> None:
    page.goto(f"/#/account/{ACCOUNT}?part=explanation")
    fold = page.locator(".tree summary", has_text="maintenance margin").nth(1)
    fold.wait_for()
    assert fold.locator("abbr").text_content() == "MM-1"
    fold.click()
    desk.desk.state = "calm"  # the next answer differs
    page.wait_for_selector("#what-happened .empty")
    assert fold.evaluate("e => e.parentElement.open")


def test_an_account_without_a_story_says_that_nothing_happened(
    page: Page, desk: DeskServer
) -> None:
    desk.desk.state = "calm"
    page.goto(f"/#/account/{ACCOUNT}")
    page.wait_for_selector("#what-happened .empty")
    assert _plain(page.text_content("#what-happened .empty")).startswith("Nothing: no warning")


def test_an_unknown_account_leads_to_the_search(page: Page) -> None:
    page.goto("/#/account/nobody")
    page.wait_for_selector(".error")
    assert "No account nobody is known" in _plain(page.text_content(".error"))
    page.click(".error a")
    page.wait_for_function("() => location.hash === '#/accounts?q=nobody'")


def test_accounts_are_filtered_searched_and_paged(page: Page, desk: DeskServer) -> None:
    page.goto("/#/accounts?band=warning")
    page.wait_for_selector(".tabulator-row")
    warned = [row for row in desk.desk.rows() if row["band"] == "warning"]
    assert page.locator(".tabulator-row").count() == min(100, len(warned))
    assert page.input_value("#band") == "warning"
    page.select_option("#band", "")
    page.wait_for_function("() => location.hash === '#/accounts'")
    page.wait_for_function("() => document.querySelectorAll('.tabulator-row').length === 100")
    first = page.locator(".tabulator-row a").first.text_content()
    page.click("a[rel=next]")
    page.wait_for_function("() => location.hash.includes('after=100')")
    page.wait_for_function(
        f"() => document.querySelector('.tabulator-row a')?.textContent === '{desk.desk.rows()[100]['account_id']}'"
    )
    page.go_back()
    page.wait_for_function(
        f"() => document.querySelector('.tabulator-row a')?.textContent === '{first}'"
    )
    page.fill("#account-q", "acct-000")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('.tabulator-row').length === 1")
    assert page.locator(".tabulator-row a").text_content() == ACCOUNT


def test_the_feed_leads_to_the_episode(page: Page) -> None:
    page.goto("/#/commands?kind=reduction")
    page.locator(".feed a.account", has_text=ACCOUNT).first.click()
    page.wait_for_selector(".timeline li")
    assert page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('episode')") == (
        EPISODE
    )


def test_the_map_sums_the_steps_of_the_api(page: Page, keep: Callable[[Page, str], None]) -> None:
    page.goto("/#/map?symbol=BTC&range=50")
    page.wait_for_selector("#risk tbody td")
    found = map_of("BTC")
    assert "BTC is at 52,810.4 USD. If it falls by 5 %, 23.2 M USD" in _plain(
        page.text_content("#risk")
    )
    page.click("#figures summary")
    page.wait_for_selector("#figures tbody tr")
    rows = page.locator("#figures tbody tr")
    assert rows.count() == 100
    cells = [_plain(text).replace(",", "") for text in rows.nth(45).locator("td").all_inner_texts()]
    steps = [one for one in found["buckets"] if -5 <= float(one["move"]) < -4]
    assert cells[0] == "−5 %"
    assert cells[1] == str(sum(one["level1"]["accounts"] for one in steps))
    assert abs(float(cells[2]) - sum(float(one["level1"]["long_usd"]) for one in steps)) <= 1
    label = page.locator("#level1 [role=img]").get_attribute("aria-label") or ""
    assert label.startswith("BTC: over the prices shown")
    keep(page, "map-1280")
    page.select_option("#range", "10")
    page.wait_for_function("() => location.hash.includes('range=10')")
    page.wait_for_function("() => document.querySelectorAll('#figures tbody tr').length === 80")


def test_a_bar_is_read_out(page: Page) -> None:
    page.goto("/#/map?symbol=BTC")
    page.wait_for_selector("#level1 canvas")
    page.wait_for_selector("#risk tbody td")
    box = page.locator("#level1 .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
    page.wait_for_function(
        "() => /\\d accounts? .*long .* USD, short/.test(document.querySelector('#level1 .read').textContent)"
    )


def test_what_if_asks_with_the_sliders_and_tells_what_falls(
    page: Page, desk: DeskServer, keep: Callable[[Page, str], None]
) -> None:
    page.goto("/#/what-if")
    page.wait_for_selector("#shock-BTC")
    page.get_by_role("button", name="FTX").click()
    page.wait_for_selector(".state.liquidation")
    assert desk.desk.asked[-1] == {"shocks": {"BTC": "-0.26", "SOL": "-0.71"}}
    assert _plain(page.text_content(".state .sentence")) == (
        "BTC −26 %, SOL −71 %: 1,497 accounts fall into a worse band; "
        "1,186 of 20,000 would be at or below 100 %."
    )
    second = _plain(page.text_content(".state .second"))
    assert "1,122 accounts reduced" in second
    assert "shortfall 1.83 M USD (now 20.1 k USD)" in second
    assert page.text_content('[data-after="liquidation"]') == "1,186"
    page.wait_for_selector(".tabulator-row")
    assert "1,510 accounts in all, 200 shown" in _plain(page.text_content("#fallen"))
    keep(page, "what-if-1280")
    page.locator("#shock-ETH").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => location.hash.includes('ETH')")
    page.wait_for_function("() => document.querySelector('.sentence').textContent.includes('ETH')")
    assert desk.desk.asked[-1]["shocks"]["ETH"] == "-0.01"


def test_what_if_is_a_link(page: Page, desk: DeskServer) -> None:
    page.goto("/#/what-if?shocks=BTC:-0.105&account=acct-00042")
    page.wait_for_selector(".state.liquidation")
    assert desk.desk.asked == [{"shocks": {"BTC": "-0.105"}, "account_id": ACCOUNT}]
    assert page.input_value("#only") == ACCOUNT


def test_an_order_is_checked_and_the_answer_has_its_figures(page: Page, desk: DeskServer) -> None:
    page.goto(f"/#/checks?account={ACCOUNT}")
    page.fill("#f-instrument", "BTC-USDT")
    page.fill("#f-quantity", "6")
    page.select_option("#f-side", "sell")
    page.click("button.main")
    page.wait_for_selector("#answer .state")
    assert desk.desk.asked == [
        {
            "instrument": "BTC-USDT",
            "side": "sell",
            "quantity": "6",
            "position_side": "net",
            "margin_mode": "cross",
            "reduce_only": False,
        }
    ]
    said = _plain(page.text_content("#answer .state"))
    assert "Refused by OV-1" in said
    assert "Largest that would pass: 5.25." in said
    assert "Checked with auto-borrow; borrows 6,000 USDT." in said
    assert _plain(page.text_content("#answer tbody tr:nth-child(3)")) == "ratio170.00 %"
    page.reload()
    assert page.input_value("#f-instrument") == "BTC-USDT"
    assert page.input_value("#f-side") == "sell"


def test_a_refused_field_is_named_and_focused(page: Page) -> None:
    page.goto(f"/#/checks?account={ACCOUNT}")
    page.fill("#f-instrument", "NOPE")
    page.fill("#f-quantity", "6")
    page.click("button.main")
    page.wait_for_selector("#answer .error")
    assert _plain(page.text_content("#answer .error")) == "Instrument: unknown instrument NOPE"
    assert page.evaluate("document.activeElement.id") == "f-instrument"


def test_a_number_that_is_none_is_not_sent(page: Page, desk: DeskServer) -> None:
    page.goto(f"/#/checks?account={ACCOUNT}")
    page.fill("#f-instrument", "BTC-USDT")
    page.fill("#f-quantity", "six")
    page.click("button.main")
    assert page.evaluate("document.activeElement.id") == "f-quantity"
    assert desk.desk.asked == []


@pytest.mark.parametrize("part", ["prices", "workers"])
def test_parts_of_the_overview_have_addresses(page: Page, part: str) -> None:
    page.goto(f"/#/{part}")
    page.wait_for_selector(f"#{part} tbody tr")
    assert page.title() == f"{part.capitalize()} · liqmon"


def test_an_address_that_is_none_says_so(page: Page) -> None:
    page.goto("/#/nowhere")
    page.wait_for_selector("h1")
    assert page.text_content("h1") == "No such page"
