"""The last commands: newest first, once each, bounded, and where a reader goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from streams.dashboard.source.history import Entry, History, entry_of


@dataclass
class _Record:
    value: bytes | None
    offset: int
    timestamp: int
    topic: str = "warnings"
    partition: int = 0
    key: bytes | None = None


def _entry(number: int, *, topic: str = "warnings", account: str = "alice", **more: Any) -> Entry:
    message = {
        "command_id": f"c{number}",
        "kind": "warning",
        "account_id": account,
        "episode_id": f"{account}#1",
        "sequence": number,
        "decided_at": number,
        "ratio": "1.10",
        **more,
    }
    record = _Record(json.dumps(message).encode(), number, 1_000 * number, topic)
    found = entry_of(record, topic)
    assert found is not None
    return found


def _numbers(entries: list[Entry]) -> list[int]:
    return [entry.head.sequence for entry in entries]


def _filled(count: int, kept: int = 100) -> History:
    history = History(kept)
    for number in range(1, count + 1):
        history.add(_entry(number, account="alice" if number % 2 else "bob"))
    return history


def test_what_was_published_stays_and_says_where_it_stood() -> None:
    body = json.loads(_entry(7).body)
    assert body["ratio"] == "1.10"
    assert body["published_at"] == 7_000
    assert body["event_id"] == "7000.warnings.0.7"


def test_lines_within_a_command_do_not_break_an_event() -> None:
    value = json.dumps(json.loads(_entry(1).body), indent=2).encode()
    found = entry_of(_Record(value, 1, 1), "warnings")
    assert found is not None
    assert b"\n" not in found.body
    assert json.loads(found.body)["command_id"] == "c1"


@pytest.mark.parametrize("value", [None, b"", b"{", b'{"kind":"warning"}', b"[1]"])
def test_what_is_no_command_is_passed_over(value: bytes | None) -> None:
    assert entry_of(_Record(value, 1, 1), "warnings") is None


def test_pages_go_back_without_gap_or_repeat() -> None:
    history = _filled(10)
    first, following = history.page(kind=None, account=None, limit=4, before=None)
    second, following = history.page(kind=None, account=None, limit=4, before=following)
    third, end = history.page(kind=None, account=None, limit=4, before=following)
    assert _numbers(first + second + third) == list(range(10, 0, -1))
    assert end is None


def test_a_page_is_of_one_kind_and_account() -> None:
    history = _filled(6)
    history.add(_entry(7, kind="reduction", topic="reductions", account="alice"))
    found, _ = history.page(kind="warning", account="alice", limit=10, before=None)
    assert _numbers(found) == [5, 3, 1]
    found, _ = history.page(kind="reduction", account=None, limit=10, before=None)
    assert _numbers(found) == [7]
    assert history.page(kind=None, account="nobody", limit=1, before=None) == ([], None)


def test_a_place_that_is_forgotten_goes_on_at_its_time() -> None:
    history = _filled(10, kept=5)
    gone = _entry(3).event_id
    assert history.page(kind=None, account=None, limit=10, before=gone) == ([], None)
    later = "8500.elsewhere.0.1"
    found, _ = history.page(kind=None, account=None, limit=10, before=later)
    assert _numbers(found) == [8, 7, 6]


def test_a_copy_counts_once_and_another_attempt_counts() -> None:
    history = History()
    assert history.add(_entry(1))
    assert not history.add(_entry(1))
    assert history.add(_entry(1, attempt=2))
    assert len(history) == 2


def test_only_the_last_are_kept_and_it_is_known_from_where_on() -> None:
    history = History(3)
    history.starts("warnings", 0, 0)
    for number in range(1, 6):
        history.add(_entry(number))
    assert len(history) == 3
    assert _numbers(history.of_account("alice")) == [3, 4, 5]
    assert history.kept_from == {("warnings", 0): 3}
    # What was forgotten may come again, as a copy that is told of once more.
    assert history.add(_entry(1))


def test_a_reader_goes_on_after_its_last_event() -> None:
    history = _filled(10)
    assert _numbers(history.after(_entry(7).event_id)) == [8, 9, 10]
    assert history.after(_entry(10).event_id) == []


def test_a_reader_of_another_server_gets_rather_twice_than_never() -> None:
    """Its place is not known here: what was published since five seconds before it comes again."""
    history = _filled(10)
    assert _numbers(history.after("9000.elsewhere.3.1")) == list(range(4, 11))
    assert len(history.after("what is this")) == 10


def test_open_episodes_are_those_not_closed() -> None:
    history = History()
    for number, (name, state) in enumerate(
        [("a", "opened"), ("b", "opened"), ("a", "stuck"), ("b", "closed")]
    ):
        history.add(_entry(number, kind="episode", state=state, episode_id=f"{name}#1"))
    assert history.open_episodes == 1


def test_the_last_minute_counts_by_kind() -> None:
    history = History()
    for number in range(3):
        history.count(_entry(number))
    history.count(_entry(4, kind="reduction"))
    assert history.last_minute() == {"warning": 3, "reduction": 1}
