"""Bankruptcy prices: where a leg's own price leaves adjusted equity at 0 (RD-6)."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from monitor.account.state import IsolatedPosition
from monitor.currency import counts_as_collateral, equity_for_discounted
from monitor.exact import ONE, ZERO
from monitor.reduction.debts import Debt
from monitor.reduction.moves import Close
from monitor.reduction.trial import Trial
from monitor.schema.reference import Instrument

__all__ = [
    "debt_bankruptcy_price",
    "isolated_bankruptcy_price",
    "leg_bankruptcy_price",
    "to_tick",
]


def to_tick(price: Decimal, tick: Decimal, direction: int) -> Decimal:
    """Round against the account: a long's price up, a short's down; at least one tick."""
    rounding = ROUND_CEILING if direction > 0 else ROUND_FLOOR
    return max(tick, (price / tick).to_integral_value(rounding) * tick)


def leg_bankruptcy_price(trial: Trial, close: Close) -> Decimal | None:
    """Return the mark at which adjusted equity is 0, all else standing, in ticks.

    `None` when there is none above 0. Both sides of a contract move with its mark; an option's is
    the mark of the option.
    """
    settle = trial.figures.currencies[close.settle]
    entry = trial.currency(close.settle)
    counts = counts_as_collateral(trial.account, close.settle, entry)
    wanted = settle.discounted_usd - trial.figures.adjusted_equity
    equity = equity_for_discounted(entry, wanted, settle.price, counts)
    contracts = sum(
        (p.quantity for p in trial.account.positions.values() if p.instrument == close.name), ZERO
    )
    if equity is None or not contracts:
        return None
    mark = trial.figures.positions[close.key].mark
    per_unit = (equity - settle.equity) / (contracts * close.size)
    if close.instrument.inverse and close.instrument.kind != "option":
        inverse = ONE / mark - per_unit
        price = ONE / inverse if inverse > 0 else ZERO
    else:
        price = mark + per_unit
    return to_tick(price, close.instrument.tick, close.direction) if price > 0 else None


def debt_bankruptcy_price(trial: Trial, debt: Debt) -> Decimal | None:
    """Return the index of an owed coin at which adjusted equity is 0; `None` when not above 0."""
    price = debt.price * (ONE + trial.figures.adjusted_equity / (debt.liability * debt.price))
    return price if price > 0 else None


def isolated_bankruptcy_price(
    held: IsolatedPosition, instrument: Instrument, size: Decimal
) -> Decimal | None:
    """MR-3: return the mark (a margin position: base in quote) at which own equity is 0, in ticks.

    `None` when there is none above 0.
    """
    if instrument.inverse:
        # margin + (1 / entry − 1 / p) × contracts × size = 0
        inverse = ONE / held.entry_price + held.margin / (held.quantity * size)
        exact = ONE / inverse if inverse > 0 else ZERO
    else:
        # what is in base coin moves with the price, what is in the settle (quote) coin stands
        base, standing = held.quantity * size, -held.quantity * size * held.entry_price
        if held.margin_currency == instrument.underlying:
            base += held.margin
        else:
            standing += held.margin
        if held.liability_currency == instrument.underlying:
            base -= held.accrued_interest
        else:
            standing -= held.accrued_interest
        exact = -standing / base if base else ZERO
    direction = 1 if held.quantity > 0 else -1
    return to_tick(exact, instrument.tick, direction) if exact > 0 else None
