"""What the processes of a demo tell one another: small files in the data directory.

A file appears whole or not at all, and a reader that waits for it looks a few times a second; so
any process may die at any moment and none has to be connected to another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

if TYPE_CHECKING:
    from streams.settings import Settings

__all__ = [
    "CheckStatus",
    "ExchangeStatus",
    "Folder",
    "Gate",
    "Market",
    "MarketStatus",
    "OpeningPrice",
    "Plan",
    "until",
]

Gate = Literal["kafka", "topics", "inputs", "play"]
"""`kafka`: the broker answers; `topics`: all are made; `inputs`: reference set and opening prices
are out; `play`: workers and exchange are ready."""

_LOOK_SECONDS = 0.02
_Content = TypeVar("_Content", bound=msgspec.Struct)


async def until(reached: Callable[[], bool], every: float = _LOOK_SECONDS) -> None:
    """Return when `reached` says so, asked every so many seconds."""
    while not reached():  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(every)


class Plan(msgspec.Struct, frozen=True):
    """What every process of the demo is started with."""

    brokers: str
    redis_url: str
    accounts: int
    seed: int
    workers: int
    replay: str | None
    symbol_map: str | None
    speed: float | None
    duration: float | None
    intake: str = "faust"

    def settings(self, worker_id: str = "demo") -> Settings:
        """Return settings that neither the user's environment nor a `.env` file touches further."""
        from streams.settings import Settings

        isolated: dict[str, Any] = {
            "_env_file": None,
            "_env_prefix": "LIQMON_DEMO_",
            "intake": self.intake,
        }
        return Settings(
            **isolated,
            brokers=self.brokers,
            redis_url=self.redis_url,
            worker_id=worker_id,
            clock="event",
        )


class OpeningPrice(msgspec.Struct, frozen=True):
    """The first price of one symbol."""

    symbol: str
    kind: Literal["index", "mark"]
    price: str


class Market(msgspec.Struct, frozen=True):
    """What is played; times in epoch milliseconds, speed in recorded seconds per second."""

    name: str
    speed: float
    first_ms: int
    last_ms: int
    opening: tuple[OpeningPrice, ...]
    reference: dict[str, Any]
    """The reference file's content, cut down to these symbols."""


class MarketStatus(msgspec.Struct, frozen=True):
    """How far the replay is; `late` in wall seconds, `error` is what ended it."""

    published: int = 0
    recorded_ms: int = 0
    fraction: float = 0.0
    late: float = 0.0
    done: bool = False
    """The last tick is out; beats go on."""
    error: str | None = None


class ExchangeStatus(msgspec.Struct, frozen=True):
    """How far the accounts are out; `ready`: commands are read."""

    published: int = 0
    ready: bool = False


class CheckStatus(msgspec.Struct, frozen=True):
    """What the check over the topics is doing, and how much of that is done."""

    doing: str = "reading topics"
    done: int = 0
    total: int = 1

    @property
    def fraction(self) -> float:
        """Part that is done, 0 to 1."""
        return self.done / self.total if self.total else 1.0


class Folder:
    """The data directory of one demo."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def log(self, name: str) -> Path:
        """Return where a process writes its log."""
        return self.path / "logs" / f"{name}.log"

    def write(self, name: str, content: msgspec.Struct) -> None:
        """Replace a file as a whole."""
        target = self.path / f"{name}.json"
        part = target.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(content))
        part.replace(target)

    def read(self, name: str, kind: type[_Content]) -> _Content | None:
        """Return a file's content, None when it is not there yet."""
        try:
            content = (self.path / f"{name}.json").read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(content, type=kind)

    async def wait_for(self, name: str, kind: type[_Content]) -> _Content:
        """Return a file's content once it is there."""
        found: list[_Content] = []

        def look() -> bool:
            content = self.read(name, kind)
            found.extend(() if content is None else (content,))
            return bool(found)

        await until(look)
        return found[0]

    def open(self, gate: Gate) -> None:
        """Let everybody through who waits at the gate."""
        (self.path / f"{gate}.open").touch()

    def is_open(self, gate: Gate) -> bool:
        """Whether a gate is open."""
        return (self.path / f"{gate}.open").exists()

    async def passed(self, gate: Gate) -> None:
        """Return once the gate is open."""
        await until(lambda: self.is_open(gate))
