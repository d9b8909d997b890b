"""A real browser: the distribution's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = [
    "NARROW",
    "WIDE",
    "chromium",
    "faint_texts",
    "spoken_faults",
    "watched",
    "wider_than_window",
]

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 390, "height": 844}
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Return the browser's path; a test without one is skipped, and says what to install."""
    pytest.importorskip("playwright.sync_api", reason="Playwright is absent: the extra `browser`")
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return found
    pytest.skip("no Chromium on this machine: apt-get install chromium")


@contextmanager
def watched(browser: Browser, **options: object) -> Iterator[Page]:
    """Give a page in a context of its own; errors of its console or scripts fail the block."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(10_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))
    page.on(
        "console",
        lambda message: problems.append(message.text) if message.type == "error" else None,
    )
    try:
        yield page
    finally:
        context.close()
    # What a test provokes (404, 401, 422) the browser reports too.
    assert [p for p in problems if "Failed to load resource" not in p] == []


def wider_than_window(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(page.evaluate(script))


_FAULTS = """() => {
  const shown = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
  const text = (e) => (e.textContent || "").trim();
  const named = (e) => {
    const by = (e.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean);
    return e.getAttribute("aria-label") || by.map((id) => document.getElementById(id)).some((o) => o && text(o))
      || (e.labels && [...e.labels].some(text)) || e.getAttribute("title") || text(e);
  };
  const faults = [];
  const say = (e, what) => faults.push(`${what}: ${e.outerHTML.slice(0, 120)}`);
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);
  if (document.querySelectorAll("h1").length !== 1) faults.push("not exactly one h1");
  for (const tag of ["header", "main", "nav"]) if (!document.querySelector(tag)) faults.push(`no ${tag}`);
  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title) faults.push("no title");
  all("a, button, summary").filter((e) => !named(e)).forEach((e) => say(e, "no name"));
  all("input, select").filter((e) => !named(e)).forEach((e) => say(e, "no label"));
  all("section, dialog, [role=region], [role=img], [role=grid]").filter((e) => !named(e)).forEach((e) => say(e, "no name"));
  all("table").filter((e) => !e.caption).forEach((e) => say(e, "no caption"));
  all("table").filter((e) => !e.querySelector("thead th[scope=col]")).forEach((e) => say(e, "no header cells"));
  all("svg:not([aria-hidden=true])").filter((e) => !e.closest("[aria-hidden=true]") && e.getAttribute("role") !== "img")
    .forEach((e) => say(e, "a drawing that is read out"));
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => faults.push(`id twice: ${id}`));
  let level = 0;
  for (const e of all("h1, h2, h3, h4")) {
    const now = Number(e.tagName[1]);
    if (now > level + 1 && level) say(e, "a level of headings is left out");
    level = now;
  }
  return faults;
}"""


def spoken_faults(page: Page) -> list[str]:
    """Return what a screen reader would stumble over: names, labels, headings, tables, ids."""
    found: list[str] = page.evaluate(_FAULTS)
    return found


_CONTRAST = """() => {
  const numbers = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const c = numbers(getComputedStyle(at).backgroundColor);
      if (c.length < 4 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const faults = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.getClientRects().length || e.closest(".hidden, script, noscript, option")) continue;
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faults.add(`${ratio.toFixed(2)}: ${e.tagName} .${e.className} ${walk.currentNode.data.trim().slice(0, 40)}`);
  }
  return [...faults];
}"""


def faint_texts(page: Page) -> list[str]:
    """Return texts whose contrast with what is behind them is below 4.5 : 1."""
    found: list[str] = page.evaluate(_CONTRAST)
    return found
