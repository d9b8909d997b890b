"""Which topic what goes out is for."""

import pytest

from monitor.schema import Command
from streams.topics import Topics
from streams.worker.messages import command_out, notice_out
from tests.support.outputs import interest, reduction, warning

IN_4 = {"kind": "auto_exchange", "phase": "auto_exchange", "rules": ["IN-4"]}


@pytest.mark.parametrize(
    ("command", "topic"),
    [
        (warning(1), "warnings"),
        (reduction(2), "reductions"),
        (reduction(3, **IN_4), "reductions"),
    ],
)
def test_a_command_goes_to_the_topic_of_its_kind(command: Command, topic: str) -> None:
    out = command_out(command, Topics("p."))
    assert out.topic == "p." + topic
    assert out.key == b"acc-1"
    assert dict(out.headers)["kind"] == command.kind.encode()


def test_in_6_a_notice_goes_to_interest_under_its_account() -> None:
    out = notice_out(interest("i-1"), Topics("p."))
    assert (out.topic, out.key) == ("p.interest", b"acc-1")
    assert dict(out.headers)["kind"] == b"interest"
