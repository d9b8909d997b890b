"""Hours that passed while no worker ran, made of the ticks that stand in their topic (IN-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from monitor.interest.hours import HourCut, HourPrices, hour_prices
from monitor.prices import PriceBook
from monitor.reference import Reference
from streams.dead_letters import BadRecord
from streams.ticks import TickReader

__all__ = ["LOOKBACK_MS", "missed_hours"]

LOOKBACK_MS = 600_000
"""Ticks read from before the first hour; a symbol silent for longer is missing in the record."""
TICKS_A_TURN = 1000


async def missed_hours(
    client: Mapping[str, Any],
    topic: str,
    hours: range,
    reference: Reference,
    *,
    lookback_ms: int = LOOKBACK_MS,
) -> list[HourPrices]:
    """Return those of `hours` that ticks stand before and after, oldest first.

    It reads from the broker's append time on, so it is for the wall clock. Rates are those of the
    reference set, since nobody knows what was lent out then.
    """
    reader = TickReader(
        client,
        topic,
        on_bad=_pass_over,
        since_ms=max(0, hours[0] - lookback_ms),
        max_records=TICKS_A_TURN,
    )
    prices, cut, found = PriceBook(), HourCut(), list[HourPrices]()
    try:
        async for batch in reader.batches():
            for tick, offset in batch:
                for hour in cut.passed(tick.ts):
                    if hour in hours:
                        found.append(hour_prices(hour, prices, reference))
                    if hour >= hours[-1]:
                        return found
                prices.take(tick, offset, reference.policy, tick.ts)
            if reader.caught_up:
                return found
            await asyncio.sleep(0)
    finally:
        await reader.close()
    return found


def _pass_over(bad: BadRecord) -> None:
    """The worker's own reader has told of it."""
