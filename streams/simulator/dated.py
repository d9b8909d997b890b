"""Dated futures and options that a market lists on the day it begins: no file can name them before."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from monitor.exact import plain
from streams.replay import Listed, ListedFuture, ListedOption

__all__ = ["list_dated", "listed", "quarter_end"]

Entries = dict[str, dict[str, Any]]

_OPTION = re.compile(r"([A-Z0-9]+)-[A-Z]+-\d{6}-[^-]+-[CP]")
_SHARES = (0.75, 0.9, 1.0, 1.1, 1.25)
"""Strikes as shares of the spot; below it puts, above it calls, both at it."""
_STEPS_A_SPOT = 40
_EXPIRY_HOUR = 8
_FRIDAY = 4
_WEEKS_APART = 4


def list_dated(raw: Mapping[str, Any], prices: Mapping[str, str], after: int) -> Entries:
    """Return instruments (by id) to add to a raw reference file: futures and options yet to expire.

    They are listed on each coin that has options in `raw` and an index in `prices` (symbol → price);
    none of them expires before `after` (epoch ms). A coin with options among `prices` gets no others.
    """
    options: dict[str, dict[str, Any]] = {}
    for entry in raw["instruments"].values():
        if entry["kind"] == "option":
            options.setdefault(entry["underlying"], entry)
    own = {match[1] for name in prices if (match := _OPTION.fullmatch(name))}
    found: Entries = {}
    for coin, option in options.items():
        if f"{coin}-USD" not in prices:
            continue
        for expiry in _expiries(after):
            found |= _future(raw["instruments"], coin, expiry)
            if coin not in own:
                found |= _options(option, coin, float(prices[f"{coin}-USD"]), expiry)
    return {name: entry for name, entry in found.items() if name not in prices}


def _expiries(after: int) -> tuple[datetime, ...]:
    """Return a weekly, a later and a quarterly expiry, as exchanges list them: Fridays, 08:00 UTC."""
    first = datetime.fromtimestamp(after / 1000, UTC).replace(
        hour=_EXPIRY_HOUR, minute=0, second=0, microsecond=0
    ) + timedelta(days=1)
    week = first + timedelta(days=(_FRIDAY - first.weekday()) % 7)
    month = week + timedelta(weeks=_WEEKS_APART)
    return week, month, quarter_end(month + timedelta(weeks=_WEEKS_APART))


def quarter_end(day: datetime) -> datetime:
    """Return the last Friday of the quarter of `day`, or of the next one where that is past."""
    month = (day.month + 2) // 3 * 3
    following = day.replace(year=day.year + (month == 12), month=month % 12 + 1, day=1)
    last = following - timedelta(days=1)
    friday = last - timedelta(days=(last.weekday() - _FRIDAY) % 7)
    return friday if friday >= day else quarter_end(following)


def _future(instruments: Mapping[str, dict[str, Any]], coin: str, expiry: datetime) -> Entries:
    swap = instruments.get(f"{coin}-USDT-SWAP")
    if swap is None:
        return {}
    entry = {name: value for name, value in swap.items() if "funding" not in name}
    name = f"{coin}-USDT-{expiry:%y%m%d}"
    return {name: {**entry, "kind": "future", "expiry": _millis(expiry)}}


def _options(template: Mapping[str, Any], coin: str, spot: float, expiry: datetime) -> Entries:
    step = _step(spot)
    found: Entries = {}
    for share in _SHARES:
        strike = plain(round(spot * share / float(step)) * step)
        kinds = ("put",) if share < 1 else ("call",) if share > 1 else ("put", "call")
        for kind in kinds:
            name = f"{coin}-USD-{expiry:%y%m%d}-{strike}-{kind[0].upper()}"
            found[name] = {
                **template,
                "expiry": _millis(expiry),
                "strike": strike,
                "option_type": kind,
            }
    return found


def _step(spot: float) -> Decimal:
    """Return the distance of strikes: 1, 2 or 5 times a power of ten, a fortieth of the spot at most."""
    wanted = spot / _STEPS_A_SPOT
    power = Decimal(1).scaleb(math.floor(math.log10(wanted)))
    return max(times * power for times in (1, 2, 5) if float(times * power) <= wanted)


def _millis(expiry: datetime) -> int:
    return int(expiry.timestamp() * 1000)


def listed(entries: Mapping[str, Mapping[str, Any]]) -> Listed:
    """Return by coin what a market quotes of these instruments."""
    found: dict[str, list[ListedFuture | ListedOption]] = {}
    for name, entry in entries.items():
        if entry["kind"] == "option":
            contract: ListedFuture | ListedOption = ListedOption(
                name, entry["option_type"], float(entry["strike"]), entry["expiry"]
            )
        else:
            decimals = max(0, -int(Decimal(entry["tick"]).normalize().as_tuple().exponent))
            contract = ListedFuture(name, entry["expiry"], decimals)
        found.setdefault(entry["underlying"], []).append(contract)
    return found
