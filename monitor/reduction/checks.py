"""RD-7: what every step must leave true."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import Account
from monitor.exact import ZERO
from monitor.margin import Figures
from monitor.reduction.trial import Outcome, Trial

__all__ = ["passes"]


def passes(trial: Trial, outcome: Outcome) -> bool:
    """RD-7: no sign changes, the requirement does not grow, the ratio is not lower than before."""
    after = outcome.figures
    if after.unpriced or outcome.relief < 0:
        return False
    before = trial.figures.ratio
    if after.ratio is not None and (before is None or after.ratio < before):
        return False
    return not _signs_change(trial.account, trial.figures, outcome.account, after)


def _opposite(before: Decimal, after: Decimal) -> bool:
    return (before > 0 and after < 0) or (before < 0 and after > 0)


def _signs_change(before: Account, was: Figures, after: Account, figures: Figures) -> bool:
    """Whether anything held or owed turns over.

    A balance in multi_currency mode is the coin's equity: realising a loss moves it from
    unrealised PnL to cash, which is no change of what is held. In spot mode it is cash, besides
    what is borrowed.
    """
    for key, position in before.positions.items():
        left = after.positions.get(key)
        if left is not None and _opposite(position.quantity, left.quantity):
            return True
    for name, currency in figures.currencies.items():
        if currency.borrowed < 0 or currency.accrued_interest < 0:
            return True
        held = was.currencies.get(name)
        if before.mode == "spot":
            now, then = currency.cash, held.cash if held is not None else ZERO
        else:
            now, then = currency.equity, held.equity if held is not None else ZERO
        if _opposite(then, now):
            return True
    return False
