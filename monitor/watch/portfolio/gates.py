"""Within which prices, and up to which moments, no tick concerns who stands in a ring."""

from __future__ import annotations

from typing import Any

from monitor.watch.compiled import compiled

__all__ = ["FOREVER", "narrow_gates"]

FOREVER = 1 << 62
"""No moment (epoch ms) comes after it."""


@compiled
def narrow_gates(
    followed: Any, gates: Any, coin_routes: Any, spans: Any, low: Any, high: Any, until: Any
) -> None:
    """Narrow `low`, `high` and `until`, by row, to the gates and spans of one ring in rows that are followed.

    `gates`: lowest and highest price by row; `coin_routes`: underlying → the rows of its coin; `spans`: its
    last moment, -1 where there is none.
    """
    for row in range(len(followed)):
        if followed[row]:
            low[row] = max(low[row], gates[0][row])
            high[row] = min(high[row], gates[1][row])
    for under in range(len(spans)):
        if spans[under] < 0:
            continue
        for k in range(2):
            row = coin_routes[under, k]
            if followed[row]:
                until[row] = min(until[row], spans[under])
