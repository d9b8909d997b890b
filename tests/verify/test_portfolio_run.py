"""A crash with option books among other accounts: what is judged is clean, what is not is counted."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache, partial

from streams.simulator import Shares
from streams.verify import History, check
from tests.verify.simulated import TOPIC_OF, Run, holds

ACCOUNTS = 12


@cache
def run() -> History:
    """Return the topics of a run in which two thirds hold books, the others options."""
    kept = partial(holds, kinds=("books", "options"))
    return Run(43, ACCOUNTS, options=True, shares=Shares(portfolio=0.05), kept=kept).play(260)


@cache
def commands() -> Counter[tuple[str, str]]:
    """Return the distinct commands by kind of account and topic."""
    modes = {
        json.loads(record.value or b"")["account_id"]: json.loads(record.value or b"")["mode"]
        for record in run().of("accounts")
    }
    found: dict[str, tuple[str, str]] = {}
    for topic in set(TOPIC_OF.values()):
        for record in run().of(topic):
            command = json.loads(record.value or b"")
            found[command["command_id"]] = (modes[command["account_id"]], topic)
    return Counter(found.values())


def test_h_1_every_command_follows_from_its_inputs_or_is_counted_as_not_judged() -> None:
    report = check(run())

    assert report.clean, "\n".join(report.lines())
    books = {topic: n for (mode, topic), n in commands().items() if mode == "portfolio"}
    others = {topic: n for (mode, topic), n in commands().items() if mode != "portfolio"}
    assert books["reductions"] >= 2
    assert books["episodes"] > others.get("episodes", 0) > 0
    unjudged = {reason: n for reason, n in report.unjudged.items() if "portfolio mode" in reason}
    assert sum(unjudged.values()) == sum(books.values())
    assert report.accounts == ACCOUNTS
    assert report.dead_letters == Counter()


def test_what_other_accounts_are_told_is_judged_all_the_same() -> None:
    """A command of theirs that is taken away is missed."""
    modes = {json.loads(r.value or b"")["account_id"]: r for r in run().of("accounts")}
    other = next(
        record
        for record in run().of("warnings")
        if json.loads(modes[json.loads(record.value or b"")["account_id"]].value or b"")["mode"]
        == "multi_currency"
    )
    gone = json.loads(other.value or b"")["command_id"].encode()
    left = [record for record in run().of("warnings") if gone not in (record.value or b"")]

    assert not check(History({**run().topics, "warnings": left})).clean
