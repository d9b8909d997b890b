"""Is the worker alive, is it ready, and if not, why?"""

from __future__ import annotations

from dataclasses import dataclass

from streams.metrics.meters import Meters
from streams.metrics.standstill import Standstills

__all__ = ["STALL_SECONDS", "Verdict", "alive", "ready"]

STALL_SECONDS = 60.0
"""A consumer or a commit that stands still for so long is not coming back by itself."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes, or no with every reason."""

    reasons: tuple[str, ...] = ()
    note: str = ""

    def __bool__(self) -> bool:
        return not self.reasons


def alive(standstills: Standstills, now: float) -> Verdict:
    """Say whether what this worker reads and commits moves; `now` as in the standstills."""
    return Verdict(tuple(standstills.stalled(now, STALL_SECONDS)))


def ready(meters: Meters) -> Verdict:
    """H-6: say whether all owned partitions are ready. One that owns none stands by, and is."""
    parts = meters.parts
    if parts is None:
        return Verdict(("no worker runs: it starts anew after a loss",))
    if not meters.is_member:
        return Verdict(("the group has given no partitions",))
    if not parts.runtime.inputs.is_set():
        return Verdict(("reference set, ticks and full hours are not read yet",))
    unready = [o.published_span() for o in parts.partitions.values() if not o.span.ready]
    reasons = tuple(f"partition {s.partition}: {s.reason}" for s in unready)
    return Verdict(reasons, note="" if parts.partitions else "standing by, owns no partition")
