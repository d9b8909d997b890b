"""Where a demo stands, as its screen and its lines show it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from streams.demo.plan import CheckStatus, Market, MarketStatus

__all__ = ["Phase", "Stage", "Step"]

Phase = Literal["starting", "playing", "settling", "stopping", "checking", "done"]


@dataclass(slots=True)
class Step:
    """One thing to be done before the market can be played; seconds since the start."""

    what: str
    detail: str = ""
    done_at: float | None = None


@dataclass(slots=True)
class Stage:
    """Written by the demo, read by what shows it."""

    accounts: int
    phase: Phase = "starting"
    page: str = ""
    """Where the page is, once it is served."""
    market: Market | None = None
    replay: MarketStatus = field(default_factory=MarketStatus)
    steps: dict[str, Step] = field(default_factory=dict)
    check: CheckStatus = field(default_factory=CheckStatus)
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Wall seconds since the demo was asked for."""
        return time.monotonic() - self.started

    def finish(self, step: str) -> None:
        """Note that a step of the start is done."""
        if self.steps[step].done_at is None:
            self.steps[step].done_at = self.elapsed
            self.steps[step].detail = ""

    @property
    def seconds_left(self) -> float | None:
        """Wall seconds until the last tick; None when that is not known."""
        market = self.market
        if market is None or self.phase != "playing":
            return None
        left = (market.last_ms - market.first_ms) / 1000 * (1 - self.replay.fraction)
        return left / market.speed + self.replay.late
