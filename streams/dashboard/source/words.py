"""How answers become bytes: decimals as strings, raw commands as they were published."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic import BaseModel

__all__ = ["encode"]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be shown")


def encode(value: Any) -> bytes:
    """Return JSON; models as they travel."""
    return msgspec.json.encode(value, enc_hook=_plain)
