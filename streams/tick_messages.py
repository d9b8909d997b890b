"""Ticks as the tick topic has them: one message, or a whole batch, to ticks."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from pydantic import ValidationError

from monitor.schema import Tick

__all__ = ["BadTick", "TickMessage", "decode_surely", "decode_tick"]


class BadTick(ValueError):
    """Raised when a message on the tick topic is no tick; the text says why."""


class TickMessage(msgspec.Struct, frozen=True, gc=False):
    """A tick as `monitor.schema.Tick` has it, without the cost of a model.

    Its price stays text: of hundreds of thousands a second only the newest of a symbol is looked at.
    """

    symbol: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    kind: Literal["index", "mark"]
    text: Annotated[str, msgspec.Meta(max_length=40)] = msgspec.field(name="price")
    ts: Annotated[int, msgspec.Meta(ge=0, lt=10**15)]
    seq: int = 0

    @property
    def price(self) -> Decimal:
        """The price, exactly."""
        return Decimal(self.text)

    @property
    def value(self) -> float:
        """The price as a float."""
        return float(self.text)


_decode_wire = msgspec.json.Decoder(TickMessage).decode


def decode_tick(value: bytes | None) -> TickMessage:
    """Decode one message exactly as `monitor.schema.Tick` reads it; raises `BadTick`."""
    if value is None:
        raise BadTick("the message has no value")
    # What is not certainly a tick is left to the model, which says what is wrong.
    sure = decode_surely([value])
    return sure[0][0] if sure is not None else _decode_slowly(value)


def decode_surely(
    values: Iterable[bytes | None],
) -> tuple[list[TickMessage], list[float]] | None:
    """Decode messages that are ticks beyond doubt, with their prices as floats.

    None where one of them may be none: it takes `decode_tick` to tell, one by one. What is checked here
    is checked of all at once.
    """
    try:
        ticks = list(map(_decode_wire, values))  # type: ignore[arg-type] # a None is a TypeError
        texts = [tick.text for tick in ticks]
        prices = list(map(float, texts))
    except (TypeError, ValueError):  # msgspec's DecodeError is a ValueError
        return None
    digits, symbols = "".join(texts).replace(".", ""), "".join([tick.symbol for tick in ticks])
    if ticks and not (
        digits.isascii() and digits.isdecimal() and min(prices) > 0.0 and symbols.isprintable()
    ):
        return None
    return ticks, prices


def _decode_slowly(value: bytes) -> TickMessage:
    """Let the model decide, and name every error."""
    try:
        tick = Tick.model_validate_json(value)
    except ValidationError as error:
        raise BadTick(
            "; ".join(
                f"{'.'.join(str(part) for part in item['loc']) or 'message'}: "
                f"{item['msg'].removeprefix('Value error, ')}"
                for item in error.errors()
            )
        ) from None
    return TickMessage(tick.symbol, tick.kind, str(tick.price), tick.ts, tick.seq)
