"""Quiet hours by the wall clock of a place."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from monitor.schema.alerts import QuietHours, Weekday

__all__ = ["is_quiet", "quiet_since"]

_DAYS: tuple[Weekday, ...] = get_args(Weekday)


def is_quiet(hours: Iterable[QuietHours], at: int) -> bool:
    """Whether one of these is in force at `at` (epoch ms).

    What counts is what the clock on the wall shows, so an hour that comes twice in autumn is quiet
    twice, and one that is left out in spring is not waited for.
    """
    return any(_began(one, at) is not None for one in hours)


def quiet_since(hours: Iterable[QuietHours], at: int) -> int | None:
    """Return when the hours in force at `at` began (epoch ms), the earliest; None: it is not quiet.

    Hours that follow each other without a gap count as one.
    """
    found: int | None = None
    while True:
        look = at if found is None else found - 1
        begun = [began for one in hours if (began := _began(one, look)) is not None]
        # A week of quiet without a gap is quiet for ever; further back says nothing new.
        if not begun or look < at - 7 * 24 * 3600 * 1000:
            return found
        found = min(begun)


def _began(hours: QuietHours, at: int) -> int | None:
    """Return when the stretch that is in force at `at` began."""
    zone = ZoneInfo(hours.timezone)
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
    start, end = time.fromisoformat(hours.start), time.fromisoformat(hours.end)
    now = local.time()
    if start < end:
        days_ago = 0 if start <= now < end else None
    elif now >= start:
        days_ago = 0
    else:
        days_ago = 1 if now < end else None
    if days_ago is None:
        return None
    day = local.date() - timedelta(days=days_ago)
    if _DAYS[day.weekday()] not in hours.days:
        return None
    began = int(datetime.combine(day, start, zone).timestamp() * 1000)
    return min(began, at)
