"""Guards for tests: the part by which every tick of some price keys is heard of."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from monitor.watch.guard import Quiet

__all__ = ["Loud"]

_FOREVER = 1 << 62


class Loud:
    """No tick of the keys it goes by is quiet; they share row 1."""

    version = 1

    def __init__(self) -> None:
        self.followed: list[float] = []
        """Prices of all ticks, by which it goes or not."""

    def goes_by(self, key: str) -> bool:
        raise NotImplementedError

    def places(self, keys: Iterable[str]) -> NDArray[np.int64]:
        return np.array([int(self.goes_by(key)) for key in keys], dtype=np.int64)

    def quiet(self) -> Quiet:
        low, high = np.array([-np.inf, np.inf]), np.array([np.inf, -np.inf])
        return Quiet(low, high, np.array([_FOREVER, _FOREVER]))

    def follow(
        self, rows: NDArray[np.int64], prices: NDArray[np.float64], stamps: NDArray[np.int64]
    ) -> None:
        assert len(rows) == len(prices) == len(stamps)
        assert not rows[:-1].any()  # only the last of a run may be one to be heard of
        self.followed += prices.tolist()
