"""The risk of linear and inverse contracts, exact, and of options by the value model (PM-3 to PM-5).

Shocks move the index, and with it marks and forwards by the same USD: the basis stands.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.margin.portfolio.grid import Grid
from monitor.margin.portfolio.option_risk import OptionAt, option_risk
from monitor.margin.portfolio.risk import Risk
from monitor.schema.reference import Instrument

__all__ = ["LEAST", "contract_risk"]

LEAST = Decimal("0.0001")
"""What is left of a mark at least where its basis would take it below 0 in a fall."""


def contract_risk(
    grid: Grid,
    name: str,
    instrument: Instrument,
    mark: Decimal,
    index: Decimal,
    quote: Decimal,
    forward: Decimal,
    moment: int,
) -> Risk:
    """Return the contract's risk at its prices; looked up where they are those of the last time.

    `index` of the underlying, `quote` of the quote currency and `forward` (an option's) in USD;
    `moment` in epoch ms.
    """
    key = (mark, index, quote, forward, moment if instrument.kind == "option" else 0)
    found = grid.known.get(name)
    if found is not None and found[0] == key:
        return found[1]
    if instrument.kind == "option":
        risk = option_risk(grid, instrument, OptionAt(mark, index, quote, forward, moment))
    elif instrument.inverse:
        risk = _inverse(grid, mark, index)
    else:
        risk = _linear(grid, mark * quote, index)
    grid.known[name] = (key, risk)
    return risk


def _outright(
    grid: Grid, gain: Callable[[Decimal], Decimal], delta_coin: Decimal, delta: Decimal
) -> Risk:
    row = tuple(gain(shock) for shock in grid.shocks)
    down, up = grid.extremes
    return Risk(
        (row, row, row),
        (gain(down), gain(up)),
        (),
        delta_coin,
        delta,
        ZERO,
        ZERO,
        ZERO,
        ZERO,
        ZERO,
        None,
    )


def _linear(grid: Grid, mark_usd: Decimal, index: Decimal) -> Risk:
    return _outright(grid, lambda shock: index * shock, ONE, mark_usd)


def _inverse(grid: Grid, mark: Decimal, index: Decimal) -> Risk:
    """The PnL is in coin (CU-2) and worth the index after the move."""

    def gain(shock: Decimal) -> Decimal:
        moved = max(mark + index * shock, mark * LEAST)
        return (ONE / mark - ONE / moved) * index * (ONE + shock)

    return _outright(grid, gain, ONE / mark, ONE)
