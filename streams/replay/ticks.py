"""What walks through a replay: points as recorded, and quotes once they have a symbol."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

Kind = Literal["index", "mark"]


class Point(NamedTuple):
    """One recorded price: epoch nanoseconds, the file's name for the series, a plain decimal."""

    ts_ns: int
    series: str
    price: str


class Quote(NamedTuple):
    """A point under the symbol and kind it feeds (PX-1); `ts_ns` is the recorded time."""

    ts_ns: int
    symbol: str
    kind: Kind
    price: str


class QuoteStream(Protocol):
    """Quotes in time order, in chunks; each iteration begins again at the first one."""

    @property
    def symbols(self) -> tuple[tuple[str, Kind], ...]:
        """Every symbol the stream can tick, with its kind."""

    @property
    def first_ns(self) -> int:
        """Recorded time of the first quote, epoch nanoseconds."""

    @property
    def last_ns(self) -> int:
        """Recorded time of the last quote, epoch nanoseconds."""

    @property
    def total(self) -> int | None:
        """How many quotes will come, where that is known before they are made."""

    def __iter__(self) -> Iterator[Sequence[Quote]]: ...
