"""What every message shares: frozen models, exact decimals as strings, epoch milliseconds."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from monitor.exact import plain

__all__ = [
    "LONGEST_DECIMAL",
    "Amount",
    "Identifier",
    "Message",
    "Millis",
    "NonNegative",
    "Positive",
    "Rate",
]

_PLAIN = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
LONGEST_DECIMAL = 150
"""Figures carry 50 digits; behind a point, zeros may come before them."""


def _decimal(value: Any) -> Decimal:
    """Read a decimal string in plain notation; floats are refused because they are not exact."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not a finite number")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, str):
        # pydantic turns a ValueError, and only that, into an error with its place
        raise ValueError(  # noqa: TRY004
            f'{value!r} must be a decimal in a string, such as "0.98"'
        )
    if len(value) > LONGEST_DECIMAL or not _PLAIN.fullmatch(value):
        raise ValueError(
            f"{value[:60]!r} is not a decimal in plain notation of at most {LONGEST_DECIMAL} characters"
        )
    return Decimal(value)


Amount = Annotated[
    Decimal,
    BeforeValidator(_decimal, json_schema_input_type=str),
    PlainSerializer(plain, return_type=str),
]
"""A decimal that travels as a string."""
Positive = Annotated[Amount, Field(gt=0)]
NonNegative = Annotated[Amount, Field(ge=0)]
Rate = Annotated[Amount, Field(ge=0, le=1)]
Millis = Annotated[int, Field(ge=0, lt=10**15)]
"""Epoch milliseconds."""
Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class Message(BaseModel):
    """A message that crosses a border: immutable, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")
