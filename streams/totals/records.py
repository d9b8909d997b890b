"""What stands on `partials`: one record a source partition and figure, JSON."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from monitor.exact import plain
from streams.journal import CommandOut, Epoch

__all__ = ["Figure", "as_of_record", "decode_figure", "main_account_record"]


class Figure(msgspec.Struct, frozen=True):
    """One figure of one source partition, under one ownership of it.

    `main_account_id` None: the platform's, published each second and last, so that `ts` holds for
    all figures before it. The others are published when they change, and whole under a new epoch.
    """

    partition: int
    journal: str
    """Id of the journal topic; offsets of another one cannot be compared."""
    epoch: Epoch
    """An older one loses."""
    ts: int
    """Engine time in epoch ms: every change of a book until then is in it."""
    borrowed: dict[str, Decimal]
    """Currency → potential borrowing and isolated debts, coin (BL-4)."""
    main_account_id: str | None = None


_decode = msgspec.json.Decoder(Figure).decode


def decode_figure(value: bytes) -> Figure:
    """Decode one record. Raises msgspec.DecodeError."""
    return _decode(value)


def as_of_record(
    topic: str,
    partition: int,
    journal: str,
    epoch: Epoch,
    ts: int,
    borrowed: Mapping[str, Decimal],
) -> CommandOut:
    """Return the platform's figure of a partition, which says what time all its figures are of."""
    value = _body(partition, journal, epoch, ts, borrowed)
    return CommandOut(topic, f"{partition}/platform".encode(), msgspec.json.encode(value))


def main_account_record(
    topic: str,
    partition: int,
    journal: str,
    epoch: Epoch,
    ts: int,
    main_account_id: str,
    borrowed: Mapping[str, Decimal],
) -> CommandOut:
    """Return a main account's figure of a partition; an empty one takes the last one back."""
    value = _body(partition, journal, epoch, ts, borrowed)
    value["main_account_id"] = main_account_id
    key = f"{partition}/main_account/{main_account_id}".encode()
    return CommandOut(topic, key, msgspec.json.encode(value))


def _body(
    partition: int, journal: str, epoch: Epoch, ts: int, borrowed: Mapping[str, Decimal]
) -> dict[str, object]:
    return {
        "partition": partition,
        "journal": journal,
        "epoch": epoch,
        "ts": ts,
        "borrowed": {name: plain(amount) for name, amount in sorted(borrowed.items())},
    }
