"""How everything stands, put together once a second."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from streams.cache_scripts import BANDS_KEY, RATIOS_KEY, WORKERS_KEY, account_key
from streams.dashboard.source.cache import CacheReader
from streams.dashboard.source.exceptions import Away
from streams.dashboard.source.times import wall_ms

__all__ = ["BAND_NAMES", "Beat", "Picture", "Standing", "decode_beat", "keep_looking"]

BAND_NAMES = ("normal", "warning", "liquidation", "unpriced", "unassessed")
NEAREST = 1_000
"""Accounts whose last ratios are kept, lowest first."""
TREND = 60
"""Ratios kept of each, one a second."""
_HISTORY = 600
_GONE_MS = 3_600_000
"""A worker silent for so long is no longer shown: it was killed and will not come back."""
_SILENT_MS = 10_000


class Beat(msgspec.Struct):
    """Of a worker's heartbeat, what is shown; `ts` by this machine's clock or another's."""

    worker: str
    state: str
    partitions: list[int]
    accounts: dict[str, int]
    ts: int
    now: int = 0
    lag: int = 0
    last_tick: int | None = None
    missed_crossings: int = 0
    out_of_sync: int = 0
    dead_letters: int = 0
    stale_symbols: list[str] = []


decode_beat = msgspec.json.Decoder(Beat).decode


class Nearest(NamedTuple):
    """The account with the lowest ratio; the ratio as a decimal string."""

    account_id: str
    ratio: str
    band: str


class Picture(NamedTuple):
    """What one look at Redis found."""

    bands: Mapping[str, int]
    accounts: int
    nearest: Nearest | None
    lowest: tuple[str, ...]
    """The `NEAREST` accounts with a ratio, lowest first."""


_NOTHING = Picture({}, 0, None, ())


class Standing:
    """The last picture, the last ratios of the nearest accounts, and the workers' heartbeats."""

    def __init__(self, cache: CacheReader) -> None:
        self._cache = cache
        self._beats: dict[str, Beat] = {}
        self._trends: dict[str, deque[float]] = {}
        self.picture = _NOTHING
        self.history: deque[dict[str, int]] = deque(maxlen=_HISTORY)
        """Accounts by band in the last minutes, one a second; `ts` of this machine."""

    async def look(self) -> None:
        """Take the next picture. Raises `Away`: the last one then stands."""
        bands, workers, count, lowest = await self._cache.ask(_read, insist=True)
        for value in workers.values():
            self.beat(value)
        first = None
        if lowest:
            name = lowest[0][0]
            found = await self._cache.ask(
                lambda client: client.hmget(account_key(name.decode()), ("ratio", "band"))
            )
            if found[0]:
                first = Nearest(name.decode(), found[0].decode(), (found[1] or b"").decode())
        counts = {name.decode(): int(number) for name, number in bands.items()}
        names = tuple(name.decode() for name, _ in lowest)
        self._draw(zip(names, (ratio for _, ratio in lowest), strict=True))
        self.picture = Picture(counts, count, first, names)

    def beat(self, value: bytes) -> None:
        """Take a heartbeat; what is none says nothing."""
        try:
            found = decode_beat(value)
        except msgspec.DecodeError:
            return
        known = self._beats.get(found.worker)
        if known is None or found.ts >= known.ts:
            self._beats[found.worker] = found

    def workers(self) -> list[dict[str, Any]]:
        """Return the workers heard of in the last hour, by name."""
        now = wall_ms()
        self._beats = {n: b for n, b in self._beats.items() if now - b.ts < _GONE_MS}
        return [
            {**msgspec.to_builtins(beat), "age_ms": max(0, now - beat.ts)}
            for _, beat in sorted(self._beats.items())
            if beat.state != "stopping"
        ]

    def bands(self) -> dict[str, int]:
        """Return accounts by band: of Redis, and while it is away of the workers themselves."""
        found: Mapping[str, int] = self.picture.bands
        if self._cache.away_since is not None or not self._cache.configured:
            told, now = Counter[str](), wall_ms()
            for beat in self._beats.values():
                if now - beat.ts < _SILENT_MS:
                    told.update(beat.accounts)
            found = told or found
        return {name: found.get(name, 0) for name in BAND_NAMES}

    def remember(self) -> None:
        """Note how many accounts are where, for the course of the last minutes."""
        counts = self.bands()
        if any(counts.values()):
            self.history.append({"ts": wall_ms(), **counts})

    def trend(self, account_id: str) -> list[float]:
        """Return an account's last ratios, one a second; none if it is not among the nearest."""
        return list(self._trends.get(account_id, ()))

    def _draw(self, ratios: Iterable[tuple[str, float]]) -> None:
        before, self._trends = self._trends, {}
        for name, ratio in ratios:
            line = before.get(name)
            if line is None:
                line = deque(maxlen=TREND)
            line.append(round(ratio, 6))
            self._trends[name] = line


async def _read(client: Any) -> tuple[Any, Any, int, list[tuple[bytes, float]]]:
    pipeline = client.pipeline(transaction=False)
    pipeline.hgetall(BANDS_KEY)
    pipeline.hgetall(WORKERS_KEY)
    pipeline.zcard(RATIOS_KEY)
    # Without a ratio the score is +inf: nothing is asked of such an account.
    pipeline.zrangebyscore(RATIOS_KEY, "-inf", "(+inf", start=0, num=NEAREST, withscores=True)
    bands, workers, count, lowest = await pipeline.execute()
    return bands, workers, count, lowest


async def keep_looking(standing: Standing, every: float) -> None:
    """Take a picture every so many seconds until cancelled, while there is a Redis."""
    while True:
        started = asyncio.get_running_loop().time()
        with contextlib.suppress(Away):
            await standing.look()
        standing.remember()
        spent = asyncio.get_running_loop().time() - started
        await asyncio.sleep(max(0.1, every - spent))
