"""The parts of `liqmon bench engine`, and what its figures say of one another."""

from __future__ import annotations

import msgspec

from streams.bench.part import Part
from streams.bench.ratios import Ratios
from streams.bench.result import PartResult, Ratio, Sizes

__all__ = ["parts", "ratios"]

_HERE = "streams.bench.engine"


def parts(sizes: Sizes) -> list[Part]:
    """Return the parts: the calm market at a tenth, at once and at ten times `accounts`."""
    found = [Part("account", "one account", f"{_HERE}.single:measure", sizes)]
    for count in _growth(sizes):
        grown = msgspec.structs.replace(sizes, accounts=count)
        name = f"calm-{count}"
        found.append(
            Part(name, f"calm market, {count:,} accounts", f"{_HERE}.calm:measure", grown, "calm")
        )
    found += [
        Part("fall", "everything falls by 20 %", f"{_HERE}.moves:measure_fall", sizes),
        Part("gap", "one price falls by 15 % at once", f"{_HERE}.moves:measure_gap", sizes),
        Part("watch-list", "a watch list with a sweep", f"{_HERE}.watch_list:measure", sizes),
        Part("portfolio", "books of options", f"{_HERE}.portfolio:measure", sizes),
    ]
    return found


def _growth(sizes: Sizes) -> tuple[int, int, int]:
    return max(1, sizes.accounts // 10), sizes.accounts, sizes.accounts * 10


def ratios(found: list[PartResult], sizes: Sizes) -> list[Ratio]:
    """Return what was asked of the engine, as far as it was measured."""
    small, middle, large = (f"calm-{count}" for count in _growth(sizes))
    made = Ratios(found)
    for name, most in ((middle, 3.0), (large, 20.0)):
        count = int(name.rpartition("-")[2])
        made.at_most(f"the screen by a tick, mean, µs ({count:,} accounts)", name, "screen", most)
    words = f"the screen by a tick, p99, µs ({sizes.accounts:,} accounts)"
    made.at_most(words, middle, "screen.p99", 15.0)
    made.at_most("the screen, a tick that concerns nobody, µs", middle, "screen.empty", 2.0)
    made.against(
        "that tick, 100 times the accounts",
        (large, "screen.empty"),
        (small, "screen.empty"),
        most=2.0,
    )
    made.against(
        "NumPy full recompute / tick", (middle, "numpy"), (middle, "tick.batched"), least=500.0
    )
    made.at_most("an account hit, screened again, µs", middle, "screen.hit", 3.0)
    made.at_most("the fall without exact decisions, s", "fall", "screen.total", 1.5)
    made.at_most("the gap without exact decisions, ms", "gap", "btc.screen", 150.0)
    made.at_most("exact assessment, µs", "account", "assess", 60.0)
    made.at_most("memory in the index, B", middle, "memory.index", 2048.0)
    made.at_most("memory in the book, B", middle, "memory.book", 2048.0)
    made.at_most("crossings missed in the fall", "fall", "missed", 0.0)
    for part, key in (("fall", "differences"), ("gap", "btc.differences"), (middle, "differences")):
        made.at_most(f"differences from a full recompute ({part})", part, key, 0.0)
    words = "option books that decimals place elsewhere"
    made.at_most(words, "portfolio", "differences", 0.0)
    return made.found
