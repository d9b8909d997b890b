"""The demo's crash, watched through the page: what stands there is what the API says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import WIDE, spoken_faults, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(400)]

_PATIENCE_MS = 120_000
"""How long a start takes depends on what else the machine does."""


@contextmanager
def _demo(data: Path) -> Iterator[str]:
    """Run a small crash of 40 s at the pace of the wall; its page's address."""
    options = ("--accounts", "300", "--duration", "40", "--speed", "1", "--no-browser")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIQMON_")}
    running = subprocess.Popen(
        [sys.executable, "-m", "streams", "demo", *options],
        env={**kept, "LIQMON_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert running.stdout is not None
        seen = ""
        for line in running.stdout:
            seen += line
            found = re.match(r"page: (http://\S+)", line)
            if found:
                break
        else:
            pytest.fail(f"the demo named no page:\n{seen}")
        yield found[1]
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()


def _number(text: str | None) -> float:
    return float(re.sub(r"[^\d.\-]", "", (text or "").replace("−", "-")))


def test_the_crash_is_watched_through_the_page(
    browser: Browser, tmp_path: Path, keep: Callable[[Page, str], None]
) -> None:
    with (
        _demo(tmp_path / "data") as url,
        watched(browser, viewport=WIDE, base_url=url) as page,
    ):
        page.set_default_timeout(_PATIENCE_MS)
        page.goto("/")
        page.wait_for_selector("#link.live")
        page.wait_for_selector(".feed .line .usd")  # the first reduction
        page.wait_for_selector(".nearest tbody tr")
        assert spoken_faults(page) == []
        keep(page, "demo-overview")
        _compare_overview(page)
        _compare_account(page, keep)
        for address, ready in {
            "#/map?symbol=BTC": "#risk tbody td",
            "#/what-if?shocks=BTC:-0.1": ".state .sentence",
        }.items():
            page.goto(f"/{address}")
            page.wait_for_selector(ready)
        keep(page, "demo-what-if")


def _get(page: Page, path: str) -> Any:
    answer = page.request.get(f"/api/v1/{path}")
    assert answer.ok, answer.text()
    return answer.json()


def _compare_overview(page: Page) -> None:
    """Paused, the page keeps one moment; the API's history has the counts of that moment too."""
    page.click("#pause")
    page.wait_for_selector("#link.paused")
    shown = {
        band: int(_number(page.text_content(f'.count[data-band="{band}"]')))
        for band in ("liquidation", "warning", "normal")
    }
    told = _get(page, "overview")
    assert sum(shown.values()) <= told["accounts"] == 300
    moments = [{band: one[band] for band in shown} for one in told["history"]]
    assert shown in moments
    page.click("#pause")


def _compare_account(page: Page, keep: Callable[[Page, str], None]) -> None:
    """Of one account that was reduced: why and by how much, as its commands say."""
    reduction = _get(page, "commands?kind=reduction&limit=1")["commands"][0]
    name = reduction["account_id"]
    page.goto(f"/#/account/{name}?episode={reduction['episode_id'].replace('#', '%23')}")
    page.wait_for_selector(".timeline li .actions")
    page.click("#pause")
    keep(page, "demo-account")
    lead = page.locator(".story p").first.text_content() or ""
    assert lead.startswith(("Reduced by", "Taken over", "Converted"))
    (episode,) = [
        one
        for one in _get(page, f"accounts/{name}")["episodes"]
        if one["episode_id"] == reduction["episode_id"]
    ]
    first = next(one for one in episode["commands"] if one.get("actions"))
    step = page.locator(".timeline > li", has=page.locator(".actions")).first
    amounts = [_number(text) for text in step.locator(".actions .usd").all_text_contents()]
    wanted = [float(action["notional_usd"]) for action in first["actions"]]
    assert amounts == pytest.approx(wanted, abs=0.0101)
    assert all(low <= high + 1e-6 for low, high in zip(wanted, amounts, strict=True))
    rules = set(step.locator("abbr.rule").all_text_contents())
    assert rules == set(first["rules"])
