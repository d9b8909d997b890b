"""MR1, MR2 and MR6: the unit revalued under every move (PM-3, PM-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from monitor.exact import ZERO
from monitor.margin.portfolio.figures import VOLATILITY_MOVES, Extreme, VolatilityMove, Worst
from monitor.margin.portfolio.grid import Grid
from monitor.margin.portfolio.holdings import Held

__all__ = ["Moved", "moved", "slack_of_options"]


class Moved(NamedTuple):
    """What the moves make of the unit, in USD."""

    scenarios: Mapping[VolatilityMove, Mapping[Decimal, Decimal]]
    worst: Worst
    extreme: Extreme
    decay: Decimal
    """MR2: the worst PnL when the days pass; at most 0."""


def slack_of_options(held: Iterable[Held]) -> Decimal:
    """Return the bound of the value model's error over the unit, in USD; 0 without options."""
    return sum((abs(one.net) * one.contract.risk.slack for one in held), ZERO)


def moved(grid: Grid, held: Sequence[Held], coin_usd: Decimal) -> Moved:
    """Return the unit's PnL under each move; `coin_usd` is the spot in use × index.

    The value model's error is taken off every PnL that it enters: against the account.
    """
    slack = slack_of_options(held)
    rows = _rows(held)
    scenarios: dict[VolatilityMove, dict[Decimal, Decimal]] = {}
    for number, move in enumerate(VOLATILITY_MOVES):
        row = scenarios[move] = {}
        for place, shock in enumerate(grid.shocks):
            pnl = _sum((amount, risk[number][place]) for amount, risk in rows)
            row[shock] = pnl + coin_usd * shock
            if slack and (shock or move != "same"):
                row[shock] -= slack
    worst = min(
        (
            Worst(move, shock, pnl)
            for move in reversed(VOLATILITY_MOVES)
            for shock, pnl in scenarios[move].items()
        ),
        key=lambda one: one.pnl,
    )
    ends = (
        Extreme(
            shock,
            _sum((one.net, one.contract.risk.extremes[place]) for one in held)
            + coin_usd * shock
            - slack,
        )
        for place, shock in enumerate(grid.extremes)
    )
    extreme = min(ends, key=lambda one: one.pnl)
    return Moved(scenarios, worst, extreme, _decay(held, slack))


def _rows(held: Sequence[Held]) -> list[tuple[Decimal, tuple[tuple[Decimal, ...], ...]]]:
    return [(one.net, one.contract.risk.pnl) for one in held if one.net]


def _sum(products: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
    total = ZERO
    for amount, each in products:
        total += amount * each
    return total


def _decay(held: Sequence[Held], slack: Decimal) -> Decimal:
    """MR2: of the options alone, volatility's own move included."""
    options = [one for one in held if one.contract.is_option and one.net]
    if not options:
        return ZERO
    passed = (
        _sum((one.net, one.contract.risk.decay[number]) for one in options)
        for number in range(len(VOLATILITY_MOVES))
    )
    return min(ZERO, min(passed) - slack)
