"""Everything without a mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.desk import ACCOUNT
from tests.support.desk_server import DeskServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

_FOCUSED = "document.activeElement.getAttribute('data-key') || document.activeElement.id"


def test_slash_searches_and_enter_opens_the_account(page: Page) -> None:
    page.goto("/")
    page.wait_for_selector(".nearest tbody tr")
    page.keyboard.press("/")
    assert page.evaluate(_FOCUSED) == "q"
    page.keyboard.type(ACCOUNT)
    page.keyboard.press("Enter")
    page.wait_for_selector(".timeline li")
    assert page.evaluate("location.hash") == f"#/account/{ACCOUNT}"


def test_a_part_of_an_id_lists_what_begins_so(page: Page) -> None:
    page.goto("/")
    page.wait_for_selector(".nearest tbody tr")
    page.keyboard.press("/")
    page.keyboard.type("acct-1")
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash === '#/accounts?q=acct-1'")
    page.keyboard.press("Escape")
    assert page.evaluate(_FOCUSED) != "q"
    assert page.input_value("#q") == ""


@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("a", "#/accounts"),
        ("c", "#/commands"),
        ("m", "#/map"),
        ("w", "#/what-if"),
        ("k", "#/checks"),
        ("o", "#/"),
    ],
)
def test_g_and_a_letter_jump(page: Page, key: str, address: str) -> None:
    page.goto("/#/workers")
    page.wait_for_selector("#workers tbody tr")
    page.keyboard.press("g")
    page.keyboard.press(key)
    page.wait_for_function("wanted => location.hash === wanted", arg=address)


def test_arrows_move_from_row_to_row_and_enter_opens(page: Page, desk: DeskServer) -> None:
    page.goto("/")
    page.wait_for_selector(".nearest tbody tr")
    names = [row["account_id"] for row in desk.desk.rows()]
    page.focus(".nearest")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(_FOCUSED) == f"near {names[0]}"
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(_FOCUSED) == f"near {ACCOUNT}"
    page.wait_for_timeout(1_200)  # new figures come in meanwhile
    assert page.evaluate(_FOCUSED) == f"near {ACCOUNT}"
    page.keyboard.press("End")
    assert page.evaluate(_FOCUSED) == f"near {names[14]}"
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_function("wanted => location.hash === wanted", arg=f"#/account/{names[0]}")


def test_arrows_move_in_the_long_table_too(page: Page, desk: DeskServer) -> None:
    page.goto("/#/accounts")
    page.wait_for_selector(".tabulator-row")
    page.locator(".tabulator-row a").first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.evaluate(_FOCUSED) == f"row {ACCOUNT}"
    page.wait_for_timeout(2_500)  # the page was refreshed meanwhile
    assert page.evaluate(_FOCUSED) == f"row {ACCOUNT}"
    page.keyboard.press("Enter")
    page.wait_for_selector(".timeline li")


def test_p_pauses_and_question_mark_helps(page: Page) -> None:
    page.goto("/")
    page.wait_for_selector("#link.live")
    page.keyboard.press("p")
    page.wait_for_selector("#link.paused")
    page.keyboard.press("p")
    page.wait_for_selector("#link.live")
    page.keyboard.press("?")
    page.wait_for_selector("#help-box[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#help-box:not([open])", state="attached")


def test_letters_in_a_field_are_letters(page: Page) -> None:
    page.goto("/")
    page.wait_for_selector("#link.live")
    page.keyboard.press("/")
    page.keyboard.type("gpt?")
    assert page.input_value("#q") == "gpt?"
    assert page.locator("#link.paused").count() == 0


def test_the_first_tab_stop_skips_to_the_content(page: Page) -> None:
    page.goto("/")
    page.wait_for_selector(".nearest tbody tr")
    page.keyboard.press("Tab")
    assert page.evaluate(_FOCUSED) == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate(_FOCUSED) == "main"


def test_focus_is_seen(page: Page) -> None:
    page.goto("/")
    page.wait_for_selector(".nearest tbody tr")
    for _ in range(12):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
