"""One part of a benchmark: a function in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from streams.bench.result import Figure, Sizes
from streams.exceptions import CommandError

__all__ = ["BenchError", "Job", "Part", "Teller", "read_file", "write_file"]

_ContentT = TypeVar("_ContentT")

_TELL_SECONDS = 0.1


class BenchError(CommandError):
    """Raised when something cannot be measured; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Part:
    """`function` is `module:name` of a `Measure`; `group` is what `--only` may name besides."""

    name: str
    title: str
    function: str
    sizes: Sizes
    group: str = ""


class Job(msgspec.Struct, frozen=True):
    """What the process of a part is told to do."""

    function: str
    sizes: Sizes


class Progress(msgspec.Struct, frozen=True):
    """How far a part is."""

    fraction: float
    doing: str


class Teller:
    """Tells how far a part is, a few times a second; `folder` is the part's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told = 0.0
        self._doing = ""

    def tell(self, fraction: float, doing: str) -> None:
        """Say what is being done, and which share of the part is behind."""
        now = time.monotonic()
        if doing != self._doing or now - self._told >= _TELL_SECONDS:
            self._told, self._doing = now, doing
            write_file(self.folder / "progress.json", Progress(min(1.0, fraction), doing))

    def told(self) -> Progress:
        """Return what was told last."""
        return read_file(self.folder / "progress.json", Progress) or Progress(0.0, "starting")

    def within(self, start: float, end: float, doing: str) -> Callable[[float], None]:
        """Return what tells of a share (0 to 1) of the stretch from `start` to `end`."""
        return lambda share: self.tell(start + (end - start) * share, doing)


Measure = Callable[[Sizes, Teller], list[Figure]]


def write_file(path: Path, content: msgspec.Struct | list[Figure]) -> None:
    """Replace a file as a whole."""
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(content))
    part.replace(path)


def read_file(path: Path, kind: type[_ContentT]) -> _ContentT | None:
    """Return a file's content, None when it is not there yet."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(content, type=kind)
