"""Alert consumers: what needs no broker."""

import pytest

from streams.client import _Seen, decode_output, expired, subscribe
from tests.support.outputs import interest, reduction, warning


def test_a_topic_that_is_no_output_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"\['fills'\].*warnings"):
        subscribe("warnings", "fills")
    with pytest.raises(ValueError, match="one or more"):
        subscribe()


def test_a_command_expires_after_its_time_and_not_at_it() -> None:
    command = warning(1, expires_at=1000)
    assert not expired(command, now=1000)
    assert expired(command, now=1001)
    assert expired(command)


def test_copies_are_known_by_id_and_attempt_within_a_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.client._REMEMBERED", 3)
    seen = _Seen()
    assert not seen.repeats(warning(1))
    assert seen.repeats(warning(1))
    assert not seen.repeats(warning(1, attempt=2))
    assert not any(seen.repeats(warning(number)) for number in (2, 3))
    assert len(seen._seen) == 3
    assert not seen.repeats(warning(1))


def test_in_6_notices_of_interest_are_typed_and_known_by_their_id() -> None:
    notice = interest("i-1")
    assert decode_output("interest", notice.model_dump_json().encode()) == notice
    seen = _Seen()
    assert not seen.repeats(notice)
    assert seen.repeats(interest("i-1", ts=notice.ts + 1))
    assert not seen.repeats(interest("i-2"))
    assert not expired(notice)


def test_in_4_a_forced_conversion_travels_among_the_reductions() -> None:
    command = reduction(1, kind="auto_exchange", phase="auto_exchange", rules=["IN-4"])
    assert decode_output("reductions", command.model_dump_json().encode()) == command
