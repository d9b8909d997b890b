"""What could not be used, and the message that says so; nothing of the original is lost."""

from __future__ import annotations

import base64
from typing import NamedTuple

from monitor.schema import DeadLetter

__all__ = ["BadRecord", "dead_letter"]


LARGEST_VALUE = 500_000
"""Bytes of an original that a letter carries; in base64 it must fit Kafka's usual 1 MB."""


class BadRecord(NamedTuple):
    """A record as it was read, and why it cannot be used."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    reason: str


def dead_letter(bad: BadRecord, *, now: int, account_id: str | None = None) -> bytes:
    """Return the value of the dead letter; its key is the original's (INTERFACE)."""
    value, reason = bad.value or b"", bad.reason
    if len(value) > LARGEST_VALUE:
        reason += (
            f" (the first {LARGEST_VALUE} of {len(value)} bytes; the whole stands at the source)"
        )
        value = value[:LARGEST_VALUE]
    message = DeadLetter(
        topic=bad.topic,
        partition=bad.partition,
        offset=bad.offset,
        reason=reason,
        value=base64.b64encode(value).decode(),
        account_id=account_id,
        ts=now,
    )
    return message.model_dump_json(exclude_none=True).encode()
