"""Moments as people read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

__all__ = ["since_text", "wall_ms"]


def wall_ms() -> int:
    """Return this machine's clock in epoch ms."""
    return time.time_ns() // 1_000_000


def since_text(since: int | None, *, configured: bool = True) -> str:
    """Return `ok`, `none`, or since when (epoch ms) something is away, in UTC."""
    if not configured:
        return "none"
    if since is None:
        return "ok"
    return f"away since {datetime.fromtimestamp(since / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
