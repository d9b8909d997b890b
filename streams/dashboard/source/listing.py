"""Accounts by their ratio, a page at a time: never all of them for one question."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from monitor.account import Account
from streams.cache_scripts import RATIOS_KEY, account_key
from streams.dashboard.source.cache import CacheReader
from streams.dashboard.source.distance import Distance, Distances, distances
from streams.dashboard.source.market import Market
from streams.dashboard.source.overview import Standing

__all__ = ["BadCursor", "Listing", "Page", "Query"]

_FIELDS = ("ratio", "band", "adjusted_equity", "maintenance_margin", "updated_at")
_MODES = ("spot", "multi_currency", "portfolio")
_MOST_READ = 5_000
"""Accounts read for one page whose band stands only in their hash."""
_SCAN = 2_000
_SCAN_SECONDS = 2.0
_SPECIAL = re.compile(r"([*?\[\]\\^])")


class BadCursor(ValueError):
    """Raised when `after` is not what a page said is `next`."""


class _State(msgspec.Struct):
    account: Account


_decode_state = msgspec.json.Decoder(_State).decode


@dataclass(frozen=True, slots=True)
class Query:
    """What accounts are asked for; `prefix` of their ids."""

    band: str | None = None
    limit: int = 50
    after: str | None = None
    prefix: str = ""


class Page(NamedTuple):
    """Rows in order of their ratio; `next` is None at the end."""

    rows: list[dict[str, Any]]
    next: str | None
    total: int


class _Place(NamedTuple):
    """A member of the sorted set; the order of Redis."""

    score: float
    name: bytes


class Listing:
    """Pages of accounts out of Redis."""

    def __init__(
        self, cache: CacheReader, market: Market, standing: Standing, found: Distances
    ) -> None:
        self._cache, self._market = cache, market
        self._standing, self._distances = standing, found

    async def page(self, query: Query) -> Page:
        """Return one page. Raises `Away`, `BadCursor`."""
        if query.prefix:
            return await self._search(query)
        if query.band == "unassessed":
            # The cache shows an account once it was assessed.
            return Page([], None, 0)
        low, high = self._range(query.band)
        after = None if query.after is None else _cursor(query.after)
        total = await self._cache.ask(lambda client: client.zcount(RATIOS_KEY, low, high))
        places, more = await self._places(query, low, high, after)
        rows = await self.rows([place.name for place in places])
        following = _following(places[-1]) if places and more else None
        if query.band is not None:
            rows = [row for row in rows if _stands(row, query.band)]
        return Page(rows, following, total)

    async def rows(self, names: Sequence[bytes]) -> list[dict[str, Any]]:
        """Return what is shown of accounts; those that are gone meanwhile are left out."""
        found = await self._fields(names, _FIELDS)
        made = await self._distances_of(
            {name: fields[0] or b"" for name, fields in zip(names, found, strict=True)}
        )
        return [
            self._row(name.decode(), fields, made.get(name))
            for name, fields in zip(names, found, strict=True)
            if fields[4] is not None
        ]

    def _row(
        self, name: str, fields: Sequence[bytes | None], distance: Distance | None
    ) -> dict[str, Any]:
        ratio, band, equity, maintenance, updated = (
            (value or b"").decode() or None for value in fields
        )
        updated_at = int(updated or 0)
        return {
            "account_id": name,
            "ratio": ratio,
            "band": band,
            "adjusted_equity": equity,
            "maintenance_margin": maintenance,
            "updated_at": updated_at,
            "age_ms": self._market.age(updated_at),
            "trend": self._standing.trend(name),
            "distance": None
            if distance is None
            else {"to_3": _text(distance.to_warning), "to_1": _text(distance.to_liquidation)},
        }

    # -- which accounts -----------------------------------------------------------------------

    def _range(self, band: str | None) -> tuple[str, str]:
        """Return the scores between which all accounts of a band lie."""
        if band is None:
            return "-inf", "+inf"
        if band == "unpriced":
            return "+inf", "+inf"
        levels = self._levels()
        if band == "liquidation":
            return "-inf", repr(levels["liquidation"][1])
        if band == "warning":
            return f"({levels['liquidation'][0]!r}", repr(levels["warning"][1])
        return f"({levels['warning'][0]!r}", "+inf"

    def _levels(self) -> dict[str, tuple[float, float]]:
        """ES-1: return the least and greatest level of all modes."""
        reference = self._market.reference
        if reference is None:
            return {"warning": (3.0, 3.0), "liquidation": (1.0, 1.0)}
        found = {}
        for name in ("warning", "liquidation"):
            values = [float(reference.policy.level(name, mode)) for mode in _MODES]
            found[name] = min(values), max(values)
        return found

    async def _places(
        self, query: Query, low: str, high: str, after: _Place | None
    ) -> tuple[list[_Place], bool]:
        """Return the page's members, and whether there are more behind them."""
        offset = 0
        if after is not None:
            offset = await self._passed(low, after)
        if query.band != "unpriced":
            found = await self._read(low, high, offset, query.limit + 1)
            return found[: query.limit], len(found) > query.limit
        # Only the hash says which of those without a ratio have no price.
        kept: list[_Place] = []
        read = 0
        while read < _MOST_READ:
            part = await self._read(low, high, offset + read, 500)
            bands = await self._fields([place.name for place in part], ("band",))
            for number, (place, fields) in enumerate(zip(part, bands, strict=True)):
                if fields[0] == b"":
                    kept.append(place)
                if len(kept) == query.limit:
                    return kept, number + 1 < len(part) or len(part) == 500
            read += len(part)
            if len(part) < 500:
                return kept, False
        return [*kept, part[-1]], True

    async def _read(self, low: str, high: str, offset: int, count: int) -> list[_Place]:
        found = await self._cache.ask(
            lambda client: client.zrangebyscore(
                RATIOS_KEY, low, high, start=offset, num=count, withscores=True
            )
        )
        return [_Place(score, name) for name, score in found]

    async def _passed(self, low: str, after: _Place) -> int:
        """Return how many of the range stand up to and with the last one shown."""
        score, name = after

        async def read(client: Any) -> tuple[int, int | None, float | None, int]:
            pipeline = client.pipeline(transaction=False)
            pipeline.zcount(RATIOS_KEY, "-inf", _exclusive_end(low))
            pipeline.zrank(RATIOS_KEY, name)
            pipeline.zscore(RATIOS_KEY, name)
            pipeline.zcount(RATIOS_KEY, "-inf", repr(score) if math.isfinite(score) else "+inf")
            before, rank, now, up_to = await pipeline.execute()
            return before, rank, now, up_to

        before, rank, now, up_to = await self._cache.ask(read)
        # The account may have moved since; then all with the ratio it had count as shown.
        reached = rank + 1 if rank is not None and now == score else up_to
        return max(0, reached - before)

    async def _search(self, query: Query) -> Page:
        """Return accounts whose id begins so; the exact one first of all, however many there are."""
        pattern = _SPECIAL.sub(r"\\\1", query.prefix) + "*"
        exact = query.prefix.encode()
        low, high = (_score(text) for text in self._range(query.band))
        until = time.monotonic() + _SCAN_SECONDS
        score = await self._cache.ask(lambda client: client.zscore(RATIOS_KEY, exact))
        found = {} if score is None else {exact: score}
        cursor: int | None = None
        while cursor != 0 and len(found) < query.limit * 4 and time.monotonic() < until:
            cursor, part = await self._scan(cursor or 0, pattern)
            found.update(part)
        places = sorted(
            (_Place(score, name) for name, score in found.items() if low <= score <= high)
        )[: query.limit]
        if exact in found and all(place.name != exact for place in places):
            places = [_Place(found[exact], exact), *places[: query.limit - 1]]
        rows = await self.rows([place.name for place in places])
        if query.band is not None:
            rows = [row for row in rows if _stands(row, query.band)]
        return Page(rows, None, len(found))

    async def _scan(self, cursor: int, pattern: str) -> tuple[int, list[tuple[bytes, float]]]:
        found: tuple[int, list[tuple[bytes, float]]] = await self._cache.ask(
            lambda client: client.zscan(RATIOS_KEY, cursor=cursor, match=pattern, count=_SCAN)
        )
        return found

    async def _fields(
        self, names: Sequence[bytes], fields: Sequence[str]
    ) -> list[list[bytes | None]]:
        if not names:
            return []

        async def read(client: Any) -> list[list[bytes | None]]:
            pipeline = client.pipeline(transaction=False)
            for name in names:
                pipeline.hmget(account_key(name.decode()), fields)
            found: list[list[bytes | None]] = await pipeline.execute()
            return found

        return await self._cache.ask(read)

    # -- distances ----------------------------------------------------------------------------

    async def _distances_of(self, ratios: Mapping[bytes, bytes]) -> dict[bytes, Distance | None]:
        """Return what is known; work out what is not, in turns, as many as this second allows."""
        reference, now = self._market.reference, time.monotonic()
        found: dict[bytes, Distance | None] = {}
        missing = []
        for name, ratio in ratios.items():
            known = self._distances.known(name.decode(), ratio.decode(), now)
            found[name] = known if known is not None else self._distances.last(name.decode())
            if known is None and ratio and reference is not None and self._distances.may(now):
                missing.append(name)
        if reference is None or not missing:
            return found
        states = await self._fields(missing, ("state",))
        for name, (state,) in zip(missing, states, strict=True):
            await asyncio.sleep(0)
            if state is None:
                continue
            account = _decode_state(state).account
            made = distances(account, reference, self._market.prices)
            self._distances.note(name.decode(), now, made)
            found[name] = made
        return found


def _stands(row: Mapping[str, Any], band: str) -> bool:
    """Levels differ by mode, and an account may have moved since: the row's own word counts."""
    return bool(row["band"] == (None if band == "unpriced" else band))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _following(place: _Place) -> str:
    return f"{place.score!r}|{place.name.decode()}"


def _cursor(text: str) -> _Place:
    score, mark, name = text.partition("|")
    try:
        return _Place(float(score), name.encode()) if mark else _no_cursor(text)
    except ValueError:
        return _no_cursor(text)


def _no_cursor(text: str) -> _Place:
    raise BadCursor(f"{text!r}: what a page gave as `next` is expected")


def _score(text: str) -> float:
    return float(text.removeprefix("("))


def _exclusive_end(low: str) -> str:
    """Return the end of what lies before a range that begins at `low`."""
    if low == "-inf":
        return "(-inf"
    return low.removeprefix("(") if low.startswith("(") else f"({low}"
