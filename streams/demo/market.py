"""The child process that makes the topics, fills in what is needed first, and plays the market."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

from monitor.exact import plain
from streams import topics
from streams.demo.plan import Folder, Market, MarketStatus, OpeningPrice, Plan
from streams.documents import Document
from streams.reference import PublishError, publish
from streams.replay import (
    Beats,
    DatedMarks,
    Kind,
    Pace,
    Progress,
    Quote,
    QuoteStream,
    ReplayError,
    SyntheticMarket,
    Target,
    open_stream,
    play,
)
from streams.simulator import demo_reference, list_dated
from streams.simulator.dated import listed

__all__ = ["RECORDING_SECONDS", "chosen_speed", "play_market"]

RECORDING_SECONDS = 300.0
SYNTHETIC_SECONDS = 180.0
MAX_AGE_SECONDS = 10
"""PX-4's default in wall seconds; on the event clock a wall second is `speed` recorded ones."""
MOST_SPEED_WITH_PAYMENTS = 120.0
"""Up to here a full hour takes at least 30 s."""
_HOLD_SECONDS = 600.0
"""Beats after the last tick: the demo ends them when the episodes have come to rest."""
_TURN_SECONDS = 0.01
"""A laptop's broker has better to do than 500 requests a second."""
_MS = 1_000_000

Dated = Mapping[str, Any]
"""Instrument id → its entry of the reference file."""


@dataclass(frozen=True, slots=True)
class _Opening:
    """One quote of each symbol, one millisecond before the market begins."""

    quotes: tuple[Quote, ...]

    @property
    def symbols(self) -> tuple[tuple[str, Kind], ...]:
        return tuple((quote.symbol, quote.kind) for quote in self.quotes)

    @property
    def first_ns(self) -> int:
        return self.quotes[0].ts_ns

    @property
    def last_ns(self) -> int:
        return self.quotes[0].ts_ns

    @property
    def total(self) -> int | None:
        return len(self.quotes)

    def __iter__(self) -> Iterator[Sequence[Quote]]:
        yield self.quotes


def chosen_speed(length: float, speed: float | None, duration: float | None) -> float:
    """Return recorded seconds per second for a recording of `length` seconds.

    What is not asked for is chosen so that it takes five minutes, and never below 1.
    """
    if speed is not None:
        return speed
    if duration is not None:
        return max(length, 1.0) / duration
    return max(1.0, length / RECORDING_SECONDS)


def _open(plan: Plan) -> tuple[QuoteStream, float, str]:
    """Return the stream, its speed and a name for it."""
    if plan.replay is not None:
        path = Path(plan.replay)
        found = open_stream(path, Path(plan.symbol_map) if plan.symbol_map else None)
        length = (found.last_ns - found.first_ns) / 1e9
        return found, chosen_speed(length, plan.speed, plan.duration), path.name
    speed = plan.speed or 1.0
    seconds = speed * (plan.duration or SYNTHETIC_SECONDS)
    return SyntheticMarket(seed=plan.seed, seconds=seconds), speed, "a made market"


def _with_dated(stream: QuoteStream, speed: float, seed: int) -> tuple[QuoteStream, Dated]:
    """Return the stream with the marks of dated contracts, and those contracts by name.

    None expires before the last beat. They are quoted once in a wall second at least.
    """
    after = stream.last_ns // _MS + round(_HOLD_SECONDS * speed * 1000)
    prices = {price.symbol: price.price for price in _opening(stream)}
    dated = list_dated(demo_reference(), prices, after)
    return DatedMarks(stream, listed(dated), seed, every_seconds=speed), dated


def _opening(stream: QuoteStream) -> tuple[OpeningPrice, ...]:
    """Return the first price of every symbol, however late it comes."""
    wanted = len(stream.symbols)
    first: dict[str, OpeningPrice] = {}
    for quote in chain.from_iterable(stream):
        first.setdefault(quote.symbol, OpeningPrice(quote.symbol, quote.kind, quote.price))
        if len(first) == wanted:
            break
    return tuple(first.values())


def _describe(stream: QuoteStream, speed: float, name: str, dated: Dated) -> Market:
    opening = _opening(stream)
    scale = Decimal(repr(speed))
    policy: dict[str, Any] = {
        "time_scale": plain(scale),
        "max_age_seconds": {"*": plain(scale * MAX_AGE_SECONDS)},
        # So interest comes in events, and the check sees it as it sees all else.
        "interest_booking": "exchange",
    }
    reference = demo_reference((price.symbol for price in opening), policy, dated=dated)
    if speed > MOST_SPEED_WITH_PAYMENTS:
        _without_payments(reference)
    return Market(
        name=name,
        speed=speed,
        first_ms=stream.first_ns // _MS,
        last_ms=stream.last_ns // _MS,
        opening=opening,
        reference=reference,
    )


def _without_payments(reference: dict[str, Any]) -> None:
    """Charge no interest and no funding: every debtor's, every few seconds, would be all there is."""
    for currency in reference["currencies"].values():
        currency["yearly_rate"] = "0"
        currency.pop("utilisation_curve", None)
    for instrument in reference["instruments"].values():
        if instrument["kind"] == "swap":
            instrument["funding_rate"] = "0"


async def play_market(plan: Plan, folder: Folder, stop: asyncio.Event) -> int:
    """Make the topics, publish reference set and opening prices, and play when told to."""
    try:
        return await _play(plan, folder, stop)
    except (ReplayError, PublishError, topics.TopicsError) as error:
        folder.write("replay", MarketStatus(error=str(error)))
        return 1


async def _play(plan: Plan, folder: Folder, stop: asyncio.Event) -> int:
    recorded, speed, name = await asyncio.to_thread(_open, plan)
    stream, dated = await asyncio.to_thread(_with_dated, recorded, speed, plan.seed)
    market = await asyncio.to_thread(_describe, stream, speed, name, dated)
    folder.write("market", market)
    settings = plan.settings()
    await folder.passed("kafka")
    await asyncio.to_thread(topics.ensure, settings)
    folder.open("topics")
    target = Target(plan.brokers)
    # One millisecond before, so that no time of the market itself has to be moved.
    before = stream.first_ns - _MS
    quotes = tuple(Quote(before, o.symbol, o.kind, o.price) for o in market.opening)
    await asyncio.gather(
        publish(settings, Document(folder.path / "reference", "", market.reference)),
        play(_Opening(quotes), target, Pace(speed, beats=Beats(hold=0.0))),
    )
    folder.open("inputs")
    await folder.passed("play")
    reporter = _Reporter(folder)
    pace = Pace(speed, beats=Beats(hold=_HOLD_SECONDS), turn_seconds=_TURN_SECONDS)
    await play(stream, target, pace, progress=reporter.report, stop=stop)
    return 0


class _Reporter:
    """Writes how far the replay is, and notices when its last tick is out."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._published = -1

    def report(self, progress: Progress) -> None:
        # At the last moment's ticks the whole time has passed while some are still to be sent:
        # so the end is reached only when nothing was added since the report before.
        done = progress.fraction >= 1.0 and progress.published == self._published
        self._published = progress.published
        status = MarketStatus(
            published=progress.published,
            recorded_ms=progress.recorded_ns // _MS,
            fraction=progress.fraction,
            late=progress.late,
            done=done,
        )
        self._folder.write("replay", status)
