"""What a decision depends on besides the account: reference set, prices, time and occasion."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema.commands import Cause

__all__ = ["Context"]


@dataclass(slots=True)
class Context:
    """`now` in epoch ms is an input (ES-8); `cause` names what made the engine look."""

    reference: Reference
    prices: PriceBook
    now: int
    cause: Cause
