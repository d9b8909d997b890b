"""A batch of ticks: what is read of every tick of it stands in columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar, overload

from monitor.prices import TickLike

__all__ = ["TickBatch"]

TickT_co = TypeVar("TickT_co", bound=TickLike, covariant=True)


class TickBatch(Sequence[tuple[TickT_co, int]], Generic[TickT_co]):
    """Ticks with their offsets on the tick topic, in its order."""

    __slots__ = ("offsets", "ticks", "ts", "values")

    def __init__(
        self,
        ticks: Sequence[TickT_co],
        offsets: Sequence[int],
        ts: Sequence[int],
        values: Sequence[float],
    ) -> None:
        self.ticks, self.offsets = ticks, offsets
        self.ts = ts
        """Event time of each, epoch ms."""
        self.values = values
        """The price of each as a float."""

    @classmethod
    def of(cls, pairs: Iterable[tuple[TickT_co, int]]) -> TickBatch[TickT_co]:
        """Return a batch of (tick, offset)."""
        both = list(pairs)
        ticks = [tick for tick, _ in both]
        offsets = [offset for _, offset in both]
        return cls(ticks, offsets, [tick.ts for tick in ticks], [tick.value for tick in ticks])

    def __len__(self) -> int:
        return len(self.ticks)

    @overload
    def __getitem__(self, place: int) -> tuple[TickT_co, int]: ...
    @overload
    def __getitem__(self, place: slice) -> TickBatch[TickT_co]: ...
    def __getitem__(self, place: int | slice) -> tuple[TickT_co, int] | TickBatch[TickT_co]:
        if isinstance(place, slice):
            return TickBatch(
                self.ticks[place], self.offsets[place], self.ts[place], self.values[place]
            )
        return self.ticks[place], self.offsets[place]
