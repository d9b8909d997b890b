"""What a demo can be told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DemoOptions", "OptionsError"]


class OptionsError(ValueError):
    """Raised when the options of a demo are wrong; `errors` names each with what is accepted."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options of one demo.

    `speed` is in recorded seconds per second; left out, a recording is played in `duration` and a
    made market at speed 1. `duration` is in seconds on the wall: 300 for a recording, 180 without
    one. `keep` leaves the data directory, with all logs, in place.
    """

    replay: Path | None = None
    speed: float | None = None
    accounts: int = 20_000
    duration: float | None = None
    workers: int = 1
    seed: int = 1
    symbol_map: Path | None = None
    keep: bool = False
    no_browser: bool = False
    """The page is served and named, and not opened."""

    def __post_init__(self) -> None:
        errors = []
        if self.replay is not None and not self.replay.is_file():
            errors.append(f"--replay {self.replay}: there is no such file")
        if self.symbol_map is not None and not self.symbol_map.is_file():
            errors.append(f"--map {self.symbol_map}: there is no such file")
        for name, value in (("--speed", self.speed), ("--duration", self.duration)):
            if value is not None and not (value > 0 and math.isfinite(value)):
                errors.append(f"{name} {value:g}: a positive number")
        if self.replay is not None and self.speed is not None and self.duration is not None:
            errors.append("--speed, --duration: with --replay give one of them")
        if self.accounts < 1:
            errors.append(f"--accounts {self.accounts}: at least 1")
        if not 1 <= self.workers <= 16:
            errors.append(f"--workers {self.workers}: 1 to 16, as there are 16 partitions")
        if errors:
            raise OptionsError(errors)
