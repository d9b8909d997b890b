"""When this process looks for garbage: seldom, and never among what lives as long as a worker."""

from __future__ import annotations

import gc

__all__ = ["collect_seldom", "keep_what_lives"]

THRESHOLDS = (10_000, 20, 100)
"""Objects, and collections of the younger generation. By default some thousand messages decoded have
all accounts walked through, a fifth of the work of a start; nearly nothing here makes cycles."""


def collect_seldom() -> None:
    """Set the thresholds, once everything is imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def keep_what_lives() -> None:
    """Leave what is there now out of every later collection: accounts, forms and indices stay."""
    gc.freeze()
