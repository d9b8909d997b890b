"""Singles until too many accounts move at once, then one message a stretch."""

from decimal import Decimal

import pytest

from monitor.schema import Command
from streams.alerts.gathering import Digest, Gatherer
from streams.alerts.watcher import Alert
from tests.support.alerts import episode, reduced, rule, warned

SECOND = 1000
LIMIT = rule(digest={"more_than": 3, "within_seconds": 10})


def alert(command: Command, at: int = 0, *, held: bool = False) -> Alert:
    return Alert("rule-1", LIMIT, command, at, held)


def offered(gatherer: Gatherer, *accounts: str, at: int = 0) -> list[bool]:
    return [gatherer.offer(alert(warned(account), at), at) for account in accounts]


@pytest.mark.parametrize(
    ("times", "singly"),
    [
        # up to three accounts within ten seconds are told at once
        ([0, 1, 2], [True, True, True]),
        ([0, 1, 2, 3], [True, True, True, False]),
        ([0, 1, 2, 9.999], [True, True, True, False]),
        ([0, 1, 2, 10], [True, True, True, True]),
        ([0, 4, 8, 12, 16, 20], [True] * 6),
        # while a stretch is gathered everything goes into it
        ([0, 0, 0, 0, 9, 9.9], [True, True, True, False, False, False]),
    ],
)
def test_more_accounts_than_the_limit_within_the_time_are_gathered(
    times: list[float], singly: list[bool]
) -> None:
    gatherer = Gatherer("rule-1")
    found = [
        gatherer.offer(alert(warned(f"a{number}")), int(seconds * SECOND))
        for number, seconds in enumerate(times)
    ]
    assert found == singly


def test_many_alerts_of_one_account_are_no_crowd() -> None:
    gatherer = Gatherer("rule-1")
    assert all(gatherer.offer(alert(reduced("a", n)), n) for n in range(1, 20))


def test_a_stretch_ends_as_one_digest_and_the_next_begins() -> None:
    gatherer = Gatherer("rule-1")
    offered(gatherer, *(f"a{n}" for n in range(10)))  # 3 singly, 7 gathered
    assert gatherer.due_at == 10 * SECOND
    assert gatherer.due(10 * SECOND - 1) == []
    digest = gatherer.due(10 * SECOND)
    assert isinstance(digest, Digest)
    assert len(digest.accounts) == digest.alerts == 7
    # the crash goes on: nobody is told singly in between
    assert offered(gatherer, "b1", "b2", "b3", "b4", at=11 * SECOND) == [False] * 4
    second = gatherer.due(20 * SECOND)
    assert isinstance(second, Digest)
    assert second.accounts == {"b1", "b2", "b3", "b4"}


def test_a_stretch_of_few_is_told_singly_and_ends_the_crowd() -> None:
    gatherer = Gatherer("rule-1")
    offered(gatherer, *(f"a{n}" for n in range(10)))
    gatherer.due(10 * SECOND)
    offered(gatherer, "b1", "b2", at=11 * SECOND)
    few = gatherer.due(20 * SECOND)
    assert isinstance(few, list)
    assert [one.command.account_id for one in few] == ["b1", "b2"]
    assert gatherer.due_at is None
    # the two just told count in the next ten seconds
    assert offered(gatherer, "c1", "c2", at=21 * SECOND) == [True, False]


def test_an_empty_stretch_ends_the_crowd_in_silence() -> None:
    gatherer = Gatherer("rule-1")
    offered(gatherer, *(f"a{n}" for n in range(10)))
    gatherer.due(10 * SECOND)
    assert gatherer.due(20 * SECOND) == []
    assert gatherer.empty
    assert offered(gatherer, "b1", at=21 * SECOND) == [True]


def test_what_is_gathered_can_be_told_before_its_time() -> None:
    gatherer = Gatherer("rule-1")
    offered(gatherer, *(f"a{n}" for n in range(8)))
    digest = gatherer.flush(1)
    assert isinstance(digest, Digest)
    assert len(digest.accounts) == 5
    assert Gatherer("rule-1").flush(1) == []


def test_a_digest_counts_accounts_by_what_happened_to_them() -> None:
    digest = Digest("rule-1", 0)
    for command in (
        warned("a"),
        warned("b"),
        warned("b", 2, state="worsened"),
        warned("b", 3, state="worsened", ratio="1.1"),
        reduced("c"),
        reduced("c", 2),
        episode("bankrupt", "d", ratio="-0.2", shortfall="1000.5"),
        episode("bankrupt", "e", ratio="-0.1", shortfall="20"),
        episode("bankrupt", "e", 2, ratio="-0.15", shortfall="30"),
        episode("closed", "f"),
    ):
        digest.add(alert(command))
    assert digest.accounts == set("abcdef")
    assert digest.counts == {
        ("warning", "entered"): 2,
        ("warning", "worsened"): 1,
        ("reduction", "tier"): 1,
        ("episode", "bankrupt"): 2,
        ("episode", "closed"): 1,
    }
    assert digest.reduced_usd == 60_000
    assert digest.shortfall_usd == Decimal("1030.5")  # of e the last word
    worst = [(one.command.account_id, one.command.ratio) for one in digest.worst]
    assert worst[:3] == [("d", Decimal("-0.2")), ("e", Decimal("-0.15")), ("c", Decimal("0.98"))]
    assert "f" not in dict(worst)


def test_a_resent_reduction_is_not_more_of_it() -> None:
    digest = Digest("rule-1", 0)
    digest.add(alert(reduced("a")))
    digest.add(alert(reduced("a", attempt=2)))
    assert digest.reduced_usd == 30_000


def test_the_worst_ten_of_a_thousand() -> None:
    digest = Digest("rule-1", 0)
    for number in range(1000):
        shuffled = number * 617 % 1000
        digest.add(alert(warned(f"a{shuffled}", ratio=str(Decimal(shuffled) / 100))))
    assert [one.command.account_id for one in digest.worst] == [f"a{n}" for n in range(10)]
    assert len(digest.accounts) == 1000
