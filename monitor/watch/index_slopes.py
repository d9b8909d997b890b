"""Slopes by an index price, given to the one or two columns it is made of (PX-2)."""

from __future__ import annotations

from monitor.watch import layout as at
from monitor.watch import scratch as on
from monitor.watch.compiled import compiled
from monitor.watch.state import Floats

__all__ = ["add_index"]


@compiled
def add_index(
    book: Floats, holding: int, work: Floats, h: int, row: int, low: float, high: float
) -> None:
    """Add slopes per USD of index price, in [low, high], to the one or two columns it comes from."""
    own, bridge = int(book[holding + at.OWN]), int(book[holding + at.BRIDGE])
    if own < 0:
        return
    value = work[on.V, h]
    work[row, own] += value * low
    work[row + 1, own] += value * high
    if bridge >= 0:
        least = value * (1.0 - work[on.DOWN, own])
        most = value * (1.0 + work[on.UP, own])
        work[row, bridge] += low * (least if low >= 0.0 else most)
        work[row + 1, bridge] += high * (most if high >= 0.0 else least)
