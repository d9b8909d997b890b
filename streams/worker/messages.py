"""Commands and dead letters as the bytes that are journaled and published."""

from __future__ import annotations

from monitor.account import Refusal
from monitor.schema import SCHEMA_VERSION, Command
from monitor.schema.interest import InterestNotice
from streams.dead_letters import BadRecord, dead_letter
from streams.journal import CommandOut
from streams.topics import Topics

__all__ = ["command_out", "letter_out", "notice_out", "refusal_out"]

_SCHEMA_VERSION = SCHEMA_VERSION.encode()


def command_out(command: Command, topics: Topics) -> CommandOut:
    """Return the exact bytes of one command, for the topic of its kind."""
    by_kind = {
        "warning": topics.warnings,
        "order_cancel": topics.order_cancels,
        "reduction": topics.reductions,
        "auto_exchange": topics.reductions,
        "episode": topics.episodes,
    }
    return CommandOut(
        by_kind[command.kind],
        command.account_id.encode(),
        command.model_dump_json().encode(),
        (
            ("command-id", command.command_id.encode()),
            ("kind", command.kind.encode()),
            ("schema-version", _SCHEMA_VERSION),
        ),
    )


def notice_out(notice: InterestNotice, topics: Topics) -> CommandOut:
    """Return the exact bytes of one accrual or deduction (IN-6)."""
    return CommandOut(
        topics.interest,
        notice.account_id.encode(),
        notice.model_dump_json().encode(),
        (("kind", notice.kind.encode()), ("schema-version", _SCHEMA_VERSION)),
    )


def letter_out(bad: BadRecord, topics: Topics, now: int, account_id: str | None) -> CommandOut:
    """Return a dead letter under the original's key."""
    value = dead_letter(bad, now=now, account_id=account_id)
    return CommandOut(
        topics.dead_letters,
        bad.key or b"",
        value,
        (("kind", b"dead_letter"), ("schema-version", _SCHEMA_VERSION)),
    )


def refusal_out(refusal: Refusal, account_id: str, topics: Topics, now: int) -> CommandOut:
    """Return the dead letter of an account event that the rules refused."""
    source = refusal.source
    bad = BadRecord(
        topics.name(source.topic),
        source.partition,
        source.offset,
        account_id.encode(),
        refusal.value.encode(),
        refusal.reason,
    )
    return letter_out(bad, topics, now, account_id)
