"""One hour as it travels: keyed by the hour, JSON as everywhere."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import msgspec

from monitor.exact import ZERO
from monitor.interest.hours import HOUR_MS, HourPrices
from streams.journal import CommandOut

__all__ = ["BadHour", "decode_hour", "hour_out"]

_decode = msgspec.json.Decoder(HourPrices).decode


class BadHour(ValueError):
    """Raised when a record on the topic is no hour; the text says why."""


def hour_out(record: HourPrices, topic: str) -> CommandOut:
    """Return the bytes of one hour; the same hour and prices give the same bytes."""
    return CommandOut(
        topic, str(record.hour).encode(), msgspec.json.encode(record), (("kind", b"hour_prices"),)
    )


def decode_hour(value: bytes | None) -> HourPrices:
    """Decode and check one record; raises `BadHour`."""
    if value is None:
        raise BadHour("the record has no value")
    try:
        record = _decode(value)
    except msgspec.DecodeError as error:
        raise BadHour(str(error)) from None
    if record.hour <= 0 or record.hour % HOUR_MS:
        raise BadHour(f"hour: {record.hour} is no full hour in epoch ms")
    for key, price in record.prices.items():
        if not _decimal(price) > ZERO or key.rpartition("/")[2] not in ("index", "mark"):
            raise BadHour(f"prices.{key}: {price!r}, a positive price of symbol/kind is expected")
    for name, rate in record.rates.items():
        if not _decimal(rate) >= ZERO:
            raise BadHour(f"rates.{name}: {rate!r}, a rate of at least 0 is expected")
    return record


def _decimal(text: str) -> Decimal:
    """Return a finite decimal, −1 for what is none."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return Decimal(-1)
    return found if found.is_finite() else Decimal(-1)
