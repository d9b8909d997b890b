"""Alert consumers: what needs no broker."""

import pytest

from streams.client import Acceptance, _Seen, decode_output, expired, subscribe
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


NOW = 1_700_000_000_000


def test_a_command_is_accepted_once_and_each_resend_once() -> None:
    acceptance = Acceptance()
    sent = [
        (reduction(4), None),
        (reduction(4), "copy"),
        (reduction(4, attempt=2), None),
        (reduction(4, attempt=2), "copy"),
        (reduction(4), "copy"),
        (reduction(5), None),
        (reduction(4, attempt=3), None),
    ]
    assert [acceptance.refusal(command, NOW) for command, _ in sent] == [why for _, why in sent]


def test_what_comes_after_a_newer_command_of_its_episode_is_outdated() -> None:
    acceptance = Acceptance()
    assert acceptance.refusal(reduction(5), NOW) is None
    assert acceptance.refusal(reduction(4), NOW) == "outdated"
    assert acceptance.refusal(reduction(5, command_id="another"), NOW) == "outdated"
    # Other topics and episodes have their own order.
    assert acceptance.refusal(warning(4), NOW) is None
    assert acceptance.refusal(reduction(4, episode_id="acc-1#2"), NOW) is None
    # What is sent again is not outdated, even where its first attempt was never seen.
    assert acceptance.refusal(reduction(3, attempt=2), NOW) is None
    assert acceptance.refusal(reduction(5, command_id="third"), NOW) == "outdated"


def test_what_is_expired_is_refused_and_leaves_no_trace() -> None:
    acceptance = Acceptance()
    late = reduction(9, expires_at=NOW - 1)
    assert acceptance.refusal(late, NOW) == "expired"
    assert acceptance.refusal(reduction(8), NOW) is None
    assert acceptance.refusal(warning(1)) == "expired"


def test_forced_conversions_are_in_order_with_reductions() -> None:
    acceptance = Acceptance()
    forced = {"kind": "auto_exchange", "phase": "auto_exchange", "rules": ["IN-4"]}
    assert acceptance.refusal(reduction(6, **forced), NOW) is None
    assert acceptance.refusal(reduction(5), NOW) == "outdated"


def test_what_was_accepted_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.client._REMEMBERED", 3)
    acceptance = Acceptance()
    for number in range(1, 10):
        command = reduction(number, episode_id=f"acc-1#{number}")
        assert acceptance.refusal(command, NOW) is None
        assert acceptance.refusal(command, NOW) == "copy"
    assert (len(acceptance._attempts), len(acceptance._last)) == (3, 3)
