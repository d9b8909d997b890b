"""When this process looks for garbage: seldom, and never among what lives as long as a worker."""

from __future__ import annotations

import gc

__all__ = ["collect_seldom", "keep_what_lives"]

THRESHOLDS = (10_000, 20, 100)
"""Objects, and collections of the younger generation. By default some thousand messages decoded have
all accounts walked through, a fifth of the work of a start; nearly nothing here makes cycles."""
_OLDEST = 2


def collect_seldom() -> None:
    """Set the thresholds, once everything is imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    if _keep_what_stayed not in gc.callbacks:
        gc.callbacks.append(_keep_what_stayed)


def keep_what_lives() -> None:
    """Leave what is there now out of every later collection: accounts, forms and indices stay."""
    gc.freeze()


def _keep_what_stayed(phase: str, collection: dict[str, int]) -> None:
    """Let no full collection walk through what the last one found alive.

    Some ten thousand accounts decoded since the start had it stop the loop for 0.3 s, each time.
    """
    if phase == "stop" and collection["generation"] == _OLDEST:
        gc.freeze()
