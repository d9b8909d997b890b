"""What a reader of the journal believes, and what makes it refuse."""

import json
from typing import Any, NamedTuple

import pytest

import streams.journal
from tests.unit.journal.mutants import Mutation, must_fail, parametrize


def claim(epoch_id: str) -> bytes:
    return json.dumps({"kind": "claim", "epoch_id": epoch_id, "worker": "w", "ts": 1}).encode()


def account(epoch: tuple[int, str], n: int = 0, now: int = 5, commands: Any = ()) -> bytes:
    record = {"kind": "account", "epoch": epoch, "now": now, "state": {"n": n}}
    return json.dumps({**record, "commands": commands}, separators=(",", ":")).encode()


def published(epoch: tuple[int, str], up_to: int) -> bytes:
    return json.dumps({"kind": "published", "epoch": epoch, "up_to": up_to}).encode()


class Raw(NamedTuple):
    offset: int
    key: bytes
    value: bytes | None


def scan_of(package: Any, *records: tuple[int, bytes, bytes | None]) -> Any:
    scan = package.JournalScan()
    assert scan.feed(Raw(*record) for record in records) == len(records)
    while scan.decode(1):
        pass
    return scan


async def the_newest_record_of_each_account_counts(package: Any) -> None:
    scan = scan_of(
        package,
        (0, b"\x00claim", claim("x")),
        (1, b"a", account((0, "x"), 1, now=4)),
        (2, b"b", account((0, "x"), 2, now=7)),
        (3, b"a", account((0, "x"), 3, now=6)),
        (4, b"c", account((0, "x"), 4, now=5)),
    )
    assert scan.states == {"a": b'{"n":3}', "b": b'{"n":2}', "c": b'{"n":4}'}
    assert scan.records == 5
    assert scan.now == 7
    assert scan.epoch == package.Epoch(0, "x")


async def an_older_epoch_after_a_claim_is_refused(package: Any) -> None:
    with pytest.raises(package.JournalRefused, match="not fenced"):
        scan_of(
            package,
            (0, b"\x00claim", claim("x")),
            (1, b"a", account((0, "x"), 1)),
            (2, b"\x00claim", claim("y")),
            (3, b"a", account((0, "x"), 2)),
        )


async def a_superseded_record_of_an_older_epoch_is_refused_too(package: Any) -> None:
    with pytest.raises(package.JournalRefused, match="offset 3"):
        scan_of(
            package,
            (0, b"\x00claim", claim("x")),
            (1, b"a", account((0, "x"), 1)),
            (2, b"\x00claim", claim("y")),
            (3, b"a", account((0, "x"), 2)),
            (4, b"a", account((2, "y"), 3)),
        )


async def how_a_record_is_written_does_not_matter(package: Any) -> None:
    loose = b'{"epoch": [0, "x"], "state": {"n": 2}, "now": 5, "kind": "account"}'
    scan = scan_of(
        package,
        (0, b"\x00claim", claim("x")),
        (1, b"a", account((0, "x"), 1)),
        (2, b"a", loose),
        (3, b"b", loose),
        (4, b"b", account((0, "x"), 3)),
    )
    assert scan.states == {"a": b'{"n": 2}', "b": b'{"n":3}'}


async def an_older_epoch_is_refused_although_the_claim_is_compacted_away(package: Any) -> None:
    # The claims at 4 and 8 are gone; the record at 9 tells of the later of them.
    with pytest.raises(package.JournalRefused, match="not fenced"):
        scan_of(
            package,
            (5, b"a", account((4, "x"))),
            (9, b"b", account((8, "y"))),
            (10, b"c", account((4, "x"))),
        )


async def another_id_at_the_same_claim_is_refused(package: Any) -> None:
    with pytest.raises(package.JournalRefused, match="not fenced"):
        scan_of(package, (0, b"\x00claim", claim("x")), (1, b"a", account((0, "z"))))


async def an_epoch_that_has_not_begun_is_refused(package: Any) -> None:
    with pytest.raises(package.JournalRefused, match="later epoch"):
        scan_of(package, (3, b"a", account((7, "x"))))


async def notes_of_an_older_epoch_are_refused_too(package: Any) -> None:
    with pytest.raises(package.JournalRefused):
        scan_of(
            package,
            (0, b"\x00claim", claim("x")),
            (1, b"\x00claim", claim("y")),
            (2, b"\x00published", published((0, "x"), 1)),
        )


async def commands_past_the_note_are_unpublished(package: Any) -> None:
    one = ["out", "YQ==", "MQ==", []]
    two = ["out", "Yg==", "Mg==", [["command-id", "aWQ="]]]
    scan = scan_of(
        package,
        (0, b"\x00claim", claim("x")),
        (1, b"a", account((0, "x"), commands=[one])),
        (2, b"\x00published", published((0, "x"), 1)),
        (3, b"b", account((0, "x"), commands=[two])),
    )
    command = package.CommandOut("out", b"b", b"2", (("command-id", b"id"),))
    assert scan.unpublished() == [command]


async def commands_are_published_again_in_the_order_of_their_records(package: Any) -> None:
    commands: list[Any] = [["out", "YQ==", value, []] for value in ("MQ==", "Mg==", "Mw==", "NA==")]
    scan = scan_of(
        package,
        (0, b"\x00claim", claim("x")),
        (1, b"a", account((0, "x"), commands=commands[:1])),
        (2, b"b", account((0, "x"), commands=commands[1:2])),
        (3, b"a", account((0, "x"), commands=[commands[0], commands[2]])),
        (4, b"c", account((0, "x"), commands=commands[3:])),
    )
    assert [command.value for command in scan.unpublished()] == [b"2", b"1", b"3", b"4"]


async def what_cannot_be_decoded_is_refused(package: Any) -> None:
    bad: list[tuple[bytes, bytes | None]] = [
        (b"a", None),
        (b"", account((0, "x"))),
        (b"a", b"no json"),
        (b"a", b'{"kind":"account","epoch":[0,"x"],"now":"late","state":{}}'),
        (b"a", b'{"kind":"ledger"}'),
        (b"a", claim("x")),
        (b"\x00claim", account((0, "x"))),
        (b"\x00published", claim("x")),
    ]
    for key, value in bad:
        with pytest.raises(package.UndecodableRecord, match="offset 1"):
            scan_of(package, (0, b"\x00claim", claim("x")), (1, key, value))


async def no_account_takes_a_reserved_key(package: Any) -> None:
    for name in ("", "\x00claim", "\x00x"):
        with pytest.raises(ValueError, match="account_id"):
            package.records.account_key(name)
    assert package.records.account_key("é1") == "é1".encode()


_MUTATIONS = [
    Mutation(
        "any record counts",
        "reader",
        "                newest[key] = record\n",
        "                newest.setdefault(key, record)\n",
        the_newest_record_of_each_account_counts,
    ),
    Mutation(
        "only what is written as usual counts",
        "reader",
        "            self._newest[key] = raw\n",
        "            self._newest.setdefault(key, raw)\n",
        how_a_record_is_written_does_not_matter,
    ),
    Mutation(
        "what is superseded may be of any epoch",
        "reader",
        "self.epoch, self._opening = Epoch(offset, record.epoch_id), None",
        "self.epoch = Epoch(offset, record.epoch_id)",
        a_superseded_record_of_an_older_epoch_is_refused_too,
    ),
    *(
        Mutation(
            f"epochs are not followed ({scenario.__name__})",
            "reader",
            "        self._follow(offset, record.epoch)\n",
            "",
            scenario,
        )
        for scenario in (
            an_older_epoch_after_a_claim_is_refused,
            notes_of_an_older_epoch_are_refused_too,
            an_epoch_that_has_not_begun_is_refused,
        )
    ),
    Mutation(
        "a claim begins no epoch",
        "reader",
        "self.epoch, self._opening = Epoch(offset, record.epoch_id), None",
        "self._opening = None",
        an_older_epoch_after_a_claim_is_refused,
    ),
    Mutation(
        "only claims begin epochs",
        "reader",
        "        self.epoch = epoch\n",
        "",
        an_older_epoch_is_refused_although_the_claim_is_compacted_away,
    ),
    Mutation(
        "an epoch is its offset alone",
        "reader",
        "(epoch.offset == newest.offset and epoch != newest)",
        "False",
        another_id_at_the_same_claim_is_refused,
    ),
    Mutation(
        "the note is not read",
        "reader",
        "if record.commands and raw.offset > self.published_up_to:",
        "if record.commands:",
        commands_past_the_note_are_unpublished,
    ),
    Mutation(
        "any order",
        "reader",
        "late = sorted(self._late, key=lambda found: found[0])",
        "late = self._late",
        commands_are_published_again_in_the_order_of_their_records,
    ),
    Mutation(
        "a tombstone passes",
        "records",
        "    if not key or value is None:\n",
        '    value = value or b\'{"kind":"account","epoch":[0,"x"],"now":1,"state":{}}\'\n'
        "    if not key:\n",
        what_cannot_be_decoded_is_refused,
    ),
    Mutation(
        "keys are not compared with kinds",
        "records",
        "    if type(record) is not _KINDS.get(key, AccountRecord):\n",
        "    if False:\n",
        what_cannot_be_decoded_is_refused,
    ),
    Mutation(
        "no key is reserved",
        "records",
        "if not account_id or account_id.startswith(RESERVED_PREFIX):",
        "if False:",
        no_account_takes_a_reserved_key,
    ),
]
_SCENARIOS = list(dict.fromkeys(mutation.scenario for mutation in _MUTATIONS))


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_reading(scenario: Any) -> None:
    await scenario(streams.journal)


@parametrize(_MUTATIONS)
async def test_fails_without_the_rule(mutation: Mutation) -> None:
    await must_fail(mutation)
