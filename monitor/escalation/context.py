"""What a decision depends on besides the account: reference set, prices, time and occasion."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.limits import Totals
from monitor.prices import PriceBook
from monitor.reduction import Caps
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
    totals: Totals | None = None
    """BL-2, BL-3: what others borrow; None: unknown, and then it cancels nothing (OC-3)."""
    caps: Caps | None = None
    """RD-6: the engine's ledger of `symbol_caps`; none of them is kept without it."""
    funding: bool = False
    """IN-5: the occasion is a funding transfer."""
