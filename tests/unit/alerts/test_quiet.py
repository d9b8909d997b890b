"""Quiet hours: over midnight, by day of the week, at the change of the clock."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.schema.alerts import QuietHours
from streams.alerts.quiet import is_quiet, quiet_since

ZURICH = ZoneInfo("Europe/Zurich")


def hours(start: str, end: str, timezone: str = "Europe/Zurich", **more: Any) -> QuietHours:
    return QuietHours.model_validate({"timezone": timezone, "start": start, "end": end, **more})


def at(text: str, zone: ZoneInfo = ZURICH, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


NIGHT = hours("22:00", "07:00")
LUNCH = hours("12:00", "13:00")
WEEKEND = hours("00:00", "00:00", days=["sat", "sun"])
FRIDAY_NIGHT = hours("22:00", "07:00", days=["fri"])


@pytest.mark.parametrize(
    ("one", "when", "quiet"),
    [
        (LUNCH, "2026-03-10 11:59:59", False),
        (LUNCH, "2026-03-10 12:00:00", True),
        (LUNCH, "2026-03-10 12:59:59", True),
        (LUNCH, "2026-03-10 13:00:00", False),
        (NIGHT, "2026-03-10 21:59:59", False),
        (NIGHT, "2026-03-10 22:00:00", True),
        (NIGHT, "2026-03-11 00:00:00", True),
        (NIGHT, "2026-03-11 06:59:59", True),
        (NIGHT, "2026-03-11 07:00:00", False),
        # a day is the one on which the hours begin: 2026-03-13 is a Friday
        (FRIDAY_NIGHT, "2026-03-13 06:00:00", False),
        (FRIDAY_NIGHT, "2026-03-13 23:00:00", True),
        (FRIDAY_NIGHT, "2026-03-14 06:00:00", True),
        (FRIDAY_NIGHT, "2026-03-14 23:00:00", False),
        # equal ends: the whole day
        (WEEKEND, "2026-03-13 23:59:59", False),
        (WEEKEND, "2026-03-14 00:00:00", True),
        (WEEKEND, "2026-03-15 23:59:59", True),
        (WEEKEND, "2026-03-16 00:00:00", False),
    ],
)
def test_quiet_hours_by_the_wall_clock(one: QuietHours, when: str, quiet: bool) -> None:
    assert is_quiet([one], at(when)) is quiet


def test_another_place_has_another_night() -> None:
    tokyo = hours("22:00", "07:00", "Asia/Tokyo")
    assert is_quiet([tokyo], at("2026-03-10 14:00", ZURICH))  # 22:00 there
    assert not is_quiet([tokyo], at("2026-03-10 23:00", ZURICH))  # 07:00 there
    assert is_quiet([tokyo, NIGHT], at("2026-03-10 23:00", ZURICH))


@pytest.mark.parametrize(
    ("start", "end", "when", "fold", "quiet"),
    [
        # 2026-03-29: from 02:00 to 03:00 the clock jumps
        ("22:00", "02:30", "2026-03-29 01:59", 0, True),
        ("22:00", "02:30", "2026-03-29 03:00", 0, False),
        ("02:30", "05:00", "2026-03-29 03:00", 0, True),
        ("22:00", "07:00", "2026-03-29 06:59", 0, True),
        ("22:00", "07:00", "2026-03-29 07:00", 0, False),
        # 2026-10-25: 02:00 to 03:00 comes twice
        ("22:00", "02:30", "2026-10-25 02:15", 0, True),
        ("22:00", "02:30", "2026-10-25 02:45", 0, False),
        ("22:00", "02:30", "2026-10-25 02:15", 1, True),
        ("22:00", "02:30", "2026-10-25 02:45", 1, False),
        ("22:00", "07:00", "2026-10-25 06:59", 0, True),
        ("22:00", "07:00", "2026-10-25 07:00", 0, False),
    ],
)
def test_at_the_change_of_the_clock_the_wall_clock_counts(
    start: str, end: str, when: str, fold: int, quiet: bool
) -> None:
    assert is_quiet([hours(start, end)], at(when, fold=fold)) is quiet


def test_a_night_is_longer_when_the_clock_goes_back() -> None:
    def minutes(first: str, last: str) -> int:
        return sum(is_quiet([NIGHT], ms) for ms in range(at(first), at(last), 60_000))

    assert minutes("2026-10-23 12:00", "2026-10-24 12:00") == 9 * 60
    assert minutes("2026-10-24 12:00", "2026-10-25 12:00") == 10 * 60
    assert minutes("2026-03-28 12:00", "2026-03-29 12:00") == 8 * 60


def test_since_when_it_is_quiet() -> None:
    assert quiet_since([NIGHT], at("2026-03-11 03:00")) == at("2026-03-10 22:00")
    assert quiet_since([NIGHT], at("2026-03-11 12:00")) is None
    # the night runs on into the weekend, and Friday's night before it
    assert quiet_since([NIGHT, WEEKEND], at("2026-03-14 12:00")) == at("2026-03-13 22:00")
    # for ever quiet: no further back than about a week
    always = hours("08:00", "08:00")
    found = quiet_since([always], at("2026-03-14 12:00"))
    assert found is not None
    assert at("2026-03-06 08:00") <= found <= at("2026-03-07 12:00")


_CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))


@settings(deadline=None)
@given(
    start=_CLOCK,
    end=_CLOCK,
    when=st.integers(at("2026-03-27 00:00"), at("2026-03-31 00:00")),
)
def test_it_is_quiet_from_its_start_until_now_without_a_gap(
    start: str, end: str, when: int
) -> None:
    one = hours(start, end)
    since = quiet_since([one], when)
    assert (since is not None) == is_quiet([one], when)
    if since is not None and start != end:
        assert since <= when
        assert all(is_quiet([one], ms) for ms in range(since, when, 3_601_000))


@pytest.mark.parametrize(
    "changes",
    [
        {"timezone": "Europe/Nowhere"},
        {"timezone": "../etc/passwd"},
        {"timezone": ""},
        {"start": "24:00"},
        {"start": "7:00"},
        {"days": []},
        {"days": ["monday"]},
        {"until": "07:00"},
    ],
)
def test_hours_that_cannot_be_meant_are_refused(changes: dict[str, Any]) -> None:
    given = {"timezone": "UTC", "start": "22:00", "end": "07:00", **changes}
    with pytest.raises(ValidationError):
        QuietHours.model_validate(given)
